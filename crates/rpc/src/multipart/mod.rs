//! Uploads: `multipart/form-data` as Kubo's clients send it (RFC 2046 framing, RFC 7578 parts).
//!
//! Path: request body → [`Parser`] (framing) → [`PartHead`] (what a part is) → [`super::upload`] (what it means).
//! Invariants: nothing is buffered but one line of a header; content leaves as slices of the bytes that came in;
//! every name is checked before it is handed on.

mod head;
mod parser;

pub(crate) use head::{PartHead, PartKind, boundary};
pub(crate) use parser::{Parser, PartEvent};

use ipse_base::{ErrorKind, Kind};

/// Why an upload can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MultipartError {
    /// It ends before its last boundary.
    #[error("unexpected EOF")]
    Truncated,
    /// More text before the first part, or in one part's header, than anybody sends.
    #[error("multipart: message too large")]
    HeaderTooLong,
    /// A line that is no header.
    #[error("malformed MIME header line: {0:?}")]
    Header(String),
    /// A boundary with something else behind it.
    #[error("multipart: malformed boundary line")]
    Boundary,
    /// A file name that leaves its folder, holds NUL, or is not text.
    #[error("invalid file name {0:?}")]
    Name(String),
    /// A symlink that points at more text than a path may have.
    #[error("symlink target is too long")]
    TargetTooLong,
}

impl ErrorKind for MultipartError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}
