//! Loads: how much payload is in memory on its way to peers, over all of them, and for how much of a message that
//! is while its peer takes nothing.
//!
//! A peer that asks for much and reads nothing must cost a few KiB and no more, and must not stand before others.
//! So payload is held by permits of one budget, and only as long as the stream moves: a message whose stream has
//! taken nothing for [`PATIENCE`] is let go but for a small piece, and read again when that piece is taken. A
//! stream that is new begins in the same way, since nobody knows yet whether it moves.
//!
//! A message that is no larger than such a piece is every peer's own and waits for nobody. Streams that have not
//! shown yet that they move share a part of the budget, so that many of them can't stand before one that does.

use std::sync::Arc;
use std::time::Duration;

use ipse_base::limits::{BITSWAP_MESSAGE_BYTES_MAX, LOADED_BYTES_MAX, LOADED_PEER_BYTES_MIN};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::counters::NetCounters;

/// How long a stream may take nothing before what is loaded for it is let go.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// What is reserved beside a message's payload: its frame, names and presences. Given back when it is read.
const FRAME_BYTES: u64 = 64 * 1024;
/// What streams may hold together that have not shown that they move.
const UNPROVEN_BYTES_MAX: usize = LOADED_BYTES_MAX / 2;
/// Messages that may be read at once when the budget is used up, each for its small piece.
const SPARE_READS: usize = 2;
/// By what a stream that takes all in time may have more.
const GROWTH: usize = 4;
/// From this pace on the next message is read while one is written, in bytes.
const QUICK_BYTES: usize = 512 * 1024;

/// What may be loaded.
pub(crate) struct Loads {
    bytes: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    counters: Arc<NetCounters>,
}

/// A share of the budget.
pub(crate) enum Held {
    /// So many bytes as they have permits; the second is of the part for streams that have not shown that they
    /// move.
    Whole(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
    /// Only for as long as it takes to read a message and cut a small piece out of it.
    Spare(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit),
}

impl Loads {
    pub(crate) fn new(counters: Arc<NetCounters>) -> Self {
        let budget = |permits| Arc::new(Semaphore::new(permits));
        let (bytes, unproven) = (budget(LOADED_BYTES_MAX), budget(UNPROVEN_BYTES_MAX));
        Self { bytes, unproven, spare: budget(SPARE_READS), counters }
    }

    /// Room to read a message of so much payload ahead of its turn, if there is some at once. For streams that
    /// move.
    pub(crate) fn try_reserve(&self, payload_bytes: u64) -> Option<Held> {
        let bytes = self.bytes.clone().try_acquire_many_owned(permits(payload_bytes)).ok()?;
        Some(Held::Whole(bytes, None))
    }

    /// Room to read a message of so much payload; nothing when the net shuts down. Who waits for too long gets
    /// the spare room, so that every stream moves whatever the others do.
    pub(crate) async fn reserve(&self, payload_bytes: u64, pace: Pace) -> Option<Held> {
        let permits = permits(payload_bytes);
        let whole = async {
            let unproven = match pace.is_quick() {
                true => None,
                false => Some(self.unproven.clone().acquire_many_owned(permits).await.ok()?),
            };
            Some(Held::Whole(self.bytes.clone().acquire_many_owned(permits).await.ok()?, unproven))
        };
        match timeout(PATIENCE, whole).await {
            Ok(held) => held,
            Err(_) => self.spare.clone().acquire_owned().await.ok().map(Held::Spare),
        }
    }

    /// The reading is done: what was reserved beyond so many bytes goes back.
    pub(crate) fn settle(&self, held: &mut Held, bytes: usize) {
        if let Held::Whole(permit, unproven) = held {
            for permit in unproven.iter_mut().chain([permit]) {
                drop(permit.split(permit.num_permits().saturating_sub(bytes)));
            }
            self.counters.loaded_peak.raise_to(self.used() as u64);
        }
    }

    /// What is held of the budget, in bytes.
    pub(crate) fn used(&self) -> usize {
        LOADED_BYTES_MAX - self.bytes.available_permits()
    }
}

/// Whether a message of so much payload is small enough to be its peer's own ([`LOADED_PEER_BYTES_MIN`]).
pub(crate) const fn is_own(payload_bytes: u64) -> bool {
    payload_bytes <= LOADED_PEER_BYTES_MIN as u64
}

fn permits(payload_bytes: u64) -> u32 {
    // The exchange makes no larger messages; one that could never be read would stop its stream.
    let bytes = (payload_bytes + FRAME_BYTES).min(BITSWAP_MESSAGE_BYTES_MAX as u64);
    u32::try_from(bytes).unwrap_or(u32::MAX)
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
        let most = if matches!(held, Held::Whole(..)) { self.0 } else { LOADED_PEER_BYTES_MIN };
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
    use ipse_base::limits::BLOCK_BYTES_MAX;

    use super::*;

    const BYTES: u64 = 1_000_000;

    fn quick() -> Pace {
        let mut pace = Pace::default();
        (0..8).for_each(|_| pace.took());
        pace
    }

    #[tokio::test]
    async fn when_all_is_held_a_message_is_still_read_for_its_small_piece() {
        let loads = Loads::new(Arc::default());
        let mut held = Vec::new();
        while let Some(mut one) = loads.try_reserve(BYTES) {
            loads.settle(&mut one, BYTES as usize);
            held.push(one);
        }
        assert!(loads.used() <= LOADED_BYTES_MAX && held.len() >= 8);
        let spare = loads.reserve(BYTES, quick()).await.unwrap();
        assert!(matches!(spare, Held::Spare(_)));
        assert_eq!(quick().share(2_000_000, &spare), LOADED_PEER_BYTES_MIN);
        assert_eq!(quick().share(2_000_000, &held[0]), 2_000_000);
        drop(held);
        assert!(matches!(loads.reserve(BYTES, quick()).await, Some(Held::Whole(..))));
        assert_eq!(loads.used(), 0);
    }

    #[tokio::test]
    async fn streams_that_have_not_shown_that_they_move_leave_room_for_one_that_does() {
        let loads = Loads::new(Arc::default());
        let mut strangers = Vec::new();
        while let Some(one) = futures::FutureExt::now_or_never(loads.reserve(BYTES, Pace::default())) {
            strangers.push(one);
        }
        assert!(strangers.len() >= 8);
        let known = futures::FutureExt::now_or_never(loads.reserve(BYTES, quick()));
        assert!(matches!(known, Some(Some(Held::Whole(_, None)))));
        strangers.pop();
        drop(known);
        let next = futures::FutureExt::now_or_never(loads.reserve(BYTES, Pace::default()));
        assert!(matches!(next, Some(Some(Held::Whole(_, Some(_))))));
        drop((next, strangers));
        assert_eq!((loads.used(), loads.unproven.available_permits()), (0, UNPROVEN_BYTES_MAX));
    }

    #[test]
    fn a_stream_earns_what_is_held_for_it_and_loses_it_when_it_stops() {
        let mut pace = Pace::default();
        let held = Loads::new(Arc::default()).try_reserve(BYTES).unwrap();
        assert_eq!(pace.share(BLOCK_BYTES_MAX, &held), LOADED_PEER_BYTES_MIN);
        assert!(!pace.is_quick());
        (0..3).for_each(|_| pace.took());
        assert!(pace.is_quick() && pace.share(BLOCK_BYTES_MAX, &held) == BLOCK_BYTES_MAX);
        pace.stuck();
        assert_eq!(pace.share(BLOCK_BYTES_MAX, &held), LOADED_PEER_BYTES_MIN);
    }
}
