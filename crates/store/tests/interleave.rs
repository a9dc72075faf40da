//! Collection beside everything else: what was put, found, read or pinned while it runs stays.
//!
//! The exact cases step in between two batches of a sweep, where it tells the names it removed. The last test lets
//! threads run against each other; `IPSE_STORE_TRIALS` sets how many adds it makes (10,000 is the full count).

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{Numbers, collect, count, damages, leaf, links, node, open, options, tree};
use ipse_base::{Block, Cid, ErrorKind, Kind};
use ipse_store::fault::FakeDisk;
use ipse_store::{CollectError, Collected, Pin, PinMode, Repo, Store, StoreOptions};

/// Garbage for several batches of a sweep: trees of a top and three leaves.
fn garbage(store: &Store) -> Vec<(Block, Vec<Block>)> {
    let trees: Vec<_> = (0..250).map(|number| small_tree(number, 90)).collect();
    for (top, leaves) in &trees {
        store.put_blocks(leaves).unwrap();
        store.put_blocks(std::slice::from_ref(top)).unwrap();
    }
    trees
}

fn small_tree(number: u64, bytes: usize) -> (Block, Vec<Block>) {
    let leaves: Vec<Block> = (0..3).map(|at| leaf(number * 3 + at, bytes)).collect();
    let top = node(number as u8, &leaves.iter().map(|block| block.cid().clone()).collect::<Vec<_>>());
    (top, leaves)
}

fn store() -> (FakeDisk, Store) {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    (disk, store)
}

/// Collects, and steps in once, when the first batch is gone.
fn collect_and(store: &Store, step: impl FnOnce()) -> (Collected, HashSet<Cid>) {
    let plan = store.plan_collection().unwrap();
    let (mut step, mut removed) = (Some(step), HashSet::new());
    let collected = store
        .collect(&plan, &mut |cid| {
            assert!(removed.insert(cid.clone()), "{cid} was removed twice");
            if let Some(step) = step.take() {
                step();
            }
        })
        .unwrap();
    assert_eq!(collected.blocks, removed.len() as u64);
    (collected, removed)
}

fn is_whole(store: &Store, tree: &(Block, Vec<Block>)) -> bool {
    store.has(tree.0.cid()).unwrap() && tree.1.iter().all(|leaf| store.has(leaf.cid()).unwrap())
}

#[test]
fn what_a_pin_walk_saw_while_sweeping_stays() {
    let (_disk, store) = store();
    let trees = garbage(&store);
    let mut pinned = Vec::new();
    let (collected, _) = collect_and(&store, || {
        for tree in trees.iter().filter(|tree| is_whole(&store, tree)).take(40) {
            let _keep = store.temporary_pin(vec![tree.0.cid().clone()]);
            store.pin(tree.0.cid(), PinMode::Recursive, None).unwrap();
            pinned.push(tree.0.cid().clone());
        }
    });
    assert!(collected.blocks > 256 && pinned.len() > 20, "{collected:?} {}", pinned.len());
    for cid in &pinned {
        assert_eq!(tree(&store, cid).len(), 4);
    }
    assert_eq!(damages(&store), []);
}

#[test]
fn a_pin_walk_that_began_before_is_kept_by_its_roots() {
    let (_disk, store) = store();
    let trees = garbage(&store);
    let chosen = &trees[7];
    // The walk has seen everything, and the pin comes only when the sweep is under way.
    let keep = store.temporary_pin(vec![chosen.0.cid().clone()]);
    assert!(is_whole(&store, chosen));
    collect_and(&store, || store.pin(chosen.0.cid(), PinMode::Recursive, None).unwrap());
    drop(keep);
    assert_eq!(tree(&store, chosen.0.cid()).len(), 4);
}

#[test]
fn garbage_that_is_put_again_while_sweeping_stays() {
    let (disk, store) = store();
    let trees = garbage(&store);
    let (_, removed) = collect_and(&store, || {
        // Some of them are gone already and some are found.
        let _keep = store.temporary_pin(Vec::new());
        for (top, leaves) in &trees[..60] {
            store.put_blocks(leaves).unwrap();
            store.put_blocks(std::slice::from_ref(top)).unwrap();
            store.pin(top.cid(), PinMode::Recursive, None).unwrap();
        }
    });
    assert!(!removed.is_empty());
    for tree in &trees[..60] {
        assert!(is_whole(&store, tree));
    }
    store.close().unwrap();
    drop(store);
    ipse_store::Disk::remove(&disk, &common::root().join("index.redb")).unwrap();
    let store = open(&disk, options()).unwrap();
    assert!(trees[..60].iter().all(|tree| is_whole(&store, tree)), "a tombstone came behind the block");
}

