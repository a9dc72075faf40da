//! Running: whether a collection runs, and waiting for its end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::lock;

#[derive(Default)]
pub(crate) struct Running {
    on: AtomicBool,
    ended_count: AtomicU64,
    ending: Mutex<()>,
    ended: Condvar,
}

impl Running {
    /// Answers false where one runs already.
    pub(crate) fn begin(&self) -> bool {
        !self.on.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn end(&self) {
        let _ending = lock(&self.ending);
        self.ended_count.fetch_add(1, Ordering::SeqCst);
        self.on.store(false, Ordering::SeqCst);
        self.ended.notify_all();
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    /// How many have come to an end.
    pub(crate) fn ended_count(&self) -> u64 {
        self.ended_count.load(Ordering::SeqCst)
    }

    /// Returns when none runs, or after `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        let ending = lock(&self.ending);
        let waited = self.ended.wait_timeout_while(ending, limit, |()| self.is_on());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
