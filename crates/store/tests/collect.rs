//! Collection: what goes, what stays, and that the space comes back.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use common::{collect, damages, leaf, links, node, open, options, root, segments, tree};
use ipse_base::{Block, Cid, Codec, ErrorKind, Kind};
use ipse_store::fault::FakeDisk;
use ipse_store::{CollectError, Disk, PinMode, Repo, Root, Store, StoreOptions};

fn put_tree(store: &Store, number: u8, bytes: usize) -> (Block, Vec<Block>) {
    let leaves: Vec<Block> = (0..5).map(|at| leaf(u64::from(number) * 10 + at, bytes)).collect();
    let top = node(number, &leaves.iter().map(|block| block.cid().clone()).collect::<Vec<_>>());
    store.put_blocks(&leaves).unwrap();
    store.put_blocks(std::slice::from_ref(&top)).unwrap();
    (top, leaves)
}

fn store() -> (FakeDisk, Store) {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    (disk, store)
}

fn bytes_on_disk(disk: &FakeDisk) -> usize {
    segments(disk).iter().map(|path| disk.content(path).unwrap().len()).sum()
}

#[test]
fn pinned_trees_stay_and_the_rest_goes() {
    let (disk, store) = store();
    let (kept, _) = put_tree(&store, 1, 2000);
    let (loose, loose_leaves) = put_tree(&store, 2, 2000);
    let direct = leaf(900, 100);
    store.put_blocks(std::slice::from_ref(&direct)).unwrap();
    store.pin(kept.cid(), PinMode::Recursive, None).unwrap();
    store.pin(direct.cid(), PinMode::Direct, None).unwrap();
    let plan = store.plan_collection().unwrap();
    assert_eq!((plan.blocks, plan.kept_blocks), (6, 7));
    assert!(plan.to_string().starts_with("delete 6 blocks of "), "{plan}");
    let mut planned: Vec<Cid> = store.planned(&plan).unwrap().map(Result::unwrap).collect();
    let mut removed = Vec::new();
    store.collect(&plan, &mut |cid| removed.push(cid.clone())).unwrap();
    planned.sort();
    removed.sort();
    assert_eq!(planned, removed);
    assert_eq!(tree(&store, kept.cid()).len(), 6);
    assert!(store.has(direct.cid()).unwrap());
    assert!(!store.has(loose.cid()).unwrap() && !store.has(loose_leaves[0].cid()).unwrap());
    drop(plan);
    assert_eq!(collect(&store).unwrap().blocks, 0);
    assert_eq!(damages(&store), []);
    drop((store, disk));
}

#[test]
fn the_space_comes_back() {
    let (disk, store) = store();
    let (kept, _) = put_tree(&store, 1, 2000);
    store.pin(kept.cid(), PinMode::Recursive, None).unwrap();
    for number in 2..30 {
        put_tree(&store, number, 3000);
    }
    let full = bytes_on_disk(&disk);
    let collected = collect(&store).unwrap();
    assert!(collected.segments > 5);
    assert!(bytes_on_disk(&disk) < full / 8, "{} of {full}", bytes_on_disk(&disk));
    assert_eq!(tree(&store, kept.cid()).len(), 6);
    assert_eq!(damages(&store), []);
    // From the segments alone it is the same: no block came back, no pin is lost.
    store.close().unwrap();
    drop(store);
    ipse_store::Disk::remove(&disk, &common::root().join("index.redb")).unwrap();
    let store = open(&disk, options()).unwrap();
    assert_eq!(store.stats().unwrap().blocks, 6);
    assert_eq!(tree(&store, kept.cid()).len(), 6);
    assert_eq!(store.pins(None).count(), 1);
}

