//! Why a folder can't be used for a backup.

use std::path::PathBuf;

use ipse_api::{ManifestError, StreamError};
use ipse_base::{ErrorKind, Kind};

use crate::error::FileError;

/// Why a folder can't be used for a backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// A file could not be handled.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its manifest is not one.
    #[error("{}: {source}", path.display())]
    Manifest {
        path: PathBuf,
        #[source]
        source: ManifestError,
    },
    /// What the node sends is no backup.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// There are other things in it.
    #[error("{} is not empty and holds no backup", .0.display())]
    Foreign(PathBuf),
    /// There is no backup in it.
    #[error("{} holds no backup", .0.display())]
    Empty(PathBuf),
    /// It holds the backup of another node.
    #[error("{} holds a backup of the node {peer}", path.display())]
    Other { path: PathBuf, peer: String },
    /// Another backup into it is running.
    #[error("another backup into {} is running", .0.display())]
    Locked(PathBuf),
    /// Bytes are not as they were written.
    #[error("{} is damaged at offset {offset}", path.display())]
    Damaged { path: PathBuf, offset: u64 },
    /// The daemon that was asked is not the node of this repository.
    #[error("the daemon is the node {daemon}, and the repository at {} that of {peer}", path.display())]
    Mismatch { daemon: String, peer: String, path: PathBuf },
    /// The node's list of segments is not what it sent.
    #[error("segment {0:08} did not arrive as announced")]
    Incomplete(u32),
    /// SHA-256 is not to be had; a mistake of ours.
    #[error("no hash could be computed")]
    Hash,
}

impl ErrorKind for FolderError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Manifest { source, .. } => source.kind(),
            Self::Stream(error) => error.kind(),
            Self::Foreign(_) | Self::Other { .. } | Self::Mismatch { .. } => Kind::Conflict,
            Self::Empty(_) => Kind::NotFound,
            Self::Locked(_) => Kind::Busy,
            Self::Damaged { .. } | Self::Incomplete(_) => Kind::Corrupt,
            Self::Hash => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(_) | Self::Hash => return None,
            Self::Manifest { source, .. } => return source.hint(),
            Self::Stream(error) => return error.hint(),
            Self::Foreign(_) | Self::Other { .. } => "name an empty folder, or one that is not there yet".into(),
            Self::Empty(_) => "name the folder that `ipse backup` wrote".into(),
            Self::Locked(_) => "let it finish".into(),
            Self::Damaged { .. } => "use another backup; a new one can be made into an empty folder".into(),
            Self::Mismatch { .. } => {
                "the private key never crosses the RPC: run `ipse backup` where the node's repository is, and name it \
                 by IPFS_PATH"
                    .into()
            }
            Self::Incomplete(_) => "run the backup again; what was there before is untouched".into(),
        })
    }
}
