//! Core: log, index and what lies between, as one. [`Store`](crate::Store) is the handle that people hold.
//!
//! The order of locks: flushing, appender, pending. Readers take only `pending`, for a look-up in memory; nobody
//! holds it across the disk.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ipse_base::limits::READ_POOL_BYTES_MAX;
use ipse_base::{Buffers, Cid, ErrorKind, Kind, Multihash};

use crate::damaged::Damaged;
use crate::gc::{Roots, Running};
use crate::guard::Guards;
use crate::hot::Hot;
use crate::index::{Checkpoint, Index, IndexError};
use crate::lock;
use crate::log::{Appender, Log, LogError, NewRecord};
use crate::options::{Checkpoints, StoreOptions};
use crate::pending::{GENERATION_BYTES_MAX, Generation, Pending};
use crate::pins::PinMode;
use crate::place::{Place, Position};
use crate::quota::Quota;
use crate::record::Header;
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::spare::Spare;
use crate::uses::Uses;

/// Why blocks or pins could not be written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The log took no record.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The index could not be read or written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The block is larger than the store takes.
    #[error("block {cid} of {length} bytes is over the limit of {limit}")]
    TooLarge {
        /// The block.
        cid: Cid,
        /// Its bytes.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The repository may not grow, and collection could not make room.
    #[error("the repository is full: it takes {bytes} bytes of {limit}, and what is in it is kept")]
    Quota {
        /// Bytes it takes.
        bytes: u64,
        /// Bytes it may take.
        limit: u64,
    },
    /// A pinned block is not deleted.
    #[error("cannot remove {cid}: pinned: {mode}")]
    Pinned {
        /// The block.
        cid: Cid,
        /// How it is pinned.
        mode: PinMode,
    },
}

impl ErrorKind for WriteError {
    fn kind(&self) -> Kind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::TooLarge { .. } => Kind::Invalid,
            Self::Quota { .. } => Kind::Full,
            Self::Pinned { .. } => Kind::Conflict,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Log(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::TooLarge { .. } => Some("cut the data into smaller blocks; `ipse add` does".into()),
            Self::Quota { .. } => {
                Some("unpin what is not needed, or raise Datastore.StorageMax in the configuration".into())
            }
            Self::Pinned { cid, .. } => Some(format!("unpin it first: `ipse pin rm {cid}`")),
        }
    }
}

fn is_full<T, E: ErrorKind>(result: &Result<T, E>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == Kind::Full)
}

/// Bytes of log after which a checkpoint is due: they bound how long an opening after a crash takes.
const CHECKPOINT_LOG_BYTES: u64 = 256 * 1024 * 1024;

/// What the background thread is asked to do.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    pub(crate) stop: bool,
    /// There is something to flush, soon.
    pub(crate) dirty: bool,
    /// There is much to flush, at once.
    pub(crate) due: bool,
}

pub(crate) struct Core {
    pub(crate) log: Log,
    pub(crate) index: Box<dyn Index>,
    pub(crate) options: StoreOptions,
    pub(crate) guards: Guards,
    pub(crate) roots: Mutex<Vec<Roots>>,
    pub(crate) pending: RwLock<Pending>,
    pub(crate) hot: Hot,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) signal: Mutex<Signal>,
    pub(crate) wake: Condvar,
    pub(crate) damaged: Damaged,
    /// One flush of the index at a time.
    flushing: Mutex<()>,
    pub(crate) quota: Quota,
    pub(crate) spare: Spare,
    /// Whether a collection runs; there is one at a time.
    pub(crate) collecting: Running,
    pub(crate) uses: Uses,
}

impl Core {
    pub(crate) fn new(
        log: Log,
        index: Box<dyn Index>,
        pending: Pending,
        uses: Uses,
        options: StoreOptions,
    ) -> Self {
        let spare = Spare::open(&log.disk, &log.dir);
        Self {
            log,
            index,
            options,
            guards: Guards::default(),
            roots: Mutex::default(),
            pending: RwLock::new(pending),
            hot: Hot::default(),
            buffers: Buffers::new(READ_POOL_BYTES_MAX),
            signal: Mutex::default(),
            wake: Condvar::new(),
            damaged: Damaged::default(),
            flushing: Mutex::default(),
            quota: Quota::default(),
            spare,
            collecting: Running::default(),
            uses,
        }
    }

    pub(crate) fn pending(&self) -> RwLockReadGuard<'_, Pending> {
        self.pending.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pending_mut(&self) -> RwLockWriteGuard<'_, Pending> {
        self.pending.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a block is, if it is here.
    pub(crate) fn place(&self, hash: &Multihash) -> Result<Option<Place>, IndexError> {
        // Two statements: the lock must not be held while the index is read.
        let known = self.pending().place(hash);
        match known {
            Some(place) => Ok(place),
            None => {
                self.log.counters.index_lookups.one();
                Ok(self.index.places_of(&[hash])?.pop().flatten())
            }
        }
    }

