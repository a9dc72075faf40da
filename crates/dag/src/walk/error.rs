//! WalkError: why a walk ended before its end.

use ipse_base::{Cid, ErrorKind, Kind};

use crate::{Absent, DecodeError};

/// Why a walk ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// A block can't be had.
    #[error(transparent)]
    Absent(#[from] Absent),
    /// A block's links could not be read.
    #[error("{cid}: {source}")]
    Decode {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// Blocks link to each other deeper than any walk goes.
    #[error("{0} lies deeper than 1024 links below its root")]
    TooDeep(Cid),
    /// More links are to be kept in view at once than any walk keeps.
    #[error("too many links are open at once at {0}")]
    TooWide(Cid),
}

impl ErrorKind for WalkError {
    fn kind(&self) -> Kind {
        match self {
            Self::Absent(source) => source.kind(),
            Self::Decode { source, .. } => source.kind(),
            Self::TooDeep(_) | Self::TooWide(_) => Kind::Invalid,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent(source) => source.hint(),
            Self::Decode { source, .. } => source.hint(),
            Self::TooDeep(_) | Self::TooWide(_) => None,
        }
    }
}
