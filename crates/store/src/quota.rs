//! Quota: how large the repository may become. A put that would go over it collects first; only where that does
//! not help it is refused.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::core::WriteError;
use crate::gc::CollectError;
use crate::lock;
use crate::place::Position;
use crate::store::Store;

/// The bound and what is known of the size.
pub(crate) struct Quota {
    limit: AtomicU64,
    /// Measured, and then added up: so it is never too small by more than headers and index.
    bytes: AtomicU64,
    /// Held by whoever makes room; others wait and look again. Where the log ended when no room could be made:
    /// until something is written, trying again is in vain.
    making_room: Mutex<Option<Position>>,
}

impl Default for Quota {
    fn default() -> Self {
        Self { limit: AtomicU64::new(u64::MAX), bytes: AtomicU64::new(0), making_room: Mutex::default() }
    }
}

impl Quota {
    /// Records of so many bytes were written.
    pub(crate) fn grew(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What is over the limit, if so many bytes more are written.
    fn excess(&self, more: u64) -> Option<WriteError> {
        let (bytes, limit) = (self.bytes.load(Ordering::Relaxed), self.limit.load(Ordering::Relaxed));
        (bytes.saturating_add(more) > limit).then_some(WriteError::Quota { bytes, limit })
    }
}

impl Store {
    /// Keeps the repository below so many bytes on the disk from now on: a put that would take it over collects
    /// what nothing keeps, and fails (full) where that is not enough. Pins and deletions are always taken.
    ///
    /// # Errors
    /// [`WriteError`] where the size can't be measured.
    pub fn keep_below(&self, bytes: u64) -> Result<(), WriteError> {
        let quota = &self.core().quota;
        quota.bytes.store(self.stats()?.disk_bytes, Ordering::Relaxed);
        quota.limit.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Makes room for so many bytes. The caller holds no lock.
    pub(crate) fn make_space(&self, more: u64) -> Result<(), WriteError> {
        let quota = &self.core().quota;
        if quota.excess(more).is_none() {
            return Ok(());
        }
        let mut in_vain = lock(&quota.making_room);
        let Some(excess) = quota.excess(more) else { return Ok(()) };
        if *in_vain == Some(self.core().log.written()) {
            return Err(excess);
        }
        match self.collect_all() {
            // Somebody else's collection makes room by itself, or can't.
            Ok(()) | Err(CollectError::Busy) => {}
            Err(error) => {
                tracing::warn!(%error, "no room could be made");
                return Err(excess);
            }
        }
        quota.bytes.store(self.stats()?.disk_bytes, Ordering::Relaxed);
        let excess = quota.excess(more);
        *in_vain = excess.as_ref().map(|_| self.core().log.written());
        excess.map_or(Ok(()), Err)
    }

    fn collect_all(&self) -> Result<(), CollectError> {
        let plan = self.plan_collection()?;
        self.collect(&plan, &mut |_| {}).map(drop)
    }
}
