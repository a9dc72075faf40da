//! Unsent: bytes that streams have handed to the multiplexer and that the connection below has not taken, for each
//! connection and over all of them. The counterpart of `unread.rs`.
//!
//! The multiplexer copies what it takes and queues it, as far as the peer's window allows; a peer may grant a
//! window of gigabytes and then read nothing. So a connection that has its share queued takes no more from its
//! streams until its socket does. Below [`UNSENT_CONNECTION_BYTES_MIN`] it always takes some, whatever others do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use ipse_base::limits::{UNSENT_BYTES_MAX, UNSENT_CONNECTION_BYTES_MAX, UNSENT_CONNECTION_BYTES_MIN};

use crate::counters::NetCounters;

/// What all connections have queued together.
#[derive(Debug)]
pub(crate) struct UnsentBudget {
    bytes: AtomicU64,
    counters: Arc<NetCounters>,
}

/// What one connection has queued.
#[derive(Debug)]
pub(crate) struct Unsent {
    budget: Arc<UnsentBudget>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: u64,
    /// Streams that wait for room.
    waiting: Vec<Waker>,
}

impl UnsentBudget {
    pub(crate) fn new(counters: Arc<NetCounters>) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), counters })
    }

    /// The account of a new connection.
    pub(crate) fn connection(self: &Arc<Self>) -> Arc<Unsent> {
        Arc::new(Unsent { budget: self.clone(), state: Mutex::default() })
    }
}

impl Unsent {
    /// Ready where a stream may hand over more. Nobody waits for other connections: what a connection has queued
    /// leaves by its own socket, and wakes its streams.
    pub(crate) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let shared = || self.budget.bytes.load(Ordering::Relaxed) < UNSENT_BYTES_MAX;
        if state.bytes < UNSENT_CONNECTION_BYTES_MIN
            || (state.bytes < UNSENT_CONNECTION_BYTES_MAX && shared())
        {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            state.waiting.push(context.waker().clone());
        }
        self.budget.counters.writes_held.one();
        Poll::Pending
    }

    /// The multiplexer has taken bytes of a stream.
    pub(crate) fn queued(&self, bytes: usize) {
        self.state().bytes += bytes as u64;
        let all = self.budget.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        self.budget.counters.unsent_peak.raise_to(all);
    }

    /// The connection has taken bytes of streams. Streams that wait are woken once half of the share is free.
    pub(crate) fn left(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut state = self.state();
        let counted = (bytes as u64).min(state.bytes);
        state.bytes -= counted;
        let free =
            state.bytes < UNSENT_CONNECTION_BYTES_MIN || state.bytes <= UNSENT_CONNECTION_BYTES_MAX / 2;
        let waiting = if free { std::mem::take(&mut state.waiting) } else { Vec::new() };
        drop(state);
        self.budget.bytes.fetch_sub(counted, Ordering::Relaxed);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let bytes = self.state().bytes;
        self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Unsent {
    pub(crate) fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// The account of a connection that is by itself.
    pub(crate) fn alone() -> Arc<Self> {
        UnsentBudget::new(Arc::default()).connection()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 62 * 1024;

    fn fill(unsent: &Unsent) {
        while unsent.poll_room(&Context::from_waker(Waker::noop())).is_ready() {
            unsent.queued(FRAME);
        }
    }

    #[test]
    fn a_connection_queues_its_share_and_goes_on_when_it_leaves() {
        let unsent = Unsent::alone();
        fill(&unsent);
        assert!(unsent.bytes() < UNSENT_CONNECTION_BYTES_MAX + FRAME as u64);
        unsent.left(unsent.bytes() as usize);
        assert_eq!((unsent.bytes(), unsent.budget.bytes.load(Ordering::Relaxed)), (0, 0));
        fill(&unsent);
        let budget = unsent.budget.clone();
        drop(unsent);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0, "what a connection queued ends with it");
    }

    #[test]
    fn however_many_are_stuck_the_sum_is_bounded_and_a_newcomer_has_its_minimum() {
        let budget = UnsentBudget::new(Arc::default());
        let stuck: Vec<_> = (0..500).map(|_| budget.connection()).collect();
        stuck.iter().for_each(|unsent| fill(unsent));
        let all = budget.bytes.load(Ordering::Relaxed);
        let each = UNSENT_CONNECTION_BYTES_MIN + FRAME as u64;
        assert!(all <= UNSENT_BYTES_MAX + UNSENT_CONNECTION_BYTES_MAX + 500 * each, "{all}");
        let newcomer = budget.connection();
        fill(&newcomer);
        assert!(newcomer.bytes() >= UNSENT_CONNECTION_BYTES_MIN);
    }
}
