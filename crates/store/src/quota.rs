//! Quota: how large the repository may become. A put that would go over it collects first, what was used longest
//! ago; only where that does not help it is refused.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::core::WriteError;
use crate::gc::CollectError;
use crate::lock;
use crate::log::NewRecord;
use crate::place::Position;
use crate::record::{HEADER_BYTES, RecordKind, align, name_len};
use crate::store::Store;

/// What a record takes in the index, roughly: key, value, and the share of half-full pages. What is counted wrong
/// is measured before anything is refused.
const INDEX_ENTRY_BYTES: u64 = 128;
/// The largest name that a put is reckoned with before it is known.
const NAME_BYTES: u64 = 40;
/// Segments of a bounded repository are at most one part of so many, so that there are old ones and young ones.
const SEGMENT_PARTS: u64 = 64;
/// And no smaller than this: each costs a file and two syncs.
const SEGMENT_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// One part of so many stays free of blocks: a collection copies what is alive of a segment before it removes it.
const SPARE_PARTS: u64 = 32;
/// One part of so many is made free at once: marking costs the same for little and much.
const ROOM_PARTS: u64 = 16;
/// How long a put waits for somebody else's collection.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bound and what is known of the size.
pub(crate) struct Quota {
    limit: AtomicU64,
    /// Measured, and then added up.
    bytes: AtomicU64,
    /// What puts that are under way may still write: without it several would take the same room.
    promised: AtomicU64,
    /// Bytes of which something may have become garbage: those of blocks that were put, and of what running writes
    /// kept. Only ever grows.
    loose_bytes: AtomicU64,
    /// How often something was let go of which nobody knows how much it is: a pin, a deletion.
    loosenings: AtomicU64,
    /// Held by whoever makes room; others wait and look again. How things stood when no room could be made.
    making_room: Mutex<Option<Vain>>,
    /// Whether a put waits for that.
    is_making_room: AtomicBool,
}

/// How things stood before a collection that made no room. Until enough was let go since, another one, which reads
/// all that pins reach, would be in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Vain {
    loose_bytes: u64,
    loosenings: u64,
    /// The end of the log, where parties have roots of their own: what they let go of is written there, if anywhere.
    end: Option<Position>,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            limit: AtomicU64::new(u64::MAX),
            bytes: AtomicU64::new(0),
            promised: AtomicU64::new(0),
            loose_bytes: AtomicU64::new(0),
            loosenings: AtomicU64::new(0),
            making_room: Mutex::default(),
            is_making_room: AtomicBool::new(false),
        }
    }
}

impl Quota {
    /// These records were written.
    pub(crate) fn grew(&self, records: &[NewRecord<'_>]) {
        let record = |record: &NewRecord<'_>| {
            let name = record.name.map_or(0, name_len);
            align((HEADER_BYTES + name + record.payload.len()) as u64) + INDEX_ENTRY_BYTES
        };
        self.bytes.fetch_add(records.iter().map(record).sum(), Ordering::Relaxed);
        let blocks = records.iter().filter(|record| record.kind == RecordKind::Block);
        self.loosened(blocks.map(record).sum());
    }

    /// Of so many bytes at the most something may be garbage from now on.
    pub(crate) fn loosened(&self, bytes: u64) {
        self.loose_bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Something was let go, whatever it keeps.
    pub(crate) fn loosened_unknown(&self) {
        self.loosenings.fetch_add(1, Ordering::SeqCst);
    }

    /// Bytes that a collection may have copied before it removes what it copied them from.
    pub(crate) fn copied_bytes_max(&self) -> u64 {
        self.limit.load(Ordering::Relaxed) / SPARE_PARTS / 2
    }

    /// Whether a put waits until there is room.
    pub(crate) fn is_making_room(&self) -> bool {
        self.is_making_room.load(Ordering::Relaxed)
    }

    /// Whether there is a bound.
    pub(crate) fn is_bounded(&self) -> bool {
        self.limit.load(Ordering::Relaxed) != u64::MAX
    }

    /// By how much the repository is over what it may take, if so many bytes more are written beside what puts that
    /// are under way write.
    fn excess_bytes(&self, more: u64) -> u64 {
        self.excess_beside(self.promised.load(Ordering::Relaxed), more)
    }

    fn excess_beside(&self, promised: u64, more: u64) -> u64 {
        let (bytes, limit) = (self.bytes.load(Ordering::Relaxed), self.limit.load(Ordering::Relaxed));
        bytes.saturating_add(promised).saturating_add(more).saturating_sub(limit - limit / SPARE_PARTS)
    }

    /// The same as an error.
    fn excess(&self, more: u64) -> Option<WriteError> {
        let (bytes, limit) = (self.bytes.load(Ordering::Relaxed), self.limit.load(Ordering::Relaxed));
        (self.excess_bytes(more) > 0).then_some(WriteError::Quota { bytes, limit })
    }

    /// Promises so many bytes to a put, where they fit.
    fn promise(&self, more: u64) -> Option<Room<'_>> {
        let fits =
            |promised| (self.excess_beside(promised, more) == 0).then(|| promised.saturating_add(more));
        let promised = self.promised.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        promised.is_ok().then(|| Room { quota: self, bytes: more })
    }

    /// Whether a collection now could not make room for so many bytes, as the one before could not.
    fn is_in_vain(&self, more: u64, before: Vain, now: Vain) -> bool {
        let let_go = now.loose_bytes.saturating_sub(before.loose_bytes);
        now.loosenings == before.loosenings && now.end == before.end && let_go < self.excess_bytes(more)
    }
}

