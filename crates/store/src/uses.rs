//! Uses: when each segment was used last, so that what was used longest ago leaves first.
//!
//! Time is counted in generations: one ends with each checkpoint, and where a new segment begins. A read notes the generation with one atomic
//! store, and writes nothing; the index takes the notes along with its next checkpoint. What a crash loses of them
//! costs order, never data.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Segments with the generation in which each was used last; `None` for those that are gone.
pub(crate) type UseChanges = Vec<(u32, Option<u64>)>;

pub(crate) struct Uses {
    /// The running generation.
    now: AtomicU64,
    /// Everything up to this generation is in the index.
    noted: AtomicU64,
    segments: RwLock<HashMap<u32, AtomicU64>>,
}

impl Uses {
    /// As the index knows them.
    pub(crate) fn new(known: Vec<(u32, u64)>) -> Self {
        let noted = known.iter().map(|(_, at)| *at).max().unwrap_or(0);
        let segments = known.into_iter().map(|(id, at)| (id, AtomicU64::new(at))).collect();
        Self { now: AtomicU64::new(noted + 1), noted: AtomicU64::new(noted), segments: RwLock::new(segments) }
    }

    /// A segment is used now.
    pub(crate) fn touch(&self, id: u32) {
        let now = self.now.load(Ordering::Relaxed);
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = segments.get(&id) {
            // Most reads meet a segment that was just read: then nothing is stored that other cores would wait for.
            if last.load(Ordering::Relaxed) < now {
                last.store(now, Ordering::Relaxed);
            }
            return;
        }
        drop(segments);
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        segments.insert(id, AtomicU64::new(now));
    }

    /// When a segment was used last; one that nobody used since notes are taken was used before all others.
    pub(crate) fn of(&self, id: u32) -> u64 {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.get(&id).map_or(0, |last| last.load(Ordering::Relaxed))
    }

    /// Ends a generation: what is to be noted of it and of what was not noted before. Segments that are not
    /// `there` any more are forgotten.
    pub(crate) fn turn(&self, there: impl Fn(u32) -> bool) -> (u64, UseChanges) {
        let (ended, noted) = (self.now.fetch_add(1, Ordering::Relaxed), self.noted.load(Ordering::Relaxed));
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let mut changes = UseChanges::new();
        segments.retain(|&id, last| {
            let (last, stays) = (last.load(Ordering::Relaxed), there(id));
            if !stays || last > noted {
                changes.push((id, stays.then_some(last)));
            }
            stays
        });
        (ended, changes)
    }

    /// The index has none of the notes any more.
    pub(crate) fn forget_noted(&self) {
        self.noted.store(0, Ordering::Relaxed);
    }

    /// What a turn said is in the index.
    pub(crate) fn noted(&self, ended: u64) {
        self.noted.fetch_max(ended, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_noted_once_and_comes_back() {
        let uses = Uses::new(vec![(1, 5), (2, 7)]);
        assert_eq!((uses.of(1), uses.of(2), uses.of(3)), (5, 7, 0));
        uses.touch(1);
        uses.touch(3);
        assert_eq!((uses.of(1), uses.of(3)), (8, 9));
        let (ended, mut changes) = uses.turn(|id| id != 2);
        changes.sort_unstable();
        assert_eq!((ended, changes), (9, vec![(1, Some(8)), (2, None), (3, Some(9))]));
        // The index could not be written: the same is said again.
        uses.touch(3);
        let (ended, mut changes) = uses.turn(|_| true);
        changes.sort_unstable();
        assert_eq!(changes, [(1, Some(8)), (3, Some(10))]);
        uses.noted(ended);
        assert_eq!(uses.turn(|_| true).1, []);
    }
}
