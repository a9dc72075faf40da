//! Bodies of answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use ipse_node::ReadError;
use tokio::sync::OwnedSemaphorePermit;

/// The body of an answer. An error in it breaks the connection off, so that cut data never looks whole.
pub type Body = UnsyncBoxBody<Bytes, ReadError>;

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of known length out of a stream.
pub(crate) fn stream<S>(bytes: S) -> Body
where
    S: Stream<Item = Result<Bytes, ReadError>> + Send + 'static,
{
    let frames = StreamBody::new(bytes.map(|piece| piece.map(Frame::data)));
    frames.boxed_unsync()
}

struct Holding {
    inner: Body,
    _permit: OwnedSemaphorePermit,
}

/// A body that gives its permit back when it is sent or dropped.
pub(crate) fn holding(inner: Body, permit: OwnedSemaphorePermit) -> Body {
    if inner.is_end_stream() { inner } else { Holding { inner, _permit: permit }.boxed_unsync() }
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer without a body.
pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

/// An answer of plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let text = text.into();
    let length = HeaderValue::from(text.len());
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// An answer that sends the client elsewhere for good. A place that HTTP can't carry is left out.
pub(crate) fn redirect(location: &str) -> Response<Body> {
    let mut response = status(StatusCode::MOVED_PERMANENTLY);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
