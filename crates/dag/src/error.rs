//! DecodeError: why a block's bytes could not be read, or written, under a codec.

use ipse_base::{Codec, ErrorKind, Kind};

use crate::{CborError, JsonError, PbError};

/// Why a block's bytes could not be read, or written, under a codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// This node stores and serves such blocks, and can't look into them.
    #[error("no decoder registered for multicodec code {code} (0x{code:x})", code = .0.0)]
    UnknownCodec(Codec),
    /// Not dag-pb.
    #[error(transparent)]
    Pb(#[from] PbError),
    /// Not DAG-CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Not DAG-JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A map has a key twice.
    #[error("duplicate map key {0:?}")]
    RepeatedKey(String),
    /// A node that the codec has no form for.
    #[error(transparent)]
    Form(#[from] FormError),
}

/// Why a node has no form in a codec. Texts are those of the reference codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// NaN and infinities have a form in none.
    #[error("NaN and infinities have no form in this codec")]
    NotFinite,
    /// Raw blocks are bytes.
    #[error("only bytes have a form in raw")]
    NotBytes,
    /// Plain JSON has neither links nor bytes.
    #[error("links and bytes have no form in plain json")]
    NotPlainJson,
    /// A dag-pb node is a map of `Data` and `Links`, and says what is wrong with it.
    #[error("Invalid DAG-PB form ({0})")]
    Pb(&'static str),
}

impl ErrorKind for DecodeError {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownCodec(_) => Kind::Unsupported,
            Self::Form(_) => Kind::Invalid,
            Self::Pb(_) | Self::Cbor(_) | Self::Json(_) | Self::RepeatedKey(_) => Kind::Corrupt,
        }
    }
}
