//! Steady: a file as a stream of bytes that holds a position and what its reader has not taken.
//!
//! What is on this node is read by position ([`FileCursor`]); with the first block that is not here it goes on as
//! a walk that asks peers. Bytes that were handed out and are not dropped yet are counted over all such readers of
//! a node. Within [`READERS_BYTES_MAX`] a reader gets blocks as they are; beyond, small copies, so that a thousand
//! readers who take nothing keep speed from others and not memory.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use ipse_base::limits::{READER_BYTES_MIN, READERS_BYTES_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fetch::Stream;
use crate::{FileCursor, Node, Piece, ReadError};

/// What a permit counts, in bytes.
const UNIT_BYTES: usize = 1024;
/// Blocks that are looked into before others have their turn. A hostile tree may take many for few bytes.
const STEPS_MAX: usize = 256;
/// Bytes that are handed out before others have their turn.
const TURN_BYTES: usize = 1024 * 1024;

/// What all readers of a node hold.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READERS_BYTES_MAX / UNIT_BYTES)))
    }
}

/// Bytes that count until they are dropped.
struct Counted {
    bytes: Bytes,
    #[expect(dead_code, reason = "held as long as the bytes")]
    permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// See the module.
struct Steady {
    node: Node,
    cursor: FileCursor,
    readers: Readers,
    /// What is left, once a block was not here.
    rest: Option<Stream<Bytes>>,
    /// Bytes since others had their turn.
    turn: usize,
    over: bool,
}

/// Reads from where a cursor stands.
pub(crate) fn read(node: Node, cursor: FileCursor, readers: Readers) -> Stream<Bytes> {
    let steady = Steady { node, cursor, readers, rest: None, turn: 0, over: false };
    stream::unfold(steady, |mut steady| async move { steady.next().await.map(|item| (item, steady)) }).boxed()
}

impl Steady {
    async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        if self.over {
            return None;
        }
        let result = self.advance().await.transpose();
        self.over = !matches!(result, Some(Ok(_)));
        result
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut steps = STEPS_MAX;
        loop {
            if let Some(rest) = &mut self.rest {
                return rest.next().await.transpose();
            }
            if self.turn >= TURN_BYTES || steps == 0 {
                (self.turn, steps) = (0, STEPS_MAX);
                tokio::task::yield_now().await;
            }
            match self.cursor.next_now(&self.node, &mut steps)? {
                Piece::Bytes(bytes) if bytes.is_empty() => {}
                Piece::Bytes(bytes) => return Ok(Some(self.bounded(bytes))),
                Piece::OnDisk(cid) => self.cursor.supply(self.node.load(&cid).await?),
                Piece::Absent(_) => {
                    let (file, left) = (self.cursor.file(), self.cursor.left());
                    let start = self.cursor.position();
                    let rest = self.node.read_file(file.cid().clone(), file.size(), start, Some(left));
                    self.rest = Some(rest.bytes);
                }
                Piece::End => return Ok(None),
            }
        }
    }

    /// The bytes, if there is memory for them; otherwise a small copy of their beginning.
    fn bounded(&mut self, bytes: Bytes) -> Bytes {
        if bytes.len() > READER_BYTES_MIN {
            let units = u32::try_from(bytes.len().div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
            let permit = self.readers.0.clone().try_acquire_many_owned(units).ok();
            // Who gets small parts of a block comes back for the next one.
            self.cursor.comes_back(permit.is_none());
            if let Some(permit) = permit {
                self.turn += bytes.len();
                return Bytes::from_owner(Counted { bytes, permit });
            }
            self.cursor.rewind((bytes.len() - READER_BYTES_MIN) as u64);
        }
        let small = &bytes[..bytes.len().min(READER_BYTES_MIN)];
        self.turn += small.len();
        Bytes::copy_from_slice(small)
    }
}
