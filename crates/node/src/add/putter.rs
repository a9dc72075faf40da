//! Puts blocks on a thread of its own, so that the disk works while the next chunks are cut and hashed.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use ipse_base::{ErrorKind, Kind, SinkError};
use ipse_store::Prepared;

use crate::Node;

/// Batches that may wait for the disk: enough that it is never idle.
const BATCHES_QUEUED: usize = 2;

/// A thread that puts what it is given, in order.
pub(super) struct Putter {
    queue: Option<SyncSender<Vec<Prepared>>>,
    thread: Option<JoinHandle<Result<(), SinkError>>>,
}

/// Makes blocks visible, also to peers that wait for them.
pub(crate) fn put(node: &Node, blocks: &[Prepared]) -> Result<(), SinkError> {
    let put = node.store().put_prepared(blocks);
    put.map_err(|error| SinkError { message: error.to_string(), kind: error.kind() })?;
    node.announce_local(blocks.iter().map(Prepared::block));
    Ok(())
}

impl Putter {
    /// Starts the thread. It ends with [`Putter::finish`], or when the value is dropped.
    ///
    /// # Errors
    /// [`SinkError`] (busy) where the system gives no more threads.
    pub(super) fn start(node: Node) -> Result<Self, SinkError> {
        let (queue, batches) = sync_channel::<Vec<Prepared>>(BATCHES_QUEUED);
        let put_all = move || batches.into_iter().try_for_each(|blocks| put(&node, &blocks));
        let thread = thread::Builder::new().name("ipse-put".into()).spawn(put_all);
        let thread = thread.map_err(|error| SinkError { message: error.to_string(), kind: Kind::Busy })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands blocks over; waits while the disk is behind.
    ///
    /// # Errors
    /// [`SinkError`] of this batch or an earlier one.
    pub(super) fn put(&mut self, blocks: Vec<Prepared>) -> Result<(), SinkError> {
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
