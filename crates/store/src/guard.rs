//! Temporary pins: what a running write needs is kept until it is done, though nothing pins it yet.
//!
//! While one is held, collection keeps every block written since it was taken, every block that a put found
//! to be there already, and everything below its roots. Without it a collection between the first block of a
//! file and its pin would take the file apart.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ipse_base::limits::{BLOCK_BYTES_MAX, TOUCHED_FILTER_BYTES};
use ipse_base::{Cid, Multihash};

use crate::core::Core;
use crate::filter::Filter;
use crate::lock;
use crate::place::Position;

/// The temporary pins of a store.
#[derive(Default)]
pub(crate) struct Guards {
    count: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    held: BTreeMap<u64, Held>,
    touched: Option<Arc<Filter>>,
    /// Bytes of the blocks in there.
    touched_bytes: u64,
}

struct Held {
    since: Position,
    roots: Vec<Cid>,
    /// Collections that had ended when it was taken.
    collections: u64,
}

/// What temporary pins protect at one moment.
pub(crate) struct Protected {
    /// Everything that is written from here on.
    pub(crate) since: Option<Position>,
    /// What puts found to be there already, also after that moment.
    pub(crate) touched: Option<Arc<Filter>>,
    /// Everything below these.
    pub(crate) roots: Vec<Cid>,
}

impl Guards {
    fn take(&self, held: Held) -> u64 {
        let mut state = lock(&self.state);
        self.count.fetch_add(1, Ordering::SeqCst);
        state.next += 1;
        let id = state.next;
        state.held.insert(id, held);
        id
    }

    /// Answers what was held, and how many bytes were found to be there already while anything was.
    fn release(&self, id: u64) -> (Option<Held>, u64) {
        let mut state = lock(&self.state);
        let held = state.held.remove(&id);
        self.count.fetch_sub(1, Ordering::SeqCst);
        let touched_bytes = state.touched_bytes;
        if state.held.is_empty() {
            state.touched = None;
            state.touched_bytes = 0;
        }
        (held, touched_bytes)
    }

    /// Whether anything is to be protected.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// A put found this block of so many bytes to be there already.
    pub(crate) fn touch(&self, hash: &Multihash, bytes: u64) {
        if self.any() {
            let mut state = lock(&self.state);
            let touched =
                state.touched.get_or_insert_with(|| Arc::new(Filter::of_bytes(TOUCHED_FILTER_BYTES)));
            if touched.insert(hash) {
                state.touched_bytes += bytes;
            }
        }
    }

    pub(crate) fn protected(&self) -> Protected {
        let state = lock(&self.state);
        Protected {
            since: state.held.values().map(|held| held.since).min(),
            touched: state.touched.clone(),
            roots: state.held.values().flat_map(|held| held.roots.iter().cloned()).collect(),
        }
    }
}

/// A promise that collection leaves a running write alone; see
/// [`Store::temporary_pin`](crate::Store::temporary_pin). Ends when dropped.
#[must_use = "collection is held off only while this is kept"]
pub struct TemporaryPin {
    core: Arc<Core>,
    id: u64,
}

impl TemporaryPin {
    pub(crate) fn new(core: &Arc<Core>, roots: Vec<Cid>) -> Self {
        // The appender is held so that nothing is written between looking at the end and being protected.
        let appender = core.log.appender();
        let collections = core.collecting.ended_count();
        let id = core.guards.take(Held { since: appender.tail(), roots, collections });
        drop(appender);
        Self { core: Arc::clone(core), id }
    }

    /// Keeps one more block that is there already.
    pub fn keep(&self, cid: &Cid) {
        self.core.guards.touch(cid.hash(), BLOCK_BYTES_MAX as u64);
    }
}

impl Drop for TemporaryPin {
    fn drop(&mut self) {
        let core = &self.core;
        let (Some(held), touched_bytes) = core.guards.release(self.id) else { return };
        // One that no collection met has kept nothing from any.
        if !core.collecting.is_on() && core.collecting.ended_count() == held.collections {
            return;
        }
        match held.roots.is_empty() {
            true => core.quota.loosened(core.log.bytes_since(held.since).saturating_add(touched_bytes)),
            false => core.quota.loosened_unknown(),
        }
    }
}

impl std::fmt::Debug for TemporaryPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TemporaryPin({})", self.id)
    }
}
