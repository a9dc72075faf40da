//! Why an archive could not be unpacked.

use std::io;
use std::path::PathBuf;

use ipse_base::{ErrorKind, Kind};

use crate::error::{FileError, system_text};

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExtractError {
    /// The bytes are no archive, or end too early.
    #[error("{}", system_text(.0))]
    Archive(#[source] io::Error),
    /// There is nothing in it.
    #[error("empty tar file")]
    Empty,
    /// Its first name is none that could be a root.
    #[error("tar has invalid root: {0:?}")]
    Root(String),
    /// A name that leads out of the root, or is no name.
    #[error("{path:?} : path contains {part:?}")]
    Name {
        /// The name as it stands in the archive.
        path: String,
        /// The part that is refused.
        part: String,
    },
    /// A component on the way is a symbolic link.
    #[error("cannot traverse symlinks")]
    Symlink,
    /// A component on the way is no directory.
    #[error("cannot traverse non-directory objects")]
    NotDirectory,
    /// A device, pipe or socket stands where a file should be written.
    #[error("{} is a device, pipe or socket and is left alone", .0.display())]
    Special(PathBuf),
    /// Something that is no file, directory or symbolic link.
    #[error("unrecognized tar header type: {0}")]
    Type(u8),
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The program is going down.
    #[error("interrupted")]
    Stopped,
}

impl ErrorKind for ExtractError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Stopped => Kind::Unavailable,
            Self::Archive(_) | Self::Empty => Kind::Corrupt,
            _ => Kind::Denied,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(_) | Self::Special(_) => Some("choose another place with --output".into()),
            Self::Symlink | Self::NotDirectory => Some(
                "something else stands in the way at the destination; choose an empty place with --output"
                    .into(),
            ),
            Self::Root(_) | Self::Name { .. } | Self::Type(_) => Some(
                "the folder holds names that are not safe on this system; look at it with `ipse ls`".into(),
            ),
            _ => None,
        }
    }
}
