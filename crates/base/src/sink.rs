//! The seam that blocks go into, and the three words for how safe they are: *visible* (a get returns it),
//! *durable* (it survives power loss), *announced*.

use crate::{Block, ErrorKind, Kind};

/// Why blocks could not be taken in.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// The text of the underlying error.
    pub message: String,
    /// Its kind; [`Kind::Full`] where the disk or a quota is full.
    pub kind: Kind,
}

impl ErrorKind for SinkError {
    fn kind(&self) -> Kind {
        self.kind
    }
}

/// Something that takes blocks in.
pub trait BlockSink: Send + Sync {
    /// Makes the blocks visible. Those that are there already are skipped.
    ///
    /// # Errors
    /// [`SinkError`]; blocks before the failing one may be visible, none is half written.
    fn put(&self, blocks: &[Block]) -> Result<(), SinkError>;

    /// Returns when everything that was visible at the call is durable.
    ///
    /// # Errors
    /// [`SinkError`] where the medium refuses; nothing may then be acknowledged.
    fn commit(&self) -> Result<(), SinkError>;
}
