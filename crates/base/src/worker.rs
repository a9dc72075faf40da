//! Background work: one unit at a time, listed with its state and last error, its pace tuned while it runs.

use std::task::{Context, Poll};

/// Where a worker stands between two units of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// There is more to do now.
    Busy,
    /// Nothing to do until woken.
    Idle,
    /// Finished for good; it will not be called again.
    Done,
}

/// A line of the list of workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// What the worker does, in two or three words; unique within a node.
    pub name: String,
    /// Where it stands.
    pub state: WorkerState,
    /// Units of work still queued, where the worker knows.
    pub queue: Option<u64>,
    /// The last error, as text.
    pub last_error: Option<String>,
}

/// One unit of background work at a time.
///
/// `work` is never interrupted in the middle of a unit; waiting may be cancelled at any time.
pub trait Worker: Send {
    /// What this worker does, in two or three words.
    fn name(&self) -> &str;

    /// Does one unit of work. Called again at once while it answers [`WorkerState::Busy`].
    ///
    /// # Errors
    /// Any failure, as text for the list; the worker is called again after a pause.
    fn work(&mut self) -> Result<WorkerState, Box<dyn std::error::Error + Send + Sync>>;

    /// Ready when there may be work again. The task in `context` is woken when that happens.
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Units of work still queued, where known.
    fn queue(&self) -> Option<u64> {
        None
    }
}
