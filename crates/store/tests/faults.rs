//! One scenario, in which each call to the disk fails once: a clear error, nothing acknowledged lost, and the
//! store usable again.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use common::{collect, damages, leaf, node, open, options, segments, tree};
use ipse_base::{Cid, ErrorKind, Kind};
use ipse_store::fault::{FakeDisk, Fault};
use ipse_store::{PinMode, Store};

/// What was acknowledged until something failed.
#[derive(Default)]
struct Acknowledged {
    blocks: Vec<Cid>,
    pins: Vec<Cid>,
}

fn write(store: &Store, done: &mut Acknowledged) -> Result<(), Box<dyn std::error::Error>> {
    for round in 0..4 {
        let leaves: Vec<_> = (0..6).map(|at| leaf(round * 6 + at, 3000)).collect();
        let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
        let top = node(round as u8, &cids);
        store.put_blocks(&leaves)?;
        store.commit_blocks()?;
        done.blocks.extend(cids);
        store.put_blocks(std::slice::from_ref(&top))?;
        store.pin(top.cid(), PinMode::Recursive, None)?;
        done.pins.push(top.cid().clone());
        store.checkpoint()?;
    }
    let first = done.pins[0].clone();
    // From here on the first tree may be there or not.
    done.pins.remove(0);
    done.blocks.drain(..6);
    store.unpin(&[first])?;
    collect(store)?;
    store.stats()?;
    Ok(store.close()?)
}

fn check(store: &Store, done: &Acknowledged) {
    for cid in &done.blocks {
        assert!(store.get(cid).unwrap().is_some(), "{cid} was acknowledged");
    }
    for cid in &done.pins {
        assert!(store.pin_of(cid).unwrap().is_some());
    }
    for pin in store.pins(None) {
        assert_eq!(tree(store, &pin.unwrap().cid).len(), 7);
    }
    assert_eq!(damages(store), []);
}

/// Answers how many calls it took until the store was closed.
fn scenario(disk: &FakeDisk, done: &mut Acknowledged) -> Result<u64, Box<dyn std::error::Error>> {
    let store = open(disk, options())?;
    write(&store, done)?;
    Ok(disk.calls())
}

/// Each call of so many fails.
fn every_call(fault: Fault, of: usize) {
    let disk = FakeDisk::new(7);
    let calls = scenario(&disk, &mut Acknowledged::default()).unwrap();
    assert!(calls > 200);
    for at in (1..=calls).step_by(of) {
        for crash in [false, true] {
            let disk = FakeDisk::new(at);
            disk.fail(at, fault);
            let mut done = Acknowledged::default();
            let result = scenario(&disk, &mut done);
            assert!(result.is_err() || fault != Fault::Stop, "call {at} failed and nobody noticed");
            // Either the process went on with a disk that works again, or the power went with it.
            disk.repair();
            if crash {
                disk.crash();
            }
            let store = open(&disk, options()).unwrap_or_else(|error| panic!("call {at}: {error}"));
            check(&store, &done);
            // What failed can be done now.
            write(&store, &mut Acknowledged::default()).unwrap_or_else(|error| panic!("call {at}: {error}"));
        }
    }
}

#[test]
fn every_call_fails_once() {
    every_call(Fault::Once, 1);
}

#[test]
fn the_machine_stops_at_every_call() {
    every_call(Fault::Stop, 1);
}

#[test]
fn the_disk_is_full_from_every_call_on() {
    every_call(Fault::Full, 1);
}

#[test]
fn the_disk_is_read_only_from_every_call_on() {
    every_call(Fault::ReadOnly, 5);
}

#[test]
fn a_full_disk_serves_on_and_recovers_without_a_restart() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    let (before, after) = (leaf(1, 2000), leaf(2, 2000));
    store.put_blocks(std::slice::from_ref(&before)).unwrap();
    store.commit_blocks().unwrap();
    disk.fail(1, Fault::Full);
    let error = store.put_blocks(std::slice::from_ref(&after)).unwrap_err();
    assert_eq!(error.kind(), Kind::Full, "{error}");
    assert!(error.hint().unwrap().contains("free space"));
    // The index can't take the block either, and must not make it unreadable.
    assert_eq!(store.checkpoint().unwrap_err().kind(), Kind::Full);
    assert_eq!(store.get(before.cid()).unwrap(), Some(before.clone()));
    assert_eq!(store.get(after.cid()).unwrap(), None);
    disk.repair();
    store.put_blocks(std::slice::from_ref(&after)).unwrap();
    store.commit_blocks().unwrap();
    store.checkpoint().unwrap();
    disk.crash();
    let store = open(&disk, options()).unwrap();
    assert_eq!(store.get(before.cid()).unwrap(), Some(before));
    assert_eq!(store.get(after.cid()).unwrap(), Some(after));
}

