//! Flipped bits and lost files: each is reported with name and place, and never gives wrong bytes.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::path::PathBuf;

use common::{Numbers, count, damages, leaf, node, open, options, root, segments};
use ipse_base::{Block, Cid, ErrorKind, Kind};
use ipse_store::fault::FakeDisk;
use ipse_store::{Checked, Checkpoints, Disk, PinMode, ReadError, Store, StoreOptions};

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

/// The part of a segment that a bit stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    SegmentHeader,
    /// Header, name or padding of the record that begins there.
    Record(u64),
    /// The payload of the record that begins there.
    Payload(u64),
}

/// A record as the format's document has it: start, kind, name, whole length.
struct Found {
    start: u64,
    kind: u8,
    name: Option<Cid>,
    payload: std::ops::Range<u64>,
    end: u64,
}

fn records(segment: &[u8]) -> Vec<Found> {
    let word = |at: usize| u32::from_le_bytes(segment[at..at + 4].try_into().unwrap());
    let mut found = Vec::new();
    let mut at = 64;
    while at < segment.len() {
        let payload = at + 28 + usize::from(segment[at + 10]);
        let behind = payload + word(at + 12) as usize;
        found.push(Found {
            start: at as u64,
            kind: segment[at + 8],
            name: Cid::from_bytes(&segment[at + 28..payload]).ok(),
            payload: payload as u64..behind as u64,
            end: behind.next_multiple_of(8) as u64,
        });
        at = behind.next_multiple_of(8);
    }
    found
}

fn part(records: &[Found], byte: u64) -> Part {
    match records.iter().find(|record| (record.start..record.end).contains(&byte)) {
        None => Part::SegmentHeader,
        Some(record) if record.payload.contains(&byte) => Part::Payload(record.start),
        Some(record) => Part::Record(record.start),
    }
}

/// Gives the damaged blocks anew and mends the rest, as `repo verify --heal` does.
fn heal(store: &Store, blocks: &[Block]) {
    for damage in damages(store) {
        if let Some(cid) = damage.block() {
            let block = blocks.iter().find(|block| block.cid() == cid).unwrap();
            store.replace(block).unwrap();
        }
    }
    store.mend().unwrap();
}

/// A store whose index was just built from the log alone, to see what the log says.
fn rebuilt(disk: &FakeDisk) -> Store {
    disk.remove(&index()).unwrap();
    open(disk, options()).unwrap()
}

#[test]
fn a_flipped_bit_in_a_segment_is_reported_with_name_and_place_and_healed() {
    let (disk, blocks, top) = filled();
    let gone = leaf(100, 300);
    let path = segments(&disk)[0].clone();
    let (whole, whole_index) = (disk.content(&path).unwrap(), disk.content(&index()).unwrap());
    let records = records(&whole);
    let mut numbers = Numbers(11);
    for _ in 0..count("IPSE_STORE_FLIPS", 150) {
        let bit = numbers.below(whole.len() as u64 * 8) as usize;
        flip(&disk, &path, bit);
        let store = open(&disk, options()).unwrap();
        let unreadable = never_wrong(&store, &blocks);
        let found = damages(&store);
        let part = part(&records, bit as u64 / 8);
        match &part {
            Part::SegmentHeader => assert_eq!(found.len(), 1, "bit {bit}: {found:?}"),
            Part::Record(start) | Part::Payload(start) => {
                let record = records.iter().find(|record| record.start == *start).unwrap();
                let dead = record.name.as_ref() == Some(gone.cid());
                // The bytes of a deleted block may be a hole, so nobody looks at them.
                if dead && record.kind == 1 && matches!(part, Part::Payload(_)) {
                    assert_eq!(found, []);
                } else {
                    assert_eq!(found.len(), 1, "bit {bit}: {found:?}");
                    assert_eq!(found[0].position.offset, *start, "bit {bit}: {found:?}");
                    // Of what is alive or counts, the name is known too.
                    let named = if dead { record.kind == 2 } else { record.name.is_some() };
                    assert!(!named || found[0].cid == record.name, "bit {bit}: {found:?}");
                }
            }
        }
        assert!(unreadable.iter().all(|cid| found.iter().any(|damage| damage.block() == Some(cid))));
        heal(&store, &blocks);
        assert_eq!((damages(&store), never_wrong(&store, &blocks)), (vec![], vec![]), "bit {bit}");
        drop(store);
        // What was healed is so in the log, whatever becomes of the index.
        let store = rebuilt(&disk);
        assert_eq!((damages(&store), never_wrong(&store, &blocks)), (vec![], vec![]), "bit {bit}");
        assert_eq!(store.pin_of(&top).unwrap().unwrap().name.as_deref(), Some("kept"));
        assert_eq!((store.pins(None).count(), store.has(gone.cid()).unwrap()), (1, false), "bit {bit}");
        drop(store);
        disk.tamper(&path, |bytes| bytes.clone_from(&whole));
        disk.tamper(&index(), |bytes| bytes.clone_from(&whole_index));
    }
}

