//! A repository of which a part is garbage.

use std::path::Path;

use ipse_base::{Block, Cid};
use ipse_store::{Pin, PinMode, Repo, Store, StoreOptions};

use super::blocks::{Sizes, links, node};
use crate::Outcome;

/// Blocks of one put, as an add batches them.
const BATCH: u64 = 1024;
/// Leaves under one node.
const LEAVES: usize = 170;
/// Names of kept blocks that readers choose from.
const SAMPLE: u64 = 20_000;

/// What there is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shelf {
    pub(crate) blocks: u64,
    pub(crate) garbage: u64,
    pub(crate) run: u64,
    pub(crate) sizes: Sizes,
}

/// What there is.
#[derive(Default)]
pub(crate) struct Filled {
    pub(crate) bytes: u64,
    pub(crate) garbage: u64,
    pub(crate) garbage_bytes: u64,
    /// Some of the kept blocks, from everywhere.
    pub(crate) kept: Vec<Cid>,
}

/// Leaves that wait for their node.
#[derive(Default)]
struct Group(Vec<Cid>);

impl Group {
    fn push(&mut self, cid: &Cid) -> Outcome<Option<Block>> {
        self.0.push(cid.clone());
        if self.0.len() < LEAVES { Ok(None) } else { node(&std::mem::take(&mut self.0)).map(Some) }
    }
}

impl Shelf {
    /// Whether nothing keeps block number `i`.
    pub(crate) fn is_garbage(&self, i: u64) -> bool {
        let mixed = (i / self.run).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33 < (self.garbage << 31) / 100
    }

    /// Makes it. What is kept hangs below pinned nodes.
    pub(crate) fn fill(&self, root: &Path) -> Outcome<(Store, Filled)> {
        drop(Repo::init(root, b"{}", b"{}")?);
        let store = Store::open(root, StoreOptions::new(links))?;
        let mut filled = Filled::default();
        let (mut kept, mut loose) = (Group::default(), Group::default());
        let mut pins = Vec::new();
        let mut i = 0;
        while i < self.blocks {
            let mut batch = Vec::with_capacity(BATCH as usize + 16);
            for number in i..(i + BATCH).min(self.blocks) {
                let block = self.sizes.block(number)?;
                let garbage = self.is_garbage(number);
                let group = if garbage { &mut loose } else { &mut kept };
                let node = group.push(block.cid())?;
                if !garbage && number % (self.blocks / SAMPLE).max(1) == 0 {
                    filled.kept.push(block.cid().clone());
                }
                for block in std::iter::once(block).chain(node) {
                    filled.bytes += block.data().len() as u64;
                    filled.garbage += u64::from(garbage);
                    filled.garbage_bytes += if garbage { block.data().len() as u64 } else { 0 };
                    if !garbage && block.cid().codec() != ipse_base::Codec::RAW {
                        pins.push(pin(block.cid()));
                    }
                    batch.push(block);
                }
            }
            store.put_blocks(&batch)?;
            i += BATCH;
        }
        // The last nodes that are not full: of kept blocks one more is pinned, of garbage there is none.
        let last = node(&kept.0)?;
        store.put_blocks(std::slice::from_ref(&last))?;
        pins.push(pin(last.cid()));
        store.commit_with_pins(&pins)?;
        store.checkpoint()?;
        Ok((store, filled))
    }
}

pub(crate) fn pin(cid: &Cid) -> Pin {
    Pin { cid: cid.clone(), mode: PinMode::Recursive, name: None }
}
