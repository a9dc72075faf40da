//! What a request fails with, and the one table from error kind to HTTP status.

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use ipse_base::limits::{GATEWAY_REQUEST_BODY_BYTES_MAX, GATEWAY_STREAMS_MAX};
use ipse_base::{ErrorKind, Kind, PathError};
use ipse_node::ReadError;

use crate::body::{self, Body};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("method not allowed")]
    Method,
    #[error("{0} is not here: content is below /ipfs/")]
    NoSuchPage(String),
    #[error("an encoded slash can't be part of a name")]
    EncodedSlash,
    #[error("the path is not UTF-8")]
    NotUtf8,
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("too many requests at the same time: the limit is {0}")]
    Busy(usize),
    #[error("too many answers that take memory of their own: the limit is {GATEWAY_STREAMS_MAX}")]
    Streams,
    #[error("a request's body may have {GATEWAY_REQUEST_BODY_BYTES_MAX} bytes, and none is needed")]
    BodyTooLarge,
    #[error("{0} did not begin to arrive in time: no connected peer has sent its first block")]
    Timeout(String),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Failure {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Method => Kind::Unsupported,
            Self::NoSuchPage(_) => Kind::NotFound,
            Self::EncodedSlash | Self::NotUtf8 | Self::BodyTooLarge => Kind::Invalid,
            Self::Path(error) => error.kind(),
            Self::Busy(_) | Self::Streams => Kind::Busy,
            Self::Timeout(_) => Kind::Timeout,
            Self::Read(error) => error.kind(),
        }
    }

    /// The answer that says so.
    pub(crate) fn into_response(self) -> Response<Body> {
        if matches!(self, Self::Method) {
            return crate::service::method_not_allowed();
        }
        let status = self.status();
        let mut response = body::text(status, format!("{self}\n"));
        if comes_again(status) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }

    /// The table's status, or the more exact one where HTTP has a word for the very limit.
    fn status(&self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Path(PathError::TooLong(_)) => StatusCode::URI_TOO_LONG,
            // The bytes are sound and what they describe is none that can be served: too deep, or sizes that
            // contradict each other.
            Self::Read(ReadError::Plan(error)) if error.kind() == Kind::Corrupt => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            // The word of the gateway's specification for what a denylist names.
            Self::Read(ReadError::Denied(_)) => StatusCode::GONE,
            Self::Read(ReadError::Stopping) => StatusCode::SERVICE_UNAVAILABLE,
            _ => status_of(self.kind()),
        }
    }
}

/// Whether the same request may succeed later, which the specification asks to be said.
const fn comes_again(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The table. What can't be had from here now is not found, as far as a web client is concerned.
const fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound | Kind::Unavailable => StatusCode::NOT_FOUND,
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Kind::Busy => StatusCode::TOO_MANY_REQUESTS,
        Kind::Full => StatusCode::INSUFFICIENT_STORAGE,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Corrupt => StatusCode::BAD_GATEWAY,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_says_when() {
        let retry = |failure: Failure| {
            let response = failure.into_response();
            (response.status().as_u16(), response.headers().contains_key(RETRY_AFTER))
        };
        assert_eq!(retry(Failure::Busy(1)), (429, true));
        assert_eq!(retry(Failure::Streams), (429, true));
        assert_eq!(retry(Failure::Timeout("x".into())), (504, true));
        assert_eq!(retry(Failure::BodyTooLarge), (413, false));
        assert_eq!(retry(Failure::Read(ReadError::Denied("x".into()))), (410, false));
        assert_eq!(retry(Failure::NoSuchPage("x".into())), (404, false));
    }
}
