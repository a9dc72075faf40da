//! Test support: a disk in memory that behaves as badly as a real one may.
//!
//! What was not synced, data and names alike, is lost, kept or torn at a [`FakeDisk::crash`]; any call can be
//! made to fail. Never part of a running node.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{Disk, DiskFile, HeldLock, OpenMode};
use crate::lock;

/// Bytes that reach the medium together or not at all.
const SECTOR_BYTES: usize = 512;

/// Files take whole pages.
const PAGE_BYTES: u64 = 4096;
/// The size of the disk, as far as somebody asks.
const DISK_BYTES: u64 = 16 * 1024 * 1024;

/// How a planned failure goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This one call fails with an input or output error.
    Once,
    /// This call and all later ones do: the machine has stopped.
    Stop,
    /// From this call on files take no more pages than they do then, in all. What is given back can be taken again.
    Full,
    /// From this call on nothing can be changed, the system having made the disk read-only.
    ReadOnly,
    /// From this call on syncs fail by chance, one in three, and drop what they were to write; the rest goes well.
    Syncs,
}

/// The fake disk. Clones are the same disk.
#[derive(Clone)]
pub struct FakeDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    /// Counts crashes; handles of an earlier life are dead.
    life: u64,
    random: u64,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    nodes: Vec<Node>,
    locks: HashSet<PathBuf>,
    calls: u64,
    fault: Option<(u64, Fault)>,
    /// Pages that files may take.
    pages_max: Option<u64>,
}

#[derive(Default)]
struct Node {
    /// Pages that the file takes; the others are holes.
    pages: BTreeSet<u64>,
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// Pages that a sync failed to write into new space: what is written to them never reaches the medium, as on
    /// ext4, unless their space is given back first.
    stuck: BTreeSet<u64>,
}

enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

/// What a change does to the space that a file takes.
enum Space {
    /// Takes the pages of this range.
    Take(std::ops::Range<u64>),
    /// Gives back the whole pages of this range.
    Give(std::ops::Range<u64>),
}

impl Node {
    /// The pages of a range that the file does not have yet.
    fn missing(&self, range: &std::ops::Range<u64>) -> Vec<u64> {
        let pages = range.start / PAGE_BYTES..range.end.div_ceil(PAGE_BYTES);
        pages.filter(|page| !self.pages.contains(page)).collect()
    }

    fn give(&mut self, range: &std::ops::Range<u64>) {
        let pages = range.start.div_ceil(PAGE_BYTES)..range.end / PAGE_BYTES;
        self.pages.retain(|page| !pages.contains(page));
        self.stuck.retain(|page| !pages.contains(page));
    }

    /// A sync that went well.
    fn settle_all(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Write(offset, bytes) if !self.stuck.is_empty() => self.settle_around(offset, &bytes),
                change => change.apply(&mut self.durable),
            }
        }
    }

    /// A write of which what goes to stuck pages is lost.
    fn settle_around(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let page = (offset + at as u64) / PAGE_BYTES;
            let end = bytes.len().min(((page + 1) * PAGE_BYTES - offset) as usize);
            let piece = if self.stuck.contains(&page) { vec![0; end - at] } else { bytes[at..end].to_vec() };
            Change::Write(offset + at as u64, piece).apply(&mut self.durable);
            at = end;
        }
    }

    /// A sync that failed drops what it was to write, and pages in new space are stuck from then on.
    fn drop_unsynced(&mut self, sticks: bool) {
        let old = (self.durable.len() as u64).div_ceil(PAGE_BYTES);
        for change in std::mem::take(&mut self.unsynced) {
            if let (Change::Write(offset, bytes), true) = (change, sticks) {
                let end = (offset + bytes.len() as u64).div_ceil(PAGE_BYTES);
                self.stuck.extend((offset / PAGE_BYTES).max(old)..end);
            }
        }
    }
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let end = *offset as usize + bytes.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*offset as usize..end].copy_from_slice(bytes);
            }
            Self::SetLen(length) => image.resize(*length as usize, 0),
        }
    }
}

/// What a call does.
#[derive(PartialEq, Eq)]
enum Call {
    Read,
    Change,
    Sync,
    Other,
}

