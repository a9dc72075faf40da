//! DecodeError: why a block's bytes could not be read under its codec.

use ipse_base::{Codec, ErrorKind, Kind};

use crate::PbError;

/// Why a block's bytes could not be read, or written, under a codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// This node stores and serves such blocks, and can't look into them.
    #[error("no decoder registered for multicodec code {code} (0x{code:x})", code = .0.0)]
    UnknownCodec(Codec),
    /// Not dag-pb.
    #[error(transparent)]
    Pb(#[from] PbError),
}

impl ErrorKind for DecodeError {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownCodec(_) => Kind::Unsupported,
            Self::Pb(_) => Kind::Corrupt,
        }
    }
}
