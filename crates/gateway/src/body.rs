//! Bodies of answers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use hyper::body::{Body as HttpBody, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use ipse_node::ReadError;
use tokio::sync::OwnedSemaphorePermit;

use crate::file_body::FileBody;
use crate::frame::Frame;
use crate::pulse::Pulse;

/// The body of an answer. An error in it breaks the connection off, so that cut data never looks whole.
pub struct Body {
    content: Content,
    held: Held,
}

enum Content {
    Empty,
    Full(Bytes),
    File(Box<FileBody>),
    Stream(BoxStream<'static, Result<Bytes, ReadError>>),
}

/// What the answer holds until it is handed over or dropped.
#[derive(Default)]
struct Held {
    /// Its place among the requests that are answered at the same time.
    place: Option<OwnedSemaphorePermit>,
    /// Its place among those that hold what they have read ahead.
    stream: Option<OwnedSemaphorePermit>,
    /// The connection that it is sent over.
    pulse: Option<Arc<Pulse>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(pulse) = &self.pulse {
            pulse.answered();
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("at_end", &self.is_end_stream()).finish_non_exhaustive()
    }
}

impl Body {
    const fn of(content: Content) -> Self {
        Self { content, held: Held { place: None, stream: None, pulse: None } }
    }

    pub(crate) const fn empty() -> Self {
        Self::of(Content::Empty)
    }

    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::of(Content::Full(bytes.into()))
    }

    pub(crate) fn file(file: FileBody) -> Self {
        Self::of(Content::File(Box::new(file)))
    }

    /// A body out of a walk that holds what it has read ahead.
    pub(crate) fn stream(
        bytes: BoxStream<'static, Result<Bytes, ReadError>>,
        stream: OwnedSemaphorePermit,
    ) -> Self {
        let mut body = Self::of(Content::Stream(bytes));
        body.held.stream = Some(stream);
        body
    }

    /// Waits for the first bytes, so that a failure until then has a status of its own.
    pub(crate) async fn begin(&mut self) -> Result<(), ReadError> {
        match &mut self.content {
            Content::File(file) => file.begin().await,
            Content::Empty | Content::Full(_) | Content::Stream(_) => Ok(()),
        }
    }

    /// The body, which gives its place back when it is sent or dropped.
    pub(crate) fn holding(mut self, place: OwnedSemaphorePermit) -> Self {
        self.held.place = Some(place);
        self
    }

    /// The body as it is sent over a connection.
    pub(crate) fn over(mut self, pulse: Arc<Pulse>) -> Self {
        self.held.pulse = Some(pulse);
        self
    }

    /// Nothing of the body, but all that it holds: for an answer to `HEAD`.
    pub(crate) fn headless(mut self) -> Self {
        self.content = Content::Empty;
        self
    }
}

impl HttpBody for Body {
    type Data = Frame;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Frame>, ReadError>>> {
        let this = &mut *self;
        let next = match &mut this.content {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::from(bytes))))
            }
            Content::File(file) => {
                let next = file.poll_next(context);
                if let Some(pulse) = this.held.pulse.as_ref().filter(|_| file.is_short()) {
                    pulse.narrow();
                }
                next
            }
            Content::Stream(stream) => {
                // It holds a place for as long as it lasts, so it is not for the system to run ahead of its reader.
                if let Some(pulse) = &this.held.pulse {
                    pulse.narrow();
                }
                stream.poll_next_unpin(context).map_ok(Frame::from)
            }
        };
        next.map_ok(hyper::body::Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Full(bytes) => bytes.is_empty(),
            Content::File(file) => file.is_over(),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::File(file) => SizeHint::with_exact(file.left()),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// An answer without a body.
pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer of plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let text = text.into();
    let length = HeaderValue::from(text.len());
    let mut response = Response::new(Body::full(text));
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
