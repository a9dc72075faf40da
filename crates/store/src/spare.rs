//! Spare: space on the disk that is held back for what gives space back, so that a full disk can be cleaned up.
//!
//! A file of zeros in `blocks/`, really allocated. Deletions, unpins, collections and the index behind them use its
//! space when there is no other ([`Spare::release`]). From then on puts and pins are refused, or they would use it up
//! ([`Spare::check`]), until the whole of it can be held back again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ipse_base::limits::{SPARE_BYTES_MAX, SPARE_BYTES_MIN};

use crate::disk::{Disk, DiskError, DiskFile, OpenMode};
use crate::lock;

/// The part of the store that is held back.
const STORE_PARTS: u64 = 100;
/// No more than this part of the disk is held back.
const DISK_PARTS: u64 = 16;
/// What a store that is smaller holds back. A collection of little needs about as much for the index.
const SMALL_STORE_BYTES: u64 = 1024 * 1024;
/// Sizes are whole multiples of this.
const STEP_BYTES: u64 = 64 * 1024;

/// The name of the file beside the segments.
pub(crate) const NAME: &str = "spare";

pub(crate) struct Spare {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: Mutex<State>,
    /// How large the repository may become: it is its disk.
    room: AtomicU64,
    /// Whether it was given up, so that nothing may grow.
    released: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Absent where none was made yet.
    file: Option<Arc<dyn DiskFile>>,
    bytes: u64,
    /// The disk can't do it.
    unsupported: bool,
}

impl Spare {
    /// As it was left by the last process: where it was given up, it is to be filled before anything grows.
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Self {
        let path = dir.join(NAME);
        let file = disk.open(&path, OpenMode::Existing).ok();
        // Not its length: whoever copied the folder may have made a hole of the zeros.
        let bytes = file.as_ref().and_then(|file| file.allocated().ok());
        let state = State { bytes: bytes.unwrap_or(0), file, ..State::default() };
        Self {
            disk: Arc::clone(disk),
            path,
            state: Mutex::new(state),
            room: AtomicU64::new(u64::MAX),
            released: AtomicBool::new(bytes == Some(0)),
        }
    }

    /// Bytes that are held back now.
    pub(crate) fn bytes(&self) -> u64 {
        lock(&self.state).bytes
    }

    /// Whether the disk was full, and has not had the space since to hold some back again.
    pub(crate) fn is_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }

    /// The repository stays below so many bytes from now on.
    pub(crate) fn stay_below(&self, bytes: u64) {
        self.room.store(bytes, Ordering::Relaxed);
    }

    /// Holds back what a store of so many bytes needs, unless it is about that already. Where that can't be had, what
    /// was held back stays; the next call tries again.
    pub(crate) fn keep(&self, store_bytes: u64) {
        let mut state = lock(&self.state);
        let Ok(wanted) = self.wanted(store_bytes) else { return };
        let fits = (wanted / 2..=wanted + wanted / 2).contains(&state.bytes) && state.bytes > 0;
        if fits || wanted == state.bytes || state.unsupported {
            return;
        }
        if let Err(error) = self.fill(&mut state, wanted) {
            tracing::debug!(%error, wanted, "no space could be held back for collections");
        }
    }

    /// Gives the space up. Answers whether there was some.
    pub(crate) fn release(&self) -> bool {
        let mut state = lock(&self.state);
        let Some(file) = state.file.clone().filter(|_| state.bytes > 0) else { return false };
        if let Err(error) = file.set_len(0) {
            tracing::warn!(%error, "the space held back for a full disk can't be given up");
            return false;
        }
        tracing::warn!(bytes = state.bytes, "the disk is full: using the space that was held back for this");
        state.bytes = 0;
        self.released.store(true, Ordering::SeqCst);
        true
    }

    /// To be asked before anything grows in a store of so many bytes.
    ///
    /// # Errors
    /// Full, while the space that was given up can't be held back again.
    pub(crate) fn check(&self, store_bytes: impl FnOnce() -> u64) -> Result<(), DiskError> {
        if !self.released.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut state = lock(&self.state);
        if !self.released.load(Ordering::SeqCst) {
            return Ok(());
        }
        let wanted = self.wanted(store_bytes()).map_err(DiskError::of("measure", &self.path))?;
        self.fill(&mut state, wanted)
    }

    fn wanted(&self, store_bytes: u64) -> std::io::Result<u64> {
        let disk = self.disk.bytes(&self.path)?.min(self.room.load(Ordering::Relaxed));
        Ok(wanted(store_bytes, disk))
    }

    /// Allocates the file, or cuts it to what is wanted, durably.
    fn fill(&self, state: &mut State, wanted: u64) -> Result<(), DiskError> {
        let file = match &state.file {
            Some(file) => Arc::clone(file),
            None => {
                self.disk.open(&self.path, OpenMode::Create).map_err(DiskError::of("create", &self.path))?
            }
        };
        let is_new = state.file.is_none();
        state.file = Some(Arc::clone(&file));
        let filled =
            if wanted <= state.bytes { file.set_len(wanted).map(|()| true) } else { file.allocate(wanted) };
        match filled {
            Ok(true) => {}
            Ok(false) => {
                state.unsupported = true;
                let _ = self.disk.remove(&self.path);
            }
            Err(error) => {
                // What there was of it before is kept, and nothing of what was begun.
                let _ = file.set_len(state.bytes);
                return Err(DiskError::of("hold space back in", &self.path)(error));
            }
        }
        state.bytes = if state.unsupported { 0 } else { wanted };
        self.released.store(false, Ordering::SeqCst);
        file.sync_data().map_err(DiskError::of("sync", &self.path))?;
        if is_new { crate::disk::sync_parent(self.disk.as_ref(), &self.path) } else { Ok(()) }
    }
}

/// What is held back for a store of so many bytes on a disk of so many.
fn wanted(store: u64, disk: u64) -> u64 {
    let share = (store / STORE_PARTS).clamp(SPARE_BYTES_MIN, SPARE_BYTES_MAX);
    let wanted = share.min(store.max(SMALL_STORE_BYTES)).min(disk / DISK_PARTS);
    wanted / STEP_BYTES * STEP_BYTES
}

#[cfg(test)]
mod tests {
    use super::wanted;

    const MIB: u64 = 1024 * 1024;
    const DISK: u64 = 1024 * 1024 * MIB;

    #[test]
    fn one_part_in_a_hundred_is_held_back_within_bounds() {
        assert_eq!(wanted(10_000 * MIB, DISK), 100 * MIB);
        assert_eq!(wanted(1000 * MIB, DISK), 16 * MIB);
        assert_eq!(wanted(1_000_000 * MIB, DISK), 256 * MIB);
    }

    #[test]
    fn little_is_held_back_in_small_stores_and_on_small_disks() {
        assert_eq!(wanted(64, DISK), MIB);
        assert_eq!(wanted(5 * MIB, DISK), 5 * MIB);
        assert_eq!(wanted(60 * MIB, 64 * MIB), 4 * MIB);
        assert_eq!(wanted(0, 900_000), 0);
    }
}
