//! redb's file on our own disk seam, so that the index too lives on the fake disk in tests.
//!
//! redb writes when it opens a file that was not closed cleanly. On a disk that takes no writes it gets the
//! second backend here, which keeps them in memory, so that what is in the index can still be read.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::disk::DiskFile;
use crate::lock;

/// Bytes after which what was written is synced, where the engine is to go easy. It syncs once at the end of a batch by
/// itself, which of a large index is most of its pages.
const PIECE_BYTES: usize = 2 * 1024 * 1024;

pub(super) struct Backend {
    file: Arc<dyn DiskFile>,
    easy: Arc<AtomicBool>,
    /// Bytes since the last sync.
    written: AtomicUsize,
}

impl Backend {
    pub(super) fn new(file: Arc<dyn DiskFile>, easy: &Arc<AtomicBool>) -> Self {
        Self { file, easy: Arc::clone(easy), written: AtomicUsize::new(0) }
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

impl ::redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.written.store(0, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, &mut [IoSlice::new(data)])?;
        let written = self.written.fetch_add(data.len(), Ordering::Relaxed) + data.len();
        if written >= PIECE_BYTES && self.easy.load(Ordering::Relaxed) { self.sync_data() } else { Ok(()) }
    }
}

/// Memory for what is written to a file that is only read. Opening writes a few pages.
const OVERLAY_PAGES_MAX: usize = 1024;
const PAGE_BYTES: u64 = 4096;

/// A file that is only read, under changes that live in memory.
pub(super) struct Overlay {
    /// Absent where there is none: everything is in memory.
    file: Option<Arc<dyn DiskFile>>,
    changes: Mutex<Changes>,
}

struct Changes {
    length: u64,
    /// Bytes of the file that are still its own; behind them it was cut and grown again.
    file_length: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(super) fn new(file: Option<Arc<dyn DiskFile>>) -> io::Result<Self> {
        let length = file.as_ref().map_or(Ok(0), |file| file.len())?;
        Ok(Self {
            file,
            changes: Mutex::new(Changes { length, file_length: length, pages: BTreeMap::new() }),
        })
    }

    /// A page as it is now; zeros where the file has none.
    fn page(&self, changes: &Changes, number: u64) -> io::Result<Vec<u8>> {
        if let Some(page) = changes.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; PAGE_BYTES as usize];
        let start = number * PAGE_BYTES;
        let there = changes.file_length.saturating_sub(start).min(PAGE_BYTES) as usize;
        if let Some(file) = &self.file {
            file.read_at(start, &mut page[..there])?;
        }
        Ok(page)
    }

    /// Goes through the pieces of a range: page number, where in the page, where in the range.
    fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            if done == length {
                return None;
            }
            let at = offset + done as u64;
            let within = (at % PAGE_BYTES) as usize;
            let end = length.min(done + PAGE_BYTES as usize - within);
            let piece = (at / PAGE_BYTES, within, done..end);
            done = end;
            Some(piece)
        })
    }
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Overlay")
    }
}

impl ::redb::StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.changes).length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = lock(&self.changes);
        if offset + out.len() as u64 > changes.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, range) in Self::pieces(offset, out.len()) {
            let page = self.page(&changes, number)?;
            let end = within + range.len();
            out[range].copy_from_slice(&page[within..end]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        changes.length = length;
        changes.file_length = changes.file_length.min(length);
        changes.pages.retain(|&number, _| number * PAGE_BYTES < length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        for (number, within, range) in Self::pieces(offset, data.len()) {
            let mut page = self.page(&changes, number)?;
            page[within..within + range.len()].copy_from_slice(&data[range]);
            if changes.pages.len() >= OVERLAY_PAGES_MAX && !changes.pages.contains_key(&number) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            changes.pages.insert(number, page);
        }
        Ok(())
    }
}