#[test]
fn large_dead_payloads_become_holes_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repo");
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    let store = Store::open_in(repo, StoreOptions::new(links)).unwrap();
    // More stays than goes, so the segment is not rewritten.
    let blocks: Vec<Block> = (0..10).map(|number| leaf(number, 1_000_000)).collect();
    store.put_blocks(&blocks).unwrap();
    for block in &blocks[..7] {
        store.pin(block.cid(), PinMode::Direct, None).unwrap();
    }
    let before = store.stats().unwrap();
    let collected = collect(&store).unwrap();
    let after = store.stats().unwrap();
    assert_eq!((collected.blocks, collected.segments), (3, 0));
    assert!(collected.punched_bytes > 2_900_000);
    assert!(after.disk_bytes + 2_000_000 < before.disk_bytes, "{before:?} {after:?}");
    assert_eq!(store.get(blocks[0].cid()).unwrap(), Some(blocks[0].clone()));
    assert_eq!(store.get(blocks[9].cid()).unwrap(), None);
    assert_eq!(damages(&store), []);
    store.put_blocks(&[blocks[9].clone()]).unwrap();
    assert_eq!(store.get(blocks[9].cid()).unwrap(), Some(blocks[9].clone()));
    drop(store);
    std::fs::remove_file(root.join("index.redb")).unwrap();
    let store = Store::open(&root, StoreOptions::new(links)).unwrap();
    assert_eq!(store.stats().unwrap().blocks, 8);
    assert_eq!(damages(&store), []);
}

#[test]
fn a_running_write_is_left_alone() {
    let (_disk, store) = store();
    let (old, old_leaves) = put_tree(&store, 1, 500);
    let guard = store.temporary_pin(Vec::new());
    let (new, _) = put_tree(&store, 2, 500);
    // Part of the write is there already and is only found again.
    store.put_blocks(&old_leaves[..2]).unwrap();
    collect(&store).unwrap();
    assert_eq!(tree(&store, new.cid()).len(), 6);
    assert!(store.has(old_leaves[0].cid()).unwrap() && store.has(old_leaves[1].cid()).unwrap());
    assert!(!store.has(old_leaves[2].cid()).unwrap() && !store.has(old.cid()).unwrap());
    drop(guard);
    assert_eq!(collect(&store).unwrap().blocks, 8);
}

#[test]
fn the_roots_of_a_temporary_pin_stay_though_they_are_partial() {
    let (_disk, store) = store();
    let (top, leaves) = put_tree(&store, 1, 500);
    let above = node(77, &[top.cid().clone(), leaf(5555, 10).cid().clone()]);
    store.put_blocks(std::slice::from_ref(&above)).unwrap();
    let guard = store.temporary_pin(vec![above.cid().clone(), node(78, &[]).cid().clone()]);
    assert_eq!(collect(&store).unwrap().blocks, 0);
    assert!(store.has(leaves[0].cid()).unwrap());
    drop(guard);
    assert_eq!(collect(&store).unwrap().blocks, 7);
}

#[test]
fn what_was_put_or_pinned_after_the_plan_stays() {
    let (_disk, store) = store();
    let (pinned_later, _) = put_tree(&store, 1, 500);
    put_tree(&store, 2, 500);
    let plan = store.plan_collection().unwrap();
    assert_eq!(plan.blocks, 12);
    // As a pin's walk does, so that it knows that all is here.
    assert_eq!(tree(&store, pinned_later.cid()).len(), 6);
    store.pin(pinned_later.cid(), PinMode::Recursive, None).unwrap();
    let (put_later, _) = put_tree(&store, 3, 500);
    let collected = store.collect(&plan, &mut |_| {}).unwrap();
    assert_eq!(collected.blocks, 6);
    assert_eq!(tree(&store, pinned_later.cid()).len(), 6);
    assert_eq!(tree(&store, put_later.cid()).len(), 6);
}

#[test]
fn registered_roots_stay() {
    let (_disk, store) = store();
    let (top, _) = put_tree(&store, 1, 500);
    let cid = top.cid().clone();
    let root = Root { cid: cid.clone(), mode: PinMode::Recursive, may_be_partial: false };
    store.register_roots(Box::new(move || vec![root.clone()]));
    assert_eq!(collect(&store).unwrap().blocks, 0);
    assert_eq!(tree(&store, &cid).len(), 6);
}

#[test]
fn leafness_counts_only_under_the_codec_it_was_found_for() {
    let (_disk, store) = store();
    let child = leaf(1, 400);
    let inner = node(3, &[child.cid().clone()]);
    // The bytes of an inner node arrive as raw first: as raw they have no links.
    let raw = inner.renamed(Cid::v1(Codec::RAW, inner.cid().hash().clone())).unwrap();
    store.put_blocks(&[child.clone(), raw.clone()]).unwrap();
    store.put_blocks(std::slice::from_ref(&inner)).unwrap();
    assert_eq!(store.stats().unwrap().blocks, 2);
    assert_eq!(store.is_leaf(raw.cid()).unwrap(), Some(true));
    assert_eq!(store.is_leaf(inner.cid()).unwrap(), None);
    store.pin(raw.cid(), PinMode::Recursive, None).unwrap();
    store.pin(inner.cid(), PinMode::Recursive, None).unwrap();
    assert_eq!(collect(&store).unwrap().blocks, 0);
    assert!(store.has(child.cid()).unwrap());
    store.unpin(&[inner.cid().clone()]).unwrap();
    assert_eq!(collect(&store).unwrap().blocks, 1);
    assert!(!store.has(child.cid()).unwrap());
}

