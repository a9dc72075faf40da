//! Frames of a stream: an unsigned varint with the length, then so many bytes.
//!
//! On the data path this is where a peer's bytes are put together: once, into one buffer that the message's
//! blocks are then slices of. The length is the peer's word, so new memory is never more than eight times what has
//! arrived, nor more than the limit; a frame over the limit is refused before anything is allocated for it. Memory
//! of earlier frames is at hand without that: it is bounded, and whoever finds none takes his own. Beyond its first
//! buffer a frame's own memory counts over all streams until it is whole (`arriving.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::{AsyncRead, AsyncReadExt};
use ipse_base::Buffers;
use ipse_base::varint::{self, VarintError};

use crate::arriving::{Arriving, Room};

/// Most bytes read before the length of a frame is known. Small frames come out of it whole.
const HEAD_BYTES: usize = 4 * 1024;
/// The first buffer of a frame that is larger than what came with its length.
const FIRST_BYTES: usize = 64 * 1024;
/// A buffer grows to this many times the bytes that have arrived.
const GROWTH: usize = 8;

/// Why a stream does not hold frames.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The length is malformed.
    #[error("malformed length of a frame: {0}")]
    Length(#[from] VarintError),
    /// The frame says to be longer than allowed.
    #[error("frame of {length} bytes is over the limit of {limit}")]
    TooLong { length: u64, limit: usize },
    /// The stream ends inside a frame.
    #[error("stream ends inside a frame")]
    Cut,
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] std::io::Error),
}

