//! CAR archives (IPLD CAR specification): a header with roots, then blocks, each behind its length and Cid.
//! Version 1 is read and written; of version 2 the archive of version 1 inside is read and the index ignored.
//!
//! The reader is pushed: it owns no file and no socket. It hands out bytes as they came, so whoever takes a block
//! in hashes it ([`Block::verify`](ipse_base::Block::verify)), on whatever thread has time.

mod header;
mod reader;
mod rope;
mod writer;

pub use reader::{CarItem, CarReader};
pub use writer::{frame_prefix, header};

use ipse_base::varint::VarintError;
use ipse_base::{CidError, ErrorKind, Kind};

use crate::CborError;

/// Why bytes are not a CAR archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CarError {
    /// The bytes end inside the header or a block.
    #[error("car: unexpected end of archive")]
    Short,
    /// A length is malformed.
    #[error("car: {0}")]
    Varint(#[from] VarintError),
    /// The header is longer than any that is read.
    #[error("car: invalid header data, length of read beyond allowable maximum ({0} bytes)")]
    HeaderTooLarge(u64),
    /// A section is longer than any block may be.
    #[error("car: invalid section data, length of read beyond allowable maximum ({0} bytes)")]
    SectionTooLarge(u64),
    /// The header is not the CBOR it should be.
    #[error("car: invalid header: {0}")]
    Cbor(#[from] CborError),
    /// The header has other fields than roots and a version, or of other types.
    #[error("car: invalid header: not roots and a version")]
    Header,
    /// A version that nobody has written down yet.
    #[error("car: invalid car version: {0}")]
    Version(u64),
    /// The places that an archive of version 2 names contradict each other.
    #[error("car: invalid header of version 2")]
    Layout,
    /// A block's Cid is malformed.
    #[error("car: {0}")]
    Cid(#[from] CidError),
}

impl ErrorKind for CarError {
    fn kind(&self) -> Kind {
        match self {
            Self::Version(_) => Kind::Unsupported,
            Self::HeaderTooLarge(_) | Self::SectionTooLarge(_) => Kind::Invalid,
            _ => Kind::Corrupt,
        }
    }
}

#[cfg(test)]
mod tests;
