//! Why an add failed.

use ipse_base::limits::{DAG_DEPTH_MAX, ENTRY_NAME_BYTES_MAX};
use ipse_base::{BlockError, ErrorKind, Kind, SinkError};
use ipse_store::PinError;
use ipse_unixfs::WriteError;

/// Why an add failed. Nothing is pinned then; blocks that were written are garbage until the next collection.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// A name for a pin that is not made.
    #[error("pin-name option requires pin to be set")]
    NameWithoutPin,
    /// A path that leaves its folder, or is not a path.
    #[error("invalid file name {0:?}")]
    Name(String),
    /// A name longer than an entry may have.
    #[error("file name of {0} bytes is over the limit of {ENTRY_NAME_BYTES_MAX}")]
    NameTooLong(usize),
    /// Folders nested deeper than any reader follows.
    #[error("folders are nested deeper than {DAG_DEPTH_MAX}")]
    TooDeep,
    /// A file and a folder, or two files, with one name.
    #[error("{0:?} was added twice")]
    Twice(String),
    /// Inputs out of order, such as bytes without a file.
    #[error("the upload is malformed: {0}")]
    Order(&'static str),
    /// Whoever asked for the add went away.
    #[error("the caller went away")]
    Gone,
    /// A thread that makes blocks failed; a mistake of ours.
    #[error("a block could not be made")]
    Lost,
    /// A file that is read in place can't be.
    #[error("read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file got shorter while it was read.
    #[error("{0} changed while it was read")]
    Changed(String),
    /// A block can't be made.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A file or directory can't be laid out.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] SinkError),
    /// The pin can't be made.
    #[error("pin: {0}")]
    Pin(#[from] PinError),
}

impl ErrorKind for AddError {
    fn kind(&self) -> Kind {
        match self {
            Self::NameWithoutPin
            | Self::Name(_)
            | Self::NameTooLong(_)
            | Self::TooDeep
            | Self::Twice(_)
            | Self::Order(_) => Kind::Invalid,
            Self::Gone => Kind::Unavailable,
            Self::Lost => Kind::Internal,
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Kind::Denied
            }
            Self::Read { .. } => Kind::Internal,
            Self::Changed(_) => Kind::Conflict,
            Self::Block(error) => error.kind(),
            Self::Write(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Pin(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NameWithoutPin => Some("leave out --pin=false or --pin-name".into()),
            Self::Name(_) | Self::NameTooLong(_) | Self::Twice(_) => {
                Some("rename the file and add again".into())
            }
            Self::TooDeep => Some("add the inner folders by themselves".into()),
            Self::Order(_) | Self::Gone | Self::Lost | Self::Read { .. } => None,
            Self::Changed(_) => Some("add it again once nothing writes to it".into()),
            Self::Block(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::Store(error) if error.kind == Kind::Full => Some(
                "make room on the disk, or run `ipse repo gc`; nothing that was added before is lost".into(),
            ),
            Self::Store(error) => error.hint(),
            Self::Pin(error) => error.hint(),
        }
    }
}