#[test]
fn deleted_and_put_again_while_sweeping_stays() {
    let (_disk, store) = store();
    let trees = garbage(&store);
    let leaves: Vec<Block> = trees.iter().flat_map(|tree| tree.1.clone()).collect();
    collect_and(&store, || {
        for leaf in &leaves[..50] {
            store.delete(&[leaf.cid().clone()]).unwrap();
        }
        store.checkpoint().unwrap();
        store.put_blocks(&leaves[..50]).unwrap();
        store.checkpoint().unwrap();
    });
    for leaf in &leaves[..50] {
        assert_eq!(store.get(leaf.cid()).unwrap().as_ref(), Some(leaf));
    }
}

#[test]
fn what_is_read_while_sweeping_stays_readable() {
    let (_disk, store) = store();
    let trees = garbage(&store);
    let mut seen = Vec::new();
    collect_and(&store, || {
        let leaves = trees.iter().flat_map(|tree| &tree.1);
        seen.extend(leaves.filter(|leaf| store.size(leaf.cid()).unwrap().is_some()).take(30).cloned());
    });
    for leaf in &seen {
        assert_eq!(store.get(leaf.cid()).unwrap().as_ref(), Some(leaf));
    }
    // Asking keeps for one collection, not for ever.
    let _ = collect(&store).unwrap();
    assert_eq!(collect(&store).unwrap().blocks, 0);
    assert!(!store.has(seen[0].cid()).unwrap());
}

#[test]
fn a_fetch_in_progress_keeps_what_arrives_and_what_is_below_it() {
    let (_disk, store) = store();
    garbage(&store);
    // The top arrives only now, and leads to a block that has been garbage all the time.
    let old = leaf(70_000, 500);
    store.put_blocks(std::slice::from_ref(&old)).unwrap();
    let top = node(200, &[old.cid().clone()]);
    let keep = store.temporary_pin(vec![top.cid().clone()]);
    let mut complete = false;
    collect_and(&store, || {
        store.put_blocks(std::slice::from_ref(&top)).unwrap();
        complete = store.has(old.cid()).unwrap();
        if !complete {
            store.put_blocks(std::slice::from_ref(&old)).unwrap();
        }
        store.pin(top.cid(), PinMode::Recursive, None).unwrap();
    });
    drop(keep);
    assert_eq!(tree(&store, top.cid()).len(), 2);
}

#[test]
fn one_collection_at_a_time() {
    let (_disk, store) = store();
    garbage(&store);
    let plan = store.plan_collection().unwrap();
    let error = store.plan_collection().unwrap_err();
    assert!(matches!(error, CollectError::Busy));
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Busy, "another collection is running"));
    drop(plan);
    assert!(collect(&store).unwrap().blocks > 500);
}

#[test]
fn a_pin_taken_away_while_marking_does_not_stop_it() {
    let (_disk, store) = store();
    let trees = garbage(&store);
    let cid = trees[0].0.cid().clone();
    store.pin(&cid, PinMode::Recursive, None).unwrap();
    let plan = store.plan_collection().unwrap();
    store.unpin(&[cid]).unwrap();
    // Its blocks were marked, so they stay for this time.
    let collected = store.collect(&plan, &mut |_| {}).unwrap();
    assert_eq!(collected.blocks, plan.blocks);
    drop(plan);
    assert_eq!(collect(&store).unwrap().blocks, 4);
}

#[test]
fn nearly_all_space_returns_from_small_blocks_of_which_most_are_alive() {
    let folder = tempfile::tempdir().unwrap();
    let repo = Repo::init(&folder.path().join("repo"), b"{}", b"{}").unwrap();
    let mut options = StoreOptions::new(links);
    options.segment_bytes = 4 << 20;
    let store = Store::open_in(repo, options).unwrap();
    let blocks: Vec<Block> = (0..5000).map(|number| leaf(number, 4096)).collect();
    store.put_blocks(&blocks).unwrap();
    let kept: Vec<_> =
        blocks.iter().enumerate().filter(|(at, _)| at % 5 < 3).map(|(_, block)| block).collect();
    let pin = |block: &&Block| Pin { cid: block.cid().clone(), mode: PinMode::Direct, name: None };
    store.commit_with_pins(&kept.iter().map(pin).collect::<Vec<_>>()).unwrap();
    let before = store.stats().unwrap();
    let plan = store.plan_collection().unwrap();
    let collected = store.collect(&plan, &mut |_| {}).unwrap();
    let after = store.stats().unwrap();
    assert_eq!(collected.blocks, 2000);
    let segments = |stats: &ipse_store::StoreStats| stats.disk_bytes - stats.index_bytes;
    let freed = segments(&before) - segments(&after);
    assert!(freed * 100 >= collected.bytes * 95, "{freed} of {}: {collected:?}", collected.bytes);
    assert!(collected.freed_bytes.abs_diff(freed) < 256 * 1024, "{collected:?} {freed}");
    assert!(plan.freed_bytes.abs_diff(freed) < 256 * 1024, "{plan} {freed}");
    for block in kept {
        assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
    }
}

