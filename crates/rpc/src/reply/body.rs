//! The body of a reply, and how a failure in the middle of it reaches the caller.
//!
//! Invariant: a reply that failed never looks complete. hyper sends trailers only to callers that ask for them
//! with `TE: trailers`; for all others the connection is broken off, which every HTTP client reports.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderName, HeaderValue};

use super::meter::Meter;
use crate::Failure;
use crate::narrow::IsSlow;
use crate::walks::Walk;

/// The trailer that carries the text of a failure.
const STREAM_ERROR: HeaderName = HeaderName::from_static("x-stream-error");

/// Why a reply was broken off whose reader took nothing.
const STALLED: &str = "nothing was taken of this reply while other commands waited for its place";

/// The error type of bodies.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A reply was broken off because its command failed and the caller takes no trailers.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokenOff(String);

/// The body of a reply.
pub struct ReplyBody(Inner);

enum Inner {
    Full(Option<Bytes>),
    Stream {
        chunks: BoxStream<'static, Result<Bytes, Failure>>,
        trailers: bool,
        /// Of a body that is sent over a connection.
        meter: Option<Arc<Meter>>,
        /// Of commands that have one.
        place: Option<Walk>,
    },
    /// The failure that breaks the connection off, once what was sent before has been flushed.
    Breaking(String),
    Done,
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplyBody")
    }
}

impl ReplyBody {
    /// A body that is all there.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Inner::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// A body that comes in chunks. `trailers` says whether the caller takes trailers; a place is held as long as
    /// the body.
    pub(crate) fn stream(
        chunks: BoxStream<'static, Result<Bytes, Failure>>,
        trailers: bool,
        place: Option<Walk>,
    ) -> Self {
        Self(Inner::Stream { chunks, trailers, meter: None, place })
    }

    /// The body as it is sent over a connection: what waits there is bounded.
    pub(crate) fn over_connection(mut self, slow: IsSlow) -> Self {
        if let Inner::Stream { meter, place, .. } = &mut self.0 {
            let counted = place.as_ref().map_or_else(Meter::new, |walk| walk.meter.clone());
            counted.is_sent_over(slow);
            *meter = Some(counted);
        }
        self
    }
}

/// A failure's text as the value of a header: what a header can't carry becomes a blank.
fn header_text(message: &str) -> HeaderValue {
    let clean: Vec<u8> =
        message.bytes().map(|byte| if byte < b' ' || byte == 0x7f { b' ' } else { byte }).collect();
    HeaderValue::from_bytes(&clean).unwrap_or(HeaderValue::from_static("error"))
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let inner = &mut self.0;
        match inner {
            Inner::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Done => Poll::Ready(None),
            Inner::Breaking(message) => {
                let broken = BrokenOff(std::mem::take(message));
                *inner = Inner::Done;
                Poll::Ready(Some(Err(broken.into())))
            }
            Inner::Stream { meter: Some(meter), .. } if ready!(meter.poll_room(context)).is_err() => {
                *inner = Inner::Done;
                Poll::Ready(Some(Err(BrokenOff(STALLED.to_owned()).into())))
            }
            Inner::Stream { chunks, trailers, meter, .. } => match ready!(chunks.poll_next_unpin(context)) {
                Some(Ok(chunk)) => {
                    let chunk = match meter {
                        Some(meter) => meter.count(chunk),
                        None => chunk,
                    };
                    Poll::Ready(Some(Ok(Frame::data(chunk))))
                }
                None => {
                    *inner = Inner::Done;
                    Poll::Ready(None)
                }
                Some(Err(failure)) if *trailers => {
                    *inner = Inner::Done;
                    let map = HeaderMap::from_iter([(STREAM_ERROR, header_text(&failure.message))]);
                    Poll::Ready(Some(Ok(Frame::trailers(map))))
                }
                Some(Err(failure)) => {
                    // Going back once lets the connection flush what it holds: the caller sees as much as there is.
                    *inner = Inner::Breaking(failure.message);
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(bytes) => bytes.is_none(),
            Inner::Done => true,
            Inner::Stream { .. } | Inner::Breaking(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Inner::Done => SizeHint::with_exact(0),
            Inner::Stream { .. } | Inner::Breaking(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn failing(trailers: bool) -> ReplyBody {
        let chunks = [Ok(Bytes::from("part")), Err(Failure::invalid("line\nbreak"))];
        ReplyBody::stream(futures::stream::iter(chunks).boxed(), trailers, None)
    }

    #[tokio::test]
    async fn failures_end_in_a_trailer_or_in_an_error() {
        let collected = failing(true).collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()[STREAM_ERROR], "line break");
        assert_eq!(collected.to_bytes(), "part");
        let broken = failing(false).collect().await.unwrap_err();
        assert_eq!(broken.to_string(), "line\nbreak");
    }

    #[test]
    fn any_text_fits_a_header() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let value = header_text(text);
            assert_eq!(value.len(), text.len());
        });
    }
}
