//! Store: the handle to a repository's blocks and pins. Cheap to clone; the last clone closes it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use ipse_base::{Cid, ErrorKind, Kind};

use crate::background;
use crate::core::{Core, WriteError};
use crate::counters::StoreCounters;
use crate::disk::DiskError;
use crate::gc::{Root, Roots};
use crate::guard::TemporaryPin;
use crate::index::redb::RedbIndex;
use crate::index::{Checkpoint, Index};
use crate::lock;
use crate::log::{Log, LogError};
use crate::options::{Access, Checkpoints, StoreOptions};
use crate::pending::Pending;
use crate::place::Position;
use crate::recover::{RecoverError, recover};
use crate::repo::{AddressFile, Repo, RepoError};
use crate::segment::{self, SegmentError};
use crate::uses::Uses;

/// Why a store could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The repository is not usable: locked, absent, of another kind or version.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// Its blocks are not usable.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// A thread could not be started.
    #[error("starting a thread: {0}")]
    Thread(Arc<std::io::Error>),
}

impl ErrorKind for RecoverError {
    fn kind(&self) -> Kind {
        match self {
            Self::Disk(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Newer { .. } => Kind::Unsupported,
            Self::Unindexed(_) => Kind::Denied,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Disk(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::Newer { .. } => Some("use the version of ipse that wrote it, or a newer one".into()),
            Self::Unindexed(_) => Some("open it once where it can be written".into()),
        }
    }
}

impl ErrorKind for OpenError {
    fn kind(&self) -> Kind {
        match self {
            Self::Repo(error) => error.kind(),
            Self::Recover(error) => error.kind(),
            Self::Thread(_) => Kind::Busy,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Repo(error) => error.hint(),
            Self::Recover(error) => error.hint(),
            Self::Thread(_) => None,
        }
    }
}

/// Blocks and pins of one repository.
///
/// Calls block on the disk; a caller with an async runtime puts them on a thread for that.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Core>,
    background: Mutex<Option<JoinHandle<()>>>,
    /// Dropped last: the lock is given back when everything is closed.
    repo: Repo,
}

/// What a store holds and has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub block_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes that segments and index take on the disk.
    pub disk_bytes: u64,
    /// Those of the index.
    pub index_bytes: u64,
    /// Syncs of the log since it was opened.
    pub syncs: u64,
}

impl Store {
    /// Opens the repository in a folder, which must have been initialised, and takes its lock.
    ///
    /// # Errors
    /// [`OpenError`]: busy where another process holds the lock, unsupported for another program's repository
    /// or a newer version's, not found where there is none.
    pub fn open(root: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        Self::open_in(Repo::open(root)?, options)
    }

