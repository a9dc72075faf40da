//! PinError: why pins could not be changed or listed.

use ipse_base::{Cid, ErrorKind, Kind};
use ipse_store::{IndexError, PinError as StorePinError};

use crate::ReadError;

/// Why pins could not be changed or listed. The texts are the reference node's.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// A block below the pin can't be had.
    #[error("pin: {0}")]
    Read(#[from] ReadError),
    /// A direct pin where a recursive one stands.
    #[error("pin: {0} already pinned recursively")]
    AlreadyRecursive(Cid),
    /// Nothing pins it.
    #[error("not pinned or pinned indirectly")]
    NotPinned(Cid),
    /// Nothing pins it, asked of a listing.
    #[error("path '{0}' is not pinned")]
    PathNotPinned(String),
    /// A recursive pin is removed as if it were direct.
    #[error("{0} is pinned recursively")]
    IsRecursive(Cid),
    /// The pin to move is not there.
    #[error("'from' cid was not recursively pinned already")]
    FromNotPinned(Cid),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StorePinError),
    /// The index can't be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The node is going down.
    #[error("the node is shutting down")]
    Stopping,
}

impl ErrorKind for PinError {
    fn kind(&self) -> Kind {
        match self {
            Self::Read(error) => error.kind(),
            Self::AlreadyRecursive(_) | Self::IsRecursive(_) => Kind::Conflict,
            Self::NotPinned(_) | Self::PathNotPinned(_) | Self::FromNotPinned(_) => Kind::NotFound,
            Self::Store(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Stopping => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => error.hint(),
            Self::AlreadyRecursive(cid) => Some(format!("nothing to do: `ipse pin ls {cid}` shows the pin")),
            Self::IsRecursive(cid) => Some(format!("remove it with `ipse pin rm {cid}`")),
            Self::NotPinned(_) | Self::PathNotPinned(_) | Self::FromNotPinned(_) => {
                Some("`ipse pin ls --type=recursive` shows what is pinned".into())
            }
            Self::Store(error) => error.hint(),
            Self::Index(_) | Self::Stopping => None,
        }
    }
}
