//! Epoch: what a running collection keeps beside what it marks.
//!
//! It begins before marking and ends with the plan. Its filter takes what is marked and what anybody looks for, so
//! one question answers both, and its memory has a bound.

use std::collections::HashSet;
use std::sync::Arc;

use ipse_base::{Cid, Multihash};

use super::CollectError;
use super::pace::Pace;
use crate::core::Core;
use crate::filter::Filter;
use crate::pending::Watch;
use crate::place::{Place, Position};

pub(super) struct Epoch {
    core: Arc<Core>,
    pub(super) kept: Arc<Filter>,
    /// What running writes found to be there before the epoch began.
    earlier: Option<Arc<Filter>>,
    /// Everything that stands from here on is kept.
    horizon: Position,
    /// What temporary pins keep.
    pub(super) roots: Vec<Cid>,
    /// The segments that garbage leaves; where there is none, it leaves all.
    pub(super) leaving: Option<HashSet<u32>>,
    pub(super) pace: Pace,
}

impl Epoch {
    pub(super) fn begin(core: &Arc<Core>) -> Result<Self, CollectError> {
        if !core.collecting.begin() {
            return Err(CollectError::Busy);
        }
        core.log.counters.collections.one();
        // From here on dropping the value ends the epoch, also on an error.
        let mut epoch = Self {
            core: Arc::clone(core),
            kept: Arc::new(Filter::for_entries(0)),
            earlier: None,
            horizon: Position { segment: 0, offset: 0 },
            roots: Vec::new(),
            leaving: None,
            pace: Pace::new(),
        };
        core.index.go_easy(true);
        core.checkpoint()?;
        epoch.kept = Arc::new(Filter::for_entries(core.index.totals()?.blocks));
        core.hot.lend(epoch.kept.bytes());
        {
            let appender = core.log.appender();
            let watch = Watch {
                kept: Arc::clone(&epoch.kept),
                condemned: Default::default(),
                looks: epoch.pace.looks(),
            };
            core.pending_mut().watch = Some(watch);
            epoch.horizon = appender.tail();
        }
        // Only now: a temporary pin that is not seen here is taken later, so all its looks are watched.
        let protected = core.guards.protected();
        epoch.horizon = protected.since.map_or(epoch.horizon, |since| since.min(epoch.horizon));
        epoch.earlier = protected.touched;
        epoch.roots = protected.roots;
        Ok(epoch)
    }

    /// Whether a block that stands here stays.
    pub(super) fn keeps(&self, hash: &Multihash, position: Position) -> bool {
        position >= self.horizon
            || self.kept.contains(hash)
            || self.earlier.as_ref().is_some_and(|earlier| earlier.contains(hash))
            || self.leaving.as_ref().is_some_and(|leaving| !leaving.contains(&position.segment))
    }

    /// Makes those blocks invisible that nobody asked for until now, and leaves the others out. The caller holds
    /// the appender, and calls [`Epoch::bury`] next.
    pub(super) fn condemn(&self, blocks: &mut Vec<(Multihash, Place)>) {
        let mut pending = self.core.pending_mut();
        blocks.retain(|(hash, place)| {
            let moved = pending.place_quiet(hash).is_some_and(|now| now != Some(*place));
            !moved && !self.keeps(hash, place.position)
        });
        if let Some(watch) = &mut pending.watch {
            watch.condemned.extend(blocks.iter().map(|(hash, _)| hash.clone()));
        }
    }

    /// What was condemned is deleted now, or, where that failed, is there again.
    pub(super) fn bury(&self) {
        if let Some(watch) = &mut self.core.pending_mut().watch {
            watch.condemned.clear();
        }
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.core.pending_mut().watch = None;
        self.core.index.go_easy(false);
        self.core.hot.lend(0);
        self.core.collecting.end();
    }
}
