//! Pending: what is in the log and not yet in the index. It makes a put visible at once, and takes the cost of
//! the index out of its way: changes are gathered here and go over in sorted batches.
//!
//! Two generations: one takes new changes, the other is being written to the index. A change is found in the
//! newest place that knows of it: active, flushing, index. Bounded in bytes; whoever writes waits beyond.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipse_base::limits::INDEX_PENDING_BYTES_MAX;
use ipse_base::{Cid, Multihash};

use crate::filter::Filter;
use crate::index::{Checkpoint, value};
use crate::log::NewRecord;
use crate::place::{Place, Position};
use crate::record::{Header, RecordKind};

/// What one entry takes, roughly: key, place and the map's own overhead. A generation of so many blocks, and a batch
/// that goes in before it is found to be full, still fit into a map of 2¹⁶ slots; with a few more it would double.
const BLOCK_ENTRY_BYTES: usize = 160;
/// A generation that is larger must be flushed before more goes in. There are two of them.
pub(crate) const GENERATION_BYTES_MAX: usize = INDEX_PENDING_BYTES_MAX / 2;

/// Pins by key, each with its new value, or gone.
pub(crate) type PinChanges = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Changes of a stretch of the log.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    /// By hash: where the block is now, or that it is deleted.
    pub(crate) blocks: HashMap<Multihash, Option<Place>>,
    /// By key: the pin's value, or that it is gone.
    pub(crate) pins: PinChanges,
    pin_bytes: usize,
    /// Bytes of log behind the last checkpoint; they bound what an opening replays.
    pub(crate) log_bytes: u64,
}

impl Generation {
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.pins.is_empty()
    }

    /// Memory taken, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK_ENTRY_BYTES + self.pin_bytes
    }

    /// Takes note of a record that was appended.
    pub(crate) fn note_new(&mut self, record: &NewRecord<'_>, position: Position) {
        let Some(name) = record.name else { return };
        self.note(record.kind, name, record.leaf, record.payload.len() as u32, record.payload, position);
    }

    /// Takes note of a record that was found in the log. Only pins need their payload.
    pub(crate) fn note_found(&mut self, header: &Header, payload: &[u8], position: Position) {
        let Some(name) = &header.name else { return };
        self.note(header.kind, name, header.leaf, header.payload_len, payload, position);
    }

    fn note(
        &mut self,
        kind: RecordKind,
        name: &Cid,
        leaf: bool,
        length: u32,
        payload: &[u8],
        position: Position,
    ) {
        let place = Place { position, length, version: name.version(), codec: name.codec(), leaf };
        match kind {
            RecordKind::Block => self.set_block(name.hash().clone(), Some(place)),
            RecordKind::Tombstone => self.set_block(name.hash().clone(), None),
            RecordKind::Pin => self.set_pin(name, Some(payload.to_vec())),
            RecordKind::Unpin => self.set_pin(name, None),
            RecordKind::Mark => {}
        }
    }

    fn set_block(&mut self, hash: Multihash, place: Option<Place>) {
        self.blocks.insert(hash, place);
    }

    fn set_pin(&mut self, cid: &Cid, value: Option<Vec<u8>>) {
        let key = value::pin_key(cid);
        self.pin_bytes += BLOCK_ENTRY_BYTES + key.len() + value.as_ref().map_or(0, Vec::len);
        self.pins.insert(key, value);
    }

    /// The blocks by key, in the order in which the index wants them.
    pub(crate) fn sorted_blocks(&self) -> Vec<(Vec<u8>, Option<Place>)> {
        let mut blocks: Vec<_> = self.blocks.iter().map(|(hash, place)| (hash.to_bytes(), *place)).collect();
        blocks.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        blocks
    }
}

/// Both generations and how far they reach.
pub(crate) struct Pending {
    pub(crate) active: Generation,
    /// The generation on its way into the index, with the end of its stretch of the log.
    pub(crate) flushing: Option<(Arc<Generation>, Checkpoint)>,
    /// The end of the log that `active` knows of.
    pub(crate) tail: Checkpoint,
    /// There while a collection runs.
    pub(crate) watch: Option<Watch>,
    /// Generations that went over to the index. Where the number is the same as before, every change since is still
    /// in here.
    pub(crate) gone_over: u64,
}