struct Stress {
    store: Store,
    /// Never unpinned.
    kept: Vec<Block>,
    trials: AtomicU64,
    running: AtomicBool,
}

impl Stress {
    /// Adds trees out of a small pool, so that most of what is put is garbage of an earlier round.
    fn add(&self, seed: u64, trials: u64) {
        let mut numbers = Numbers(seed);
        while self.trials.fetch_add(1, Ordering::SeqCst) < trials {
            let number = numbers.below(40);
            let size = if number.is_multiple_of(3) { 9000 } else { 300 };
            let (top, leaves) = small_tree(number, size);
            let keep = self.store.temporary_pin(Vec::new());
            self.store.put_blocks(&leaves).unwrap();
            self.store.put_blocks(std::slice::from_ref(&top)).unwrap();
            // Each adder pins by a name of its own: another one's unpin must not take its promise away.
            let mine = node(seed as u8, &[top.cid().clone()]);
            self.store.put_blocks(std::slice::from_ref(&mine)).unwrap();
            self.store.pin(mine.cid(), PinMode::Recursive, None).unwrap();
            drop(keep);
            assert_eq!(tree(&self.store, mine.cid()).len(), 5);
            std::thread::yield_now();
            assert_eq!(tree(&self.store, mine.cid()).len(), 5, "an add lost blocks after it was pinned");
            self.store.unpin(&[mine.cid().clone()]).unwrap();
        }
        self.running.store(false, Ordering::SeqCst);
    }

    fn read(&self, seed: u64) {
        let mut numbers = Numbers(seed);
        while self.running.load(Ordering::SeqCst) {
            let block = &self.kept[numbers.below(self.kept.len() as u64) as usize];
            assert_eq!(self.store.get(block.cid()).unwrap().as_ref(), Some(block));
        }
    }

    /// Pins what is there without putting it, as `pin add` does.
    fn pin(&self) {
        let mut numbers = Numbers(99);
        while self.running.load(Ordering::SeqCst) {
            let (top, leaves) = small_tree(numbers.below(40), 300);
            let keep = self.store.temporary_pin(vec![top.cid().clone()]);
            if is_whole(&self.store, &(top.clone(), leaves)) {
                self.store.pin(top.cid(), PinMode::Recursive, None).unwrap();
                drop(keep);
                assert_eq!(tree(&self.store, top.cid()).len(), 4);
                self.store.unpin(&[top.cid().clone()]).unwrap();
            }
        }
    }

    fn collect(&self) -> (u64, Collected) {
        let (mut rounds, mut sum) = (0, Collected::default());
        while self.running.load(Ordering::SeqCst) {
            let plan = self.store.plan_collection().unwrap();
            let collected = self.store.collect(&plan, &mut |_| {}).unwrap();
            rounds += 1;
            sum.blocks += collected.blocks;
            sum.segments += collected.segments;
        }
        (rounds, sum)
    }
}

#[test]
fn adders_readers_and_pinners_beside_collections() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repo");
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    let mut options = StoreOptions::new(links);
    options.segment_bytes = 512 * 1024;
    options.punch_bytes = 8192;
    let store = Store::open_in(repo, options.clone()).unwrap();
    let kept: Vec<Block> = (0..200).map(|number| leaf(1_000_000 + number, 2000)).collect();
    store.put_blocks(&kept).unwrap();
    let top = node(1, &kept.iter().map(|block| block.cid().clone()).collect::<Vec<_>>());
    store.put_blocks(std::slice::from_ref(&top)).unwrap();
    store.pin(top.cid(), PinMode::Recursive, None).unwrap();
    let running = AtomicBool::new(true);
    let stress = Stress { store, kept, trials: AtomicU64::new(0), running };
    let trials = count("IPSE_STORE_TRIALS", 400);
    let (rounds, sum) = std::thread::scope(|scope| {
        for seed in 1..=4 {
            let stress = &stress;
            scope.spawn(move || stress.add(seed, trials));
            scope.spawn(move || stress.read(seed));
        }
        scope.spawn(|| stress.pin());
        stress.collect()
    });
    println!("{trials} adds beside {rounds} collections of {} blocks, {} segments", sum.blocks, sum.segments);
    assert!(rounds > 1 && sum.blocks > 0 && sum.segments > 0);
    assert_eq!(damages(&stress.store), []);
    assert_eq!(tree(&stress.store, top.cid()).len(), 201);
    stress.store.close().unwrap();
    drop(stress);
    // From the segments alone it is the same.
    std::fs::remove_file(root.join("index.redb")).unwrap();
    let store = Store::open(&root, options).unwrap();
    assert_eq!(tree(&store, top.cid()).len(), 201);
    assert_eq!(store.pins(None).count(), 1);
    assert_eq!(damages(&store), []);
}
