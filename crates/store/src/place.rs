//! Position and Place: where a record stands in the log, and what the index says about a block.

use ipse_base::{Cid, Codec, Multihash, Version, varint};

use crate::record::{HEADER_BYTES, align};

/// A point in the log. Points are ordered as the records were written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of the segment.
    pub segment: u32,
    /// Bytes from the start of its file.
    pub offset: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment {:08} offset {}", self.segment, self.offset)
    }
}

/// Where a block is, and what can be told of it without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The start of its record.
    pub(crate) position: Position,
    /// Bytes of the block.
    pub(crate) length: u32,
    /// The version of the Cid that it was first stored under.
    pub(crate) version: Version,
    /// The codec that it was first stored under.
    pub(crate) codec: Codec,
    /// Whether it has no links when read under that codec.
    pub(crate) leaf: bool,
}

impl Place {
    /// Bytes in front of the payload.
    pub(crate) fn header_len(&self, hash: &Multihash) -> usize {
        let code = varint::len(hash.code().0) + varint::len(hash.digest().len() as u64);
        let prefix = if self.version == Version::V1 { 1 + varint::len(self.codec.0) } else { 0 };
        HEADER_BYTES + prefix + code + hash.digest().len()
    }

    /// Bytes that the record takes in its segment.
    pub(crate) fn record_len(&self, hash: &Multihash) -> u64 {
        align((self.header_len(hash) + self.length as usize) as u64)
    }

    /// Whether the block has links when read under this codec; `None` where only reading it would tell. The
    /// flag counts for the codec it was computed for: the same bytes may be stored as raw and walked as dag-pb.
    pub(crate) fn leaf_under(&self, codec: Codec) -> Option<bool> {
        if codec == Codec::RAW { Some(true) } else { (codec == self.codec).then_some(self.leaf) }
    }

    /// The name that the block is listed under.
    pub(crate) fn cid(&self, hash: Multihash) -> Cid {
        Cid::v1(self.codec, hash)
    }
}