    /// Where blocks are, in the order in which they are asked for, with one look at the index for all.
    pub(crate) fn places(&self, hashes: &[&Multihash]) -> Result<Vec<Option<Place>>, IndexError> {
        let pending = self.pending();
        let known = hashes.iter().map(|hash| pending.place(hash)).collect();
        drop(pending);
        self.filled_up(hashes, known)
    }

    /// As [`Core::place`], for looks that keep nothing: those of the collection itself and of verification.
    pub(crate) fn place_quiet(&self, hash: &Multihash) -> Result<Option<Place>, IndexError> {
        Ok(self.places_quiet(&[hash])?.pop().flatten())
    }

    /// As [`Core::places`], for the collection itself, which keeps nothing by looking.
    pub(crate) fn places_quiet(&self, hashes: &[&Multihash]) -> Result<Vec<Option<Place>>, IndexError> {
        let pending = self.pending();
        let known = hashes.iter().map(|hash| pending.place_quiet(hash)).collect();
        drop(pending);
        self.filled_up(hashes, known)
    }

    /// Blocks that are not in the index, in no order. There may be some for good only on a disk that takes no writes.
    pub(crate) fn unindexed(&self) -> Result<Vec<(Multihash, Place)>, IndexError> {
        let mut changes = HashMap::new();
        {
            let pending = self.pending();
            // The newer one last, so that it counts.
            let flushing = pending.flushing.as_ref().map(|(generation, _)| &**generation);
            for generation in flushing.into_iter().chain([&pending.active]) {
                changes.extend(generation.blocks.iter().map(|(hash, place)| (hash.clone(), *place)));
            }
        }
        let pending: Vec<_> = changes.into_iter().filter_map(|(hash, place)| Some((hash, place?))).collect();
        let indexed = self.index.places_of(&pending.iter().map(|(hash, _)| hash).collect::<Vec<_>>())?;
        let unknown = pending.into_iter().zip(indexed).filter(|(_, indexed)| indexed.is_none());
        Ok(unknown.map(|(block, _)| block).collect())
    }

    /// Asks the index for what the pending changes do not know.
    fn filled_up(
        &self,
        hashes: &[&Multihash],
        known: Vec<Option<Option<Place>>>,
    ) -> Result<Vec<Option<Place>>, IndexError> {
        let unknown = hashes.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<&Multihash> = unknown.map(|(hash, _)| *hash).collect();
        self.log.counters.index_lookups.add(unknown.len() as u64);
        let mut indexed = self.index.places_of(&unknown)?.into_iter();
        let place = |known: Option<Option<Place>>| known.unwrap_or_else(|| indexed.next().flatten());
        Ok(known.into_iter().map(place).collect())
    }

