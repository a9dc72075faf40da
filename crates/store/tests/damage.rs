//! Flipped bits and lost files: each is reported with name and place, and never gives wrong bytes.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::path::PathBuf;

use common::{Numbers, count, damages, leaf, node, open, options, root, segments};
use ipse_base::{Block, Cid, ErrorKind, Kind};
use ipse_store::fault::FakeDisk;
use ipse_store::{Disk, PinMode, ReadError, Store};

fn index() -> PathBuf {
    root().join("index.redb")
}

/// A store with every kind of record, closed.
fn filled() -> (FakeDisk, Vec<Block>, Cid) {
    let disk = FakeDisk::new(3);
    let store = open(&disk, options()).unwrap();
    let leaves: Vec<Block> = (0..8).map(|number| leaf(number, 700)).collect();
    let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
    let top = node(1, &cids);
    let gone = leaf(100, 300);
    store.put_blocks(&leaves).unwrap();
    store.put_blocks(&[top.clone(), gone.clone()]).unwrap();
    store.pin(top.cid(), PinMode::Recursive, Some("kept")).unwrap();
    store.pin(gone.cid(), PinMode::Direct, None).unwrap();
    store.unpin(&[gone.cid().clone()]).unwrap();
    store.delete(&[gone.cid().clone()]).unwrap();
    store.close().unwrap();
    drop(store);
    let mut blocks = leaves;
    blocks.push(top.clone());
    (disk, blocks, top.cid().clone())
}

