//! Puts blocks on a thread of its own, so that the disk works while the next chunks are cut and hashed.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use ipse_base::{Block, BlockSink, Kind, SinkError};

use crate::Node;

/// Batches that may wait for the disk. With four MiB each, an add holds little memory and the disk is never idle.
const BATCHES_QUEUED: usize = 2;

/// A thread that puts what it is given, in order.
pub(super) struct Putter {
    queue: Option<SyncSender<Vec<Block>>>,
    thread: Option<JoinHandle<Result<(), SinkError>>>,
}

impl Putter {
    /// Starts the thread. It ends with [`Putter::finish`], or when the value is dropped.
    ///
    /// # Errors
    /// [`SinkError`] (busy) where the system gives no more threads.
    pub(super) fn start(node: Node) -> Result<Self, SinkError> {
        let (queue, batches) = sync_channel::<Vec<Block>>(BATCHES_QUEUED);
        let put_all = move || {
            for blocks in batches {
                node.store().put(&blocks)?;
                node.announce_local(&blocks);
            }
            Ok(())
        };
        let thread = thread::Builder::new().name("ipse-put".into()).spawn(put_all);
        let thread = thread.map_err(|error| SinkError { message: error.to_string(), kind: Kind::Busy })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands blocks over; waits while the disk is behind.
    ///
    /// # Errors
    /// [`SinkError`] of this batch or an earlier one.
    pub(super) fn put(&mut self, blocks: Vec<Block>) -> Result<(), SinkError> {
        match &self.queue {
            Some(queue) if queue.send(blocks).is_ok() => Ok(()),
            // The thread has ended early: its result says why.
            _ => self.finish(),
        }
    }

    /// Returns when everything handed over is visible.
    ///
    /// # Errors
    /// [`SinkError`] of any batch.
    pub(super) fn finish(&mut self) -> Result<(), SinkError> {
        self.queue = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            // Asked again after a failure, or the thread panicked: nothing may be acknowledged.
            _ => Err(SinkError { message: "the blocks could not be put".into(), kind: Kind::Internal }),
        }
    }
}