#[test]
fn the_log_goes_on_after_a_failed_sync() {
    for seed in 0..20 {
        let disk = FakeDisk::new(seed);
        let store = open(&disk, options()).unwrap();
        let [first, second, third] = [1, 2, 3].map(|number| leaf(number, 2000));
        store.put_blocks(std::slice::from_ref(&first)).unwrap();
        disk.fail(1, Fault::Once);
        let error = store.commit_blocks().unwrap_err();
        assert!(error.hint().unwrap().contains("check the disk"));
        // What the failed sync dropped no later one would bring back; it is there nevertheless.
        store.put_blocks(std::slice::from_ref(&second)).unwrap();
        store.commit_blocks().unwrap();
        store.put_blocks(std::slice::from_ref(&third)).unwrap();
        disk.crash();
        drop(store);
        let store = open(&disk, options()).unwrap();
        for block in [first, second] {
            assert_eq!(store.get(block.cid()).unwrap(), Some(block));
        }
    }
}

#[test]
fn what_can_not_be_read_back_after_a_failed_sync_holds_writing_up_until_the_next_opening() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    let (before, after) = (leaf(1, 2000), leaf(2, 2000));
    store.put_blocks(std::slice::from_ref(&before)).unwrap();
    store.commit_blocks().unwrap();
    store.put_blocks(std::slice::from_ref(&after)).unwrap();
    disk.fail(1, Fault::Once);
    assert!(store.commit_blocks().is_err());
    // The system dropped the page and reads what stood on the medium.
    disk.tamper(&segments(&disk)[0], |bytes| *bytes.last_mut().unwrap() ^= 1);
    for _ in 0..2 {
        let error = store.put_blocks(&[leaf(3, 10)]).unwrap_err();
        assert!(error.hint().unwrap().contains("restart"), "{error}");
        assert!(store.commit_blocks().is_err());
    }
    assert_eq!(store.get(before.cid()).unwrap(), Some(before.clone()));
    drop(store);
    let store = open(&disk, options()).unwrap();
    assert_eq!(store.get(before.cid()).unwrap(), Some(before));
    assert_eq!(store.get(after.cid()).unwrap(), None);
    store.put_blocks(std::slice::from_ref(&after)).unwrap();
    store.commit_blocks().unwrap();
    assert_eq!(damages(&store), []);
}

#[test]
fn what_an_opening_could_not_sync_the_next_one_does() {
    for at in 1..40 {
        let disk = FakeDisk::new(at);
        let store = open(&disk, options()).unwrap();
        let block = leaf(1, 2000);
        store.put_blocks(std::slice::from_ref(&block)).unwrap();
        // The process ends, and the machine goes on.
        std::mem::forget(store);
        disk.free_locks();
        disk.fail(at, Fault::Once);
        let _ = open(&disk, options()).map(std::mem::forget);
        disk.free_locks();
        disk.repair();
        let store = open(&disk, options()).unwrap();
        store.put_blocks(std::slice::from_ref(&block)).unwrap();
        store.commit_blocks().unwrap();
        disk.crash();
        drop(store);
        let store = open(&disk, options()).unwrap();
        assert!(store.has(block.cid()).unwrap(), "call {at}");
    }
}

#[test]
fn a_segment_that_an_opening_could_not_finish_the_next_one_does() {
    for (at, seed) in (1..80).flat_map(|at| (0..4).map(move |seed| (at, seed))) {
        let disk = FakeDisk::new(seed);
        // The process ends, and the machine goes on.
        disk.fail(at, Fault::Stop);
        let _ = open(&disk, options()).map(std::mem::forget);
        disk.free_locks();
        disk.repair();
        let store = open(&disk, options()).unwrap_or_else(|error| panic!("call {at}: {error}"));
        let block = leaf(1, 2000);
        store.put_blocks(std::slice::from_ref(&block)).unwrap();
        store.commit_blocks().unwrap();
        disk.crash();
        drop(store);
        let store = open(&disk, options()).unwrap_or_else(|error| panic!("call {at}: {error}"));
        assert_eq!(store.get(block.cid()).unwrap(), Some(block), "call {at}");
        assert_eq!(damages(&store), [], "call {at}");
    }
}

#[test]
fn a_failed_deletion_does_not_come_to_life_after_a_crash() {
    let mut failed = 0;
    for seed in 0..100 {
        let disk = FakeDisk::new(seed);
        let store = open(&disk, options()).unwrap();
        let blocks: Vec<_> = (0..10).map(|number| leaf(number, 200)).collect();
        let cids: Vec<Cid> = blocks.iter().map(|block| block.cid().clone()).collect();
        store.put_blocks(&blocks).unwrap();
        store.commit_blocks().unwrap();
        disk.fail(1 + seed % 4, Fault::Once);
        failed += u64::from(store.delete(&cids).is_err());
        disk.repair();
        // Where it failed all are still there, so nothing is written; but the acknowledgement must hold.
        store.put_blocks(&blocks).unwrap();
        store.commit_blocks().unwrap();
        disk.crash();
        drop(store);
        let store = open(&disk, options()).unwrap();
        for cid in &cids {
            assert!(store.has(cid).unwrap(), "seed {seed}: {cid}");
        }
    }
    assert!(failed > 0);
}

