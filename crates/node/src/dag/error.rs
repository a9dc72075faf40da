//! Why a Dag could not be read, kept or taken in.

use ipse_base::{BlockError, Cid, ErrorKind, Kind, SinkError};
use ipse_dag::{CarError, DecodeError, StepError};

use crate::{BlockPutError, ReadError};

/// Why a Dag could not be read, kept or taken in.
#[derive(Debug, thiserror::Error)]
pub enum DagError {
    /// A block can't be had.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A node is not in the codec that it should be in.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A path leads nowhere inside a node.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A node could not be kept.
    #[error(transparent)]
    Put(#[from] BlockPutError),
    /// An archive is malformed.
    #[error("{0}")]
    Car(#[from] CarError),
    /// An archive's block does not match its name, or is too large.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] SinkError),
    /// An archive lacks a root and there is nobody to ask.
    #[error("root {0} is not in the archive")]
    RootMissing(Cid),
    /// Whoever asked went away.
    #[error("the caller went away")]
    Gone,
    /// The node is going down.
    #[error("the node is shutting down")]
    Stopping,
}

impl ErrorKind for DagError {
    fn kind(&self) -> Kind {
        match self {
            Self::Read(error) => error.kind(),
            Self::Decode(error) => error.kind(),
            Self::Step(error) => error.kind(),
            Self::Put(error) => error.kind(),
            Self::Car(error) => error.kind(),
            Self::Block(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::RootMissing(_) => Kind::NotFound,
            Self::Gone | Self::Stopping => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => error.hint(),
            Self::Decode(error) => error.hint(),
            Self::Step(error) => error.hint(),
            Self::Put(error) => error.hint(),
            Self::Car(error) => error.hint(),
            Self::Block(BlockError::TooLarge { .. }) => {
                Some("pass --allow-big-block to take it in anyway; peers will refuse it".into())
            }
            Self::Block(_) => Some("the archive is damaged: export it again".into()),
            Self::Store(error) => error.hint(),
            Self::RootMissing(_) => {
                Some("import the archive that holds it, or pass --pin-roots=false".into())
            }
            Self::Gone | Self::Stopping => None,
        }
    }
}