fn flip(disk: &FakeDisk, path: &std::path::Path, bit: usize) {
    disk.tamper(path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
}

/// Right bytes or an error that says which block and where; never anything else.
fn never_wrong(store: &Store, blocks: &[Block]) -> Vec<Cid> {
    let mut unreadable = Vec::new();
    for block in blocks {
        match store.get(block.cid()) {
            Ok(found) => assert_eq!(found.as_ref(), Some(block)),
            Err(ReadError::Damaged { cid, .. }) => {
                assert_eq!(cid, *block.cid());
                unreadable.push(cid);
            }
            Err(error) => panic!("{error}"),
        }
    }
    unreadable
}

#[test]
fn flipped_bits_in_the_segments() {
    let (disk, blocks, _) = filled();
    let path = segments(&disk)[0].clone();
    let (whole, whole_index) = (disk.content(&path).unwrap(), disk.content(&index()).unwrap());
    let bits = whole.len() * 8;
    let mut numbers = Numbers(11);
    let mut reported = 0;
    for _ in 0..count("IPSE_STORE_FLIPS", 300) {
        let bit = numbers.below(bits as u64) as usize;
        flip(&disk, &path, bit);
        let store = open(&disk, options()).unwrap();
        let unreadable = never_wrong(&store, &blocks);
        let found = damages(&store);
        for cid in &unreadable {
            assert!(
                found.iter().any(|damage| damage.cid.as_ref() == Some(cid)),
                "bit {bit}: {cid} is not named"
            );
        }
        reported += usize::from(!found.is_empty());
        // Putting the block again heals it.
        store.put_blocks(&blocks).unwrap();
        assert_eq!(never_wrong(&store, &blocks), []);
        drop(store);
        disk.tamper(&path, |bytes| bytes.clone_from(&whole));
        disk.tamper(&index(), |bytes| bytes.clone_from(&whole_index));
    }
    // What is left are bits that say nothing: padding, the file's header, the payload of the deleted block.
    assert!(reported as u64 > count("IPSE_STORE_FLIPS", 300) * 8 / 10, "{reported}");
}

#[test]
fn flipped_bits_in_the_segments_with_the_index_lost() {
    let (disk, blocks, top) = filled();
    let path = segments(&disk)[0].clone();
    let whole = disk.content(&path).unwrap();
    let mut numbers = Numbers(12);
    for _ in 0..count("IPSE_STORE_FLIPS", 300) {
        flip(&disk, &path, numbers.below(whole.len() as u64 * 8) as usize);
        disk.remove(&index()).unwrap();
        let store = open(&disk, options()).unwrap();
        let found: Vec<_> =
            blocks.iter().filter(|block| store.get(block.cid()).is_ok_and(|found| found.is_some())).collect();
        // One record is hit at the most; the log was closed, so all of it is proven and nothing is cut off.
        assert!(found.len() + 1 >= blocks.len());
        assert!(found.len() == blocks.len() || !damages(&store).is_empty());
        let pinned = store.pin_of(&top).unwrap().is_some();
        assert!(pinned || !damages(&store).is_empty());
        drop(store);
        disk.tamper(&path, |bytes| *bytes = whole.clone());
    }
}

#[test]
fn flipped_bits_in_the_index() {
    let (disk, blocks, top) = filled();
    let path = segments(&disk)[0].clone();
    let (segment, whole) = (disk.content(&path).unwrap(), disk.content(&index()).unwrap());
    let mut numbers = Numbers(13);
    for _ in 0..count("IPSE_STORE_FLIPS", 300) {
        flip(&disk, &index(), numbers.below(whole.len() as u64 * 8) as usize);
        // The opening may see it, or a later read; then the next opening builds the index anew.
        if let Ok(store) = open(&disk, options()) {
            for block in &blocks {
                if let Ok(Some(found)) = store.get(block.cid()) {
                    assert_eq!(found, *block);
                }
            }
        }
        let _ = disk.remove(&index());
        let store = open(&disk, options()).unwrap();
        assert_eq!(never_wrong(&store, &blocks), []);
        assert_eq!(store.pin_of(&top).unwrap().unwrap().name.as_deref(), Some("kept"));
        drop(store);
        // The next round has the same start.
        disk.tamper(&path, |bytes| bytes.clone_from(&segment));
        disk.tamper(&index(), |bytes| bytes.clone_from(&whole));
    }
}

#[test]
fn the_index_is_rebuilt_when_it_is_lost_or_rubbish() {
    let (disk, blocks, top) = filled();
    for rubbish in [None, Some(Vec::new()), Some(vec![7; 10_000])] {
        match rubbish {
            None => disk.remove(&index()).unwrap(),
            Some(rubbish) => disk.tamper(&index(), |bytes| *bytes = rubbish),
        }
        let store = open(&disk, options()).unwrap();
        assert_eq!(never_wrong(&store, &blocks), []);
        assert_eq!(store.pin_of(&top).unwrap().unwrap().mode, PinMode::Recursive);
        assert_eq!(store.pins(None).count(), 1);
        assert_eq!(store.stats().unwrap().blocks, blocks.len() as u64);
        assert_eq!(damages(&store), []);
    }
}

#[test]
fn an_index_of_other_segments_is_not_believed() {
    let (disk, blocks, _) = filled();
    let other = FakeDisk::new(99);
    let store = open(&other, options()).unwrap();
    store.put_blocks(&[leaf(500, 100), leaf(501, 5000)]).unwrap();
    store.close().unwrap();
    drop(store);
    let foreign = other.content(&index()).unwrap();
    disk.tamper(&index(), |bytes| *bytes = foreign);
    let store = open(&disk, options()).unwrap();
    assert_eq!(never_wrong(&store, &blocks), []);
    assert_eq!(store.get(leaf(500, 100).cid()).unwrap(), None);
}

#[test]
fn a_torn_tail_is_cut_and_what_is_before_it_stays() {
    let disk = FakeDisk::new(5);
    let store = open(&disk, options()).unwrap();
    let (kept, torn) = (leaf(1, 900), leaf(2, 900));
    store.put_blocks(std::slice::from_ref(&kept)).unwrap();
    store.commit_blocks().unwrap();
    let path = segments(&disk)[0].clone();
    let end = disk.content(&path).unwrap().len();
    store.put_blocks(std::slice::from_ref(&torn)).unwrap();
    // The process dies here: nothing is closed.
    disk.tamper(&path, |bytes| bytes.truncate(end + 100));
    disk.crash();
    drop(store);
    let store = open(&disk, options()).unwrap();
    assert_eq!(store.get(kept.cid()).unwrap(), Some(kept));
    assert_eq!(store.get(torn.cid()).unwrap(), None);
    assert_eq!(disk.content(&path).unwrap().len(), end);
    store.put_blocks(std::slice::from_ref(&torn)).unwrap();
    assert_eq!(store.get(torn.cid()).unwrap(), Some(torn));
}

#[test]
fn a_lost_segment_is_named() {
    let disk = FakeDisk::new(5);
    let store = open(&disk, options()).unwrap();
    let blocks: Vec<Block> = (0..40).map(|number| leaf(number, 3000)).collect();
    blocks.chunks(5).for_each(|some| store.put_blocks(some).unwrap());
    store.close().unwrap();
    drop(store);
    assert!(segments(&disk).len() > 2);
    disk.remove(&segments(&disk)[1]).unwrap();
    let store = open(&disk, options()).unwrap();
    let unreadable = never_wrong(&store, &blocks);
    assert!(!unreadable.is_empty() && unreadable.len() < blocks.len());
    let error = store.get(&unreadable[0]).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.to_string().contains("segment 00000002"), "{error}");
    assert_eq!(damages(&store).len(), unreadable.len());
}