/// Fills the disk with loose blocks, until it takes no more.
fn fill(store: &Store) -> usize {
    let more = |number: &u64| store.put_blocks(&[leaf(*number, 9000)]).is_ok();
    (1000..).take_while(more).count()
}

#[test]
fn a_full_disk_is_cleaned_up_out_of_what_is_held_back() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    let mut done = Acknowledged::default();
    write(&store, &mut done).unwrap();
    let (unpinned, deleted) = (done.pins[1].clone(), leaf(1000, 9000));
    disk.limit(100 * 4096);
    let filled = fill(&store);
    assert!(filled > 10);
    // Nothing more is taken, and it is not the space held back that is used up by trying.
    let error = store.put_blocks(&[leaf(1, 9000)]).unwrap_err();
    assert_eq!(error.kind(), Kind::Full, "{error}");
    store.unpin(&[unpinned]).unwrap();
    assert_eq!(store.delete(std::slice::from_ref(deleted.cid())).unwrap(), 1);
    let collected = collect(&store).unwrap();
    assert!(
        collected.blocks as usize >= filled - 1 && collected.freed_bytes > filled as u64 * 8000,
        "{collected:?}"
    );
    // With the space the writing comes back, and what is held back.
    assert!(fill(&store) > filled / 2);
    collect(&store).unwrap();
    done.pins.remove(1);
    done.blocks = Vec::new();
    check(&store, &done);
    disk.crash();
    drop(store);
    check(&open(&disk, options()).unwrap(), &done);
}

#[test]
fn nothing_grows_while_the_space_held_back_is_given_up() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    let leaves: Vec<_> = (0..400).map(|number| leaf(number, 100)).collect();
    store.put_blocks(&leaves).unwrap();
    store.checkpoint().unwrap();
    disk.limit(0);
    let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
    for some in cids.chunks(50) {
        store.delete(some).unwrap();
        store.checkpoint().unwrap();
    }
    // The next process knows of it too.
    drop(store);
    let store = open(&disk, options()).unwrap();
    let error = store.put_blocks(&[leaf(100, 10)]).unwrap_err();
    assert_eq!(error.kind(), Kind::Full, "{error}");
    disk.repair();
    store.put_blocks(&[leaf(100, 10)]).unwrap();
    let spare = disk.paths().into_iter().find(|path| path.ends_with("spare")).unwrap();
    assert_eq!(disk.content(&spare).unwrap().len(), 1 << 20);
}

/// A store on a disk that became read-only when a segment was begun, of whose header one copy reached it.
fn half_begun() -> (FakeDisk, Store) {
    for seed in 0..200 {
        let disk = FakeDisk::new(seed);
        let store = open(&disk, options()).unwrap();
        store.put_blocks(&[0, 1, 2].map(|number| leaf(number, 10_000))).unwrap();
        store.checkpoint().unwrap();
        // The file can be made, and no more, if the number of calls is right.
        disk.fail(1 + seed % 8, Fault::ReadOnly);
        store.put_blocks(&[leaf(3, 10_000)]).unwrap_err();
        if segments(&disk).get(1).is_some_and(|path| (32..64).contains(&disk.content(path).unwrap().len())) {
            return (disk, store);
        }
    }
    panic!("no seed leaves half of a header")
}

#[test]
fn a_segment_that_was_begun_twice_is_read_as_it_is_now() {
    let (disk, store) = half_begun();
    // Both open all segments that there are.
    store.stats().unwrap();
    store.plan_collection().unwrap();
    disk.repair();
    let block = leaf(3, 10_000);
    store.put_blocks(std::slice::from_ref(&block)).unwrap();
    store.commit_blocks().unwrap();
    assert_eq!(store.get(block.cid()).unwrap(), Some(block));
    assert_eq!(store.stats().unwrap().segments, 2);
    assert_eq!(damages(&store), []);
}

#[test]
fn a_segment_that_was_begun_twice_is_not_collected_as_it_was() {
    let (disk, store) = half_begun();
    store.stats().unwrap();
    disk.repair();
    let (kept, loose) = (leaf(3, 10), leaf(4, 10_000));
    store.put_blocks(&[kept.clone(), loose.clone()]).unwrap();
    store.pin(kept.cid(), PinMode::Direct, None).unwrap();
    collect(&store).unwrap();
    drop(store);
    let store = open(&disk, options()).unwrap();
    assert_eq!(store.get(kept.cid()).unwrap(), Some(kept));
    assert_eq!(store.get(loose.cid()).unwrap(), None);
    assert_eq!(damages(&store), []);
}
