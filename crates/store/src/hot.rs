//! Hot: blocks in memory that are likely to be read again. What is in here was checked when it was read, so it
//! needs neither the index nor a checksum again.
//!
//! A block that is read once does not push out one that is read often, and readers that know that they will not
//! come back ([`Reuse::Once`]) leave it alone. Invariant: a block that was removed is not in here once the
//! removal has returned. A reader that overlaps with a removal may insert what it read before; it sees by the
//! number of removals that it has to take it out again.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ipse_base::limits::BLOCK_CACHE_BYTES;
use ipse_base::{Block, Cid, Multihash};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// What an entry takes beside its bytes: key, links of the lists, and the head of the allocation.
const ENTRY_BYTES: u64 = 200;
/// Blocks of this size are what the cache is laid out for; the number only sizes its first tables.
const TYPICAL_BYTES: usize = 64 * 1024;
/// Parts with a lock each. Few, so that each has room for several blocks of the largest size.
const SHARDS: usize = 4;

/// Whether a reader expects that the block is read again soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Likely: a folder, the root of a file, a small file.
    Likely,
    /// No: a part of something large, or a walk over everything.
    Once,
}

/// What a look-up finds that does not wait for the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtHand {
    /// The block, checked.
    Block(Block),
    /// It is not in the store.
    Absent,
    /// It is in the store, and reading it may take a while: ask again where waiting does no harm.
    OnDisk,
}

/// A block that is held.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    /// Where it was read: it counts as used there as long as it is read from here.
    pub(crate) segment: u32,
}

#[derive(Debug, Clone, Default)]
struct Weigh;

impl Weighter<Multihash, Held> for Weigh {
    fn weight(&self, _: &Multihash, held: &Held) -> u64 {
        held.bytes.len() as u64 + ENTRY_BYTES
    }
}

pub(crate) struct Hot {
    cache: Cache<Multihash, Held, Weigh>,
    removals: AtomicU64,
}

impl Default for Hot {
    fn default() -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(BLOCK_CACHE_BYTES as u64)
            .estimated_items_capacity(BLOCK_CACHE_BYTES / TYPICAL_BYTES)
            .shards(SHARDS)
            .build()
            .unwrap_or_else(|_| unreachable!("all options are given"));
        let cache = Cache::with_options(options, Weigh, DefaultHashBuilder::default(), Default::default());
        Self { cache, removals: AtomicU64::new(0) }
    }
}

impl Hot {
    /// Leaves so many bytes of its memory to a collection's filter; none gives them back.
    pub(crate) fn lend(&self, bytes: usize) {
        self.cache.set_capacity(BLOCK_CACHE_BYTES.saturating_sub(bytes) as u64);
    }

    /// How many removals there were. It only grows; equal numbers mean that nothing was removed in between.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Ordering::SeqCst)
    }

    /// Forgets all blocks; says how many bytes they were.
    pub(crate) fn clear(&self) -> u64 {
        let bytes = self.cache.weight();
        self.cache.clear();
        bytes
    }

    pub(crate) fn get(&self, cid: &Cid) -> Option<Held> {
        self.cache.get(cid.hash())
    }

    /// Keeps a block that was read since there were `removals` removals.
    pub(crate) fn insert(&self, cid: &Cid, held: Held, removals: u64) {
        self.cache.insert(cid.hash().clone(), held);
        if self.removals() != removals {
            self.cache.remove(cid.hash());
        }
    }

    /// Forgets blocks that were removed. The index must not know them any more when this is called.
    pub(crate) fn forget<'a>(&self, removed: impl Iterator<Item = &'a Cid>) {
        for cid in removed {
            self.removals.fetch_add(1, Ordering::SeqCst);
            self.cache.remove(cid.hash());
        }
    }
}

#[cfg(test)]
mod tests {
    use ipse_base::{Codec, HashCode};

    use super::*;

    fn block(seed: usize, length: usize) -> Block {
        let mut bytes = vec![0; length];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Block::hash(Codec::RAW, HashCode::SHA2_256, bytes.into()).unwrap()
    }

    fn held(block: &Block) -> Held {
        Held { bytes: block.data().clone(), segment: 1 }
    }

    fn insert(hot: &Hot, block: &Block) {
        hot.insert(block.cid(), held(block), hot.removals());
    }

    #[test]
    fn memory_is_bounded() {
        let hot = Hot::default();
        for seed in 0..60 {
            insert(&hot, &block(seed, 1 << 20));
        }
        assert!(hot.cache.weight() <= BLOCK_CACHE_BYTES as u64);
        assert!(hot.cache.len() >= 16, "{}", hot.cache.len());
    }

    #[test]
    fn a_scan_leaves_what_is_read_often() {
        let hot = Hot::default();
        let often: Vec<Block> = (0..64).map(|seed| block(seed, 64 * 1024)).collect();
        for block in &often {
            insert(&hot, block);
            hot.get(block.cid());
            hot.get(block.cid());
        }
        // Three times what fits, each block read once.
        for seed in 0..1152 {
            insert(&hot, &block(1000 + seed, 64 * 1024));
        }
        let left = often.iter().filter(|block| hot.get(block.cid()).is_some()).count();
        assert!(left >= 60, "{left} of 64");
    }

    #[test]
    fn a_removal_meanwhile_wins() {
        let hot = Hot::default();
        let block = block(1, 100);
        let seen = hot.removals();
        hot.forget(std::iter::once(block.cid()));
        hot.insert(block.cid(), held(&block), seen);
        assert!(hot.get(block.cid()).is_none());
        insert(&hot, &block);
        assert_eq!(hot.get(block.cid()).map(|held| held.bytes).as_ref(), Some(block.data()));
        hot.forget(std::iter::once(block.cid()));
        assert!(hot.get(block.cid()).is_none());
    }
}
