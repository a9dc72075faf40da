//! Damaged: the blocks that were found unreadable and not yet put anew. They are how a read, whoever makes it,
//! starts a repair: what is in here counts as absent toward peers, and the next put of it writes it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipse_base::{Cid, Multihash};

use crate::lock;
use crate::store::Store;

/// Damaged blocks that are remembered. More damage than this wants a new disk, and `repo verify --heal`.
const DAMAGED_MAX: usize = 4096;

/// Told once for each block that is found damaged. Must not call the store.
pub(crate) type OnDamage = Box<dyn Fn(&Cid) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Damaged {
    /// How many there are, so that the usual answer takes no lock.
    count: AtomicUsize,
    cids: Mutex<HashMap<Multihash, Cid>>,
    told: Mutex<Option<OnDamage>>,
}

impl Damaged {
    /// Takes note of damage; the first time somebody is told.
    pub(crate) fn note(&self, cid: &Cid) {
        let mut cids = lock(&self.cids);
        if cids.len() >= DAMAGED_MAX || cids.insert(cid.hash().clone(), cid.clone()).is_some() {
            return;
        }
        self.count.store(cids.len(), Ordering::Release);
        drop(cids);
        if let Some(told) = lock(&self.told).as_ref() {
            told(cid);
        }
    }

    /// The next put of this block writes it, however much else is damaged.
    pub(crate) fn expect(&self, cid: &Cid) {
        let mut cids = lock(&self.cids);
        cids.insert(cid.hash().clone(), cid.clone());
        self.count.store(cids.len(), Ordering::Release);
    }

    pub(crate) fn contains(&self, hash: &Multihash) -> bool {
        self.count.load(Ordering::Acquire) > 0 && lock(&self.cids).contains_key(hash)
    }

    pub(crate) fn healed(&self, hash: &Multihash) {
        if self.count.load(Ordering::Acquire) > 0 {
            let mut cids = lock(&self.cids);
            cids.remove(hash);
            self.count.store(cids.len(), Ordering::Release);
        }
    }
}

impl Store {
    /// Whether the block was found damaged and not put since.
    pub fn is_damaged(&self, cid: &Cid) -> bool {
        self.core().damaged.contains(cid.hash())
    }

    /// The blocks that were found damaged and not put since; at most a few thousand are remembered.
    pub fn damaged(&self) -> Vec<Cid> {
        lock(&self.core().damaged.cids).values().cloned().collect()
    }

    /// Tells whoever repairs of each block that is found damaged from now on, on the thread that found it. The
    /// function must return at once and must not use the store.
    pub fn on_damage(&self, told: impl Fn(&Cid) + Send + Sync + 'static) {
        *lock(&self.core().damaged.told) = Some(Box::new(told));
    }
}
