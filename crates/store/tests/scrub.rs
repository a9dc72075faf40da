//! The scrub comes by everything, step by step, whatever a collection does to the segments meanwhile.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use common::{collect, leaf, node, open, options, segments};
use ipse_base::{Block, Cid};
use ipse_store::fault::FakeDisk;
use ipse_store::{Disk, PinMode, Position, ScrubPlace, Store};

fn add(store: &Store, number: u64) -> (Cid, Vec<Block>) {
    let leaves: Vec<Block> = (0..4).map(|at| leaf(number * 4 + at, 5000)).collect();
    let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
    let top = node(number as u8, &cids);
    store.put_blocks(&leaves).unwrap();
    store.put_blocks(std::slice::from_ref(&top)).unwrap();
    store.pin(top.cid(), PinMode::Recursive, None).unwrap();
    (top.cid().clone(), leaves)
}

/// A whole cycle; answers the steps, the bytes read and what is damaged.
fn cycle(store: &Store, mut between: impl FnMut(u64)) -> (u64, u64, Vec<Option<Cid>>) {
    let (mut next, mut steps, mut bytes, mut damaged) = (Some(Position::default()), 0, 0, Vec::new());
    while let Some(from) = next {
        let scrubbed = store.scrub(from, 12_000).unwrap();
        (next, bytes, steps) = (scrubbed.next, bytes + scrubbed.bytes, steps + 1);
        damaged.extend(scrubbed.damages.into_iter().map(|damage| damage.cid));
        between(steps);
    }
    (steps, bytes, damaged)
}

#[test]
fn steps_cover_everything_also_while_segments_are_rewritten() {
    let store = open(&FakeDisk::new(1), options()).unwrap();
    let tops: Vec<_> = (0..12).map(|number| add(&store, number).0).collect();
    store.checkpoint().unwrap();
    let total = store.block_bytes().unwrap();
    let (steps, bytes, damaged) = cycle(&store, |_| {});
    assert_eq!((bytes, damaged.as_slice()), (total, &[][..]));
    assert!(steps >= total / 20_000, "{steps} steps");
    let mut unpinned = tops.into_iter().take(9);
    let (_, bytes, damaged) = cycle(&store, |step| {
        if step % 3 == 0
            && let Some(top) = unpinned.next()
        {
            store.unpin(&[top]).unwrap();
            collect(&store).unwrap();
        }
    });
    assert_eq!(damaged, []);
    store.checkpoint().unwrap();
    assert!(bytes >= store.block_bytes().unwrap(), "what was kept was read");
}

#[test]
fn damage_is_found_named_and_told() {
    let disk = FakeDisk::new(2);
    let store = open(&disk, options()).unwrap();
    let blocks: Vec<Block> = (0..10).flat_map(|number| add(&store, number).1).collect();
    store.close().unwrap();
    drop(store);
    // The payload of one block, the header of another, and a whole segment.
    let paths = segments(&disk);
    let place = |block: &Block| {
        let found = |path: &&std::path::PathBuf| {
            disk.content(path).unwrap().windows(64).any(|window| window == &block.data()[..64])
        };
        let path = paths.iter().find(found).unwrap().clone();
        let at = disk.content(&path).unwrap().windows(64).position(|window| window == &block.data()[..64]);
        (path, at.unwrap())
    };
    let (first, at) = place(&blocks[0]);
    disk.tamper(&first, |bytes| bytes[at + 100] ^= 1);
    let (second, at) = place(&blocks[2]);
    disk.tamper(&second, |bytes| bytes[at - 40] ^= 1);
    let (third, _) = place(&blocks[20]);
    assert!(third != first && third != second);
    disk.remove(&third).unwrap();
    let store = open(&disk, options()).unwrap();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = std::sync::Arc::clone(&told);
    store.on_damage(move |cid| hears.lock().unwrap().push(cid.clone()));
    let (_, _, damaged) = cycle(&store, |_| {});
    for block in [&blocks[0], &blocks[2], &blocks[20]] {
        assert!(damaged.contains(&Some(block.cid().clone())), "{} is not named", block.cid());
        assert!(told.lock().unwrap().contains(block.cid()));
        assert!(store.is_damaged(block.cid()));
    }
}

#[test]
fn the_place_is_kept() {
    let disk = FakeDisk::new(3);
    let place =
        ScrubPlace { began: 5, next: Some(Position { segment: 2, offset: 64 }), bytes: 9, damages: 0 };
    {
        let store = open(&disk, options()).unwrap();
        assert_eq!(store.repo().scrub_place().unwrap(), None);
        store.repo().write_scrub_place(&place).unwrap();
    }
    let store = open(&disk, options()).unwrap();
    assert_eq!(store.repo().scrub_place().unwrap(), Some(place));
    disk.tamper(&common::root().join("scrub"), |bytes| bytes.truncate(9));
    assert_eq!(store.repo().scrub_place().unwrap(), None);
}
