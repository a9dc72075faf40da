//! The index in redb: one file, quick repair, a fixed page cache.
//!
//! The file is not trusted. What it says about a place is checked against the record that stands there, and a
//! panic of the engine over damaged pages becomes [`IndexError::Damaged`]: the index is lost then. Its file is removed,
//! so that the next opening builds it anew if the running process does not get to it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use ipse_base::Multihash;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};

use super::backend::{Backend, Overlay};
use super::{Checkpoint, Index, IndexError, Totals, value};
use crate::disk::{Disk, DiskError, DiskFile, OpenMode};
use crate::options::Access;
use crate::pending::Generation;
use crate::pins::Pin;
use crate::place::Place;
use crate::recover::RecoverError;
use crate::uses::UseChanges;

const BLOCKS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("blocks");
const PINS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("pins");
const USES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("uses");
const STATE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("state");

/// The one key of the state table; its version is that of all three tables.
const STATE_KEY: &[u8] = b"ipse-index-1";

type EngineResult<T> = Result<T, Box<redb::Error>>;

pub(crate) struct RedbIndex {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    access: Access,
    cache_bytes: usize,
    /// Absent only after a failure to open it again.
    open: RwLock<Option<Open>>,
    /// It was damaged, and the file in its place is another one or none. Changes under the lock of `open`.
    lost: AtomicBool,
    when_lost: OnceLock<Box<dyn Fn() + Send + Sync>>,
    easy: Arc<AtomicBool>,
}

struct Open {
    /// The tables as the last commit left them. Opening them costs more than a look-up, so that is done once a
    /// commit. Goes before the database, which it reads from.
    tables: RwLock<Option<Arc<Tables>>>,
    database: Database,
    /// False where the disk took no writes: then changes stay in memory, and none are made on purpose.
    writable: bool,
}

impl RedbIndex {
    /// Opens the index, or begins an empty one where there is none that can be read.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        path: &Path,
        access: Access,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        let (disk, path) = (Arc::clone(disk), path.to_path_buf());
        let index = Self::closed(disk, path, access, cache_bytes);
        match index.reopen(true).and_then(|()| index.checkpoint()) {
            Ok(_) => Ok(index),
            Err(IndexError::Disk(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the index can't be read and is built anew from the segments");
                index.begin_anew()?;
                Ok(index)
            }
        }
    }

    fn closed(disk: Arc<dyn Disk>, path: PathBuf, access: Access, cache_bytes: usize) -> Self {
        let (open, lost) = (RwLock::new(None), AtomicBool::new(false));
        Self { disk, path, access, cache_bytes, open, lost, when_lost: OnceLock::new(), easy: Arc::default() }
    }

