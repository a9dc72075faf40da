//! Failures: the one table from kinds of error to this door's language, and errors on their way out.

use hyper::StatusCode;
use ipse_api::{ErrorCode, ErrorReply};
use ipse_base::{ErrorKind, Kind};

/// The table: what a kind of error is over the RPC.
///
/// Mistakes of a request that a command finds are answered 500, as the reference node does; only what is wrong
/// with the address itself is 400, and that never becomes a [`Failure`].
const fn table(kind: Kind) -> (StatusCode, ErrorCode) {
    match kind {
        Kind::Denied => (StatusCode::FORBIDDEN, ErrorCode::Forbidden),
        Kind::Busy => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::RateLimited),
        Kind::NotFound
        | Kind::Invalid
        | Kind::Conflict
        | Kind::Unsupported
        | Kind::Unavailable
        | Kind::Full
        | Kind::Timeout
        | Kind::Corrupt
        | Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Normal),
    }
}

/// Why a command failed, as its caller will be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status, where nothing was sent yet.
    pub(crate) status: StatusCode,
    /// The code in the reply.
    pub(crate) code: ErrorCode,
    /// The error's text.
    pub(crate) message: String,
    /// What the person at the keyboard should do next. It stays in this process: a command line that runs the
    /// command itself shows it, the wire never carries it.
    pub(crate) hint: Option<String>,
}

impl<E: ErrorKind> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { hint: error.hint(), ..Self::new(error.kind(), error.to_string()) }
    }
}

impl Failure {
    /// A failure that no lower floor has an error for.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (status, code) = table(kind);
        Self { status, code, message: message.into(), hint: None }
    }

    /// The request can't succeed as it stands.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// The request asks for something that the caller could have known not to work: 400.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: ErrorCode::Client, message: message.into(), hint: None }
    }

    /// The time that the request allowed is over.
    pub(crate) fn timeout() -> Self {
        Self::new(Kind::Timeout, "context deadline exceeded")
    }

    /// The error reply.
    pub(crate) fn reply(&self) -> ErrorReply {
        ErrorReply::new(self.message.clone(), self.code)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_status_and_code() {
        let status = |kind| {
            let failure = Failure::new(kind, "x");
            (failure.status.as_u16(), failure.code.number())
        };
        assert_eq!(status(Kind::Denied), (403, 4));
        assert_eq!(status(Kind::Busy), (500, 3));
        assert_eq!(status(Kind::Invalid), (500, 0));
        assert_eq!(status(Kind::NotFound), (500, 0));
        assert_eq!(Failure::client("x").status, StatusCode::BAD_REQUEST);
    }
}
