//! Replies: what a command answers with, and how that goes out.
//!
//! Framing: one value is one JSON document; values are lines of JSON, the first at once, the rest gathered; bytes
//! go as they come. A failure after the first byte is never a clean end; see [`ReplyBody`].

mod body;
mod lines;
mod meter;
mod pages;
mod stream;

pub use body::{BoxError, BrokenOff, ReplyBody};
pub(crate) use lines::{LineSource, Lines};
pub(crate) use meter::Meter;
pub(crate) use pages::Pages;
pub(crate) use stream::{driven, with_deadline};

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::Serialize;

use crate::Failure;

/// What a command answers.
pub(crate) enum Reply {
    /// One value, as JSON.
    Value(Vec<u8>),
    /// Any number of values, as lines of JSON.
    Values(Box<dyn LineSource>),
    /// One value, as JSON that is written in parts.
    Document(Box<dyn LineSource>),
    /// Bytes.
    Bytes(ByteReply),
}

/// A reply of bytes.
pub(crate) struct ByteReply {
    /// The bytes.
    pub(crate) stream: BoxStream<'static, Result<Bytes, Failure>>,
    /// Their media type.
    pub(crate) content_type: &'static str,
    /// How many they are, where that is known.
    pub(crate) length: Option<u64>,
}

impl Reply {
    /// One value.
    pub(crate) fn value(value: &impl Serialize) -> Result<Self, Failure> {
        let mut out = serde_json::to_vec(value).map_err(|error| unserializable(&error))?;
        out.push(b'\n');
        Ok(Self::Value(out))
    }

    /// Values as they come.
    pub(crate) fn values<T: Serialize + Send + 'static>(
        stream: impl futures::Stream<Item = Result<T, Failure>> + Send + 'static,
    ) -> Self {
        Self::Values(Box::new(lines::JsonLines::new(stream.boxed())))
    }

    /// No values at all.
    pub(crate) fn nothing() -> Self {
        Self::values(futures::stream::empty::<Result<(), Failure>>())
    }

    /// Bytes as they come.
    pub(crate) fn bytes(
        stream: impl futures::Stream<Item = Result<Bytes, Failure>> + Send + 'static,
        content_type: &'static str,
    ) -> Self {
        Self::Bytes(ByteReply { stream: stream.boxed(), content_type, length: None })
    }

    /// Bytes that are all there.
    pub(crate) fn text(bytes: impl Into<Bytes>) -> Self {
        Self::bytes(futures::stream::iter([Ok(bytes.into())]), "text/plain")
    }
}

/// Writes a value as JSON behind what is in a buffer.
pub(crate) fn write_json(value: &impl Serialize, out: &mut BytesMut) -> Result<(), Failure> {
    serde_json::to_writer(out.writer(), value).map_err(|error| unserializable(&error))
}

/// A value of ours that JSON can't express; a mistake of ours.
fn unserializable(error: &serde_json::Error) -> Failure {
    Failure::new(ipse_base::Kind::Internal, format!("a reply could not be written: {error}"))
}