    fn reopen(&self, writable: bool) -> Result<(), IndexError> {
        let writable = writable && self.access == Access::Write;
        let failed = |error| DiskError::of("open", &self.path)(error);
        let mode = if writable { OpenMode::Create } else { OpenMode::Existing };
        let file = match self.disk.open(&self.path, mode) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.access == Access::Read => None,
            file => Some(file.map_err(failed)?),
        };
        let fresh = file.as_ref().map_or(Ok(false), |file| file.is_empty()).map_err(failed)?;
        self.open_over(file, writable)?;
        if writable && fresh {
            crate::disk::sync_parent(self.disk.as_ref(), &self.path)?;
        }
        Ok(())
    }

    /// Opens the database in a file, or, for reading alone, over one that may be absent.
    fn open_over(&self, file: Option<Arc<dyn DiskFile>>, writable: bool) -> Result<(), IndexError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        drop_quietly(open.take());
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        let database = self.guarded(|| {
            let database = match file {
                Some(file) if writable => builder.create_with_backend(Backend::new(file, &self.easy)),
                file => builder.create_with_backend(Overlay::new(file).map_err(redb::Error::from)?),
            };
            Ok(database.map_err(redb::Error::from)?)
        })?;
        *open = Some(Open { tables: RwLock::default(), database, writable });
        Ok(())
    }

    fn close(&self) {
        drop_quietly(self.open.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Runs a piece of engine work. After an input or output error the engine refuses everything until it is
    /// opened again; that is done here, so that a full disk does not end the service of what is there.
    fn with<T>(&self, writes: bool, work: impl Fn(&Open) -> EngineResult<T>) -> Result<T, IndexError> {
        match self.run(writes, &work) {
            // Readers may go on for what is elsewhere.
            Err(Some(error @ IndexError::Damaged(_))) => return Err(error),
            // What has the name of a lost file now is another.
            Err(error) if self.is_lost() => return Err(self.reason(error)),
            Err(_) => {}
            Ok(value) => return Ok(value),
        }
        let again = self.reopen(true).and_then(|()| self.run(writes, &work).map_err(|e| self.reason(e)));
        match again {
            Err(error) if writes => {
                if let Err(error) = self.reopen(false) {
                    tracing::warn!(%error, "the index can't be read");
                }
                Err(error)
            }
            Err(_) => {
                self.reopen(false)?;
                self.run(writes, &work).map_err(|error| self.reason(error))
            }
            Ok(value) => Ok(value),
        }
    }

    /// Runs it once; an error without a reason says that the database must be opened first.
    fn run<T>(
        &self,
        writes: bool,
        work: &impl Fn(&Open) -> EngineResult<T>,
    ) -> Result<T, Option<IndexError>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_ref().filter(|open| open.writable || !writes).ok_or(None)?;
        let result = self.guarded(|| work(open));
        if matches!(result, Err(IndexError::Damaged(_))) {
            // Still under the lock, so that it is this file that is meant.
            self.lose();
        }
        result.map_err(Some)
    }

    /// Says goodbye to the file, so that the next opening does not believe it.
    fn lose(&self) {
        if self.access == Access::Read || self.lost.swap(true, Ordering::SeqCst) {
            return;
        }
        let _ = self.disk.remove(&self.path);
        if let Some(told) = self.when_lost.get() {
            told();
        }
    }

    /// Removes the file, if it is there.
    fn remove(&self) -> Result<(), IndexError> {
        if self.disk.exists(&self.path).map_err(DiskError::of("look for", &self.path))? {
            self.disk.remove(&self.path).map_err(DiskError::of("remove", &self.path))?;
        }
        Ok(())
    }

    fn reason(&self, error: Option<IndexError>) -> IndexError {
        error.unwrap_or_else(|| self.damaged())
    }

    fn guarded<T>(&self, work: impl FnOnce() -> EngineResult<T>) -> Result<T, IndexError> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => match *error {
                redb::Error::Corrupted(_) => Err(IndexError::Damaged(self.path.clone())),
                source => Err(IndexError::Engine { path: self.path.clone(), source: Arc::new(source) }),
            },
            Err(_) => Err(IndexError::Damaged(self.path.clone())),
        }
    }

    fn damaged(&self) -> IndexError {
        IndexError::Damaged(self.path.clone())
    }

    /// What is made of the entries of a table behind `after`, at most `limit` of them, up to the first that is
    /// not `wanted`.
    fn range<T>(
        &self,
        which: Which,
        after: Option<&[u8]>,
        limit: usize,
        wanted: &dyn Fn(&[u8]) -> bool,
        decode: Decode<T>,
    ) -> Result<Vec<T>, IndexError> {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.with(false, |open| {
            let tables = open.tables()?;
            let Some(table) = which(&tables) else { return Ok(Vec::new()) };
            let mut found = Vec::new();
            let range = table.range::<&[u8]>((start, Bound::Unbounded)).map_err(redb::Error::from)?;
            for entry in range.take(limit) {
                let (key, value) = entry.map_err(redb::Error::from)?;
                if !wanted(key.value()) {
                    break;
                }
                found.push(decode(key.value(), value.value()).ok_or_else(malformed)?);
            }
            Ok(found)
        })
    }

    /// What is made of the entries with these keys, in their order.
    fn look_up<T>(
        &self,
        which: Which,
        keys: &[Vec<u8>],
        decode: Decode<T>,
    ) -> Result<Vec<Option<T>>, IndexError> {
        self.with(false, |open| {
            let tables = open.tables()?;
            let Some(table) = which(&tables) else { return Ok(keys.iter().map(|_| None).collect()) };
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let value = table.get(key.as_slice()).map_err(redb::Error::from)?;
                let value = value.map(|value| decode(key, value.value()).ok_or_else(malformed));
                found.push(value.transpose()?);
            }
            Ok(found)
        })
    }

    fn state(&self) -> Result<Option<(Checkpoint, Totals)>, IndexError> {
        self.with(false, |open| {
            let tables = open.tables()?;
            let Some(table) = &tables.state else { return Ok(None) };
            let bytes = table.get(STATE_KEY).map_err(redb::Error::from)?;
            Ok(bytes.map(|bytes| value::decode_state(bytes.value()).ok_or_else(malformed)).transpose()?)
        })
    }
}

