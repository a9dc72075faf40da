//! Record: one entry of a segment, as bytes. Layout and rules: `docs/formats/segment.md`.
//!
//! The header carries two checksums: one over itself, its name and its own offset, one over the payload. The
//! first covers the second, so together they cover the record; apart they let a scan trust headers without
//! reading payloads, and let the payload of a deleted block be a hole.

use ipse_base::{Cid, CidError};

/// Bytes of a header before its name.
pub(crate) const HEADER_BYTES: usize = 28;

/// The longest name: an identity Cid of 128 bytes of content under any codec fits.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Largest payload that is written. Blocks over 2 MiB are taken in only on request; this bounds the memory of
/// one read.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Every record starts at a multiple of this.
pub(crate) const ALIGNMENT: u64 = 8;

/// Rounds up to the next place where a record may start.
pub(crate) const fn align(offset: u64) -> u64 {
    offset.next_multiple_of(ALIGNMENT)
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// The payload is the block of this name.
    Block,
    /// The block of this name is deleted.
    Tombstone,
    /// The name is pinned; the payload holds mode and label.
    Pin,
    /// The name is no longer pinned.
    Unpin,
    /// Nothing but the proof, in its header, of what was durable.
    Mark,
}

impl RecordKind {
    const fn code(self) -> u8 {
        match self {
            Self::Block => 1,
            Self::Tombstone => 2,
            Self::Pin => 3,
            Self::Unpin => 4,
            Self::Mark => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Block,
            2 => Self::Tombstone,
            3 => Self::Pin,
            4 => Self::Unpin,
            5 => Self::Mark,
            _ => return None,
        })
    }
}

/// Why bytes are not a record, or not a sound one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end inside of it.
    #[error("record is cut off")]
    Short,
    /// No record starts here.
    #[error("no record starts here")]
    Marker,
    /// The header does not have its checksum.
    #[error("header does not match its checksum")]
    HeaderChecksum,
    /// The payload does not have its checksum.
    #[error("payload does not match its checksum")]
    PayloadChecksum,
    /// A kind or flag that this version does not write.
    #[error("record of unknown kind {0}")]
    Kind(u8),
    /// The payload is longer than any that is written.
    #[error("payload of {0} bytes is over the limit")]
    TooLong(u32),
    /// The name is malformed.
    #[error("name is malformed: {0}")]
    Name(#[from] CidError),
    /// The record is sound but not the one that was looked for.
    #[error("another record stands here")]
    Other,
    /// The bytes are sound but do not have the hash that their name says.
    #[error("bytes do not match their name")]
    Hash,
    /// The segment that should hold it is not there.
    #[error("its segment is missing")]
    NoSegment,
    /// A record that no living block's is: what it said is known from elsewhere, or is lost.
    #[error("no record can be read here")]
    Record,
    /// The payload of a pin does not have its checksum.
    #[error("pin does not match its checksum")]
    Pin,
    /// The bytes behind the payload are not zero.
    #[error("padding is not zero")]
    Padding,
    /// A copy of a segment's header is not as it was written.
    #[error("segment header is damaged")]
    SegmentHeader,
    /// The index says something else than the record, or does not know it.
    #[error("index and log disagree")]
    Index,
}

/// A record without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: RecordKind,
    /// Of a block: it has no links under the codec of its name.
    pub(crate) leaf: bool,
    /// Absent only in marks.
    pub(crate) name: Option<Cid>,
    pub(crate) payload_len: u32,
    pub(crate) payload_crc: u32,
    /// Everything of this segment before this offset was durable when the record was written.
    pub(crate) durable: u64,
}

const FLAG_LEAF: u8 = 1;