/// Room that a put was promised. Held until it has written; then what it wrote counts by itself.
pub(crate) struct Room<'a> {
    quota: &'a Quota,
    bytes: u64,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.quota.promised.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Store {
    /// Keeps the repository below so many bytes on the disk from now on: a put that would take it over collects
    /// what nothing keeps, that first which was used longest ago, and fails (full) where that is not enough. Pins and
    /// deletions are always taken.
    ///
    /// # Errors
    /// [`WriteError`] where the size can't be measured.
    pub fn keep_below(&self, bytes: u64) -> Result<(), WriteError> {
        let core = self.core();
        core.spare.stay_below(bytes);
        self.measure()?;
        core.quota.limit.store(bytes, Ordering::Relaxed);
        core.log.keep_segments_below((bytes / SEGMENT_PARTS).max(SEGMENT_BYTES_MIN));
        Ok(())
    }

    /// Bytes that the repository takes, as they were measured last and reckoned since; nothing where it has no
    /// bound. Costs nothing.
    pub fn reckoned_bytes(&self) -> Option<u64> {
        let quota = &self.core().quota;
        quota.is_bounded().then(|| quota.bytes.load(Ordering::Relaxed))
    }

    fn measure(&self) -> Result<(), WriteError> {
        let bytes = self.stats()?.disk_bytes + self.core().spare.bytes();
        self.core().quota.bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Makes room for blocks of these lengths, which is theirs as long as it is held; nothing to hold where there is
    /// no bound. The caller holds no lock.
    pub(crate) fn make_space(
        &self,
        lengths: impl Iterator<Item = usize>,
    ) -> Result<Option<Room<'_>>, WriteError> {
        let quota = &self.core().quota;
        if !quota.is_bounded() {
            return Ok(None);
        }
        let record = |length| align(HEADER_BYTES as u64 + NAME_BYTES + length as u64) + INDEX_ENTRY_BYTES;
        let more = lengths.map(record).sum();
        if let Some(room) = quota.promise(more) {
            return Ok(Some(room));
        }
        let mut in_vain = lock(&quota.making_room);
        if let Some(room) = quota.promise(more) {
            return Ok(Some(room));
        }
        // Before the collection: what is let go while it runs counts for the next one.
        let now = self.standing();
        if let (Some(before), Some(excess)) = (*in_vain, quota.excess(more))
            && quota.is_in_vain(more, before, now)
        {
            return Err(excess);
        }
        quota.is_making_room.store(true, Ordering::Relaxed);
        let freed = self.free(more);
        quota.is_making_room.store(false, Ordering::Relaxed);
        let excess = freed?;
        *in_vain = excess.as_ref().map(|_| now);
        match (excess, quota.promise(more)) {
            (_, Some(room)) => Ok(Some(room)),
            (Some(excess), None) => Err(excess),
            // Somebody who was promised less was quicker.
            (None, None) => quota.excess(more).map_or(Ok(None), Err),
        }
    }

    fn standing(&self) -> Vain {
        let core = self.core();
        let has_parties = !lock(&core.roots).is_empty();
        Vain {
            loose_bytes: core.quota.loose_bytes.load(Ordering::SeqCst),
            loosenings: core.quota.loosenings.load(Ordering::SeqCst),
            end: has_parties.then(|| core.log.written()),
        }
    }

    /// Measures, and collects where that shows no room; answers what is over the limit then. At first what was used
    /// longest ago goes, then everything.
    fn free(&self, more: u64) -> Result<Option<WriteError>, WriteError> {
        let core = self.core();
        self.measure()?;
        let room = core.quota.limit.load(Ordering::Relaxed) / ROOM_PARTS;
        for enough in [Some(more.saturating_add(room)), None] {
            if core.quota.excess(more).is_none() {
                return Ok(None);
            }
            match self.collect_by_itself(enough) {
                Ok(()) => {}
                // Somebody else's makes room too.
                Err(CollectError::Busy) => core.collecting.wait(PATIENCE),
                Err(error) => {
                    tracing::warn!(%error, "no room could be made");
                    break;
                }
            }
            self.measure()?;
        }
        Ok(core.quota.excess(more))
    }

    fn collect_by_itself(&self, enough: Option<u64>) -> Result<(), CollectError> {
        let plan = match enough {
            Some(bytes) => self.plan_leaving(bytes)?,
            None => self.plan_collection()?,
        };
        self.collect(&plan, &mut |_| {}).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_promised_once() {
        let quota = Quota::default();
        quota.limit.store(3200, Ordering::Relaxed);
        quota.bytes.store(2000, Ordering::Relaxed);
        let first = quota.promise(700).unwrap();
        let second = quota.promise(400).unwrap();
        // 3100 is the most: a part stays free.
        assert!(quota.promise(1).is_none() && quota.excess(0).is_none() && quota.excess(1).is_some());
        quota.bytes.fetch_add(700, Ordering::Relaxed);
        drop(first);
        assert!(quota.promise(1).is_none());
        drop(second);
        drop(quota.promise(400).unwrap());
        assert!(quota.promise(401).is_none() && quota.promise(400).is_some());
        // Without a bound nothing is too much.
        assert!(Quota::default().promise(u64::MAX / 2).is_some());
    }
}
