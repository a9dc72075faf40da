//! A bounded queue from the connection to the thread that writes files.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::Chunk;

/// Chunks that wait at the most.
const CHUNKS_MAX: usize = 16;

/// The writer is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// The connection's end.
pub(super) struct Feeder(mpsc::Sender<Chunk>);

impl Feeder {
    pub(super) async fn send(&self, chunk: Bytes) -> Result<(), Gone> {
        self.0.send(Some(chunk)).await.map_err(|_| Gone)
    }

    /// Says that this was all; a feeder that is dropped without it has broken off.
    pub(super) async fn finish(self) {
        // A writer that is gone has no use for the end.
        let _ = self.0.send(None).await;
    }
}

/// The writer's end.
pub(super) struct FeedReader {
    chunks: mpsc::Receiver<Chunk>,
    held: Bytes,
    over: bool,
}

impl FeedReader {
    /// Reads the rest and drops it.
    pub(super) fn drain(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink()).map(|_| ())
    }
}

impl Read for FeedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.held.is_empty() && !self.over {
            match self.chunks.blocking_recv() {
                Some(Some(chunk)) => self.held = chunk,
                Some(None) => self.over = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF")),
            }
        }
        let count = self.held.len().min(buffer.len());
        self.held.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Both ends of a new queue.
pub(super) fn pair() -> (Feeder, FeedReader) {
    let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
    (Feeder(sender), FeedReader { chunks, held: Bytes::new(), over: false })
}
