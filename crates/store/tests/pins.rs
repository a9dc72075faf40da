//! Pins by the thousand: one sync for all, and lists that miss none however they are spread over index and memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{leaf, open, options};
use ipse_base::Cid;
use ipse_store::fault::FakeDisk;
use ipse_store::{Pin, PinError, PinMode, Store};

const MANY: u64 = 6000;

fn direct(cid: &Cid) -> Pin {
    Pin { cid: cid.clone(), mode: PinMode::Direct, name: None }
}

fn filled() -> (Store, Vec<Cid>) {
    let mut options = options();
    options.segment_bytes = 64 * 1024 * 1024;
    let store = open(&FakeDisk::new(1), options).unwrap();
    let blocks: Vec<_> = (0..MANY).map(|number| leaf(number, 16)).collect();
    store.put_blocks(&blocks).unwrap();
    store.commit_blocks().unwrap();
    (store, blocks.iter().map(|block| block.cid().clone()).collect())
}

fn listed(store: &Store) -> Vec<Cid> {
    store.pins(None).map(|pin| pin.unwrap().cid).collect()
}

fn sorted(cids: &[Cid]) -> Vec<Cid> {
    let mut cids = cids.to_vec();
    cids.sort_by_key(|cid| cid.hash().to_bytes());
    cids
}

#[test]
fn any_number_of_pins_takes_one_sync() {
    let (store, cids) = filled();
    let pins: Vec<Pin> = cids.iter().map(direct).collect();
    let before = store.stats().unwrap().syncs;
    store.commit_with_pins(&pins).unwrap();
    store.unpin(&cids[..5000]).unwrap();
    assert_eq!(store.stats().unwrap().syncs - before, 2);
    assert_eq!(listed(&store), sorted(&cids[5000..]));
    assert_eq!(store.pins_on(&cids[4999..5001]).unwrap(), [None, Some(direct(&cids[5000]))]);
}

#[test]
fn a_list_misses_nothing_between_index_and_memory() {
    let (store, cids) = filled();
    let pins: Vec<Pin> = cids.iter().map(direct).collect();
    // Only in memory.
    store.commit_with_pins(&pins[..3000]).unwrap();
    assert_eq!(listed(&store), sorted(&cids[..3000]));
    // Half in the index, half in memory, and some of each taken away again.
    store.checkpoint().unwrap();
    store.commit_with_pins(&pins[3000..]).unwrap();
    assert_eq!(listed(&store), sorted(&cids));
    store.unpin(&cids[2000..4000]).unwrap();
    let left: Vec<Cid> = [&cids[..2000], &cids[4000..]].concat();
    assert_eq!(listed(&store), sorted(&left));
    store.checkpoint().unwrap();
    assert_eq!(listed(&store), sorted(&left));
}

#[test]
fn a_pin_that_dangles_is_refused_and_those_before_it_stay() {
    let (store, cids) = filled();
    let mut pins: Vec<Pin> = cids.iter().map(direct).collect();
    let absent = leaf(MANY, 16).cid().clone();
    pins.insert(5000, direct(&absent));
    assert!(matches!(store.commit_with_pins(&pins), Err(PinError::Absent(cid)) if cid == absent));
    assert_eq!(listed(&store), sorted(&cids[..4096]));
    assert!(matches!(store.unpin(&cids[..4097]), Err(PinError::NotPinned(cid)) if cid == cids[4096]));
    assert!(listed(&store).is_empty());
}