#[test]
fn nothing_goes_while_a_pinned_tree_can_not_be_followed() {
    let (_disk, store) = store();
    let (top, leaves) = put_tree(&store, 1, 500);
    let above = node(9, &[top.cid().clone()]);
    store.put_blocks(std::slice::from_ref(&above)).unwrap();
    store.pin(above.cid(), PinMode::Recursive, None).unwrap();
    store.delete(&[top.cid().clone()]).unwrap();
    let error = store.plan_collection().unwrap_err();
    assert!(matches!(&error, CollectError::Missing { cid, root } if cid == top.cid() && root == above.cid()));
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(store.has(leaves[0].cid()).unwrap());
}

#[test]
fn a_bound_is_kept_by_collecting_and_then_by_refusing() {
    let (_disk, store) = store();
    let (kept, _) = put_tree(&store, 1, 2000);
    store.pin(kept.cid(), PinMode::Recursive, None).unwrap();
    let empty = store.stats().unwrap().disk_bytes;
    store.keep_below(empty + 200_000).unwrap();
    // Far more than fits, one after the other: what nothing keeps makes room.
    for number in 0..300 {
        store.put_blocks(&[leaf(5000 + number, 3000)]).unwrap();
    }
    assert_eq!(tree(&store, kept.cid()).len(), 6);
    // What a running write needs does not go, so at last nothing fits.
    let guard = store.temporary_pin(Vec::new());
    let refused = (0..300).find_map(|number| store.put_blocks(&[leaf(9000 + number, 3000)]).err());
    let error = refused.unwrap();
    assert_eq!(error.kind(), Kind::Full, "{error}");
    assert!(error.hint().unwrap().contains("StorageMax"), "{error}");
    // Reading and giving up go on, and then there is room again.
    assert_eq!(tree(&store, kept.cid()).len(), 6);
    drop(guard);
    store.unpin(&[kept.cid().clone()]).unwrap();
    store.put_blocks(&[leaf(9900, 3000)]).unwrap();
}

#[test]
fn a_node_that_many_paths_lead_to_is_walked_once() {
    let (_disk, store) = store();
    let mut top = leaf(1, 100);
    store.put_blocks(std::slice::from_ref(&top)).unwrap();
    // Twice as many paths on each level: nobody could walk them all.
    for level in 0..64 {
        top = node(level, &[top.cid().clone(), top.cid().clone()]);
        store.put_blocks(std::slice::from_ref(&top)).unwrap();
    }
    store.pin(top.cid(), PinMode::Recursive, None).unwrap();
    store.put_blocks(&[leaf(2, 100)]).unwrap();
    assert_eq!(collect(&store).unwrap().blocks, 1);
    assert_eq!(store.stats().unwrap().blocks, 65);
}

#[test]
fn what_made_no_room_is_not_tried_again_before_enough_was_let_go() {
    let (_disk, store) = store();
    let blocks: Vec<Block> = (0..40).map(|number| leaf(number, 5000)).collect();
    store.put_blocks(&blocks).unwrap();
    for block in &blocks {
        store.pin(block.cid(), PinMode::Direct, None).unwrap();
    }
    store.keep_below(store.stats().unwrap().disk_bytes).unwrap();
    let refused = |number| {
        let keep = store.temporary_pin(Vec::new());
        assert_eq!(store.put_blocks(&[leaf(number, 5000)]).unwrap_err().kind(), Kind::Full);
        drop(keep);
    };
    refused(100);
    let collections = || store.counters().collections.get();
    let before = collections();
    // Small writes in between, which leave nothing behind: names of pins, and adds that find everything there.
    for number in 0..20 {
        store.pin(blocks[0].cid(), PinMode::Direct, Some(&format!("name {number}"))).unwrap();
        refused(200 + number);
    }
    assert_eq!(collections(), before);
    // What is let go of makes room at once.
    store.unpin(&blocks[2..30].iter().map(|block| block.cid().clone()).collect::<Vec<_>>()).unwrap();
    store.put_blocks(&[leaf(400, 5000)]).unwrap();
    assert!(collections() > before);
}