#[test]
fn a_damaged_block_is_dropped_and_a_sound_one_is_not() {
    let (disk, blocks, top) = filled();
    let path = segments(&disk)[0].clone();
    let whole = disk.content(&path).unwrap();
    let target = records(&whole).into_iter().find(|record| record.name.as_ref() == Some(&top)).unwrap();
    flip(&disk, &path, target.payload.start as usize * 8);
    let store = open(&disk, options()).unwrap();
    assert!(!store.drop_damaged(blocks[0].cid()).unwrap(), "it is sound");
    assert!(store.drop_damaged(&top).unwrap(), "a pin does not keep what can't be read");
    assert_eq!(store.get(&top).unwrap(), None);
    assert!(store.pin_of(&top).unwrap().is_some());
    assert_eq!(damages(&store), []);
    store.put_blocks(&blocks).unwrap();
    assert_eq!(store.get(&top).unwrap().as_ref(), blocks.last());
}

#[test]
fn flipped_bits_in_the_padding_of_records() {
    let disk = FakeDisk::new(3);
    let store = open(&disk, options()).unwrap();
    let block = leaf(1, 701);
    store.put_blocks(std::slice::from_ref(&block)).unwrap();
    store.close().unwrap();
    drop(store);
    let path = segments(&disk)[0].clone();
    let record = records(&disk.content(&path).unwrap()).swap_remove(0);
    assert!(record.payload.end < record.end);
    flip(&disk, &path, record.payload.end as usize * 8);
    let store = open(&disk, options()).unwrap();
    let found = damages(&store);
    assert_eq!((found.len(), found[0].cid.as_ref(), found[0].block()), (1, Some(block.cid()), None));
    store.mend().unwrap();
    assert_eq!(damages(&store), []);
}

