//! Why a line or a list is not taken.

use ipse_base::limits::{DENYLIST_LINE_BYTES_MAX, DENYLIST_RULES_MAX};
use ipse_base::{ErrorKind, HashCode, Kind};

/// Why a line or a list is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DenylistError {
    /// The line is longer than the format allows.
    #[error("the line is longer than {DENYLIST_LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// The line is not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The line begins like no rule.
    #[error("a rule begins with /ipfs/, /ipns/ or //, and this is {0:?}")]
    NotARule(String),
    /// What stands behind `/ipfs/` is neither a Cid nor a multihash.
    #[error("{0:?} is neither a CID nor a multihash")]
    Root(String),
    /// The path has an escape that is not UTF-8.
    #[error("the path {0:?} is not UTF-8 once its escapes are resolved")]
    Path(String),
    /// What stands behind `//` is neither a multihash nor a SHA-256 in hexadecimal.
    #[error("{0:?} is neither a multihash in base58btc nor a SHA-256 in hexadecimal")]
    Double(String),
    /// A double hash by a function that this node does not compute.
    #[error("double hashes by {0} can't be checked here")]
    Function(HashCode),
    /// A line of the header that is not `name: value`.
    #[error("the header's line {0:?} is not of the form \"name: value\"")]
    Header(String),
    /// A version of the format that came later.
    #[error("the list is of version {0:?}, and this node reads version 1")]
    Version(String),
    /// More rules than the node holds.
    #[error("all lists together have more than {DENYLIST_RULES_MAX} lines")]
    TooMany,
}

impl ErrorKind for DenylistError {
    fn kind(&self) -> Kind {
        match self {
            Self::Function(_) | Self::Version(_) => Kind::Unsupported,
            _ => Kind::Invalid,
        }
    }
}