impl State {
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random)
    }

    fn coin(&mut self) -> bool {
        self.next_random().is_multiple_of(2)
    }

    /// Pages of all files that have a name, and one for each name.
    fn pages(&self) -> u64 {
        self.names.values().map(|&node| self.nodes[node].pages.len() as u64 + 1).sum()
    }

    /// Whether so many pages more can be had.
    fn has_room(&self, pages: u64) -> io::Result<()> {
        match self.pages_max {
            Some(max) if pages > 0 && self.pages() + pages > max => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn call(&mut self, call: Call) -> io::Result<()> {
        self.calls += 1;
        let Some((at, fault)) = self.fault else { return Ok(()) };
        let failure = || io::Error::other("planned failure");
        match fault {
            Fault::Once if self.calls == at => Err(failure()),
            Fault::Stop if self.calls >= at => Err(failure()),
            Fault::Full if self.calls >= at && self.pages_max.is_none() => {
                self.pages_max = Some(self.pages());
                Ok(())
            }
            Fault::ReadOnly if self.calls >= at && call == Call::Change => {
                Err(io::ErrorKind::ReadOnlyFilesystem.into())
            }
            Fault::Syncs
                if self.calls >= at && call == Call::Sync && self.next_random().is_multiple_of(3) =>
            {
                Err(failure())
            }
            _ => Ok(()),
        }
    }

    /// A file's image after a power loss: each change on its way is there, or not, or in part. What becomes of
    /// a change depends on the change and not on its turn, for the index writes its pages in no fixed order.
    fn settle(&mut self, index: usize) {
        let changes = std::mem::take(&mut self.nodes[index].unsynced);
        let mut image = std::mem::take(&mut self.nodes[index].durable);
        let fate = self.next_random();
        for change in &changes {
            match (fate % 4, change) {
                (0, _) => {}
                (1, change) => change.apply(&mut image),
                (_, Change::Write(offset, bytes)) => tear(fate, *offset, bytes, &mut image),
                (_, Change::SetLen(length)) => {
                    if mix(fate ^ length).is_multiple_of(2) {
                        change.apply(&mut image);
                    }
                }
            }
        }
        let pages = image.chunks(PAGE_BYTES as usize).zip(0..);
        let taken = pages.filter(|(page, _)| page.iter().any(|byte| *byte != 0)).map(|(_, number)| number);
        let reserved = self.nodes[index].pages.range(..(image.len() as u64).div_ceil(PAGE_BYTES));
        self.nodes[index].pages = taken.chain(reserved.copied()).collect();
        self.nodes[index].stuck.clear();
        self.nodes[index].now = image.clone();
        self.nodes[index].durable = image;
    }
}

/// A write of which some sectors reach the medium, or all.
fn tear(fate: u64, offset: u64, bytes: &[u8], image: &mut Vec<u8>) {
    let all = mix(fate ^ u64::from(crc32c::crc32c(bytes)) ^ offset << 32).is_multiple_of(2);
    let mut at = 0;
    while at < bytes.len() {
        let sector = (offset as usize + at) / SECTOR_BYTES;
        let end = bytes.len().min((sector + 1) * SECTOR_BYTES - offset as usize);
        if all || mix(fate ^ sector as u64).is_multiple_of(2) {
            Change::Write(offset + at as u64, bytes[at..end].to_vec()).apply(image);
        }
        at = end;
    }
}

/// splitmix64: every seed gives a sound sequence.
const fn mix(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl FakeDisk {
    /// An empty disk whose misbehaviour follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                life: 0,
                random: seed,
                names: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                nodes: Vec::new(),
                locks: HashSet::new(),
                calls: 0,
                fault: None,
                pages_max: None,
            })),
        }
    }

    /// Plans a failure of the `after`-th call from now.
    pub fn fail(&self, after: u64, fault: Fault) {
        let mut state = lock(&self.state);
        state.fault = Some((state.calls + after, fault));
        state.pages_max = None;
    }

    /// From now on files take at most so many bytes more than they do, in all.
    pub fn limit(&self, more: u64) {
        let mut state = lock(&self.state);
        state.pages_max = Some(state.pages() + more / PAGE_BYTES);
    }

    /// Forgets a planned failure, and a limit.
    pub fn repair(&self) {
        let mut state = lock(&self.state);
        state.fault = None;
        state.pages_max = None;
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        lock(&self.state).calls
    }

    /// Power loss: what was not synced is lost, kept or torn. Open handles are dead, locks free, planned
    /// failures forgotten.
    pub fn crash(&self) {
        let mut state = lock(&self.state);
        state.life += 1;
        state.fault = None;
        state.pages_max = None;
        state.locks.clear();
        let paths: HashSet<PathBuf> = state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        let mut paths: Vec<_> = paths.into_iter().collect();
        paths.sort();
        let mut names = BTreeMap::new();
        for path in paths {
            let (now, durable) = (state.names.get(&path).copied(), state.durable_names.get(&path).copied());
            let survivor = if now == durable || state.coin() { now } else { durable };
            if let Some(node) = survivor {
                names.insert(path, node);
            }
        }
        for index in 0..state.nodes.len() {
            state.settle(index);
        }
        state.durable_names = names.clone();
        state.names = names;
    }

    /// The processes that hold locks end, and the machine goes on.
    pub fn free_locks(&self) {
        lock(&self.state).locks.clear();
    }

    /// The whole content of a file, if it is there.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = lock(&self.state);
        state.names.get(path).map(|&node| state.nodes[node].now.clone())
    }

    /// Bytes that a file takes, holes left out; none where it is not there.
    pub fn allocated(&self, path: &Path) -> u64 {
        let state = lock(&self.state);
        state.names.get(path).map_or(0, |&node| state.nodes[node].pages.len() as u64 * PAGE_BYTES)
    }

    /// Changes a file behind everybody's back, on the medium too.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = lock(&self.state);
        if let Some(&node) = state.names.get(path) {
            change(&mut state.nodes[node].now);
            state.nodes[node].durable = state.nodes[node].now.clone();
        }
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        lock(&self.state).names.keys().cloned().collect()
    }
}

