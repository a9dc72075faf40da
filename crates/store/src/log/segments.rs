//! Segments: open handles by number, opened when first read and bounded in number.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::disk::{Disk, DiskError};
use crate::lock;
use crate::segment::{self, Segment, SegmentError};

/// Files held open for reading: a quarter of a terabyte of blocks at the usual size of a segment; beyond that
/// some are opened anew.
const OPEN_SEGMENTS_MAX: usize = 256;

pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    open: Mutex<Open>,
    /// The last one that is whole. A file behind it was begun and given up, and will be made anew under the same
    /// number: whoever opened it would go on to read what is not there any more.
    newest: AtomicU32,
    /// How often something was taken away: a segment, or bytes of one. A backup that sees it change looks again.
    taken: AtomicU64,
}

#[derive(Default)]
struct Open {
    segments: HashMap<u32, Segment>,
    /// Those that were removed. A reader that was just opening one must not keep it: the space would not return.
    removed: HashSet<u32>,
}

impl Segments {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, newest: u32) -> Self {
        let (newest, taken) = (AtomicU32::new(newest), AtomicU64::new(0));
        Self { disk, dir, open: Mutex::default(), newest, taken }
    }

    /// A segment was made, and records may follow.
    pub(super) fn made(&self, id: u32) {
        self.newest.store(id, Ordering::SeqCst);
    }

    /// A handle for reading.
    pub(crate) fn get(&self, id: u32) -> Result<Segment, SegmentError> {
        if id > self.newest.load(Ordering::SeqCst) {
            return Err(SegmentError::Torn(segment::path(&self.dir, id)));
        }
        if let Some(segment) = lock(&self.open).segments.get(&id) {
            return Ok(segment.clone());
        }
        let segment = Segment::open(self.disk.as_ref(), &self.dir, id)?;
        let mut open = lock(&self.open);
        if open.removed.contains(&id) {
            return Ok(segment);
        }
        let open = &mut open.segments;
        if open.len() >= OPEN_SEGMENTS_MAX {
            // Which one goes matters little: a reader that still uses it keeps its own handle.
            if let Some(&other) = open.keys().next() {
                open.remove(&other);
            }
        }
        open.insert(id, segment.clone());
        Ok(segment)
    }

    /// The numbers of all segments, in order.
    pub(crate) fn ids(&self) -> Result<Vec<u32>, DiskError> {
        let mut ids = list(self.disk.as_ref(), &self.dir)?;
        let newest = self.newest.load(Ordering::SeqCst);
        ids.retain(|&id| id <= newest);
        Ok(ids)
    }

    /// To be called before bytes of a segment become a hole. What the hole takes must be deleted durably.
    pub(crate) fn taking(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    /// How often something was taken away so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    /// Whether a segment was removed.
    pub(crate) fn is_removed(&self, id: u32) -> bool {
        lock(&self.open).removed.contains(&id)
    }

    /// To be told of segments that were removed before the log was opened.
    pub(crate) fn note_removed(&self, ids: impl Iterator<Item = u32>) {
        lock(&self.open).removed.extend(ids);
    }

    /// Removes a segment's file. Readers that hold it go on.
    pub(crate) fn remove(&self, id: u32) -> Result<(), DiskError> {
        self.taking();
        let path = segment::path(&self.dir, id);
        self.disk.remove(&path).map_err(DiskError::of("remove", &path))?;
        let mut open = lock(&self.open);
        open.segments.remove(&id);
        open.removed.insert(id);
        drop(open);
        crate::disk::sync_parent(self.disk.as_ref(), &path)
    }
}

/// The numbers of the segments in a directory, in order.
pub(crate) fn list(disk: &dyn Disk, dir: &std::path::Path) -> Result<Vec<u32>, DiskError> {
    let names = disk.list(dir).map_err(DiskError::of("list", dir))?;
    let mut ids: Vec<u32> = names.iter().filter_map(|name| segment::id_of(name)).collect();
    ids.sort_unstable();
    Ok(ids)
}