/// Takes frames out of a stream.
pub(crate) struct FrameReader<S> {
    stream: S,
    limit: usize,
    buffers: Arc<Buffers>,
    arriving: Arc<Arriving>,
    /// Bytes read that belong to no finished frame yet.
    head: BytesMut,
    /// Bytes of long frames so far.
    arrived: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> FrameReader<S> {
    pub(crate) fn new(stream: S, limit: usize, buffers: Arc<Buffers>, arriving: Arc<Arriving>) -> Self {
        Self { stream, limit, buffers, arriving, head: BytesMut::new(), arrived: Arc::default() }
    }

    /// The count of bytes that long frames have brought, for whoever watches one arrive.
    pub(crate) fn arrived(&self) -> Arc<AtomicU64> {
        self.arrived.clone()
    }

    /// Waits for the first bytes of a frame; false at the end of the stream.
    pub(crate) async fn begin(&mut self) -> Result<bool, FrameError> {
        if self.head.is_empty() { self.read_head().await } else { Ok(true) }
    }

    /// The frame that has begun. Not cancellation safe: the stream is to be given up with the future.
    pub(crate) async fn frame(&mut self) -> Result<Bytes, FrameError> {
        let (length, prefix) = loop {
            match varint::read(&self.head) {
                Ok((length, rest)) => break (length, self.head.len() - rest.len()),
                Err(VarintError::Short) => {
                    if !self.read_head().await? {
                        return Err(FrameError::Cut);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        if length > self.limit as u64 {
            return Err(FrameError::TooLong { length, limit: self.limit });
        }
        let length = length as usize;
        drop(self.head.split_to(prefix));
        if self.head.len() >= length {
            // Copied out, so that a small frame does not keep the buffer of its neighbours.
            return Ok(Bytes::copy_from_slice(&self.head.split_to(length)));
        }
        self.long_frame(length).await
    }

    async fn long_frame(&mut self, length: usize) -> Result<Bytes, FrameError> {
        if let Some(mut frame) = self.buffers.take_free(length) {
            let filled = self.start(frame.as_mut());
            self.fill(frame.as_mut(), filled).await?;
            return Ok(frame.into_bytes());
        }
        let (mut frame, mut room) = (vec![0; length.min(FIRST_BYTES)], Room::default());
        let mut filled = self.start(&mut frame);
        loop {
            self.fill(&mut frame, filled).await?;
            filled = frame.len();
            if filled == length {
                return Ok(self.buffers.adopt(frame));
            }
            let grown = length.min(filled * GROWTH);
            self.arriving.extend(&mut room, grown - filled).await;
            frame.resize(grown, 0);
        }
    }

    /// Moves what came with the length to the beginning of the frame.
    fn start(&mut self, frame: &mut [u8]) -> usize {
        let filled = self.head.len();
        frame[..filled].copy_from_slice(&self.head);
        self.head.clear();
        filled
    }

    /// Reads until `space` is full.
    async fn fill(&mut self, space: &mut [u8], mut filled: usize) -> Result<(), FrameError> {
        while filled < space.len() {
            match self.stream.read(&mut space[filled..]).await? {
                0 => return Err(FrameError::Cut),
                count => {
                    filled += count;
                    self.arrived.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    async fn read_head(&mut self) -> Result<bool, FrameError> {
        let start = self.head.len();
        self.head.resize(start + HEAD_BYTES, 0);
        let count = self.stream.read(&mut self.head[start..]).await;
        self.head.truncate(start + count.as_ref().map_or(0, |&count| count));
        Ok(count? > 0)
    }
}

/// The length that goes before a frame.
pub(crate) fn prefix(length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(4);
    varint::write(length as u64, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    const LIMIT: usize = 4 * 1024 * 1024;

    #[test]
    fn a_long_frame_is_counted_as_it_arrives() {
        block_on(async {
            let mut bytes = prefix(100_000);
            bytes.resize(60_000, 7);
            let mut reader =
                FrameReader::new(Cursor::new(bytes), LIMIT, Buffers::new(LIMIT), Arriving::new(LIMIT));
            let arrived = reader.arrived();
            assert!(reader.begin().await.unwrap());
            assert!(matches!(reader.frame().await, Err(FrameError::Cut)));
            let count = arrived.load(Ordering::Relaxed) as usize;
            assert!(count > 60_000 - 2 * HEAD_BYTES && count < 60_000, "{count}");
        });
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<Bytes>, FrameError> {
        block_on(async {
            let mut reader =
                FrameReader::new(Cursor::new(bytes), LIMIT, Buffers::new(LIMIT), Arriving::new(LIMIT));
            let mut frames = Vec::new();
            while reader.begin().await? {
                frames.push(reader.frame().await?);
            }
            Ok(frames)
        })
    }

    #[test]
    fn frames_of_every_size_come_out_as_they_went_in() {
        let sizes =
            [0, 1, 127, 128, HEAD_BYTES - 1, HEAD_BYTES, FIRST_BYTES, FIRST_BYTES + 1, 300_000, LIMIT];
        let frames: Vec<Vec<u8>> = sizes.iter().map(|&size| (0..size).map(|at| at as u8).collect()).collect();
        let bytes: Vec<u8> =
            frames.iter().flat_map(|frame| [prefix(frame.len()), frame.clone()].concat()).collect();
        assert_eq!(read_all(&bytes).unwrap(), frames);
    }

    #[test]
    fn a_frame_in_used_memory_is_as_long_as_it_says() {
        block_on(async {
            let frames = [vec![1; 300_000], vec![2; 299_000], vec![3; 200_000], vec![4; 5]];
            let bytes: Vec<u8> =
                frames.iter().flat_map(|frame| [prefix(frame.len()), frame.clone()].concat()).collect();
            let mut reader =
                FrameReader::new(Cursor::new(bytes), LIMIT, Buffers::new(LIMIT), Arriving::new(LIMIT));
            for frame in frames {
                assert!(reader.begin().await.unwrap());
                // Dropped at once, so that the next frame finds it.
                assert_eq!(reader.frame().await.unwrap(), frame);
            }
            assert!(!reader.begin().await.unwrap());
        });
    }

    #[test]
    fn a_declared_length_over_the_limit_is_refused_at_once() {
        let bytes = prefix(LIMIT + 1);
        assert!(matches!(read_all(&bytes), Err(FrameError::TooLong { .. })));
        assert!(matches!(read_all(&[0xff; 20]), Err(FrameError::Length(_))));
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error() {
        for cut in [1, 2, 3, 100] {
            let whole = [prefix(300), vec![7; 300]].concat();
            assert!(matches!(read_all(&whole[..cut]), Err(FrameError::Cut)), "{cut}");
        }
    }

    #[test]
    fn fuzz_frames() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            if let Ok(frames) = read_all(bytes) {
                let total: usize = frames.iter().map(|frame| frame.len() + prefix(frame.len()).len()).sum();
                assert_eq!(total, bytes.len());
            }
        });
    }
}
