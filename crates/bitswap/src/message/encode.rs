//! To the wire. Payload keeps its place: a message comes out as pieces, in which a large block is the very
//! `Bytes` that went in, and small ones are gathered so that a writer sees few pieces.

use bytes::Bytes;

use super::wire::{field_len, number_len, write_length, write_number};
use super::{Message, Presence, WantEntry, WantType};
use crate::ProtocolVersion;

/// Payload shorter than this is copied beside its neighbours: a piece of its own costs a writer more.
const GATHER_BYTES: usize = 16 * 1024;

/// A message ready to be written: its pieces in order, without the frame's length in front.
#[derive(Debug, Clone, Default)]
pub struct Encoded {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Encoded {
    /// The pieces in order.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The pieces in order, taken out.
    pub fn into_pieces(self) -> Vec<Bytes> {
        self.pieces
    }

    /// Bytes in all pieces: the number that a frame begins with.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All pieces copied into one.
    pub fn to_bytes(&self) -> Bytes {
        match &self.pieces[..] {
            [one] => one.clone(),
            pieces => pieces.concat().into(),
        }
    }

    fn seal(&mut self, open: &mut Vec<u8>) {
        if !open.is_empty() {
            self.push(std::mem::take(open).into());
        }
    }

    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.pieces.push(piece);
    }
}

impl Message {
    /// Writes the message for a peer of the given version. What that version has no words for is left out:
    /// before 1.2.0 the presences and want-haves, in 1.0.0 also what is not named by a version 0 Cid.
    pub fn encode(&self, version: ProtocolVersion) -> Encoded {
        let mut encoded = Encoded::default();
        let mut open = Vec::new();
        self.write_wantlist(version, &mut open);
        for (prefix, data) in &self.blocks {
            if version == ProtocolVersion::V1_0 {
                if *prefix != super::CidPrefix::V0 {
                    continue;
                }
                write_length(2, data.len(), &mut open);
            } else {
                let prefix_len = prefix.encoded_len();
                write_length(3, field_len(prefix_len) + field_len(data.len()), &mut open);
                write_length(1, prefix_len, &mut open);
                prefix.write(&mut open);
                write_length(2, data.len(), &mut open);
            }
            if data.len() < GATHER_BYTES {
                open.extend_from_slice(data);
            } else {
                encoded.seal(&mut open);
                encoded.push(data.clone());
            }
        }
        if version.has_presences() {
            self.presences.iter().for_each(|presence| write_presence(presence, &mut open));
            write_number(5, i64::from(self.pending_bytes) as u64, &mut open);
        }
        encoded.seal(&mut open);
        encoded
    }

    fn write_wantlist(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        let said = |entry: &&WantEntry| match version {
            ProtocolVersion::V1_2 => true,
            ProtocolVersion::V1_1 => entry.want_type == WantType::Block,
            ProtocolVersion::V1_0 => {
                entry.want_type == WantType::Block && entry.cid.version() == ipse_base::Version::V0
            }
        };
        let mut list = Vec::with_capacity(self.wantlist.len() * 48);
        let mut cid = Vec::new();
        for entry in self.wantlist.iter().filter(said) {
            cid.clear();
            entry.cid.write(&mut cid);
            write_entry(entry, &cid, version, &mut list);
        }
        write_number(2, u64::from(self.full), &mut list);
        // boxo writes the field even when it is empty; readers of every kind take both.
        if !list.is_empty() {
            write_length(1, list.len(), out);
            out.extend_from_slice(&list);
        }
    }
}

fn write_entry(entry: &WantEntry, cid: &[u8], version: ProtocolVersion, out: &mut Vec<u8>) {
    let priority = i64::from(entry.priority) as u64;
    let cancel = u64::from(entry.cancel);
    let asks = version.has_presences();
    let have = u64::from(asks && entry.want_type == WantType::Have);
    let dont_have = u64::from(asks && entry.send_dont_have);
    let numbers = [priority, cancel, have, dont_have];
    write_length(1, field_len(cid.len()) + numbers.map(number_len).iter().sum::<usize>(), out);
    write_length(1, cid.len(), out);
    out.extend_from_slice(cid);
    for (field, number) in (2..).zip(numbers) {
        write_number(field, number, out);
    }
}

fn write_presence(presence: &Presence, out: &mut Vec<u8>) {
    let cid = presence.cid.to_bytes();
    let kind = u64::from(!presence.have);
    write_length(4, field_len(cid.len()) + number_len(kind), out);
    write_length(1, cid.len(), out);
    out.extend_from_slice(&cid);
    write_number(2, kind, out);
}
