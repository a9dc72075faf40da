//! Log: the segments as one sequence of records. Everything that the store promises to keep is in here; the
//! index is derived from it.
//!
//! On the write path this is the only step that touches the disk before an acknowledgement: an append is one
//! `pwritev`, a commit one `fdatasync` ([`sync`]). One appender at a time; readers take no lock of it.

pub(crate) mod append;
pub(crate) mod resume;
pub(crate) mod segments;
pub(crate) mod sync;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use ipse_base::{ErrorKind, Kind};

use crate::counters::StoreCounters;
use crate::disk::{Disk, DiskError};
use crate::lock;
use crate::place::Position;
use crate::segment::Segment;

pub(crate) use append::{Appender, NewRecord};
use segments::Segments;
use sync::Progress;

/// Why the log took no record, or could not make them durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The disk refused; what was there before is untouched.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What was written last could not be made durable, or cut off again. Nothing more is written until it can be,
    /// which every later write and commit tries, and the index thread once a second. Reading goes on.
    #[error("what was written is not durable yet: {0}")]
    Broken(DiskError),
    /// The repository could only be read when it was opened.
    #[error("{} was opened for reading only, for its disk takes no writes", .0.display())]
    ReadOnly(PathBuf),
    /// The same as broken, and it can't be read back, so only the next opening can go on. Reading goes on.
    #[error("the store takes no more writes, for it can't read back what was not durable: {0}")]
    Unreadable(DiskError),
}

impl ErrorKind for LogError {
    fn kind(&self) -> Kind {
        match self {
            Self::Disk(error) | Self::Broken(error) | Self::Unreadable(error) => error.kind(),
            Self::ReadOnly(_) => Kind::Denied,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Disk(error) => error.hint(),
            Self::Broken(error) => {
                let first = match error.kind() {
                    Kind::Full => "free space on this disk",
                    Kind::Denied => "make the disk writable again",
                    _ => "check the disk",
                };
                Some(format!("{first}; what was acknowledged is kept, and writing goes on by itself"))
            }
            Self::ReadOnly(_) => Some("make it writable, then restart".into()),
            Self::Unreadable(_) => Some("check the disk, then restart; what was acknowledged is kept".into()),
        }
    }
}

pub(crate) struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) segments: Segments,
    pub(crate) counters: Arc<StoreCounters>,
    /// Size at which a segment is closed and the next one begun.
    segment_bytes: AtomicU64,
    appender: Mutex<Appender>,
    progress: Progress,
    /// Nothing is ever written.
    read_only: bool,
    /// Odd while the end of the log is written again, so that parts of it may not be there for a moment.
    rewrites: AtomicU64,
}

impl Log {
    /// A log that goes on at `end` of the last segment, everything before being durable.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        last: Segment,
        end: u64,
        marked: bool,
        segment_bytes: u64,
    ) -> Self {
        let position = Position { segment: last.id, offset: end };
        Self {
            segments: Segments::new(Arc::clone(&disk), dir.clone(), last.id),
            progress: Progress::new(position, Arc::clone(&last.file)),
            appender: Mutex::new(Appender::new(last, end, marked)),
            counters: Arc::default(),
            disk,
            dir,
            segment_bytes: AtomicU64::new(segment_bytes),
            read_only: false,
            rewrites: AtomicU64::new(0),
        }
    }

    /// The same for a disk that takes no writes.
    pub(crate) fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    pub(crate) const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Size at which segments are closed.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of log behind a place, segments on the way there taken for full.
    pub(crate) fn bytes_since(&self, start: Position) -> u64 {
        let end = self.written();
        let segments = u64::from(end.segment.saturating_sub(start.segment));
        (segments.saturating_mul(self.segment_bytes()) + end.offset).saturating_sub(start.offset)
    }

    /// Closes segments at no more than so many bytes from now on.
    pub(crate) fn keep_segments_below(&self, bytes: u64) {
        self.segment_bytes.fetch_min(bytes, Ordering::Relaxed);
    }

    /// The right to append. Held only for the length of one write, or of a collection.
    pub(crate) fn appender(&self) -> MutexGuard<'_, Appender> {
        lock(&self.appender)
    }

    /// An error if nothing can be written as things stand; see [`Log::resume`].
    pub(crate) fn check(&self) -> Result<(), LogError> {
        if self.read_only { Err(LogError::ReadOnly(self.dir.clone())) } else { self.progress.check() }
    }
}
