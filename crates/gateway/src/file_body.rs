//! FileBody: a file, or a range of it, frame by frame.
//!
//! Between two frames it holds a position and nothing else. A frame is up to a MiB of what is at hand; while
//! slow readers hold all the memory there is for such frames, it is a small copy.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use ipse_base::limits::{
    GATEWAY_FRAME_BYTES, GATEWAY_FRAMES_BYTES_MAX, GATEWAY_SMALL_FRAME_BYTES, GATEWAY_STREAMS_MAX,
};
use ipse_base::{Block, Cid};
use ipse_node::{FileCursor, Node, Piece, ReadError, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::GatewayCounters;
use crate::frame::Frame;

/// Pieces of one frame: as many as hyper gathers for one write.
const PIECES_MAX: usize = 16;
/// Blocks that are looked into for one frame. A hostile tree may take many for few bytes.
const STEPS_MAX: usize = 256;
/// What a permit for frames counts.
const UNIT_BYTES: usize = 1024;

/// What all answers of a gateway share of its memory.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    frames: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    pub(crate) counters: Arc<GatewayCounters>,
}

impl Default for Memory {
    fn default() -> Self {
        let frames = Arc::new(Semaphore::new(GATEWAY_FRAMES_BYTES_MAX / UNIT_BYTES));
        let streams = Arc::new(Semaphore::new(GATEWAY_STREAMS_MAX));
        Self { frames, streams, counters: Arc::default() }
    }
}

impl Memory {
    fn frame(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok()?;
        self.frames.clone().try_acquire_many_owned(units).ok()
    }

    /// The right to hold what a walk reads ahead, if there is any left.
    pub(crate) fn try_stream(&self) -> Option<OwnedSemaphorePermit> {
        self.streams.clone().try_acquire_owned().ok()
    }

    /// The same, waiting for it.
    async fn stream(self) -> Option<OwnedSemaphorePermit> {
        self.streams.acquire_owned().await.ok()
    }
}

/// The body of an answer that is a file.
pub(crate) struct FileBody {
    node: Node,
    cursor: FileCursor,
    memory: Memory,
    state: State,
    /// The first frame, where somebody waited for it before the answer began.
    first: Option<Frame>,
    /// Whether the last frame was a small copy.
    small: bool,
}

enum State {
    /// What is at hand is taken.
    AtHand,
    /// A block comes from the disk.
    Loading(BoxFuture<'static, Result<Block, ReadError>>),
    /// A block is not here; there will be room to ask for it and those behind.
    Waiting(BoxFuture<'static, Option<OwnedSemaphorePermit>>),
    /// What is left comes from peers.
    Fetching(Stream<Bytes>, #[allow(dead_code, reason = "held as long as the stream")] OwnedSemaphorePermit),
    Failed,
}

/// What a look at hand gives.
enum Found {
    Frame(Frame),
    OnDisk(Cid),
    Absent,
    /// Nothing yet, after much looking.
    Nothing,
}

impl FileBody {
    pub(crate) fn new(node: Node, cursor: FileCursor, memory: Memory) -> Self {
        Self { node, cursor, memory, state: State::AtHand, first: None, small: false }
    }

    /// Waits for the first bytes, so that a failure until then has a status of its own.
    pub(crate) async fn begin(&mut self) -> Result<(), ReadError> {
        if self.first.is_none() {
            self.first = poll_fn(|context| self.poll_next(context)).await.transpose()?;
        }
        Ok(())
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> u64 {
        self.cursor.left() + self.first.as_ref().map_or(0, |frame| frame.len() as u64)
    }

    /// Whether slow readers hold the memory that this answer would like to have.
    pub(crate) const fn is_short(&self) -> bool {
        self.small
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::AtHand) && self.left() == 0
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame, ReadError>>> {
        if let Some(frame) = self.first.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let result = ready!(self.poll_frame(context));
        if let Some(Err(_)) = result {
            self.state = State::Failed;
        }
        Poll::Ready(result)
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame, ReadError>>> {
        loop {
            match &mut self.state {
                State::AtHand if self.cursor.left() == 0 => return Poll::Ready(None),
                State::AtHand => match self.look()? {
                    Found::Frame(frame) => {
                        self.memory.counters.frames.one();
                        return Poll::Ready(Some(Ok(self.bounded(frame))));
                    }
                    Found::OnDisk(cid) => {
                        self.memory.counters.disk_waits.one();
                        let node = self.node.clone();
                        self.state = State::Loading(Box::pin(async move { node.load(&cid).await }));
                    }
                    Found::Absent => {
                        self.memory.counters.fetches.one();
                        self.state = State::Waiting(Box::pin(self.memory.clone().stream()));
                    }
                    Found::Nothing => {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                },
                State::Loading(block) => {
                    let block = ready!(block.as_mut().poll(context))?;
                    self.cursor.supply(block);
                    self.state = State::AtHand;
                }
                State::Waiting(permit) => match ready!(permit.as_mut().poll(context)) {
                    Some(permit) => self.state = State::Fetching(self.rest(), permit),
                    None => return Poll::Ready(Some(Err(ReadError::Stopping))),
                },
                State::Fetching(stream, _) => {
                    return stream.poll_next_unpin(context).map_ok(Frame::from);
                }
                State::Failed => return Poll::Ready(None),
            }
        }
    }

    /// All that is left, as a stream that asks peers for many blocks at a time.
    fn rest(&self) -> Stream<Bytes> {
        let file = self.cursor.file();
        let (start, left) = (self.cursor.position(), self.cursor.left());
        self.node.read_file(file.cid().clone(), file.size(), start, Some(left)).bytes
    }

    /// Gathers what is at hand.
    fn look(&mut self) -> Result<Found, ReadError> {
        let mut frame = Frame::default();
        let mut steps = STEPS_MAX;
        while frame.len() < GATEWAY_FRAME_BYTES && frame.pieces() < PIECES_MAX && steps > 0 {
            let other = match self.cursor.next_now(&self.node, &mut steps)? {
                Piece::Bytes(bytes) if bytes.is_empty() => continue,
                Piece::Bytes(bytes) => {
                    frame.push(bytes);
                    continue;
                }
                Piece::End => break,
                Piece::OnDisk(cid) => Found::OnDisk(cid),
                Piece::Absent(_) => Found::Absent,
            };
            if frame.is_empty() {
                return Ok(other);
            }
            break;
        }
        Ok(if frame.is_empty() { Found::Nothing } else { Found::Frame(frame) })
    }

    /// The frame, if there is memory for it; otherwise a small copy of its beginning.
    fn bounded(&mut self, mut frame: Frame) -> Frame {
        use bytes::Buf;
        if frame.len() <= GATEWAY_SMALL_FRAME_BYTES {
            // A small part of a large block must not keep all of it.
            let whole = self.cursor.file().size() <= GATEWAY_SMALL_FRAME_BYTES as u64;
            return if whole { frame } else { Frame::from(frame.copy_to_bytes(frame.remaining())) };
        }
        let permit = self.memory.frame(frame.len());
        // Who gets small parts of a block comes back for the next one.
        self.small = permit.is_none();
        self.cursor.comes_back(self.small);
        if let Some(permit) = permit {
            return frame.counted(permit);
        }
        self.memory.counters.small_frames.one();
        let small = frame.copy_to_bytes(GATEWAY_SMALL_FRAME_BYTES);
        self.cursor.rewind(frame.remaining() as u64);
        Frame::from(small)
    }
}
