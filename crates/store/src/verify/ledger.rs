//! Ledger: what the log says, kept short enough to hold it against the index.
//!
//! Hashes stand for names: where two share one, a difference goes unseen. Bounded; past the bounds the
//! comparison says less, and never anything wrong.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use ipse_base::{Cid, Multihash};

use crate::index::value;
use crate::place::Position;
use crate::record::ALIGNMENT;

/// Stretches of damage that are remembered.
const RANGES_MAX: usize = 65_536;
/// Blocks that the log has and the index does not: deleted ones whose tombstone is yet to come. 32 MiB.
const AWAITING_MAX: usize = 1 << 20;
/// Pins that are compared. 48 MiB.
const PINS_MAX: usize = 1 << 21;
/// Names that are in one of log and index only.
const SUSPECTS_MAX: usize = 4096;

/// Bytes of a segment that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) segment: u32,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The index names a block here, so it is known what is lost.
    pub(crate) known: bool,
}

impl Range {
    pub(crate) fn position(&self) -> Position {
        Position { segment: self.segment, offset: self.from }
    }

    fn holds(&self, position: Position) -> bool {
        position.segment == self.segment && (self.from..self.to).contains(&position.offset)
    }
}

/// A pin's last record.
#[derive(Debug, Clone, Copy)]
struct Pinned {
    value: u32,
    segment: u32,
    units: u32,
    seen: bool,
}

impl Pinned {
    fn position(&self) -> Position {
        Position { segment: self.segment, offset: u64::from(self.units) * ALIGNMENT }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Up to where the log was read.
    pub(crate) end: Position,
    ranges: Vec<Range>,
    /// Segments of which a copy of the header is damaged.
    pub(crate) headers: Vec<u32>,
    /// Segments without any header.
    pub(crate) headless: u64,
    /// Pins whose payload is damaged: place and whole length.
    pub(crate) spoilt: Vec<(Position, u64)>,
    /// Padding that is not zero: where it begins, and its bytes.
    pub(crate) padding: Vec<(Position, u64)>,
    /// Sum over the blocks whose records stand where the index says.
    matched: u64,
    awaiting: HashMap<u64, Position>,
    pins: HashMap<u64, Pinned>,
    /// Blocks that the log has alive and the index does not know.
    pub(crate) unindexed: Vec<(Cid, Position)>,
    /// Pins that the index has and the log does not.
    pub(crate) lost_pins: Vec<Cid>,
    /// Pins that the log has and the index does not.
    pub(crate) unindexed_pins: Vec<(Cid, Position)>,
    /// Blocks of which the index says something else than their records.
    pub(crate) wrong: Vec<Multihash>,
}

fn short(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A block's part in a sum that does not depend on the order.
pub(crate) fn entry(hash: &Multihash, position: Position) -> u64 {
    short((hash, position))
}

impl Ledger {
    pub(crate) fn damage(&mut self, segment: u32, from: u64, to: u64) {
        if self.ranges.len() < RANGES_MAX {
            self.ranges.push(Range { segment, from, to, known: false });
        }
    }

    /// A block that the index does not know: deleted, or lost.
    pub(crate) fn block_unknown(&mut self, hash: &Multihash, position: Position) {
        if self.awaiting.len() < AWAITING_MAX {
            self.awaiting.insert(short(hash), position);
        }
    }

    /// A block whose record stands where the index says.
    pub(crate) fn block_matched(&mut self, hash: &Multihash, position: Position) {
        self.matched = self.matched.wrapping_add(entry(hash, position));
    }

    /// Whether the blocks of the index are the very ones that were matched; `sum` is made by [`entry`].
    pub(crate) fn all_matched(&self, sum: u64) -> bool {
        self.matched == sum
    }

    pub(crate) fn tombstone(&mut self, hash: &Multihash) {
        self.awaiting.remove(&short(hash));
    }

    /// A pin as its last record has it; without a value where that can't be told.
    pub(crate) fn pin(&mut self, cid: &Cid, value: Option<&[u8]>, position: Position) {
        let key = short(value::pin_key(cid));
        match value {
            Some(value) if self.pins.len() < PINS_MAX => {
                let units = u32::try_from(position.offset / ALIGNMENT).unwrap_or(u32::MAX);
                let pinned =
                    Pinned { value: crc32c::crc32c(value), segment: position.segment, units, seen: false };
                self.pins.insert(key, pinned);
            }
            _ => {
                self.pins.remove(&key);
            }
        }
    }

    pub(crate) fn unpin(&mut self, cid: &Cid) {
        self.pins.remove(&short(value::pin_key(cid)));
    }

    /// Whether the log has this pin with this value; it is then known to both.
    pub(crate) fn has_pin(&mut self, cid: &Cid, value: &[u8]) -> bool {
        if self.pins.len() >= PINS_MAX {
            return true;
        }
        let pinned = self.pins.get_mut(&short(value::pin_key(cid)));
        pinned.is_some_and(|pinned| {
            pinned.seen = true;
            pinned.value == crc32c::crc32c(value)
        })
    }

    /// Where the log has this pin.
    pub(crate) fn pin_position(&self, cid: &Cid) -> Option<Position> {
        self.pins.get(&short(value::pin_key(cid))).map(Pinned::position)
    }

    /// Where the log has pins that the index was not seen to have.
    pub(crate) fn unseen_pins(&self) -> Vec<Position> {
        let unseen = self.pins.values().filter(|pinned| !pinned.seen);
        unseen.map(Pinned::position).take(SUSPECTS_MAX).collect()
    }

    /// Where the log has blocks that nothing deleted and the index does not know.
    pub(crate) fn awaited(&self) -> Vec<Position> {
        self.awaiting.values().copied().take(SUSPECTS_MAX).collect()
    }

    /// The index says that a block is here. Whether its header is gone.
    pub(crate) fn index_names(&mut self, position: Position) -> bool {
        // They were found in the order of their places.
        let next = self.ranges.partition_point(|range| range.position() <= position);
        let range = next.checked_sub(1).and_then(|at| self.ranges.get_mut(at));
        range.filter(|range| range.holds(position)).is_some_and(|range| {
            range.known = true;
            true
        })
    }

    /// Stretches of damage in which the index names nothing.
    pub(crate) fn unknown(&self) -> Vec<Range> {
        self.ranges.iter().filter(|range| !range.known).copied().collect()
    }

    /// Damage that only a block from elsewhere, or nothing, mends.
    pub(crate) fn left(&self) -> u64 {
        self.headless + self.ranges.iter().filter(|range| range.known).count() as u64
    }

    /// Whether a record that nobody can name any more stands behind a place: it may be the one that is missing.
    pub(crate) fn may_be_lost_behind(&self, position: Position) -> bool {
        self.ranges.iter().any(|range| !range.known && range.position() > position)
    }

    /// What the record was about that stood in a stretch, where only one thing comes into question.
    pub(crate) fn lost_in(&self, range: &Range) -> Option<Cid> {
        if self.unknown().len() != 1 {
            return None;
        }
        let behind = |(cid, position): &(Cid, Position)| (range.position() > *position).then(|| cid.clone());
        let deleted = self.unindexed.iter().chain(&self.unindexed_pins).filter_map(behind);
        let mut candidates = self.lost_pins.iter().cloned().chain(deleted);
        candidates.next().filter(|_| candidates.next().is_none())
    }
}
