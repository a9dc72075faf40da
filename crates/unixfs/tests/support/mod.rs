//! Blocks in memory, and a driver that gives them to planners in an order that a seed decides.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

use std::collections::HashMap;

use ipse_base::{AbsentReason, Block, Cid, Codec, HashCode, Multihash, Want};
use ipse_dag::{Budget, Planner};
use ipse_unixfs::{Added, FileWriter, ImportOptions};

/// Numbers from a seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// A budget that never holds anything back.
pub(crate) const AMPLE: Budget = Budget { wants: 10_000, bytes: u64::MAX };

/// Blocks by name.
#[derive(Default)]
pub(crate) struct Shelf(pub(crate) HashMap<Cid, Block>);

impl Shelf {
    pub(crate) fn put(&mut self, blocks: Vec<Block>) {
        self.0.extend(blocks.into_iter().map(|block| (block.cid().clone(), block)));
    }

    pub(crate) fn put_bytes(&mut self, codec: Codec, data: impl Into<bytes::Bytes>) -> Cid {
        let block = Block::hash(codec, HashCode::SHA2_256, data.into()).unwrap();
        let cid = block.cid().clone();
        self.put(vec![block]);
        cid
    }

    pub(crate) fn add_file(&mut self, options: &ImportOptions, content: &[u8]) -> Added {
        let mut writer = FileWriter::new(options.clone()).unwrap();
        self.put(writer.write(content.to_vec()).unwrap());
        let (added, rest) = writer.finish().unwrap();
        self.put(rest);
        added
    }

    pub(crate) fn get(&self, cid: &Cid) -> Option<Block> {
        self.0.get(cid).cloned().or_else(|| Block::implied_by(cid))
    }
}

/// How a run went.
pub(crate) struct Run<P: Planner> {
    pub(crate) items: Vec<P::Item>,
    /// Blocks that were given.
    pub(crate) given: usize,
    /// `None` where the steps were used up before the walk was over.
    pub(crate) end: Option<Result<(), P::Error>>,
}

/// Runs a planner over a shelf: takes results and gives blocks in a random order, at most `steps` of both.
/// Panics where the planner breaks a promise: wants over its budget, a want twice, or nothing to do and not
/// done.
pub(crate) fn run<P: Planner>(
    planner: &mut P,
    shelf: &Shelf,
    budget: Budget,
    seed: u64,
    steps: usize,
) -> Run<P> {
    let mut random = Random(seed);
    let mut open: Vec<Want> = Vec::new();
    let mut result = Run { items: Vec::new(), given: 0, end: None };
    for _ in 0..steps {
        if random.below(3) > 0 || open.is_empty() {
            while let Some(item) = planner.poll_out() {
                result.items.push(item);
                if result.items.len() >= steps {
                    return result;
                }
            }
        }
        if planner.is_done() {
            assert!(open.is_empty(), "done with open wants");
            result.end = Some(Ok(()));
            return result;
        }
        for want in planner.wants(budget) {
            assert!(open.iter().all(|other| other.cid != want.cid), "{} is wanted twice", want.cid);
            open.push(want);
        }
        // Only the first in read order may be over the budget, so that a walk never stands still.
        assert!(open.len() <= budget.wants.max(1) + 1, "{} wants open", open.len());
        let hints = || open.iter().filter_map(|want| want.size_hint);
        let asked = hints().sum::<u64>() - hints().max().unwrap_or_default();
        assert!(asked <= budget.bytes, "{asked} bytes asked for");
        if open.is_empty() {
            if let Some(item) = planner.poll_out() {
                result.items.push(item);
                continue;
            }
            assert!(planner.is_done(), "the walk stands still");
            continue;
        }
        let want = open.swap_remove(random.below(open.len()));
        let answer = match shelf.get(&want.cid) {
            Some(block) => planner.give(block),
            None => planner.absent(&want.cid, AbsentReason::NobodyHasIt),
        };
        result.given += 1;
        if let Err(error) = answer {
            assert!(!planner.is_done() && planner.poll_out().is_none(), "a failed walk goes on");
            result.end = Some(Err(error));
            return result;
        }
    }
    result
}

/// Runs a planner that has to succeed to its end.
pub(crate) fn finish<P: Planner>(mut planner: P, shelf: &Shelf, budget: Budget, seed: u64) -> Vec<P::Item> {
    let run = run(&mut planner, shelf, budget, seed, 1_000_000);
    run.end.expect("the walk ends").unwrap_or_else(|error| panic!("{error}"));
    run.items
}

/// Runs a planner that has to fail; returns its error.
pub(crate) fn fail<P: Planner>(mut planner: P, shelf: &Shelf) -> P::Error {
    let run = run(&mut planner, shelf, AMPLE, 1, 1_000_000);
    match run.end.expect("the walk ends") {
        Err(error) => error,
        Ok(()) => panic!("the walk succeeds"),
    }
}

/// The name of a block that is on no shelf.
pub(crate) fn missing() -> Cid {
    Cid::v1(Codec::RAW, Multihash::digest_of(HashCode::SHA2_256, b"nobody has it").unwrap())
}