impl Disk for FakeDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.state);
        let found = state.names.get(path).copied();
        state.call(if found.is_some() { Call::Other } else { Call::Change })?;
        let node = match (found, mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(node), _) => node,
            (None, OpenMode::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, _) => {
                state.has_room(1)?;
                state.nodes.push(Node::default());
                let node = state.nodes.len() - 1;
                state.names.insert(path.to_path_buf(), node);
                node
            }
        };
        Ok(Arc::new(FakeFile { disk: self.clone(), node, life: state.life }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = lock(&self.state);
        state.call(Call::Read)?;
        let here = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let mut state = lock(&self.state);
        state.call(Call::Read)?;
        Ok(state.names.keys().any(|other| other.starts_with(path)))
    }

    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        lock(&self.state).call(Call::Other)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.call(Call::Change)?;
        let node = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_path_buf(), node);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.call(Call::Change)?;
        state.names.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.call(Call::Sync)?;
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        state.durable_names.retain(|path, _| !inside(path));
        let now: Vec<_> =
            state.names.iter().filter(|(path, _)| inside(path)).map(|(p, &n)| (p.clone(), n)).collect();
        state.durable_names.extend(now);
        Ok(())
    }

    fn bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(DISK_BYTES)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn HeldLock>>> {
        let mut state = lock(&self.state);
        let shared = match state.call(Call::Change) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => true,
            called => called.map(|()| false)?,
        };
        if state.locks.contains(path) {
            return Ok(None);
        }
        // Shared ones are not counted: no test holds one beside a writer.
        if !shared {
            state.locks.insert(path.to_path_buf());
        }
        let (disk, life) = (self.clone(), state.life);
        Ok(Some(Box::new(FakeLock { disk, path: path.to_path_buf(), life, shared })))
    }

    fn random(&self) -> u64 {
        lock(&self.state).next_random()
    }
}

struct FakeLock {
    disk: FakeDisk,
    path: PathBuf,
    life: u64,
    shared: bool,
}