/// Blocks in segments of their own, so that each segment is one that is used or not.
fn shelves(store: &Store) -> Vec<Vec<Block>> {
    (0..6u64)
        .map(|shelf| {
            let blocks: Vec<Block> = (0..8).map(|at| leaf(shelf * 100 + at, 4000)).collect();
            store.put_blocks(&blocks).unwrap();
            blocks
        })
        .collect()
}

/// How many blocks of each are here, by a look that does not count as a use.
fn here(store: &Store, shelves: &[Vec<Block>]) -> Vec<usize> {
    let has = |block: &&Block| store.has(block.cid()).unwrap();
    shelves.iter().map(|shelf| shelf.iter().filter(has).count()).collect()
}

fn leave(store: &Store, bytes: u64) {
    let plan = store.plan_leaving(bytes).unwrap();
    let (blocks, mut removed) = (plan.blocks, 0);
    store.collect(&plan, &mut |_| removed += 1).unwrap();
    assert_eq!(blocks, removed);
}

#[test]
fn what_was_used_longest_ago_leaves_first() {
    let (_disk, store) = store();
    let shelves = shelves(&store);
    store.pin(shelves[1][0].cid(), PinMode::Direct, None).unwrap();
    // A generation later the oldest is read, out of memory the second time.
    store.checkpoint().unwrap();
    for block in [&shelves[0][3], &shelves[0][3]] {
        assert!(store.get(block.cid()).unwrap().is_some());
    }
    leave(&store, 40_000);
    assert_eq!(here(&store, &shelves), [8, 1, 0, 8, 8, 8]);
    leave(&store, 20_000);
    assert_eq!(here(&store, &shelves), [8, 1, 0, 0, 8, 8]);
    leave(&store, 1 << 30);
    assert_eq!(here(&store, &shelves), [0, 1, 0, 0, 0, 0]);
    assert_eq!(damages(&store), []);
}

#[test]
fn what_is_put_again_counts_as_used() {
    let (_disk, store) = store();
    let shelves = shelves(&store);
    store.checkpoint().unwrap();
    store.put_blocks(&shelves[0][..1]).unwrap();
    leave(&store, 40_000);
    assert_eq!(here(&store, &shelves), [8, 0, 0, 8, 8, 8]);
}

#[test]
fn uses_are_known_after_a_restart_and_a_crash() {
    let (disk, store) = store();
    let shelves = shelves(&store);
    store.keep_below(1 << 40).unwrap();
    store.checkpoint().unwrap();
    assert!(store.get(shelves[0][0].cid()).unwrap().is_some());
    // Reading alone writes nothing; the close takes it along.
    store.close().unwrap();
    drop(store);
    let store = open(&disk, options()).unwrap();
    assert!(store.get(shelves[1][0].cid()).unwrap().is_some());
    store.put_blocks(&[leaf(7777, 10)]).unwrap();
    store.checkpoint().unwrap();
    // No close: what the checkpoint took along is known.
    disk.crash();
    drop(store);
    let store = open(&disk, options()).unwrap();
    leave(&store, 60_000);
    assert_eq!(here(&store, &shelves), [8, 8, 0, 0, 8, 8]);
}

#[test]
fn an_index_without_uses_is_taken_over() {
    let (disk, store) = store();
    let shelves = shelves(&store);
    store.close().unwrap();
    drop(store);
    // Built anew: nobody knows of any use, so the oldest are taken for those that were used longest ago.
    ipse_store::Disk::remove(&disk, &common::root().join("index.redb")).unwrap();
    let store = open(&disk, options()).unwrap();
    leave(&store, 20_000);
    assert_eq!(here(&store, &shelves), [0, 8, 8, 8, 8, 8]);
}

/// What a folder takes on the disk.
fn occupied(folder: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        // Segments go meanwhile.
        let Ok(meta) = entry.metadata() else { continue };
        bytes += if meta.is_dir() { occupied(&entry.path()) } else { meta.blocks() * 512 };
    }
    bytes
}

