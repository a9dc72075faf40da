//! Blocks that were read before: served from memory while they are here, and never longer.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use common::{collect, leaf, links, open, options};
use ipse_base::Block;
use ipse_store::fault::FakeDisk;
use ipse_store::{AtHand, PinMode, Repo, Reuse, Store, StoreOptions};

fn holds(store: &Store, block: &Block) -> bool {
    store.read_now(block.cid(), Reuse::Likely).unwrap() == AtHand::Block(block.clone())
}

#[test]
fn what_was_read_once_needs_no_disk() {
    let store = open(&FakeDisk::new(1), options()).unwrap();
    let (likely, once) = (leaf(1, 3000), leaf(2, 3000));
    store.put_blocks(&[likely.clone(), once.clone()]).unwrap();
    // The fake disk can't tell what is in memory, so everything has to wait for it.
    assert_eq!(store.read_now(likely.cid(), Reuse::Likely).unwrap(), AtHand::OnDisk);
    assert_eq!(store.read(likely.cid(), Reuse::Likely).unwrap(), Some(likely.clone()));
    assert_eq!(store.read(once.cid(), Reuse::Once).unwrap(), Some(once.clone()));
    assert!(holds(&store, &likely));
    assert_eq!(store.read_now(once.cid(), Reuse::Once).unwrap(), AtHand::OnDisk);
    assert_eq!(store.read_now(leaf(3, 10).cid(), Reuse::Likely).unwrap(), AtHand::Absent);
}

#[test]
fn what_is_deleted_or_collected_is_not_served() {
    let store = open(&FakeDisk::new(1), options()).unwrap();
    let blocks = [leaf(1, 3000), leaf(2, 3000), leaf(3, 3000)];
    let [deleted, collected, kept] = &blocks;
    store.put_blocks(&blocks).unwrap();
    store.pin(kept.cid(), PinMode::Recursive, None).unwrap();
    for block in &blocks {
        store.read(block.cid(), Reuse::Likely).unwrap();
    }
    let before = store.removals();
    store.delete(std::slice::from_ref(deleted.cid())).unwrap();
    assert_ne!(store.removals(), before);
    assert!(!holds(&store, deleted) && holds(&store, collected));
    collect(&store).unwrap();
    assert!(!holds(&store, collected) && holds(&store, kept));
    // Put again, it is here again.
    store.put_blocks(std::slice::from_ref(deleted)).unwrap();
    assert_eq!(store.read(deleted.cid(), Reuse::Likely).unwrap().as_ref(), Some(deleted));
}

#[test]
fn the_real_disk_reads_what_the_page_cache_has() {
    let folder = tempfile::tempdir().unwrap();
    let repo = Repo::init(&folder.path().join("repo"), b"{}", b"{}").unwrap();
    let store = Store::open_in(repo, StoreOptions::new(links)).unwrap();
    for (number, bytes) in [(1, 100), (2, 300_000), (3, 1 << 20)] {
        let block = leaf(number, bytes);
        store.put_blocks(std::slice::from_ref(&block)).unwrap();
        // Just written, it is in the page cache, where the file system can tell (tmpfs can't).
        match store.read_now(block.cid(), Reuse::Once).unwrap() {
            AtHand::Block(found) => assert_eq!(found, block),
            other => assert_eq!(other, AtHand::OnDisk),
        }
        assert_eq!(store.get(block.cid()).unwrap(), Some(block));
    }
}

#[test]
fn what_a_sync_wrote_is_not_handed_to_the_disk_again() {
    const MIB: usize = 1 << 20;
    let store = open(&FakeDisk::new(1), StoreOptions { segment_bytes: 1 << 30, ..options() }).unwrap();
    let begun = || store.counters().writebacks.get();
    let put = |number| store.put_blocks(&[leaf(number, MIB)]).unwrap();
    // The system would let go of it in memory, and the next reader would wait for the disk.
    for number in 0..20 {
        put(number);
        if number % 4 == 3 {
            store.commit_blocks().unwrap();
        }
    }
    assert_eq!(begun(), 0);
    // What nobody syncs is handed over in time.
    (20..29).for_each(put);
    assert_eq!(begun(), 1);
}
