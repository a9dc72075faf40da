//! Loads: how much payload is in memory on its way to peers, over all of them, and for how much of a message that
//! is while its peer takes nothing.
//!
//! A peer that asks for much and reads nothing must cost a few KiB and no more, and must not stand before others.
//! So payload is held by permits of one budget, and only as long as the stream moves: a message whose stream has
//! taken nothing for [`PATIENCE`] is let go but for a small piece, and read again when that piece is taken. A
//! stream that is new begins in the same way, since nobody knows yet whether it moves.

use std::sync::Arc;
use std::time::Duration;

use ipse_base::limits::{
    BITSWAP_MESSAGE_BYTES_MAX, BLOCK_BYTES_MAX, LOADED_BYTES_MAX, LOADED_PEER_BYTES_MIN,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::counters::NetCounters;

/// How long a stream may take nothing before what is loaded for it is let go.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// What is reserved before a message is read, since its length is not known: one large block with its frame.
const RESERVED_BYTES: u32 = BLOCK_BYTES_MAX as u32 + 64 * 1024;
/// Messages that may be read at once when the budget is used up, each for its small piece.
const SPARE_READS: usize = 2;
/// By what a stream that takes all in time may have more.
const GROWTH: usize = 4;
/// From this pace on the next message is read while one is written, in bytes.
const QUICK_BYTES: usize = 512 * 1024;

/// What may be loaded.
pub(crate) struct Loads {
    bytes: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    counters: Arc<NetCounters>,
}

/// A share of the budget.
pub(crate) enum Held {
    /// So many bytes as it has permits.
    Whole(OwnedSemaphorePermit),
    /// Only for as long as it takes to read a message and cut a small piece out of it.
    Spare(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit),
}

impl Loads {
    pub(crate) fn new(counters: Arc<NetCounters>) -> Self {
        let (bytes, spare) = (Semaphore::new(LOADED_BYTES_MAX), Semaphore::new(SPARE_READS));
        Self { bytes: Arc::new(bytes), spare: Arc::new(spare), counters }
    }

    /// Room to read a message, if there is some at once.
    pub(crate) fn try_reserve(&self) -> Option<Held> {
        self.bytes.clone().try_acquire_many_owned(RESERVED_BYTES).ok().map(Held::Whole)
    }

    /// Room to read a message; nothing when the net shuts down. Who waits for too long gets the spare room, so
    /// that every stream moves whatever the others do.
    pub(crate) async fn reserve(&self) -> Option<Held> {
        match timeout(PATIENCE, self.bytes.clone().acquire_many_owned(RESERVED_BYTES)).await {
            Ok(permit) => permit.ok().map(Held::Whole),
            Err(_) => self.spare.clone().acquire_owned().await.ok().map(Held::Spare),
        }
    }

    /// The reading is done: what was reserved beyond so many bytes goes back.
    pub(crate) fn settle(&self, held: &mut Held, bytes: usize) {
        if let Held::Whole(permit) = held {
            let surplus = permit.num_permits().saturating_sub(bytes);
            drop(permit.split(surplus));
            let used = LOADED_BYTES_MAX - self.bytes.available_permits();
            self.counters.loaded_peak.raise_to(used as u64);
        }
    }

    /// What is held of the budget, in bytes.
    pub(crate) fn used(&self) -> usize {
        LOADED_BYTES_MAX - self.bytes.available_permits()
    }
}

/// How much of a message is held for a stream, by how it moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace(usize);

impl Default for Pace {
    fn default() -> Self {
        Self(LOADED_PEER_BYTES_MIN)
    }
}

impl Pace {
    /// How much of so many bytes may be held, with what was reserved for them.
    pub(crate) fn share(self, rest: usize, held: &Held) -> usize {
        let most = if matches!(held, Held::Whole(_)) { self.0 } else { LOADED_PEER_BYTES_MIN };
        rest.min(most)
    }

    /// What was held was taken in time.
    pub(crate) fn took(&mut self) {
        self.0 = (self.0 * GROWTH).min(BITSWAP_MESSAGE_BYTES_MAX);
    }

    /// Nothing was taken for a while.
    pub(crate) fn stuck(&mut self) {
        *self = Self::default();
    }

    /// Whether the stream moves well enough for a message to be read ahead.
    pub(crate) const fn is_quick(self) -> bool {
        self.0 >= QUICK_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn when_all_is_held_a_message_is_still_read_for_its_small_piece() {
        let loads = Loads::new(Arc::default());
        let mut held = Vec::new();
        while let Some(mut one) = loads.try_reserve() {
            loads.settle(&mut one, 1_000_000);
            held.push(one);
        }
        assert!(loads.used() <= LOADED_BYTES_MAX && held.len() >= 8);
        let spare = loads.reserve().await.unwrap();
        assert!(matches!(spare, Held::Spare(_)));
        let mut pace = Pace::default();
        (0..8).for_each(|_| pace.took());
        assert_eq!(pace.share(2_000_000, &spare), LOADED_PEER_BYTES_MIN);
        assert_eq!(pace.share(2_000_000, &held[0]), 2_000_000);
        drop(held);
        assert!(matches!(loads.reserve().await, Some(Held::Whole(_))));
        assert_eq!(loads.used(), 0);
    }

    #[test]
    fn a_stream_earns_what_is_held_for_it_and_loses_it_when_it_stops() {
        let mut pace = Pace::default();
        let held = Loads::new(Arc::default()).try_reserve().unwrap();
        assert_eq!(pace.share(BLOCK_BYTES_MAX, &held), LOADED_PEER_BYTES_MIN);
        assert!(!pace.is_quick());
        (0..3).for_each(|_| pace.took());
        assert!(pace.is_quick() && pace.share(BLOCK_BYTES_MAX, &held) == BLOCK_BYTES_MAX);
        pace.stuck();
        assert_eq!(pace.share(BLOCK_BYTES_MAX, &held), LOADED_PEER_BYTES_MIN);
    }
}
