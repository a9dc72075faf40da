//! Seen: which blocks a walk has visited, in 24 bytes each.

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

pub(super) struct Seen {
    unique: bool,
    by_depth: bool,
    depths: Fingerprints<u32>,
}

impl Seen {
    /// Remembers blocks where a walk visits each once; with their depths where depth is bounded.
    pub(super) fn new(unique: bool, by_depth: bool) -> Self {
        Self { unique, by_depth, depths: Fingerprints::new() }
    }

    pub(super) fn look(&self, cid: &Cid, depth: usize) -> Novelty {
        if !self.unique {
            return Novelty::New;
        }
        match self.depths.get(self.depths.of(cid)) {
            None => Novelty::New,
            Some(&old) if self.by_depth && old as usize > depth => Novelty::Shallower,
            Some(_) => Novelty::Known,
        }
    }

    pub(super) fn insert(&mut self, cid: &Cid, depth: usize) {
        if self.unique {
            self.depths.insert(self.depths.of(cid), u32::try_from(depth).unwrap_or(u32::MAX));
        }
    }
}
