//! Asked: the blocks that were asked for and are not here.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use ipse_base::limits::BLOCK_BYTES_MAX;
use ipse_base::{Cid, Codec, Want};

use super::frontier::{BranchId, Path};
use crate::Link;

/// What a block is taken to need before any has come: about a node of 174 links, in bytes.
const GUESSED_BYTES: u64 = 16 * 1024;

/// Priorities of neighbours in read order lie this far apart, so that what is found between them fits in.
const PRIORITY_STEP: i32 = 16;

/// The first priority; leaves room above for what turns out to come before it.
const PRIORITY_START: i32 = i32::MAX - (1 << 24);

/// A link's place in the frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) branch: BranchId,
    pub(super) index: usize,
}

struct Open {
    places: Vec<Place>,
    path: Path,
    bytes: u64,
}

/// What blocks of a kind have needed in this walk, in bytes.
struct Need(u64);

impl Need {
    fn learn(&mut self, bytes: u64) {
        // Up at once and down slowly: the guess is there to bound what comes.
        self.0 = bytes.max(self.0 - self.0 / 8);
    }
}

impl Default for Need {
    fn default() -> Self {
        Self(GUESSED_BYTES)
    }
}

#[derive(Default)]
pub(super) struct Asked {
    open: HashMap<Cid, Open>,
    /// The priorities of what is open, in read order.
    priorities: BTreeMap<Path, i32>,
    bytes: u64,
    places: usize,
    last: Option<i32>,
    leaves: Need,
    nodes: Need,
}

impl Asked {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Bytes that what is on its way will need, as far as one can tell.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Places at which the reader will need what is on its way.
    pub(super) const fn places(&self) -> usize {
        self.places
    }

    pub(super) fn contains(&self, cid: &Cid) -> bool {
        self.open.contains_key(cid)
    }

    /// Notes one more place for a block that was asked for; false where it was not.
    pub(super) fn again(&mut self, cid: &Cid, place: Place) -> bool {
        let open = self.open.get_mut(cid);
        self.places += usize::from(open.is_some());
        open.map(|open| open.places.push(place)).is_some()
    }

    /// Asks for a block.
    pub(super) fn ask(&mut self, path: Path, place: Place, link: &Link) -> Want {
        // A size over the limit is that of a whole Dag; the node on top of it is small.
        let size_hint = link.tsize.filter(|&bytes| bytes <= BLOCK_BYTES_MAX as u64);
        // What a parent tells is exact for a leaf alone: a node on top of a Dag is smaller, but its links take memory.
        let bytes = match (is_leaf(&link.cid), size_hint) {
            (true, hint) => hint.unwrap_or(self.leaves.0),
            (false, _) => self.nodes.0,
        };
        let priority = self.priority(&path);
        self.priorities.insert(path.clone(), priority);
        self.open.insert(link.cid.clone(), Open { places: vec![place], path, bytes });
        self.bytes += bytes;
        self.places += 1;
        Want { cid: link.cid.clone(), priority, size_hint }
    }

    /// Takes a block off the list; gives the places it was asked for at.
    pub(super) fn answer(&mut self, cid: &Cid) -> Option<Vec<Place>> {
        let open = self.open.remove(cid)?;
        self.priorities.remove(&open.path);
        self.bytes -= open.bytes;
        self.places -= open.places.len();
        Some(open.places)
    }

    /// Takes note of what a block that has come needs; what comes next is taken to be like it.
    pub(super) fn learn(&mut self, cid: &Cid, bytes: u64) {
        let need = if is_leaf(cid) { &mut self.leaves } else { &mut self.nodes };
        need.learn(bytes);
    }

    /// A priority between those of the neighbours in read order.
    fn priority(&mut self, path: &Path) -> i32 {
        let path = &path[..];
        let before = self.priorities.range::<[usize], _>((Unbounded, Excluded(path))).next_back();
        let after = self.priorities.range::<[usize], _>((Excluded(path), Unbounded)).next();
        let (before, after) = (before.map(|(_, &priority)| priority), after.map(|(_, &priority)| priority));
        match (before, after) {
            (Some(before), Some(after)) => after + (before - after) / 2,
            (None, Some(after)) => after.saturating_add(PRIORITY_STEP),
            (_, None) => {
                let last = self.last.map_or(PRIORITY_START, |last| last.saturating_sub(PRIORITY_STEP));
                *self.last.insert(last)
            }
        }
    }
}

fn is_leaf(cid: &Cid) -> bool {
    cid.codec() == Codec::RAW
}