impl HeldLock for FakeLock {
    fn is_shared(&self) -> bool {
        self.shared
    }
}

impl Drop for FakeLock {
    fn drop(&mut self) {
        let mut state = lock(&self.disk.state);
        if state.life == self.life && !self.shared {
            state.locks.remove(&self.path);
        }
    }
}

struct FakeFile {
    disk: FakeDisk,
    node: usize,
    life: u64,
}

impl FakeFile {
    /// Runs a call on the file, unless it fails by plan or the handle is of an earlier life.
    fn with<T>(&self, call: Call, work: impl FnOnce(&mut Node) -> io::Result<T>) -> io::Result<T> {
        work(&mut self.called(call)?.nodes[self.node])
    }

    fn called(&self, call: Call) -> io::Result<MutexGuard<'_, State>> {
        let mut state = lock(&self.disk.state);
        if state.life != self.life {
            return Err(io::Error::other("handle of an earlier life"));
        }
        state.call(call)?;
        Ok(state)
    }

    fn change(&self, change: Change, space: &Space) -> io::Result<()> {
        let mut state = self.called(Call::Change)?;
        if let Space::Take(range) = space {
            let missing = state.nodes[self.node].missing(range);
            state.has_room(missing.len() as u64)?;
            state.nodes[self.node].pages.extend(missing);
        }
        let node = &mut state.nodes[self.node];
        if let Space::Give(range) = space {
            node.give(range);
        }
        change.apply(&mut node.now);
        node.unsynced.push(change);
        Ok(())
    }
}

impl DiskFile for FakeFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(Call::Read, |node| {
            let bytes = node.now.get(offset as usize..offset as usize + out.len());
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let range = offset..offset + bytes.len() as u64;
        let result = self.change(Change::Write(offset, bytes.clone()), &Space::Take(range));
        if result.is_err() {
            // A write that failed may have gone in part.
            let mut state = lock(&self.disk.state);
            let part = state.next_random() as usize % (bytes.len() + 1);
            let missing = state.nodes[self.node].missing(&(offset..offset + part as u64));
            if state.life == self.life && part > 0 && state.has_room(missing.len() as u64).is_ok() {
                let change = Change::Write(offset, bytes[..part].to_vec());
                let node = &mut state.nodes[self.node];
                node.pages.extend(missing);
                change.apply(&mut node.now);
                node.unsynced.push(change);
            }
        }
        result
    }

    fn sync_data(&self) -> io::Result<()> {
        let result = self.with(Call::Sync, |node| {
            // Not all that is seen: what an earlier failed sync dropped stays dropped.
            node.settle_all();
            Ok(())
        });
        if result.is_err() {
            // As Linux does: what could not be written is dropped, and a later sync will not speak of it.
            let mut state = lock(&self.disk.state);
            if state.life == self.life {
                let is_segment = |path: &&PathBuf| path.extension().is_some_and(|end| end == "seg");
                // The index is built anew where pages of it are missing; the log must not lose any.
                let sticks = state.names.iter().any(|(path, &node)| node == self.node && is_segment(&path));
                state.nodes[self.node].drop_unsynced(sticks);
            }
        }
        result
    }

    fn forget_cached(&self, _offset: u64) {
        let _ = self.with(Call::Read, |node| {
            if node.unsynced.is_empty() {
                node.now = node.durable.clone();
            }
            Ok(())
        });
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Change::SetLen(length), &Space::Give(length..u64::MAX))
    }

    fn len(&self) -> io::Result<u64> {
        self.with(Call::Read, |node| Ok(node.now.len() as u64))
    }

    fn allocated(&self) -> io::Result<u64> {
        self.with(Call::Read, |node| Ok(node.pages.len() as u64 * PAGE_BYTES))
    }

    fn allocate(&self, length: u64) -> io::Result<bool> {
        self.change(Change::SetLen(length), &Space::Take(0..length)).map(|()| true)
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<bool> {
        let zeros = vec![0; length.min(self.len()?.saturating_sub(offset)) as usize];
        let range = offset..offset + length;
        self.change(Change::Write(offset, zeros), &Space::Give(range)).map(|()| true)
    }
}
