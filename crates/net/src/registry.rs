//! Registry: which session wants which block, so that a hash thread can hand a block over at once, without a
//! way through the exchange.
//!
//! Keyed by multihash: a block answers a want for any Cid with its hash, whatever version or codec the sender
//! put in front. Bounded by the walks, which want no more than their own frontier.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipse_base::{AbsentReason, Block, Cid, Multihash};

use crate::inbox::Inbox;

/// One session's want.
struct Wanted {
    cid: Cid,
    inbox: Arc<Inbox>,
}

/// Those who want a block, taken out of the registry: to be answered by whoever holds this.
#[must_use]
pub(crate) struct Claim(Vec<Wanted>);

impl Claim {
    /// Hands over the block, which is visible by now.
    pub(crate) fn deliver(self, block: &Block) {
        for wanted in self.0 {
            match block.renamed(wanted.cid) {
                Ok(block) => wanted.inbox.put(block),
                Err(error) => tracing::error!(%error, "a want was filed under another hash"),
            }
        }
    }

    /// Tells that the block can't be had.
    pub(crate) fn fail(self, reason: AbsentReason) {
        for wanted in self.0 {
            wanted.inbox.put_absent(wanted.cid, reason);
        }
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Registry {
    wants: Mutex<HashMap<Multihash, Vec<Wanted>>>,
}

impl Registry {
    /// Notes a want.
    pub(crate) fn add(&self, cid: &Cid, inbox: &Arc<Inbox>) {
        let wanted = Wanted { cid: cid.clone(), inbox: inbox.clone() };
        self.wants().entry(cid.hash().clone()).or_default().push(wanted);
    }

    /// Forgets a want; true if it was there.
    pub(crate) fn remove(&self, cid: &Cid, session: u64) -> bool {
        let mut wants = self.wants();
        let Entry::Occupied(mut entry) = wants.entry(cid.hash().clone()) else { return false };
        let before = entry.get().len();
        entry.get_mut().retain(|wanted| wanted.cid != *cid || wanted.inbox.session() != session);
        let removed = entry.get().len() < before;
        if entry.get().is_empty() {
            entry.remove();
        }
        removed
    }

    /// Every name under which the block with this hash is wanted.
    pub(crate) fn names(&self, hash: &Multihash) -> Vec<Cid> {
        let mut names: Vec<Cid> = self
            .wants()
            .get(hash)
            .map(|wanted| wanted.iter().map(|wanted| wanted.cid.clone()).collect())
            .unwrap_or_default();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Takes out who wants the block with this hash. Whoever has taken it is the one who answers.
    pub(crate) fn claim(&self, hash: &Multihash) -> Claim {
        Claim(self.take(hash))
    }

    /// Tells everyone who wants it that a block is visible; they read it when they come to it.
    pub(crate) fn stored(&self, hash: &Multihash) {
        for wanted in self.take(hash) {
            wanted.inbox.put_stored(wanted.cid);
        }
    }

    fn take(&self, hash: &Multihash) -> Vec<Wanted> {
        self.wants().remove(hash).unwrap_or_default()
    }

    fn wants(&self) -> MutexGuard<'_, HashMap<Multihash, Vec<Wanted>>> {
        self.wants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
