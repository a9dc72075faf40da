//! Unread: bytes that a peer has sent and that no stream has taken yet, for each connection and over all of them.
//!
//! They wait here, and not in the multiplexer below: what a peer may send is for us to say. The multiplexer starts
//! every stream with 256 KiB and lets that grow by doubling each round trip, which costs a long path five of them.
//! Here a peer that opens a stream is granted at once what such a path holds ([`STREAM_WINDOW_BYTES`]), and what
//! is read is granted again.
//!
//! Windows don't bound memory then, nor could they: a peer may open a hundred streams that nobody will ever read,
//! because it does not even say of which protocol they are. So what is kept is counted, and a connection that has
//! more than its share is not read any further until it has less: its peer then waits in TCP. An honest peer is
//! not held up, because its streams are read as soon as something comes.
//!
//! Invariant: below [`UNREAD_CONNECTION_BYTES_MIN`] a connection is always read, so nobody can stop another's
//! connection. Invariant: nothing here waits for our own writes, or two nodes that send to each other could wait
//! for each other.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use ipse_base::limits::{
    STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES_START, UNREAD_BYTES_MAX, UNREAD_CONNECTION_BYTES_MAX,
    UNREAD_CONNECTION_BYTES_MIN,
};

use crate::counters::NetCounters;

/// Streams of a connection that are noted before they are known to be open.
const ANNOUNCED_MAX: usize = 256;
/// Bytes read of a large window that are worth granting again.
const GRANT_BYTES: u32 = 1024 * 1024;
/// Those who wait for room are woken once a sixteenth of all is free: were it with the first free byte, hundreds would
/// be woken for what one of them takes.
const UNREAD_BYTES_WAKING: u64 = UNREAD_BYTES_MAX / 16 * 15;

/// What all connections may have unread together.
#[derive(Debug)]
pub(crate) struct UnreadBudget {
    bytes: AtomicU64,
    /// Connections that wait for others to have less; each is in here once.
    waiting: Mutex<Vec<Weak<Unread>>>,
    counters: Arc<NetCounters>,
}

/// What one connection has unread.
#[derive(Debug)]
pub(crate) struct Unread {
    me: Weak<Self>,
    budget: Arc<UnreadBudget>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<u32, Incoming>,
    bytes: u64,
    /// Windows that the peer is to be told of.
    grants: VecDeque<Grant>,
    /// The connection's task, where it waits for room.
    waiting: Option<Waker>,
    /// Whether it is among those who wait for others.
    is_listed: bool,
    /// The connection's task, to be woken for grants.
    writer: Option<Waker>,
}

/// What came on one stream.
#[derive(Debug)]
struct Incoming {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that are read.
    read: usize,
    bytes: u64,
    /// What the peer may send, with what it has been granted and may not have heard of yet.
    window: u32,
    /// The same with nothing on the way.
    window_max: u32,
    /// Who waits for more.
    reader: Option<Waker>,
}

/// More that a peer may send on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) stream: u32,
    pub(crate) bytes: u32,
}

impl Default for Incoming {
    fn default() -> Self {
        Self {
            pieces: VecDeque::new(),
            read: 0,
            bytes: 0,
            window: STREAM_WINDOW_BYTES_START,
            window_max: STREAM_WINDOW_BYTES_START,
            reader: None,
        }
    }
}

impl Incoming {
    /// Moves bytes into the buffer.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let mut count = 0;
        while count < buffer.len()
            && let Some(piece) = self.pieces.front()
        {
            let rest = &piece[self.read..];
            let part = rest.len().min(buffer.len() - count);
            buffer[count..count + part].copy_from_slice(&rest[..part]);
            count += part;
            self.read += part;
            if self.read == piece.len() {
                self.pieces.pop_front();
                self.read = 0;
            }
        }
        self.bytes -= count as u64;
        count
    }

    /// What is to be granted, once it is worth a frame.
    fn grant(&mut self) -> Option<u32> {
        let bytes = (u64::from(self.window_max - self.window)).saturating_sub(self.bytes) as u32;
        (bytes >= GRANT_BYTES.min(self.window_max / 2)).then(|| {
            self.window += bytes;
            bytes
        })
    }
}

