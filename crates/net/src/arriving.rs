//! Arriving: memory for messages that are not whole yet, over all streams. What a peer sends of a message stays
//! here until the rest comes, and a hostile one sends half of many.
//!
//! The first piece of a message is free; what it needs beyond that is taken out of one budget, in the order of asking.
//! While somebody waits for it, messages that stand still are given up ([`Arriving::is_short`]), and so is the one who
//! has waited too long: all may be waiting for one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget.
pub(crate) struct Arriving {
    room: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Part of the budget, until it is dropped.
#[derive(Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

impl Arriving {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { room: Arc::new(Semaphore::new(bytes)), waiting: AtomicUsize::new(0) })
    }

    /// Whether somebody waits.
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Adds so many bytes to what somebody has, when they are free. Dropping it gives the place in the queue up.
    pub(crate) async fn extend(&self, room: &mut Room, bytes: usize) {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let more = match self.room.clone().try_acquire_many_owned(permits) {
            Ok(more) => Some(more),
            Err(_) => {
                let _waiting = Waiting::begin(&self.waiting);
                // Nobody closes it.
                self.room.clone().acquire_many_owned(permits).await.ok()
            }
        };
        match (&mut room.0, more) {
            (Some(held), Some(more)) => held.merge(more),
            (held, more) => *held = more,
        }
    }
}

/// Counted for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_none_waits_until_another_is_done_and_that_is_seen() {
        let arriving = Arriving::new(100);
        let (mut first, mut second) = (Room::default(), Room::default());
        arriving.extend(&mut first, 60).await;
        arriving.extend(&mut first, 20).await;
        assert!(!arriving.is_short());
        let mut waits = Box::pin(arriving.extend(&mut second, 50));
        assert!(futures::poll!(&mut waits).is_pending());
        assert!(arriving.is_short());
        drop(first);
        waits.await;
        assert!(!arriving.is_short());
        drop(second);
        assert_eq!(arriving.room.available_permits(), 100);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let arriving = Arriving::new(10);
        let (mut first, mut second) = (Room::default(), Room::default());
        arriving.extend(&mut first, 10).await;
        let mut waits = Box::pin(arriving.extend(&mut second, 10));
        assert!(futures::poll!(&mut waits).is_pending());
        drop(waits);
        assert!(!arriving.is_short());
        drop(first);
        assert_eq!(arriving.room.available_permits(), 10);
    }
}