/// One of the tables, which an index that nothing was written to does not have yet.
type Which = fn(&Tables) -> Option<&ReadTable>;
/// An entry out of key and value; `None` where they are none.
type Decode<T> = fn(&[u8], &[u8]) -> Option<T>;

/// An entry that this version can't have written.
fn malformed() -> redb::Error {
    redb::Error::Corrupted("an entry is malformed".into())
}

fn block_entry(key: &[u8], place: &[u8]) -> Option<(Multihash, Place)> {
    Multihash::from_bytes(key).ok().zip(value::decode_place(place))
}

fn pin_entry(key: &[u8], pin: &[u8]) -> Option<Pin> {
    value::decode_pin(value::decode_pin_key(key)?, pin)
}

/// All tables as one commit left them.
struct Tables {
    blocks: Option<ReadTable>,
    pins: Option<ReadTable>,
    uses: Option<ReadTable>,
    state: Option<ReadTable>,
}

impl Open {
    fn tables(&self) -> EngineResult<Arc<Tables>> {
        if let Some(tables) = &*self.tables.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(tables));
        }
        // Held while they are opened: a commit that comes between waits to forget them again.
        let mut slot = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let tables = Arc::new(Tables {
            blocks: opened(&transaction, BLOCKS)?,
            pins: opened(&transaction, PINS)?,
            uses: opened(&transaction, USES)?,
            state: opened(&transaction, STATE)?,
        });
        *slot = Some(Arc::clone(&tables));
        Ok(tables)
    }

    /// After a commit: what is looked up from now on sees it, and the pages of the old state can be used again.
    fn forget_tables(&self) {
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for RedbIndex {
    fn drop(&mut self) {
        self.close();
    }
}

impl Index for RedbIndex {
    fn checkpoint(&self) -> Result<Option<Checkpoint>, IndexError> {
        Ok(self.state()?.map(|(checkpoint, _)| checkpoint))
    }

    fn apply(
        &self,
        changes: &Generation,
        checkpoint: Checkpoint,
        uses: &UseChanges,
    ) -> Result<(), IndexError> {
        let blocks = changes.sorted_blocks();
        self.with(true, |open| {
            let written = write(&open.database, &blocks, changes, checkpoint, uses);
            open.forget_tables();
            written
        })
    }

    fn begin_anew(&self) -> Result<(), IndexError> {
        if self.access == Access::Read {
            return self.open_over(None, false);
        }
        self.close();
        self.remove()?;
        self.lost.store(false, Ordering::SeqCst);
        self.reopen(true)
    }

    fn go_easy(&self, easy: bool) {
        self.easy.store(easy, Ordering::Relaxed);
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    fn when_lost(&self, told: Box<dyn Fn() + Send + Sync>) {
        let _ = self.when_lost.set(told);
    }

    fn build_anew(
        &self,
        fill: &mut dyn FnMut(&dyn Index) -> Result<(), RecoverError>,
    ) -> Result<(), RecoverError> {
        let mut next = Self::closed(Arc::clone(&self.disk), self.path.clone(), self.access, self.cache_bytes);
        next.easy = Arc::clone(&self.easy);
        self.remove()?;
        next.reopen(true)?;
        fill(&next)?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        drop_quietly(open.take());
        *open = next.open.write().unwrap_or_else(PoisonError::into_inner).take();
        self.lost.store(next.is_lost(), Ordering::SeqCst);
        Ok(())
    }

    fn places_of(&self, hashes: &[&Multihash]) -> Result<Vec<Option<Place>>, IndexError> {
        let keys: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_bytes()).collect();
        self.look_up(|tables| tables.blocks.as_ref(), &keys, |_, place| value::decode_place(place))
    }

    fn places(&self, after: Option<&Multihash>, limit: usize) -> Result<Vec<(Multihash, Place)>, IndexError> {
        let after = after.map(Multihash::to_bytes);
        self.range(|tables| tables.blocks.as_ref(), after.as_deref(), limit, &|_| true, block_entry)
    }

    fn pins(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<Pin>, IndexError> {
        self.range(|tables| tables.pins.as_ref(), after, limit, &|_| true, pin_entry)
    }

    fn pins_at(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Pin>>, IndexError> {
        self.look_up(|tables| tables.pins.as_ref(), keys, pin_entry)
    }

    fn pins_of(&self, hash: &Multihash) -> Result<Vec<Pin>, IndexError> {
        // A hash knows its own length, so no key of another hash begins with this one; and the hash alone is
        // no key, so what is looked for stands behind it.
        let prefix = hash.to_bytes();
        let of_this = |key: &[u8]| key.starts_with(&prefix);
        self.range(|tables| tables.pins.as_ref(), Some(&prefix), usize::MAX, &of_this, pin_entry)
    }

    fn uses(&self) -> Result<Vec<(u32, u64)>, IndexError> {
        self.range(|tables| tables.uses.as_ref(), None, usize::MAX, &|_| true, value::decode_use)
    }

    fn totals(&self) -> Result<Totals, IndexError> {
        Ok(self.state()?.map(|(_, totals)| totals).unwrap_or_default())
    }

    fn file_bytes(&self) -> Result<u64, IndexError> {
        let file =
            self.disk.open(&self.path, OpenMode::Existing).map_err(DiskError::of("open", &self.path))?;
        Ok(file.allocated().map_err(DiskError::of("measure", &self.path))?)
    }
}

/// One transaction: the changes, the totals that follow, and the checkpoint.
fn write(
    database: &Database,
    blocks: &[(Vec<u8>, Option<Place>)],
    changes: &Generation,
    checkpoint: Checkpoint,
    uses: &UseChanges,
) -> EngineResult<()> {
    let mut transaction = database.begin_write().map_err(redb::Error::from)?;
    // The allocator's state goes into each commit, so that opening after a crash walks no tree.
    transaction.set_quick_repair(true);
    fill(&transaction, blocks, changes, checkpoint)?;
    note_uses(&transaction, uses)?;
    transaction.commit().map_err(redb::Error::from)?;
    Ok(())
}

fn fill(
    transaction: &WriteTransaction,
    blocks: &[(Vec<u8>, Option<Place>)],
    changes: &Generation,
    checkpoint: Checkpoint,
) -> EngineResult<()> {
    let mut state = transaction.open_table(STATE).map_err(redb::Error::from)?;
    let old = state.get(STATE_KEY).map_err(redb::Error::from)?.map(|state| state.value().to_vec());
    let mut totals = match old.as_deref().map(value::decode_state) {
        Some(Some((_, totals))) => totals,
        Some(None) => return Err(Box::new(redb::Error::Corrupted("state".into()))),
        None => Totals::default(),
    };
    let mut table = transaction.open_table(BLOCKS).map_err(redb::Error::from)?;
    for (key, place) in blocks {
        change_block(&mut table, key, place.as_ref(), &mut totals).map_err(redb::Error::from)?;
    }
    let mut table = transaction.open_table(PINS).map_err(redb::Error::from)?;
    for (key, pin) in &changes.pins {
        match pin {
            Some(value) => table.insert(key.as_slice(), value.as_slice()).map(drop),
            None => table.remove(key.as_slice()).map(drop),
        }
        .map_err(redb::Error::from)?;
    }
    let new = value::encode_state(&checkpoint, &totals);
    state.insert(STATE_KEY, new.as_slice()).map_err(redb::Error::from)?;
    Ok(())
}

fn note_uses(transaction: &WriteTransaction, uses: &UseChanges) -> EngineResult<()> {
    if uses.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(USES).map_err(redb::Error::from)?;
    for (segment, last) in uses {
        let (key, value) = value::encode_use(*segment, last.unwrap_or_default());
        match last {
            Some(_) => table.insert(key.as_slice(), value.as_slice()).map(drop),
            None => table.remove(key.as_slice()).map(drop),
        }
        .map_err(redb::Error::from)?;
    }
    Ok(())
}

fn change_block(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    key: &[u8],
    place: Option<&Place>,
    totals: &mut Totals,
) -> Result<(), redb::StorageError> {
    let old = match place {
        Some(place) => {
            totals.blocks += 1;
            totals.bytes += u64::from(place.length);
            table.insert(key, value::encode_place(place).as_slice())?
        }
        None => table.remove(key)?,
    };
    if let Some(old) = old.and_then(|old| value::decode_place(old.value())) {
        totals.blocks = totals.blocks.saturating_sub(1);
        totals.bytes = totals.bytes.saturating_sub(u64::from(old.length));
    }
    Ok(())
}

type ReadTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The table, or `None` in an index that nothing was written to yet.
fn opened(
    transaction: &ReadTransaction,
    table: TableDefinition<'static, &'static [u8], &'static [u8]>,
) -> EngineResult<Option<ReadTable>> {
    match transaction.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(Box::new(error.into())),
    }
}

/// Closing writes; over damaged pages the engine may panic even then.
fn drop_quietly(database: Option<Open>) {
    if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
        tracing::warn!("the index was damaged when it was closed");
    }
}