impl State {
    /// Has the peer told that it may send more: with what it was not told yet, if there is any.
    fn grant(&mut self, stream: u32, bytes: u32) {
        match self.grants.iter_mut().find(|grant| grant.stream == stream) {
            Some(grant) => grant.bytes += bytes,
            None => self.grants.push_back(Grant { stream, bytes }),
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

impl UnreadBudget {
    pub(crate) fn new(counters: Arc<NetCounters>) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), waiting: Mutex::default(), counters })
    }

    /// The account of a new connection.
    pub(crate) fn connection(self: &Arc<Self>) -> Arc<Unread> {
        Arc::new_cyclic(|me| Unread { me: me.clone(), budget: self.clone(), state: Mutex::default() })
    }

    fn has_room(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) < UNREAD_BYTES_MAX
    }

    fn give_back(&self, bytes: u64) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before >= UNREAD_BYTES_WAKING && before - bytes < UNREAD_BYTES_WAKING {
            let waiting = std::mem::take(&mut *self.waiting());
            waiting.iter().filter_map(Weak::upgrade).for_each(|unread| unread.wake());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Weak<Unread>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unread {
    /// A peer says that it opens a stream, and may send on it. Whether the multiplexer agrees is not known yet, so
    /// that a flood of openings is noted up to a bound only.
    pub(crate) fn announced(&self, stream: u32) {
        let mut state = self.state();
        if state.streams.len() < ANNOUNCED_MAX && !state.streams.contains_key(&stream) {
            let (window, window_max) = (STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES);
            state.streams.insert(stream, Incoming { window, window_max, ..Incoming::default() });
            state.grant(stream, STREAM_WINDOW_BYTES - STREAM_WINDOW_BYTES_START);
        }
    }

    /// A stream is open.
    pub(crate) fn opened(&self, stream: u32) {
        self.state().streams.entry(stream).or_default();
    }

    /// Bytes of a stream have come. Those for a stream that has ended are dropped.
    ///
    /// # Errors
    /// The peer sends more than it was granted.
    pub(crate) fn arrived(&self, stream: u32, piece: Vec<u8>) -> io::Result<()> {
        let bytes = piece.len() as u64;
        let mut state = self.state();
        let Some(incoming) = state.streams.get_mut(&stream) else { return Ok(()) };
        let window = u32::try_from(bytes).ok().and_then(|bytes| incoming.window.checked_sub(bytes));
        incoming.window = window.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "a peer sends more than its window on a stream")
        })?;
        incoming.pieces.push_back(piece);
        incoming.bytes += bytes;
        let reader = incoming.reader.take();
        state.bytes += bytes;
        drop(state);
        let all = self.budget.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.budget.counters.unread_peak.raise_to(all);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    /// Reads what is here of a stream, at least one byte unless the buffer has no room.
    pub(crate) fn poll_read(&self, stream: u32, context: &Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let mut state = self.state();
        let Some(incoming) = state.streams.get_mut(&stream) else { return Poll::Pending };
        let count = incoming.read(buffer);
        if count == 0 && !buffer.is_empty() {
            incoming.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        if let Some(bytes) = incoming.grant() {
            state.grant(stream, bytes);
        }
        self.release(state, count as u64);
        Poll::Ready(count)
    }

    /// The next window that the peer is to be told of. Without one, the task in `context` is woken for the next.
    pub(crate) fn next_grant(&self, context: &Context<'_>) -> Option<Grant> {
        let mut state = self.state();
        let grant = state.grants.pop_front();
        if grant.is_none() && !state.writer.as_ref().is_some_and(|writer| writer.will_wake(context.waker())) {
            state.writer = Some(context.waker().clone());
        }
        grant
    }

    /// A stream has ended, and what was unread of it is gone.
    pub(crate) fn closed(&self, stream: u32) {
        let mut state = self.state();
        if let Some(incoming) = state.streams.remove(&stream) {
            // Nor is a peer that opens streams without end and reads nothing granted anything any more.
            state.grants.retain(|grant| grant.stream != stream);
            self.release(state, incoming.bytes);
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
            if !std::mem::replace(&mut state.is_listed, true) {
                self.budget.waiting().push(self.me.clone());
            }
            // Somebody may have given back just before we were on the list.
            if self.budget.has_room() {
                return Poll::Ready(());
            }
        }
        self.budget.counters.reads_held.one();
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// Others have less.
    fn wake(&self) {
        let mut state = self.state();
        state.is_listed = false;
        let waker = state.waiting.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
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

    fn read(unread: &Unread, count: usize) -> Poll<usize> {
        unread.poll_read(1, &Context::from_waker(Waker::noop()), &mut vec![0; count])
    }

    fn next_grant(unread: &Unread) -> Option<Grant> {
        unread.next_grant(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_stream_of_the_peer_has_a_large_window_at_once_and_keeps_it() {
        let unread = Unread::alone();
        unread.announced(1);
        let bytes = STREAM_WINDOW_BYTES - STREAM_WINDOW_BYTES_START;
        assert_eq!(next_grant(&unread), Some(Grant { stream: 1, bytes }));
        for _ in 0..100 {
            unread.arrived(1, vec![0; 512 * KIB]).unwrap();
            assert_eq!(read(&unread, 511 * KIB), Poll::Ready(511 * KIB));
            assert_eq!(read(&unread, 511 * KIB), Poll::Ready(KIB));
            assert_eq!(read(&unread, 1), Poll::Pending);
        }
        // Each mebibyte was granted again; what was not written yet goes in one frame.
        assert_eq!(next_grant(&unread), Some(Grant { stream: 1, bytes: 50 << 20 }));
        assert_eq!(next_grant(&unread), None);
    }

    #[test]
    fn a_stream_of_ours_has_the_window_it_starts_with() {
        let unread = Unread::alone();
        unread.opened(1);
        assert_eq!(next_grant(&unread), None);
        unread.arrived(1, vec![0; 128 * KIB]).unwrap();
        assert_eq!(read(&unread, 100 * KIB), Poll::Ready(100 * KIB));
        assert_eq!(next_grant(&unread), None, "half of it is left");
        assert_eq!(read(&unread, 100 * KIB), Poll::Ready(28 * KIB));
        assert_eq!(next_grant(&unread), Some(Grant { stream: 1, bytes: 128 * KIB as u32 }));
        unread.arrived(1, vec![0; 256 * KIB]).unwrap();
        assert!(unread.arrived(1, vec![0]).is_err(), "more than it was granted");
    }

    #[test]
    fn a_connection_is_read_until_it_has_its_share() {
        let unread = Unread::alone();
        unread.announced(1);
        while has_room(&unread) {
            unread.arrived(1, vec![0; 64 * KIB]).unwrap();
        }
        assert_eq!(unread.state().bytes, UNREAD_CONNECTION_BYTES_MAX);
        assert_eq!(read(&unread, 1), Poll::Ready(1));
        assert!(has_room(&unread));
        unread.arrived(2, vec![0; 64 * KIB]).unwrap();
        assert_eq!(unread.state().bytes, UNREAD_CONNECTION_BYTES_MAX - 1, "nobody keeps what has no stream");
        unread.closed(1);
        assert_eq!((unread.state().bytes, unread.budget.bytes.load(Ordering::SeqCst)), (0, 0));
    }

    #[test]
    fn many_connections_share_and_each_keeps_its_minimum() {
        let budget = UnreadBudget::new(Arc::default());
        let connections: Vec<_> = (0..600).map(|_| budget.connection()).collect();
        for unread in &connections {
            unread.announced(1);
            while has_room(unread) {
                unread.arrived(1, vec![0; 64 * KIB]).unwrap();
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
            hog.announced(1);
            while has_room(hog) {
                hog.arrived(1, vec![0; 64 * KIB]).unwrap();
            }
        }
        let honest = budget.connection();
        honest.announced(1);
        honest.arrived(1, vec![0; UNREAD_CONNECTION_BYTES_MIN as usize]).unwrap();
        let woken = Arc::new(Woken(AtomicU64::new(0)));
        let waker = Waker::from(woken.clone());
        assert!(honest.poll_room(&Context::from_waker(&waker)).is_pending());
        hogs.into_iter().for_each(|hog| hog.closed(1));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(has_room(&honest));
    }
}