/// What a collection asks of every look-up while it runs: what somebody looked for stays, and what is about to
/// go is gone already. Both under the lock of the look-up, so that one of the two sees the other.
pub(crate) struct Watch {
    pub(crate) kept: Arc<Filter>,
    pub(crate) condemned: HashSet<Multihash>,
    /// How often somebody looked.
    pub(crate) looks: Arc<AtomicU64>,
}

impl Pending {
    pub(crate) fn new(active: Generation, tail: Checkpoint) -> Self {
        Self { active, flushing: None, tail, watch: None, gone_over: 0 }
    }

    /// `None` where the index must be asked; `Some(None)` where the block is deleted. A running collection keeps
    /// what is asked for here.
    pub(crate) fn place(&self, hash: &Multihash) -> Option<Option<Place>> {
        if let Some(watch) = &self.watch {
            watch.looks.fetch_add(1, Ordering::Relaxed);
            if watch.condemned.contains(hash) {
                return Some(None);
            }
            watch.kept.insert(hash);
        }
        self.place_quiet(hash)
    }

    /// As [`Pending::place`], for listings and the collection itself, which keep nothing by looking.
    pub(crate) fn place_quiet(&self, hash: &Multihash) -> Option<Option<Place>> {
        let flushing = || self.flushing.as_ref().and_then(|(generation, _)| generation.blocks.get(hash));
        self.active.blocks.get(hash).or_else(flushing).copied()
    }

    /// The newest change of the pin with this key: its value, or that it is gone. `None` where the index must be
    /// asked.
    pub(crate) fn pin(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let flushing = || self.flushing.as_ref().and_then(|(generation, _)| generation.pins.get(key));
        self.active.pins.get(key).or_else(flushing).cloned()
    }

    /// Changes of pins whose keys begin with `prefix`, newest state of each.
    pub(crate) fn pins_of(&self, prefix: &[u8]) -> PinChanges {
        let mut found = PinChanges::new();
        for generation in self.oldest_first() {
            let range = generation.pins.range(prefix.to_vec()..);
            let range = range.take_while(|(key, _)| key.starts_with(prefix));
            found.extend(range.map(|(key, value)| (key.clone(), value.clone())));
        }
        found
    }

    /// The first `limit` changes of pins whose keys lie behind `after`, newest state of each.
    pub(crate) fn pins_behind(&self, after: Option<&[u8]>, limit: usize) -> PinChanges {
        use std::ops::Bound::{Excluded, Unbounded};
        let mut found = PinChanges::new();
        for generation in self.oldest_first() {
            let range = generation.pins.range::<[u8], _>((after.map_or(Unbounded, Excluded), Unbounded));
            found.extend(range.take(limit).map(|(key, value)| (key.clone(), value.clone())));
        }
        // Of each generation the first ones are here, so the first ones of both are whole.
        while found.len() > limit {
            found.pop_last();
        }
        found
    }

    /// Blocks that changed, the deleted ones counted.
    pub(crate) fn blocks_at_most(&self) -> u64 {
        self.oldest_first().map(|generation| generation.blocks.len() as u64).sum()
    }

    /// The generation on its way is in the index now.
    pub(crate) fn end_flush(&mut self) {
        self.flushing = None;
        self.gone_over += 1;
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Generation> {
        let flushing = self.flushing.as_ref().map(|(generation, _)| generation.as_ref());
        flushing.into_iter().chain([&self.active])
    }

    /// Takes the active generation out for the index, unless one is on its way already.
    pub(crate) fn begin_flush(&mut self) -> Option<(Arc<Generation>, Checkpoint)> {
        if self.flushing.is_none() && !self.active.is_empty() {
            self.flushing = Some((Arc::new(std::mem::take(&mut self.active)), self.tail));
        }
        self.flushing.clone()
    }
}
