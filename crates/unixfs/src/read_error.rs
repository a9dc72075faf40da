//! ReadError: why a file or folder could not be read to its end.

use ipse_base::limits::DAG_DEPTH_MAX;
use ipse_base::{Cid, ErrorKind, Kind};
use ipse_dag::Absent;

use crate::{NodeError, ShardError};

/// Why a file or folder could not be read to its end. Texts are those of the reference node where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A block can't be had.
    #[error(transparent)]
    Absent(#[from] Absent),
    /// A block is not what its place in the tree says.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A file was asked for.
    #[error("this dag node is a directory")]
    IsDirectory(Cid),
    /// A file was asked for.
    #[error("cannot currently read symlinks")]
    IsSymlink(Cid),
    /// Another kind of node where a part of a file should be.
    #[error("found {kind} node in unexpected place: {cid}")]
    Unexpected {
        /// The block.
        cid: Cid,
        /// Its kind.
        kind: &'static str,
    },
    /// A part of a file is not as long as its parent says.
    #[error("{cid} holds {actual} bytes of its file and its parent says {expected}")]
    Size {
        /// The part.
        cid: Cid,
        /// Bytes by its parent.
        expected: u64,
        /// Bytes by itself.
        actual: u64,
    },
    /// A node of a sharded folder is malformed.
    #[error("{cid}: {source}")]
    Shard {
        /// The shard.
        cid: Cid,
        /// What is wrong with it.
        source: ShardError,
    },
    /// An entry can't be written to any disk.
    #[error("{cid} has an entry with the name {name:?}")]
    Name {
        /// The folder.
        cid: Cid,
        /// The name.
        name: String,
    },
    /// More levels than any file or folder has.
    #[error("{0} lies more than {DAG_DEPTH_MAX} levels deep")]
    TooDeep(Cid),
}

impl ErrorKind for ReadError {
    fn kind(&self) -> Kind {
        match self {
            Self::Absent(error) => error.kind(),
            Self::Node(error) => error.kind(),
            Self::IsDirectory(_) | Self::IsSymlink(_) | Self::Name { .. } => Kind::Invalid,
            Self::Unexpected { .. } | Self::Size { .. } | Self::Shard { .. } | Self::TooDeep(_) => {
                Kind::Corrupt
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent(error) => error.hint(),
            Self::IsDirectory(cid) => {
                Some(format!("list it with `ipse ls {cid}` or fetch it with `ipse get {cid}`"))
            }
            _ => None,
        }
    }
}