    /// Opens the blocks and pins of a repository that is open already. One store at a time. Of one that can only be
    /// read, everything can be read that a crash would leave; each write fails (denied).
    ///
    /// # Errors
    /// [`OpenError`], as [`Store::open`].
    pub fn open_in(repo: Repo, options: StoreOptions) -> Result<Self, OpenError> {
        let disk = Arc::clone(repo.disk());
        let dir = repo.blocks_dir();
        let access = if repo.is_read_only() { Access::Read } else { Access::Write };
        if access == Access::Write {
            disk.create_dir(&dir).map_err(DiskError::of("create", &dir)).map_err(RecoverError::from)?;
        }
        let index = RedbIndex::open(&disk, &repo.index_path(), access, options.index_cache_bytes)
            .map_err(RecoverError::from)?;
        let index: Box<dyn Index> = Box::new(index);
        let found = recover(&disk, &dir, index.as_ref(), access)?;
        let position = Position { segment: found.last.id, offset: found.end };
        let tail = Checkpoint { position, marker: found.last.marker };
        let log = Log::new(disk, dir, found.last, found.end, found.marked, options.segment_bytes);
        let log = if access == Access::Read { log.read_only() } else { log };
        let pending = Pending::new(found.pending, tail);
        let with_thread = options.checkpoints == Checkpoints::Background && access == Access::Write;
        let known = index.uses().map_err(RecoverError::from)?;
        let ids = log.segments.ids().map_err(RecoverError::from)?;
        log.segments.note_removed(known.iter().map(|(id, _)| *id).filter(|id| !ids.contains(id)));
        let core = Arc::new(Core::new(log, index, pending, Uses::new(known), options));
        core.watch_index();
        let thread = if with_thread {
            Some(background::start(&core).map_err(|error| OpenError::Thread(Arc::new(error)))?)
        } else {
            None
        };
        Ok(Self { handle: Arc::new(Handle { core, background: Mutex::new(thread), repo }) })
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// The repository that the store is in.
    pub fn repo(&self) -> &Repo {
        &self.handle.repo
    }

    /// Whether it can only be read: its disk took no writes when it was opened.
    pub fn is_read_only(&self) -> bool {
        self.core().log.is_read_only()
    }

    /// As [`Repo::publish`], also on a full disk: what finds the node there can clean it up. Nothing is published
    /// in a repository that can only be read; programs open that by themselves, beside the node.
    ///
    /// # Errors
    /// What the disk says.
    pub fn publish(&self, file: AddressFile, address: &str) -> Result<(), RepoError> {
        if self.is_read_only() {
            return Ok(());
        }
        let published = self.repo().publish(file, address);
        match published {
            Err(error) if error.kind() == Kind::Full && self.core().spare.release() => {
                self.repo().publish(file, address)
            }
            published => published,
        }
    }

    /// Returns when everything that was visible at the call is durable. Concurrent callers share one sync.
    ///
    /// # Errors
    /// [`LogError`] where the disk refuses; nothing may then be acknowledged.
    pub fn commit_blocks(&self) -> Result<(), LogError> {
        self.core().commit()
    }

    /// Brings the index up to date, which otherwise happens in the background.
    ///
    /// # Errors
    /// [`WriteError`] where log or index can't be written.
    pub fn checkpoint(&self) -> Result<(), WriteError> {
        self.core().checkpoint()
    }

    /// What the store holds. Brings the index up to date first, if the disk takes writes.
    ///
    /// # Errors
    /// [`WriteError`] where log or index can't be read.
    pub fn stats(&self) -> Result<StoreStats, WriteError> {
        let core = self.core();
        // What the index can't take is counted by itself.
        let waiting = if core.checkpoint().is_ok() { Vec::new() } else { core.unindexed()? };
        let waiting_bytes: u64 = waiting.iter().map(|(_, place)| u64::from(place.length)).sum();
        let totals = core.index.totals()?;
        let ids = core.log.segments.ids().map_err(LogError::from)?;
        let index_bytes = core.index.file_bytes()?;
        let mut disk_bytes = index_bytes;
        for &id in &ids {
            let segment = match core.log.segments.get(id) {
                Ok(segment) => segment,
                Err(SegmentError::Disk(error)) if error.kind() != Kind::NotFound => {
                    return Err(LogError::from(error).into());
                }
                // One that a collection removes in this moment counts as nothing, and so does one that is lost.
                Err(_) => continue,
            };
            let path = segment::path(&core.log.dir, id);
            let allocated = segment.file.allocated().map_err(DiskError::of("measure", &path));
            disk_bytes += allocated.map_err(LogError::from)?;
        }
        Ok(StoreStats {
            blocks: totals.blocks + waiting.len() as u64,
            block_bytes: totals.bytes + waiting_bytes,
            segments: ids.len() as u64,
            disk_bytes,
            index_bytes,
            syncs: core.log.counters.syncs.get(),
        })
    }

    /// A number that stays the same while nobody reads or writes blocks.
    pub fn work_done(&self) -> u64 {
        let counters = &self.core().log.counters;
        let counts = [&counters.reads, &counters.cache_hits, &counters.would_wait, &counters.records_written];
        counts.iter().map(|count| count.get()).sum()
    }

    /// Forgets blocks and buffers that are kept in memory for speed; says how many bytes they were.
    pub fn forget_cached(&self) -> u64 {
        self.core().hot.clear() + self.core().buffers.clear()
    }

    /// What the store counts; `diag hot` prints it.
    pub fn counters(&self) -> Arc<StoreCounters> {
        Arc::clone(&self.core().log.counters)
    }

    /// Keeps what a running write needs: every block that is put (or found to be there by a put) from now on,
    /// and everything below `roots` that is here. Held from before the first block to after the pin.
    pub fn temporary_pin(&self, roots: Vec<Cid>) -> TemporaryPin {
        TemporaryPin::new(self.core(), roots)
    }

    /// Adds a party whose roots collection keeps. It is asked while nobody can write, so it must not write to
    /// the store itself.
    pub fn register_roots(&self, roots: Box<dyn Fn() -> Vec<Root> + Send + Sync>) {
        let roots: Roots = roots;
        lock(&self.core().roots).push(roots);
    }

    /// Closes the store, so that the next opening has nothing to replay. Dropping the last clone does the
    /// same; this tells whether it went well.
    ///
    /// # Errors
    /// [`WriteError`]; what was acknowledged is kept even so.
    pub fn close(&self) -> Result<(), WriteError> {
        self.handle.stop_background();
        self.core().close()
    }
}

impl Handle {
    fn stop_background(&self) {
        let Some(thread) = lock(&self.background).take() else { return };
        background::stop(&self.core);
        if thread.join().is_err() {
            tracing::error!("the index thread panicked");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop_background();
        if let Err(error) = self.core.close() {
            tracing::warn!(%error, "the store was not closed cleanly; the next opening replays more");
        }
    }
}
