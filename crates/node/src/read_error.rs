//! Why something could not be read. The texts are the reference node's, which scripts know.

use ipse_base::{AbsentReason, Cid, ErrorKind, Kind, PathError, SourceError};

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The path is malformed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A block can't be had.
    #[error("{}", absent_text(.cid, *.reason))]
    Absent {
        /// The missing block.
        cid: Cid,
        /// Why it can't be had.
        reason: AbsentReason,
    },
    /// The walk met something that it can't follow: a name that is not there, a malformed block, a limit.
    #[error("{0}")]
    Plan(Box<dyn ErrorKind + Send + Sync>),
    /// The store could not read a block that it has.
    #[error(transparent)]
    Source(SourceError),
    /// A denylist names the path or block.
    #[error("{0} is blocked and cannot be provided")]
    Denied(String),
    /// A directory where a file was asked for.
    #[error("this dag node is a directory")]
    IsDirectory(Cid),
    /// Something other than a file or directory where one was asked for.
    #[error("{0} is not a file or directory")]
    NotUnixfs(Cid),
    /// A mutable name; this node does not resolve them yet.
    #[error("cannot resolve {0:?}: names are not resolved by this version")]
    Name(String),
    /// The path goes on behind what it resolves to.
    #[error("no link named {name:?} under {cid}")]
    Remainder {
        /// The first name that could not be followed.
        name: String,
        /// The node under which it was looked for.
        cid: Cid,
    },
    /// A walk waits for nothing; a mistake of ours.
    #[error("the walk stands still: please report this")]
    Stalled,
    /// The node is going down.
    #[error("the node is shutting down")]
    Stopping,
}

fn absent_text(cid: &Cid, reason: AbsentReason) -> String {
    match reason {
        AbsentReason::Offline => format!("block was not found locally (offline): ipld: could not find {cid}"),
        AbsentReason::Damaged => format!("block {cid} is damaged here and no peer sent it"),
        AbsentReason::NobodyHasIt | AbsentReason::Failed => format!("ipld: could not find {cid}"),
    }
}

impl ReadError {
    /// Wraps a planner's own error.
    pub(crate) fn plan<E: ErrorKind + Send + Sync + 'static>(error: E) -> Self {
        Self::Plan(Box::new(error))
    }
}

impl From<SourceError> for ReadError {
    fn from(error: SourceError) -> Self {
        match error.kind {
            Kind::Denied => Self::Denied(error.cid.to_string()),
            _ => Self::Source(error),
        }
    }
}

impl ErrorKind for ReadError {
    fn kind(&self) -> Kind {
        match self {
            Self::Path(error) => error.kind(),
            Self::Absent { reason: AbsentReason::Offline, .. } => Kind::Unavailable,
            Self::Absent { reason: AbsentReason::Damaged, .. } => Kind::Corrupt,
            Self::Absent { .. } | Self::Remainder { .. } => Kind::NotFound,
            Self::Plan(error) => error.kind(),
            Self::Source(error) => error.kind(),
            Self::Denied(_) => Kind::Denied,
            Self::IsDirectory(_) | Self::NotUnixfs(_) => Kind::Invalid,
            Self::Name(_) => Kind::Unsupported,
            Self::Stalled => Kind::Internal,
            Self::Stopping => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Path(error) => error.hint(),
            Self::Absent { reason: AbsentReason::Offline, .. } => {
                Some("start the node with `ipse daemon` and connect to a peer that has it: `ipse swarm connect ADDRESS`".into())
            }
            Self::Absent { reason: AbsentReason::Damaged, .. } => {
                Some("connect to a peer that has it, or add the data again; `ipse repo verify` lists what is damaged".into())
            }
            Self::Absent { .. } => Some("connect to a peer that has it: `ipse swarm connect ADDRESS`".into()),
            Self::Plan(error) => error.hint(),
            Self::Source(error) if error.kind() == Kind::Corrupt => {
                Some("`ipse daemon` fetches it anew from a peer that has it, as `ipse repo verify --heal` does for all; or add the data again".into())
            }
            Self::Source(_) => Some("check the disk that holds the repository".into()),
            Self::IsDirectory(cid) => Some(format!("list it with `ipse ls {cid}` or fetch it with `ipse get {cid}`")),
            Self::NotUnixfs(cid) => Some(format!("show it with `ipse dag get {cid}` or `ipse block get {cid}`")),
            Self::Name(_) => Some("give the path as /ipfs/CID".into()),
            Self::Remainder { cid, .. } => Some(format!("`ipse ls {cid}` shows the names there are")),
            Self::Denied(_) => Some(
                "a denylist (*.deny) of this node's operator names it; with `IPSE_LOG=warn` the node logs which line".into(),
            ),
            Self::Stalled | Self::Stopping => None,
        }
    }
}
