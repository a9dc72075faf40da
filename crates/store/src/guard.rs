//! Temporary pins: what a running write needs is kept until it is done, though nothing pins it yet.
//!
//! While one is held, collection keeps every block written since it was taken, every block that a put found
//! to be there already, and everything below its roots. Without it a collection between the first block of a
//! file and its pin would take the file apart.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ipse_base::limits::TOUCHED_FILTER_BYTES;
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
}

struct Held {
    since: Position,
    roots: Vec<Cid>,
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
    fn take(&self, since: Position, roots: Vec<Cid>) -> u64 {
        let mut state = lock(&self.state);
        self.count.fetch_add(1, Ordering::SeqCst);
        state.next += 1;
        let id = state.next;
        state.held.insert(id, Held { since, roots });
        id
    }

    fn release(&self, id: u64) {
        let mut state = lock(&self.state);
        state.held.remove(&id);
        self.count.fetch_sub(1, Ordering::SeqCst);
        if state.held.is_empty() {
            state.touched = None;
        }
    }

    /// Whether anything is to be protected.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// A put found this block to be there already.
    pub(crate) fn touch(&self, hash: &Multihash) {
        if self.any() {
            let mut state = lock(&self.state);
            let touched =
                state.touched.get_or_insert_with(|| Arc::new(Filter::of_bytes(TOUCHED_FILTER_BYTES)));
            touched.insert(hash);
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
        let id = core.guards.take(appender.tail(), roots);
        drop(appender);
        Self { core: Arc::clone(core), id }
    }

    /// Keeps one more block that is there already.
    pub fn keep(&self, cid: &Cid) {
        self.core.guards.touch(cid.hash());
    }
}

impl Drop for TemporaryPin {
    fn drop(&mut self) {
        self.core.guards.release(self.id);
    }
}

impl std::fmt::Debug for TemporaryPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TemporaryPin({})", self.id)
    }
}
