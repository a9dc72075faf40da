//! Unread: bytes that a peer has sent and that no stream has taken yet, for each connection and over all of them.
//!
//! The multiplexer promises each stream a window of at least 256 KiB and keeps what comes until the stream is
//! read. A peer may open a hundred streams that nobody will ever read, because it does not even say of which
//! protocol they are; on every connection that is tens of MiB. So what is kept is counted, and a connection
//! that has more than its share is not read any further until it has less: its peer then waits in TCP. An
//! honest peer is not held up, because its streams are read as soon as something comes.
//!
//! Invariant: below [`UNREAD_CONNECTION_BYTES_MIN`] a connection is always read, so nobody can stop another's connection.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use ipse_base::limits::{UNREAD_BYTES_MAX, UNREAD_CONNECTION_BYTES_MAX, UNREAD_CONNECTION_BYTES_MIN};

use crate::counters::NetCounters;

/// Streams of a connection that are noted before they are known to be open.
const ANNOUNCED_MAX: usize = 256;

/// What all connections may have unread together.
#[derive(Debug)]
pub(crate) struct UnreadBudget {
    bytes: AtomicU64,
    /// Connections that wait for others to have less.
    waiting: Mutex<Vec<Waker>>,
    counters: Arc<NetCounters>,
}

/// What one connection has unread.
#[derive(Debug)]
pub(crate) struct Unread {
    budget: Arc<UnreadBudget>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<u32, u64>,
    bytes: u64,
    /// The connection's task, where it waits for room.
    waiting: Option<Waker>,
}

impl UnreadBudget {
    pub(crate) fn new(counters: Arc<NetCounters>) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), waiting: Mutex::default(), counters })
    }

    /// The account of a new connection.
    pub(crate) fn connection(self: &Arc<Self>) -> Arc<Unread> {
        Arc::new(Unread { budget: self.clone(), state: Mutex::default() })
    }

    fn has_room(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) < UNREAD_BYTES_MAX
    }

    fn give_back(&self, bytes: u64) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before >= UNREAD_BYTES_MAX && before - bytes < UNREAD_BYTES_MAX {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

impl Unread {
    /// A peer says that it opens a stream. Whether the multiplexer agrees is not known yet, so that a flood of
    /// openings is noted up to a bound only.
    pub(crate) fn announced(&self, stream: u32) {
        let mut state = self.state();
        if state.streams.len() < ANNOUNCED_MAX {
            state.streams.entry(stream).or_default();
        }
    }

    /// A stream is open.
    pub(crate) fn opened(&self, stream: u32) {
        self.state().streams.entry(stream).or_default();
    }

    /// Bytes of a stream are handed to the multiplexer. What comes for a stream that has ended is dropped there
    /// and not counted.
    pub(crate) fn arrived(&self, stream: u32, bytes: usize) {
        let bytes = bytes as u64;
        let mut state = self.state();
        let Some(unread) = state.streams.get_mut(&stream) else { return };
        *unread += bytes;
        state.bytes += bytes;
        drop(state);
        let all = self.budget.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.budget.counters.unread_peak.raise_to(all);
    }

    /// Bytes of a stream were read.
    pub(crate) fn taken(&self, stream: u32, bytes: usize) {
        let mut state = self.state();
        if let Some(unread) = state.streams.get_mut(&stream) {
            let counted = (bytes as u64).min(*unread);
            *unread -= counted;
            self.release(state, counted);
        }
    }

    /// A stream has ended, and what was unread of it is gone.
    pub(crate) fn closed(&self, stream: u32) {
        let mut state = self.state();
        if let Some(unread) = state.streams.remove(&stream) {
            self.release(state, unread);
        }
    }

    /// Ready where more may be read.
    pub(crate) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.bytes < UNREAD_CONNECTION_BYTES_MIN {
            return Poll::Ready(());
        }
        if state.bytes < UNREAD_CONNECTION_BYTES_MAX {
            if self.budget.has_room() {
                return Poll::Ready(());
            }
            let mut waiting = self.budget.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            drop(waiting);
            // Somebody may have given back just before we were on the list.
            if self.budget.has_room() {
                return Poll::Ready(());
            }
        }
        self.budget.counters.reads_held.one();
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    fn release(&self, mut state: MutexGuard<'_, State>, bytes: u64) {
        state.bytes -= bytes;
        let waker = state.waiting.take_if(|_| bytes > 0);
        drop(state);
        self.budget.give_back(bytes);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let bytes = self.state().bytes;
        self.budget.give_back(bytes);
    }
}

#[cfg(test)]
impl Unread {
    pub(crate) fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// The account of a connection that is by itself.
    pub(crate) fn alone() -> Arc<Self> {
        UnreadBudget::new(Arc::default()).connection()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn has_room(unread: &Unread) -> bool {
        unread.poll_room(&Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_connection_is_read_until_it_has_its_share() {
        let unread = Unread::alone();
        unread.opened(1);
        while has_room(&unread) {
            unread.arrived(1, 64 * KIB);
        }
        assert_eq!(unread.state().bytes, UNREAD_CONNECTION_BYTES_MAX);
        unread.taken(1, 1);
        assert!(has_room(&unread));
        unread.arrived(2, 64 * KIB);
        assert_eq!(unread.state().bytes, UNREAD_CONNECTION_BYTES_MAX - 1, "nobody keeps what has no stream");
        unread.closed(1);
        assert_eq!((unread.state().bytes, unread.budget.bytes.load(Ordering::SeqCst)), (0, 0));
    }

    #[test]
    fn many_connections_share_and_each_keeps_its_minimum() {
        let budget = UnreadBudget::new(Arc::default());
        let connections: Vec<_> = (0..600).map(|_| budget.connection()).collect();
        for unread in &connections {
            unread.opened(1);
            while has_room(unread) {
                unread.arrived(1, 64 * KIB);
            }
        }
        let all = budget.bytes.load(Ordering::SeqCst);
        assert!(all <= UNREAD_BYTES_MAX + 600 * UNREAD_CONNECTION_BYTES_MIN, "{all}");
        assert!(connections.iter().all(|unread| unread.state().bytes >= UNREAD_CONNECTION_BYTES_MIN));
        drop(connections);
        assert_eq!(budget.bytes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn who_waits_for_others_is_woken_when_they_are_read() {
        struct Woken(AtomicU64);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let budget = UnreadBudget::new(Arc::default());
        let hogs: Vec<_> = (0..64).map(|_| budget.connection()).collect();
        for hog in &hogs {
            hog.opened(1);
            while has_room(hog) {
                hog.arrived(1, 64 * KIB);
            }
        }
        let honest = budget.connection();
        honest.opened(1);
        honest.arrived(1, UNREAD_CONNECTION_BYTES_MIN as usize);
        let woken = Arc::new(Woken(AtomicU64::new(0)));
        let waker = Waker::from(woken.clone());
        assert!(honest.poll_room(&Context::from_waker(&waker)).is_pending());
        hogs.into_iter().for_each(|hog| hog.closed(1));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(has_room(&honest));
    }
}