impl Header {
    /// Appends the bytes of the header and name as they stand at `offset` of the segment with this marker.
    pub(crate) fn write(&self, marker: u64, offset: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&marker.to_le_bytes());
        out.extend_from_slice(&[self.kind.code(), if self.leaf { FLAG_LEAF } else { 0 }, 0, 0]);
        out.extend_from_slice(&self.payload_len.to_le_bytes());
        out.extend_from_slice(&durable_units(self.durable).to_le_bytes());
        out.extend_from_slice(&self.payload_crc.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        if let Some(name) = &self.name {
            name.write(out);
        }
        let name_len = out.len() - start - HEADER_BYTES;
        debug_assert!(name_len <= NAME_BYTES_MAX);
        out[start + 10] = name_len as u8;
        let crc = header_crc(&out[start..], offset);
        out[start + 24..start + HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a header with its name from the front of `bytes`, which stand at `offset`.
    pub(crate) fn read(bytes: &[u8], marker: u64, offset: u64) -> Result<Self, RecordError> {
        let fixed: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(RecordError::Short)?;
        if fixed[..8] != marker.to_le_bytes() {
            return Err(RecordError::Marker);
        }
        let name_len = usize::from(fixed[10]);
        let whole = bytes.get(..HEADER_BYTES + name_len).ok_or(RecordError::Short)?;
        if u32_at(fixed, 24) != header_crc(whole, offset) {
            return Err(RecordError::HeaderChecksum);
        }
        let kind = RecordKind::from_code(fixed[8]).ok_or(RecordError::Kind(fixed[8]))?;
        if fixed[9] & !FLAG_LEAF != 0 || fixed[11] != 0 {
            return Err(RecordError::Kind(fixed[8]));
        }
        let payload_len = u32_at(fixed, 12);
        if payload_len as usize > PAYLOAD_BYTES_MAX {
            return Err(RecordError::TooLong(payload_len));
        }
        let name = match kind {
            RecordKind::Mark if name_len == 0 => None,
            RecordKind::Mark => return Err(RecordError::Other),
            _ => Some(Cid::from_bytes(&whole[HEADER_BYTES..])?),
        };
        Ok(Self {
            kind,
            leaf: fixed[9] & FLAG_LEAF != 0,
            name,
            payload_len,
            payload_crc: u32_at(fixed, 20),
            durable: u64::from(u32_at(fixed, 16)) * ALIGNMENT,
        })
    }

    /// Bytes in front of the payload.
    pub(crate) fn header_len(&self) -> usize {
        HEADER_BYTES + self.name.as_ref().map_or(0, name_len)
    }

    /// Bytes of the whole record, padding included.
    pub(crate) fn record_len(&self) -> u64 {
        align((self.header_len() + self.payload_len as usize) as u64)
    }

    /// Whether this is the record's payload.
    pub(crate) fn check_payload(&self, payload: &[u8]) -> Result<(), RecordError> {
        if payload.len() == self.payload_len as usize && crc32c::crc32c(payload) == self.payload_crc {
            Ok(())
        } else {
            Err(RecordError::PayloadChecksum)
        }
    }
}

/// Bytes of a name.
pub(crate) fn name_len(cid: &Cid) -> usize {
    use ipse_base::{Version, varint};
    let hash = varint::len(cid.hash().code().0) + varint::len(cid.hash().digest().len() as u64);
    let prefix = if cid.version() == Version::V1 { 1 + varint::len(cid.codec().0) } else { 0 };
    prefix + hash + cid.hash().digest().len()
}

/// The checksum of a header with its name. The record's own offset goes in, so that a record's image inside
/// of a block (somebody stored a segment file) is not taken for a record.
fn header_crc(header_and_name: &[u8], offset: u64) -> u32 {
    let crc = crc32c::crc32c(&header_and_name[..24]);
    let crc = crc32c::crc32c_append(crc, &header_and_name[HEADER_BYTES..]);
    crc32c::crc32c_append(crc, &offset.to_le_bytes())
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Segments end far below 32 GiB, so units of eight bytes fit; a larger one would only prove less.
fn durable_units(offset: u64) -> u32 {
    u32::try_from(offset / ALIGNMENT).unwrap_or(0)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