#[test]
fn flipped_bits_in_the_segments_with_the_index_lost() {
    let (disk, blocks, top) = filled();
    let path = segments(&disk)[0].clone();
    let whole = disk.content(&path).unwrap();
    let mut numbers = Numbers(12);
    for _ in 0..count("IPSE_STORE_FLIPS", 150) {
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
fn a_flipped_bit_in_the_index_is_reported_unless_it_says_nothing() {
    let (disk, blocks, top) = filled();
    let path = segments(&disk)[0].clone();
    let (segment, whole) = (disk.content(&path).unwrap(), disk.content(&index()).unwrap());
    let mut numbers = Numbers(13);
    for _ in 0..count("IPSE_STORE_FLIPS", 150) {
        let bit = numbers.below(whole.len() as u64 * 8) as usize;
        flip(&disk, &index(), bit);
        // The opening may see it; then it has built the index anew.
        if let Ok(store) = open(&disk, options()) {
            for block in &blocks {
                if let Ok(Some(found)) = store.get(block.cid()) {
                    assert_eq!(found, *block);
                }
            }
            let mut damaged = false;
            let verified = store.verify(&mut |_, checked| damaged |= matches!(checked, Checked::Damaged(_)));
            if verified.is_ok() && !damaged {
                for block in &blocks {
                    assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block), "bit {bit}");
                    assert_eq!(store.is_leaf(block.cid()).unwrap(), Some(block.cid() != &top), "bit {bit}");
                }
                assert_eq!(store.pin_of(&top).unwrap().unwrap().name.as_deref(), Some("kept"));
                assert_eq!(store.pins(None).count(), 1, "bit {bit}");
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

/// The same with so many blocks that the engine does not read all of the index when it opens it.
fn filled_more() -> (FakeDisk, Vec<Block>, Cid) {
    let (disk, mut blocks, top) = filled();
    let store = open(&disk, options()).unwrap();
    let more: Vec<Block> = (1000..1400).map(|number| leaf(number, 40)).collect();
    store.put_blocks(&more).unwrap();
    store.close().unwrap();
    blocks.extend(more);
    (disk, blocks, top)
}

/// With an engine that reads each page from the disk.
fn uncached() -> StoreOptions {
    StoreOptions { index_cache_bytes: 0, ..options() }
}

/// Changes about every second page of the index, its first one left alone.
fn spoil_index(disk: &FakeDisk, numbers: &mut Numbers) {
    disk.tamper(&index(), |bytes| {
        for page in bytes[4096..].chunks_mut(4096) {
            if numbers.below(2) == 0 {
                page.fill(numbers.below(256) as u8);
            }
        }
    });
}

#[test]
fn a_damaged_index_is_built_anew_while_the_store_is_open() {
    let mut numbers = Numbers(5);
    let mut rebuilt = 0;
    for round in 0..count("IPSE_STORE_FLIPS", 150) / 10 {
        let (disk, mut blocks, top) = filled_more();
        let store = open(&disk, uncached()).unwrap();
        if round % 4 == 0 {
            // Something that is not in the index yet.
            blocks.push(leaf(7777, 300));
            store.put_blocks(&blocks[blocks.len() - 1..]).unwrap();
        }
        spoil_index(&disk, &mut numbers);
        let read = |block: &Block| match store.get(block.cid()) {
            Ok(found) => found.inspect(|found| assert_eq!(found, block)).is_some(),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Corrupt, "{error}");
                assert!(error.hint().unwrap().contains("built anew"), "{error}");
                false
            }
        };
        let all_here = blocks.iter().filter(|block| !read(block)).count() == 0;
        // What writes the index reads it too, and may be the first to meet the damage.
        let checkpoint = store.checkpoint().or_else(|_| store.checkpoint());
        checkpoint.unwrap();
        if store.counters().rebuilds.get() == 0 {
            assert!(all_here, "what is amiss is noticed");
            continue;
        }
        rebuilt += 1;
        assert!(blocks.iter().all(read));
        assert_eq!(store.pin_of(&top).unwrap().unwrap().name.as_deref(), Some("kept"));
        assert_eq!(store.stats().unwrap().blocks, blocks.len() as u64);
        assert_eq!(damages(&store), []);
        // The next opening finds it whole.
        disk.crash();
        drop(store);
        let store = open(&disk, options()).unwrap();
        assert_eq!(store.stats().unwrap().blocks, blocks.len() as u64);
        assert_eq!(damages(&store), []);
    }
    assert!(rebuilt > 3, "{rebuilt}");
}

#[test]
fn the_index_thread_builds_a_damaged_index_anew() {
    let mut numbers = Numbers(6);
    let found = (0..100).find_map(|_| {
        let (disk, blocks, _) = filled_more();
        let in_background = StoreOptions { checkpoints: Checkpoints::Background, ..uncached() };
        let store = open(&disk, in_background).unwrap();
        spoil_index(&disk, &mut numbers);
        let is_found = blocks.iter().any(|block| store.get(block.cid()).is_err());
        is_found.then_some((disk, store, blocks))
    });
    let (_disk, store, blocks) = found.unwrap();
    while store.counters().rebuilds.get() == 0 {
        std::thread::yield_now();
    }
    assert!(blocks.iter().all(|block| store.get(block.cid()).unwrap().as_ref() == Some(block)));
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