    /// Appends records and takes note of them, in one step for whoever looks. On a full disk it uses what is held
    /// back: for what frees space, or keeps the repository whole. What adds to it is for [`Core::grow`].
    pub(crate) fn write(&self, appender: &mut Appender, records: &[NewRecord<'_>]) -> Result<(), LogError> {
        let (mut done, mut result) = self.append(appender, records);
        while is_full(&result) && self.spare.release() {
            let (more, again) = self.append(appender, &records[done..]);
            done += more;
            result = again;
        }
        result
    }

    /// As [`Core::write`], for what only adds.
    pub(crate) fn grow(&self, appender: &mut Appender, records: &[NewRecord<'_>]) -> Result<(), LogError> {
        self.append(appender, records).1
    }

    /// Answers also how many of the records are in the log.
    fn append(&self, appender: &mut Appender, records: &[NewRecord<'_>]) -> (usize, Result<(), LogError>) {
        let mut positions = Vec::with_capacity(records.len());
        let result = self.log.append(appender, records, &mut positions);
        let mut pending = self.pending_mut();
        for (record, &position) in records.iter().zip(&positions) {
            pending.active.note_new(record, position);
            pending.active.log_bytes += record.payload.len() as u64;
        }
        self.quota.grew(&records[..positions.len()]);
        pending.tail = appender.checkpoint();
        let due = pending.active.bytes() > GENERATION_BYTES_MAX / 2
            || pending.active.log_bytes > CHECKPOINT_LOG_BYTES;
        drop(pending);
        self.uses.touch(appender.tail().segment);
        // After the index knows, so that whoever reads the old block now finds that it is forgotten.
        self.hot.forget(records.iter().zip(&positions).filter_map(|(record, _)| record.removed()));
        self.wake_background(due);
        (positions.len(), result)
    }

    /// Begins the next segment, also on a full disk.
    pub(crate) fn roll(&self, appender: &mut Appender) -> Result<(), LogError> {
        let rolled = self.log.roll(appender);
        if is_full(&rolled) && self.spare.release() { self.log.roll(appender) } else { rolled }
    }

    pub(crate) fn wake_background(&self, due: bool) {
        if self.options.checkpoints == Checkpoints::OnDemand {
            return;
        }
        let mut signal = lock(&self.signal);
        if !signal.dirty || (due && !signal.due) {
            signal.dirty = true;
            signal.due |= due;
            self.wake.notify_all();
        }
    }

    /// Waits while memory for pending changes is used up. The one who writes does the work then.
    pub(crate) fn make_room(&self) -> Result<(), WriteError> {
        self.resume()?;
        while self.pending().active.bytes() > GENERATION_BYTES_MAX {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// As [`Core::make_room`], for what only adds: it leaves alone what is held back for a full disk.
    pub(crate) fn make_room_to_grow(&self) -> Result<(), WriteError> {
        self.resume()?;
        self.spare.check(|| self.log_bytes()).map_err(LogError::from)?;
        while self.pending().active.bytes() > GENERATION_BYTES_MAX {
            self.checkpoint_within()?;
        }
        Ok(())
    }

    /// Brings the index up to the end of the log as it is at the call, also on a full disk.
    pub(crate) fn checkpoint(&self) -> Result<(), WriteError> {
        let brought = self.checkpoint_within();
        if is_full(&brought) && self.spare.release() { self.checkpoint_within() } else { brought }
    }

    /// The same within the space that is not held back.
    pub(crate) fn checkpoint_within(&self) -> Result<(), WriteError> {
        if self.log.is_read_only() {
            return Ok(());
        }
        self.flush()?;
        self.spare.keep(self.log_bytes());
        Ok(())
    }

    fn flush(&self) -> Result<(), WriteError> {
        let _one = lock(&self.flushing);
        self.rebuild_if_lost()?;
        // After a failure an older generation is still on its way, so there may be two to flush.
        for _ in 0..2 {
            let begun = self.pending_mut().begin_flush();
            let Some((generation, checkpoint)) = begun else { break };
            // The index must never know of what the log could still lose.
            self.resume()?;
            self.log.sync(checkpoint.position)?;
            self.apply(&generation, checkpoint)?;
            self.log.counters.checkpoints.one();
            self.pending_mut().end_flush();
        }
        Ok(())
    }

    /// Whether somebody waits for space, or will in a moment.
    pub(crate) fn is_short_of_space(&self) -> bool {
        self.spare.is_released() || self.quota.is_making_room()
    }

    /// Bytes of all segments, holes counted, by their number alone.
    fn log_bytes(&self) -> u64 {
        let earlier = self.log.segments.ids().map_or(0, |ids| ids.len().saturating_sub(1) as u64);
        earlier * self.log.segment_bytes() + self.log.written().offset
    }

    /// Hands changes to the index, and what was noted of uses with them.
    fn apply(&self, changes: &Generation, checkpoint: Checkpoint) -> Result<(), IndexError> {
        let (ended, uses) = self.uses.turn(|id| !self.log.segments.is_removed(id));
        self.index.apply(changes, checkpoint, &uses)?;
        self.uses.noted(ended);
        Ok(())
    }

    /// Returns when everything that was visible at the call is durable. The caller does not hold the appender.
    pub(crate) fn commit(&self) -> Result<(), LogError> {
        self.resume()?;
        self.log.sync(self.log.written())
    }

    /// Goes on after a failure that left it open what is on the disk. The caller does not hold the appender.
    pub(crate) fn resume(&self) -> Result<(), LogError> {
        if self.log.check().is_err() { self.log.resume(&self.log.appender()) } else { Ok(()) }
    }

    /// Makes durable what was written, and lets the log itself say so of all that stands in this segment and before: an
    /// opening without the index takes for torn what it finds bad there otherwise. The caller does not hold the appender.
    pub(crate) fn prove(&self, segment: u32) -> Result<(), LogError> {
        let end = self.log.written();
        self.commit()?;
        // A record in a later segment says it too.
        if end.segment > segment && end.offset > SEGMENT_HEADER_BYTES {
            return Ok(());
        }
        let mut appender = self.log.appender();
        if !appender.is_marked() || appender.tail().offset == SEGMENT_HEADER_BYTES {
            self.write(&mut appender, &[NewRecord::mark()])?;
        }
        drop(appender);
        self.commit()
    }

    /// Takes a record that is in the log already over into the index. The caller holds the appender.
    pub(crate) fn note_found(&self, header: &Header, payload: &[u8], position: Position) {
        let mut pending = self.pending.write().unwrap_or_else(PoisonError::into_inner);
        pending.active.note_found(header, payload, position);
        drop(pending);
        self.wake_background(false);
    }

    /// The last step of a life: everything durable and in the index, the end of the log marked.
    pub(crate) fn close(&self) -> Result<(), WriteError> {
        if self.log.is_read_only() {
            return Ok(());
        }
        {
            let mut appender = self.log.appender();
            if !appender.is_marked() {
                self.log.resume(&appender)?;
                self.log.sync(appender.tail())?;
                self.write(&mut appender, &[NewRecord::mark()])?;
            }
        }
        self.commit()?;
        self.flush()?;
        if self.quota.is_bounded() {
            // Reading alone brings no checkpoint about.
            let _one = lock(&self.flushing);
            let tail = self.pending().tail;
            self.apply(&Generation::default(), tail)?;
        }
        Ok(())
    }
}
