//! Lists of operations against a plain map.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{collect, damages, leaf, node, open, options};
use ipse_base::{Block, Cid};
use ipse_store::fault::FakeDisk;
use ipse_store::{Pin, PinError, PinMode, Store, WriteError};

#[derive(Debug, bolero::TypeGenerator)]
enum Op {
    Put(u8),
    PutMany(u8, u8),
    Node(u8, u8, u8),
    Get(u8),
    Delete(u8),
    Pin(u8, bool, Option<u8>),
    Unpin(u8),
    Commit,
    Checkpoint,
    Reopen,
    Collect,
}

#[derive(Default)]
struct Model {
    blocks: BTreeMap<u8, Block>,
    pins: BTreeMap<Cid, Pin>,
}

/// Numbers below 32 are leaves of several sizes, those above are inner nodes over two leaves.
fn block(number: u8) -> Block {
    let number = number % 48;
    match number {
        0..32 => leaf(u64::from(number), usize::from(number) * 300),
        _ => node(number, &[block(number % 7).cid().clone(), block(number % 31).cid().clone()]),
    }
}

impl Model {
    fn holds(&self, number: u8) -> bool {
        self.blocks.contains_key(&(number % 48))
    }

    fn insert(&mut self, number: u8) {
        self.blocks.insert(number % 48, block(number));
    }

    fn kept(&self) -> Option<BTreeSet<Cid>> {
        let mut kept = BTreeSet::new();
        for pin in self.pins.values() {
            kept.insert(pin.cid.clone());
            let block = self.blocks.values().find(|block| *block.cid() == pin.cid);
            if let (PinMode::Recursive, Some(block)) = (pin.mode, block) {
                for link in common::links(block.cid(), block.data()).unwrap() {
                    kept.insert(link);
                }
            }
        }
        Some(kept)
    }
}

fn apply(store: &mut Option<Store>, disk: &FakeDisk, model: &mut Model, op: &Op) {
    let open_store = store.as_ref().unwrap();
    match *op {
        Op::Put(number) => {
            open_store.put_blocks(&[block(number)]).unwrap();
            model.insert(number);
        }
        Op::PutMany(first, count) => {
            let numbers: Vec<u8> = (0..count % 20).map(|at| first.wrapping_add(at) % 32).collect();
            open_store.put_blocks(&numbers.iter().map(|&number| block(number)).collect::<Vec<_>>()).unwrap();
            numbers.iter().for_each(|&number| model.insert(number));
        }
        Op::Node(number, ..) => {
            let number = 32 + number % 16;
            let all = [number % 7, number % 31, number];
            open_store.put_blocks(&all.map(block)).unwrap();
            all.iter().for_each(|&number| model.insert(number));
        }
        Op::Get(number) => {
            let expected = model.holds(number).then(|| block(number));
            assert_eq!(open_store.get(block(number).cid()).unwrap(), expected);
        }
        Op::Delete(number) => delete(open_store, model, number),
        Op::Pin(number, recursive, name) => pin(open_store, model, number, recursive, name),
        Op::Unpin(number) => {
            let cid = block(number).cid().clone();
            let result = open_store.unpin(std::slice::from_ref(&cid));
            match model.pins.remove(&cid) {
                Some(_) => result.unwrap(),
                None => assert!(matches!(result, Err(PinError::NotPinned(_)))),
            }
        }
        Op::Commit => open_store.commit_blocks().unwrap(),
        Op::Checkpoint => open_store.checkpoint().unwrap(),
        Op::Reopen => {
            *store = None;
            *store = Some(open(disk, options()).unwrap());
        }
        Op::Collect => {
            let kept = model.kept().unwrap();
            collect(open_store).unwrap();
            model.blocks.retain(|_, block| kept.contains(block.cid()));
        }
    }
}

/// Blocks below a recursive pin are left alone, as the commands do.
fn delete(store: &Store, model: &mut Model, number: u8) {
    let cid = block(number).cid().clone();
    if model.pins.contains_key(&cid) {
        assert!(matches!(store.delete(&[cid]), Err(WriteError::Pinned { .. })));
    } else if !model.kept().unwrap().contains(&cid) {
        let there = usize::from(model.blocks.remove(&(number % 48)).is_some());
        assert_eq!(store.delete(&[cid]).unwrap(), there);
    }
}

fn pin(store: &Store, model: &mut Model, number: u8, recursive: bool, name: Option<u8>) {
    let block = block(number);
    let mode = if recursive { PinMode::Recursive } else { PinMode::Direct };
    let complete = common::links(block.cid(), block.data())
        .unwrap()
        .iter()
        .all(|link| model.blocks.values().any(|block| block.cid() == link));
    if recursive && !complete {
        return;
    }
    let name = name.map(|name| format!("n{name}"));
    let result = store.pin(block.cid(), mode, name.as_deref());
    let old = model.pins.get(block.cid()).map(|pin| pin.mode);
    match (model.holds(number), old) {
        (false, _) => assert!(matches!(result, Err(PinError::Absent(_)))),
        (true, Some(PinMode::Recursive)) if !recursive => {
            let same = model.pins[block.cid()] == Pin { cid: block.cid().clone(), mode, name };
            assert!(!same && matches!(result, Err(PinError::AlreadyRecursive(_))));
        }
        (true, _) => {
            result.unwrap();
            let cid = block.cid().clone();
            model.pins.insert(cid.clone(), Pin { cid, mode, name });
        }
    }
}

fn compare(store: &Store, model: &Model) {
    for number in 0..48 {
        let expected = model.holds(number).then(|| block(number));
        assert_eq!(store.get(block(number).cid()).unwrap(), expected, "block {number}");
        let size = expected.as_ref().map(|block| block.data().len() as u64);
        assert_eq!(store.size(block(number).cid()).unwrap(), size);
    }
    let pins: BTreeSet<Pin> = store.pins(None).map(Result::unwrap).collect();
    assert_eq!(pins, model.pins.values().cloned().collect());
    let listed: BTreeSet<Cid> = store.iter().unwrap().map(Result::unwrap).collect();
    assert_eq!(listed, model.blocks.values().map(|block| block.cid().clone()).collect());
    let stats = store.stats().unwrap();
    let bytes: usize = model.blocks.values().map(|block| block.data().len()).sum();
    assert_eq!((stats.blocks, stats.block_bytes), (model.blocks.len() as u64, bytes as u64));
    assert_eq!(damages(store), []);
}

#[test]
fn behaves_like_a_map() {
    bolero::check!().with_type::<Vec<Op>>().with_iterations(150).for_each(|ops| {
        let disk = FakeDisk::new(1);
        let mut store = Some(open(&disk, options()).unwrap());
        let mut model = Model::default();
        for op in ops {
            apply(&mut store, &disk, &mut model, op);
        }
        compare(store.as_ref().unwrap(), &model);
        apply(&mut store, &disk, &mut model, &Op::Reopen);
        compare(store.as_ref().unwrap(), &model);
        // And once more from the segments alone.
        drop(store);
        ipse_store::Disk::remove(&disk, &common::root().join("index.redb")).unwrap();
        compare(&open(&disk, options()).unwrap(), &model);
    });
}