#[test]
fn a_bound_holds_while_many_add() {
    const BOUND: u64 = 24 << 20;
    // A put of each that was let in at the same moment, and a segment that is copied before it goes.
    const SLACK: u64 = 4 * 400_000 + (1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repo");
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    let mut options = StoreOptions::new(links);
    options.segment_bytes = 1 << 20;
    let store = Store::open_in(repo, options).unwrap();
    let pinned: Vec<Block> = (0..200).map(|number| leaf((1 << 40) | number, 20_000)).collect();
    store.put_blocks(&pinned).unwrap();
    for block in &pinned {
        store.pin(block.cid(), PinMode::Direct, None).unwrap();
    }
    store.keep_below(BOUND).unwrap();
    let add = |thread: u64| {
        for round in 0..30 {
            let keep = store.temporary_pin(Vec::new());
            let blocks: Vec<Block> =
                (0..16).map(|at| leaf((thread << 32) | (round * 16 + at), 20_000 + at as usize)).collect();
            store.put_blocks(&blocks).unwrap();
            store.commit_blocks().unwrap();
            assert!(blocks.iter().all(|block| store.get(block.cid()).unwrap().is_some()));
            drop(keep);
            let bytes = occupied(&root);
            assert!(bytes <= BOUND + SLACK, "{bytes} bytes");
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || add(thread));
        }
    });
    // Far more was added than fits.
    let stats = store.stats().unwrap();
    assert!(stats.blocks < 1400 && stats.disk_bytes <= BOUND, "{stats:?}");
    assert!(pinned.iter().all(|block| store.get(block.cid()).unwrap().is_some()));
    assert_eq!(damages(&store), []);
}

/// The store after a power cut, its index lost.
fn rebuilt(disk: &FakeDisk, store: Store) -> Store {
    disk.crash();
    drop(store);
    disk.remove(&root().join("index.redb")).unwrap();
    open(disk, options()).unwrap()
}

#[test]
fn a_hole_is_no_torn_write_when_the_index_is_lost() {
    for seed in 0..8 {
        let disk = FakeDisk::new(seed);
        let mut options = options();
        options.segment_bytes = 1 << 20;
        options.punch_bytes = 16 * 1024;
        let store = open(&disk, options).unwrap();
        let (kept, loose) = ([1, 2].map(|number| leaf(number, 6000)), leaf(3, 100));
        store.put_blocks(&kept).unwrap();
        for block in &kept {
            store.pin(block.cid(), PinMode::Direct, None).unwrap();
        }
        store.put_blocks(&[loose]).unwrap();
        let plan = store.plan_collection().unwrap();
        let (large, behind) = (leaf(4, 20_000), leaf(5, 1000));
        let mut punched = 0;
        let collected = store.collect(&plan, &mut |_| {
            // While others write: the deleted one becomes a hole, and no record behind it speaks of it.
            store.put_blocks(std::slice::from_ref(&large)).unwrap();
            store.delete(std::slice::from_ref(large.cid())).unwrap();
            store.put_blocks(std::slice::from_ref(&behind)).unwrap();
            store.commit_blocks().unwrap();
            punched += 1;
        });
        assert!(punched == 1 && collected.unwrap().punched_bytes > 0);
        drop(plan);
        let store = rebuilt(&disk, store);
        for block in kept.iter().chain([&behind]) {
            assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block), "seed {seed}");
        }
        assert_eq!(damages(&store), []);
    }
}

#[test]
fn what_stays_is_proven_when_all_behind_it_went() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    let (dead, kept) = ([1, 2].map(|number| leaf(number, 9000)), leaf(3, 1000));
    store.put_blocks(&dead).unwrap();
    store.put_blocks(std::slice::from_ref(&kept)).unwrap();
    store.delete(&dead.map(|block| block.cid().clone())).unwrap();
    store.pin(kept.cid(), PinMode::Direct, None).unwrap();
    disk.crash();
    drop(store);
    // A mark is all that the second segment holds.
    let mut small = options();
    small.segment_bytes = 64;
    drop(open(&disk, small).unwrap());
    assert_eq!(segments(&disk).len(), 2);
    // Nor is the first one rewritten, for it has damage before what is acknowledged.
    disk.tamper(&segments(&disk)[0], |bytes| bytes[64] ^= 1);
    let store = open(&disk, options()).unwrap();
    assert_eq!(collect(&store).unwrap().segments, 1);
    let store = rebuilt(&disk, store);
    assert_eq!(store.get(kept.cid()).unwrap(), Some(kept));
}
