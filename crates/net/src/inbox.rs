//! Inbox: what has arrived for one session and was not taken yet.
//!
//! Payload that waits is bounded over all sessions together, and no session may hold more than is still free,
//! so that one that stands still leaves room for the others. A block over the bound is kept as its name only,
//! and read back from where it was stored when the session comes to it. That is why a slow reader costs other
//! readers of the same peer nothing: its connection need not be stopped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures::task::AtomicWaker;
use ipse_base::limits::{SESSION_LAG_BYTES_MAX, UNCONSUMED_BYTES_MAX};
use ipse_base::{AbsentReason, Block, Cid};

/// Bytes in all inboxes.
#[derive(Debug, Default)]
pub(crate) struct Unconsumed(AtomicU64);

impl Unconsumed {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes so many bytes for someone who holds `held` already; false where that is too much.
    fn take(&self, held: u64, bytes: u64) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
                let free = UNCONSUMED_BYTES_MAX.saturating_sub(all);
                (bytes <= free && held <= free).then_some(all + bytes)
            })
            .is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Something for a session.
#[derive(Debug)]
pub(crate) enum Ready {
    /// A block.
    Block(Block),
    /// A block that is to be read from the store.
    Stored(Cid),
    /// A block that can't be had.
    Absent(Cid, AbsentReason),
}

/// See the module.
pub(crate) struct Inbox {
    session: u64,
    state: Mutex<State>,
    waker: AtomicWaker,
    unconsumed: Arc<Unconsumed>,
    /// Whether the exchange was told that the session lags.
    lagging: AtomicBool,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Ready>,
    held: u64,
    closed: bool,
}

impl Inbox {
    pub(crate) fn new(session: u64, unconsumed: Arc<Unconsumed>) -> Self {
        let (state, waker, lagging) = Default::default();
        Self { session, state, waker, unconsumed, lagging }
    }

    /// The session's number.
    pub(crate) fn session(&self) -> u64 {
        self.session
    }

    pub(crate) fn put(&self, block: Block) {
        let mut state = self.state();
        let bytes = block.data().len() as u64;
        if self.unconsumed.take(state.held, bytes) {
            state.held += bytes;
            self.push(state, Ready::Block(block));
        } else {
            self.push(state, Ready::Stored(block.into_parts().0));
        }
    }

    pub(crate) fn put_stored(&self, cid: Cid) {
        self.push(self.state(), Ready::Stored(cid));
    }

    pub(crate) fn put_absent(&self, cid: Cid, reason: AbsentReason) {
        self.push(self.state(), Ready::Absent(cid, reason));
    }

    /// The next thing, in the order of arrival.
    pub(crate) fn take(&self) -> Option<Ready> {
        let mut state = self.state();
        let ready = state.ready.pop_front()?;
        if let Ready::Block(block) = &ready {
            let bytes = block.data().len() as u64;
            state.held -= bytes;
            self.unconsumed.give_back(bytes);
        }
        Some(ready)
    }

    /// Whether the session has just begun to lag; told once.
    pub(crate) fn begins_to_lag(&self) -> bool {
        // Under the lock: whoever takes something after this sees the mark, so that it is taken back.
        let state = self.state();
        state.held > SESSION_LAG_BYTES_MAX && !self.lagging.swap(true, Ordering::SeqCst)
    }

    /// Whether the session has just caught up; told once.
    pub(crate) fn catches_up(&self) -> bool {
        self.lagging.load(Ordering::SeqCst)
            && self.state().held <= SESSION_LAG_BYTES_MAX / 2
            && self.lagging.swap(false, Ordering::SeqCst)
    }

    /// Has the task in `context` woken by the next thing.
    pub(crate) fn register(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
    }

    /// Drops what is there; nothing is kept any more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        self.unconsumed.give_back(state.held);
        *state = State { closed: true, ..State::default() };
    }

    fn push(&self, mut state: MutexGuard<'_, State>, ready: Ready) {
        if state.closed {
            if let Ready::Block(block) = &ready {
                let bytes = block.data().len() as u64;
                state.held -= bytes;
                self.unconsumed.give_back(bytes);
            }
            return;
        }
        state.ready.push_back(ready);
        drop(state);
        self.waker.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ipse_base::{Codec, HashCode};

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn block(number: u8) -> Block {
        Block::hash(Codec::RAW, HashCode::BLAKE3, vec![number; MIB].into()).unwrap()
    }

    #[test]
    fn one_session_holds_half_and_leaves_room_for_the_next() {
        let unconsumed = Arc::new(Unconsumed::default());
        let first = Inbox::new(1, unconsumed.clone());
        let second = Inbox::new(2, unconsumed.clone());
        let blocks: Vec<Block> = (0..40).map(block).collect();
        blocks.iter().for_each(|block| first.put(block.clone()));
        let held = unconsumed.bytes();
        assert!((UNCONSUMED_BYTES_MAX / 2..UNCONSUMED_BYTES_MAX * 3 / 4).contains(&held), "{held}");
        second.put(blocks[0].clone());
        assert!(matches!(second.take(), Some(Ready::Block(_))));
        let kinds: Vec<bool> =
            std::iter::from_fn(|| first.take()).map(|ready| matches!(ready, Ready::Block(_))).collect();
        assert_eq!(kinds.len(), blocks.len(), "nothing is lost, only its payload is left in the store");
        assert!(kinds[0] && !kinds[39]);
        assert_eq!(unconsumed.bytes(), 0);
    }

    #[test]
    fn a_session_lags_until_half_is_taken() {
        let inbox = Inbox::new(1, Arc::default());
        let blocks = SESSION_LAG_BYTES_MAX as usize / MIB + 1;
        (0..blocks).for_each(|number| inbox.put(block(number as u8)));
        assert!(!inbox.catches_up() && inbox.begins_to_lag() && !inbox.begins_to_lag());
        while inbox.state().held > SESSION_LAG_BYTES_MAX / 2 {
            assert!(!inbox.catches_up());
            inbox.take();
        }
        assert!(inbox.catches_up() && !inbox.catches_up() && !inbox.begins_to_lag());
    }

    #[test]
    fn a_closed_inbox_gives_everything_back() {
        let unconsumed = Arc::new(Unconsumed::default());
        let inbox = Inbox::new(1, unconsumed.clone());
        inbox.put(block(1));
        inbox.close();
        inbox.put(block(2));
        assert_eq!(unconsumed.bytes(), 0);
        assert!(inbox.take().is_none());
    }
}
