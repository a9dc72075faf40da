//! A disk that takes no writes, from the start or in the middle: what is there is served, writes say what to do, and
//! where the store was open before, they go on by themselves.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::collections::BTreeSet;

use common::{collect, damages, images, leaf, node, open, options, tree};
use ipse_base::{Cid, ErrorKind, Kind};
use ipse_store::fault::{FakeDisk, Fault};
use ipse_store::{Pin, PinMode, Store};

/// A tree that is pinned, and loose leaves; in many segments.
fn write(store: &Store) -> (Cid, BTreeSet<Cid>) {
    let leaves: Vec<_> = (0..1500).map(|number| leaf(number, 200)).collect();
    let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
    let top = node(1, &cids[..20]);
    store.put_blocks(&leaves).unwrap();
    store.put_blocks(std::slice::from_ref(&top)).unwrap();
    store.pin(top.cid(), PinMode::Recursive, Some("kept")).unwrap();
    let mut all: BTreeSet<Cid> = cids.into_iter().collect();
    all.insert(top.cid().clone());
    (top.cid().clone(), all)
}

fn check_reading(store: &Store, top: &Cid, all: &BTreeSet<Cid>) {
    assert_eq!(tree(store, top).len(), 21);
    for cid in all {
        assert!(store.get(cid).unwrap().is_some());
    }
    let listed: Vec<Cid> = store.iter().unwrap().map(Result::unwrap).collect();
    assert_eq!(listed.len(), all.len());
    assert_eq!(&listed.into_iter().collect::<BTreeSet<_>>(), all);
    let pins: Vec<Pin> = store.pins(None).map(Result::unwrap).collect();
    let kept = Pin { cid: top.clone(), mode: PinMode::Recursive, name: Some("kept".into()) };
    assert_eq!(pins, [kept]);
}

fn check_refusals(store: &Store, top: &Cid) {
    let put = store.put_blocks(&[leaf(9999, 10)]).unwrap_err();
    let again = store.put_blocks(&[leaf(1, 200)]).map_err(|error| error.kind());
    let unpin = store.unpin(std::slice::from_ref(top)).unwrap_err();
    let deleted = store.delete(std::slice::from_ref(leaf(1, 200).cid())).unwrap_err();
    let collected = collect(store).unwrap_err();
    assert_eq!(again, Err(Kind::Denied));
    for error in [&put as &dyn ErrorKind, &unpin, &deleted, &collected] {
        assert_eq!(error.kind(), Kind::Denied, "{error}");
        assert!(error.hint().unwrap().contains("writable"), "{error}");
    }
}

#[test]
fn a_repository_that_can_only_be_read_is_read() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    let (top, all) = write(&store);
    drop(store);
    let before = images(&disk);
    disk.fail(0, Fault::ReadOnly);
    for _ in 0..2 {
        let store = open(&disk, options()).unwrap();
        assert!(store.is_read_only());
        check_reading(&store, &top, &all);
        assert_eq!(damages(&store), []);
        assert_eq!(store.stats().unwrap().blocks, all.len() as u64);
        check_refusals(&store, &top);
        check_reading(&store, &top, &all);
        store.close().unwrap();
    }
    assert_eq!(images(&disk), before);
    disk.repair();
    let store = open(&disk, options()).unwrap();
    assert!(!store.is_read_only());
    store.unpin(&[top]).unwrap();
}

#[test]
fn what_a_process_left_that_was_killed_is_read_too() {
    for index in [true, false] {
        let disk = FakeDisk::new(1);
        let store = open(&disk, options()).unwrap();
        let (top, mut all) = write(&store);
        if index {
            store.checkpoint().unwrap();
        }
        // More than a page of what no index knows.
        let late: Vec<_> = (5000..6500).map(|number| leaf(number, 50)).collect();
        store.put_blocks(&late).unwrap();
        store.delete(std::slice::from_ref(leaf(700, 200).cid())).unwrap();
        all.remove(leaf(700, 200).cid());
        all.extend(late.iter().map(|block| block.cid().clone()));
        std::mem::forget(store);
        disk.free_locks();
        disk.fail(0, Fault::ReadOnly);
        let before = images(&disk);
        let store = open(&disk, options()).unwrap();
        check_reading(&store, &top, &all);
        check_refusals(&store, &top);
        drop(store);
        assert_eq!(images(&disk), before);
    }
}

#[test]
fn a_torn_end_that_can_not_be_cut_off_is_passed_over() {
    for seed in 0..20 {
        let disk = FakeDisk::new(seed);
        let store = open(&disk, options()).unwrap();
        let (top, all) = write(&store);
        store.put_blocks(&[leaf(9000, 3000), leaf(9001, 3000)]).unwrap();
        disk.crash();
        drop(store);
        disk.fail(0, Fault::ReadOnly);
        let store = open(&disk, options()).unwrap();
        assert_eq!(tree(&store, &top).len(), 21);
        for cid in &all {
            assert!(store.get(cid).unwrap().is_some());
        }
        assert_eq!(damages(&store), []);
    }
}

#[test]
fn a_disk_that_turns_read_only_is_served_and_written_again_without_a_restart() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    let (top, mut all) = write(&store);
    store.checkpoint().unwrap();
    store.put_blocks(&[leaf(7000, 50)]).unwrap();
    all.insert(leaf(7000, 50).cid().clone());
    disk.fail(0, Fault::ReadOnly);
    for _ in 0..2 {
        let error = store.put_blocks(&[leaf(7001, 50)]).unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{error}");
        assert!(error.hint().unwrap().contains("writable"), "{error}");
        for cid in &all {
            assert!(store.get(cid).unwrap().is_some());
        }
        assert_eq!(tree(&store, &top).len(), 21);
        assert_eq!(store.pins(None).count(), 1);
        assert_eq!(store.stats().unwrap().blocks, all.len() as u64);
    }
    disk.repair();
    store.put_blocks(&[leaf(7001, 50)]).unwrap();
    all.insert(leaf(7001, 50).cid().clone());
    store.commit_blocks().unwrap();
    disk.crash();
    drop(store);
    check_reading(&open(&disk, options()).unwrap(), &top, &all);
}

#[test]
fn a_segment_that_could_be_neither_finished_nor_removed_is_begun_again() {
    // At which call the disk turns read-only: the one behind the making of the next segment's file is among them.
    for at in 0..12 {
        let disk = FakeDisk::new(at);
        let store = open(&disk, options()).unwrap();
        store.put_blocks(&[leaf(1, 31_000)]).unwrap();
        disk.fail(at, Fault::ReadOnly);
        let _ = store.put_blocks(&[leaf(2, 31_000)]);
        disk.repair();
        store.put_blocks(&[leaf(2, 31_000), leaf(3, 31_000)]).unwrap();
        store.commit_blocks().unwrap();
        disk.crash();
        drop(store);
        let store = open(&disk, options()).unwrap();
        assert!((1..4).all(|number| store.has(leaf(number, 31_000).cid()).unwrap()));
    }
}
