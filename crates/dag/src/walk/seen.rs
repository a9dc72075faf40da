//! Seen: which blocks a walk has visited, in some 22 bytes each, and a few more where depth is bounded.

use ipse_base::Cid;

use crate::Fingerprints;

/// Whether a place leads to something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    /// Never visited.
    New,
    /// Visited further from the root; where depth is bounded, more may be in reach below it now.
    Shallower,
    /// Nothing more to be had from it.
    Known,
}

pub(super) enum Seen {
    /// Blocks are visited as often as they are linked.
    Nothing,
    Names(Fingerprints<()>),
    /// With the depth at which each was visited.
    Depths(Fingerprints<u32>),
}

impl Seen {
    /// Remembers blocks where a walk visits each once; with their depths where depth is bounded.
    pub(super) fn new(unique: bool, by_depth: bool) -> Self {
        match (unique, by_depth) {
            (false, _) => Self::Nothing,
            (true, false) => Self::Names(Fingerprints::new()),
            (true, true) => Self::Depths(Fingerprints::new()),
        }
    }

    pub(super) fn look(&self, cid: &Cid, depth: usize) -> Novelty {
        match self {
            Self::Nothing => Novelty::New,
            Self::Names(names) if names.get(names.of(cid)).is_some() => Novelty::Known,
            Self::Names(_) => Novelty::New,
            Self::Depths(depths) => match depths.get(depths.of(cid)) {
                None => Novelty::New,
                Some(&old) if old as usize > depth => Novelty::Shallower,
                Some(_) => Novelty::Known,
            },
        }
    }

    pub(super) fn insert(&mut self, cid: &Cid, depth: usize) {
        match self {
            Self::Nothing => {}
            Self::Names(names) => {
                names.insert(names.of(cid), ());
            }
            Self::Depths(depths) => {
                depths.insert(depths.of(cid), u32::try_from(depth).unwrap_or(u32::MAX));
            }
        }
    }
}
