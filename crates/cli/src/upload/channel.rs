//! A bounded queue between the thread that reads files and the connection that sends them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::UploadBody;

/// Chunks that wait at the most; each holds up to a mebibyte.
const CHUNKS_MAX: usize = 4;

/// The reader of the queue is gone, or the request is broken off.
#[derive(Debug)]
pub(super) struct Closed;

/// The end that files are written to.
pub(super) struct Queue(mpsc::Sender<io::Result<Bytes>>);

impl Queue {
    /// Waits until there is room.
    pub(super) fn send(&self, chunk: Vec<u8>) -> Result<(), Closed> {
        self.0.blocking_send(Ok(chunk.into())).map_err(|_| Closed)
    }

    /// Breaks the request off.
    pub(super) fn fail(&self, error: io::Error) -> Result<(), Closed> {
        // Where the reader is gone already there is nothing to break off.
        let _ = self.0.blocking_send(Err(error));
        Err(Closed)
    }
}

/// The end that is the body of a request.
pub(super) struct ChannelBody(mpsc::Receiver<io::Result<Bytes>>);

impl ChannelBody {
    pub(super) fn boxed(self) -> UploadBody {
        BodyExt::boxed(self)
    }
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// Both ends of a new queue.
pub(super) fn pair() -> (Queue, ChannelBody) {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    (Queue(sender), ChannelBody(receiver))
}
