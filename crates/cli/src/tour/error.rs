//! Why a tour ends early.

use std::path::PathBuf;

use ipse_base::{ErrorKind, Kind};

/// Why a tour ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TourError {
    /// The output is closed.
    #[error("the output is closed: {0}")]
    Output(#[source] std::io::Error),
    /// The temporary folder.
    #[error("{}: {source}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A path that is no text.
    #[error("the temporary folder's path is not UTF-8: {}", .0.display())]
    Path(PathBuf),
    /// A child can't be started.
    #[error("can't start `{command}`: {source}")]
    Start {
        /// What was started.
        command: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A child failed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// What ran.
        command: String,
        /// What it said.
        output: String,
    },
    /// A node did not come up.
    #[error("the node {0} did not come up: {1}")]
    NotReady(String, String),
    /// A child's answer can't be read.
    #[error("can't read the answer of `{0}`")]
    Answer(String),
    /// The transfer was over, or stood still, before half of it was seen.
    #[error("the transfer could not be caught in the middle; {received} bytes were received")]
    NoMiddle {
        /// Bytes received when it was last looked at.
        received: u64,
    },
    /// The restarted node fetched what it had.
    #[error("the restarted node fetched {rest} bytes of {whole}: nothing of the first half was kept")]
    FetchedAgain {
        /// Bytes received after the restart.
        rest: u64,
        /// Bytes of the whole Dag.
        whole: u64,
    },
    /// Content differs.
    #[error("{node} has other content than was added: {path}")]
    Differs {
        /// Who has it.
        node: String,
        /// Where it differs.
        path: String,
    },
}

impl ErrorKind for TourError {
    fn kind(&self) -> Kind {
        match self {
            Self::Output(_) | Self::File { .. } | Self::Start { .. } => Kind::Unavailable,
            Self::Path(_) => Kind::Invalid,
            Self::Differs { .. } => Kind::Corrupt,
            Self::NotReady(..) => Kind::Timeout,
            Self::Command { .. } | Self::Answer(_) | Self::NoMiddle { .. } | Self::FetchedAgain { .. } => {
                Kind::Internal
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File { .. } => Some("set TMPDIR to a folder with a gigabyte of room".into()),
            Self::NoMiddle { .. } => Some("try with more content: `ipse tour --mib 1024`".into()),
            _ => None,
        }
    }
}
