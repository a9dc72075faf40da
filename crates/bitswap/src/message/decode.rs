//! From the wire. A frame comes from anyone, so each list is counted while it is read and anything malformed
//! refuses the whole message: a peer that garbles one entry can't be trusted with the next.

use bytes::Bytes;
use ipse_base::limits::{BITSWAP_CID_BYTES_MAX, BITSWAP_MESSAGE_BYTES_MAX};
use ipse_base::{Cid, CidError, ErrorKind, Kind, MultihashError};

use super::wire::Fields;
use super::{CidPrefix, Message, Presence, WantEntry, WantType};
use crate::limits::MESSAGE_ITEMS_MAX;

/// Why a frame is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than any message may be.
    #[error("bitswap message of {0} bytes is over the limit")]
    TooLong(usize),
    /// The frame ends inside a field.
    #[error("bitswap message is cut off")]
    Short,
    /// A number has more than 64 bits.
    #[error("bitswap message has a number of more than 64 bits")]
    Varint,
    /// A field is of another type than the protocol says, or of one that does not exist.
    #[error("bitswap message has a field of the wrong type")]
    WireType,
    /// A field number that can't be.
    #[error("bitswap message has a field with the number {0}")]
    Field(u64),
    /// A want, a presence or a block's prefix is not a Cid.
    #[error("bitswap message names a malformed block")]
    Cid(#[from] CidError),
    /// More wants, blocks or presences than an honest message has.
    #[error("bitswap message has more than {MESSAGE_ITEMS_MAX} entries of a kind")]
    TooMany,
}

impl ErrorKind for DecodeError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

impl Message {
    /// Reads a frame (without its length in front) of any version. Blocks are slices of `frame`.
    ///
    /// Wants and presences of identity Cids, and of Cids longer than any that a peer may use, are left out:
    /// the first follow from their names, and nobody serves the second.
    ///
    /// # Errors
    /// [`DecodeError`] where anything is malformed or over a limit.
    pub fn decode(frame: Bytes) -> Result<Self, DecodeError> {
        if frame.len() > BITSWAP_MESSAGE_BYTES_MAX {
            return Err(DecodeError::TooLong(frame.len()));
        }
        let mut message = Self::default();
        let mut fields = Fields(frame);
        // Left-out entries count too: otherwise a frame of them would cost its whole length for nothing.
        let mut seen = [0usize; 3];
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => decode_wantlist(value.bytes()?, &mut message, &mut seen[0])?,
                2 => {
                    count(&mut seen[1])?;
                    message.blocks.push((CidPrefix::V0, value.bytes()?));
                }
                3 => {
                    count(&mut seen[1])?;
                    message.blocks.push(decode_block(value.bytes()?)?);
                }
                4 => {
                    count(&mut seen[2])?;
                    message.presences.extend(decode_presence(value.bytes()?)?);
                }
                5 => message.pending_bytes = value.number()? as i32,
                _ => {}
            }
        }
        Ok(message)
    }
}

fn count(seen: &mut usize) -> Result<(), DecodeError> {
    *seen += 1;
    if *seen > MESSAGE_ITEMS_MAX { Err(DecodeError::TooMany) } else { Ok(()) }
}

fn decode_wantlist(bytes: Bytes, message: &mut Message, seen: &mut usize) -> Result<(), DecodeError> {
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => {
                count(seen)?;
                message.wantlist.extend(decode_entry(value.bytes()?)?);
            }
            2 => message.full = value.number()? != 0,
            _ => {}
        }
    }
    Ok(())
}

fn decode_entry(bytes: Bytes) -> Result<Option<WantEntry>, DecodeError> {
    let mut cid = Bytes::new();
    // Protocol buffers leave zeroes out, so an absent priority is zero, not the one of the specification.
    let (mut priority, mut cancel, mut want_type, mut send_dont_have) = (0, false, WantType::Block, false);
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => cid = value.bytes()?,
            2 => priority = value.number()? as i32,
            3 => cancel = value.number()? != 0,
            4 => want_type = if value.number()? == 1 { WantType::Have } else { WantType::Block },
            5 => send_dont_have = value.number()? != 0,
            _ => {}
        }
    }
    Ok(decode_cid(&cid)?.map(|cid| WantEntry { cid, priority, cancel, want_type, send_dont_have }))
}

fn decode_block(bytes: Bytes) -> Result<(CidPrefix, Bytes), DecodeError> {
    let (mut prefix, mut data) = (Bytes::new(), Bytes::new());
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => prefix = value.bytes()?,
            2 => data = value.bytes()?,
            _ => {}
        }
    }
    Ok((CidPrefix::from_bytes(&prefix)?, data))
}

fn decode_presence(bytes: Bytes) -> Result<Option<Presence>, DecodeError> {
    let (mut cid, mut have) = (Bytes::new(), true);
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => cid = value.bytes()?,
            2 => have = value.number()? == 0,
            _ => {}
        }
    }
    Ok(decode_cid(&cid)?.map(|cid| Presence { cid, have }))
}

/// The Cid, or nothing where it is well formed and not for asking.
fn decode_cid(bytes: &[u8]) -> Result<Option<Cid>, DecodeError> {
    if bytes.len() > BITSWAP_CID_BYTES_MAX {
        return Ok(None);
    }
    match Cid::from_bytes(bytes) {
        Ok(cid) if cid.is_identity() => Ok(None),
        Ok(cid) => Ok(Some(cid)),
        Err(CidError::Multihash(MultihashError::TooLong { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
