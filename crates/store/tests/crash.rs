//! Power loss at any moment, on the fake disk: what was acknowledged is there, what was not does no harm.
//!
//! `IPSE_STORE_CRASHES` sets how many seeded runs are made, `IPSE_STORE_CRASH_SEED` runs a single one.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::collections::BTreeMap;

use common::{Numbers, count, damages, images, leaf, node, open, options, tree};
use ipse_base::{Block, Cid};
use ipse_store::fault::{FakeDisk, Fault};
use ipse_store::{PinMode, Store};

/// What is known of a block or a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Here,
    Gone,
    /// An operation on it was begun and not acknowledged.
    Open,
}

#[derive(Default)]
struct Expected {
    blocks: BTreeMap<Cid, (Block, Known)>,
    pins: BTreeMap<Cid, Known>,
}

struct Run {
    disk: FakeDisk,
    numbers: Numbers,
    expected: Expected,
    /// Blocks put and not yet committed.
    uncommitted: Vec<Cid>,
    /// Blocks deleted and not yet committed.
    undeleted: Vec<Cid>,
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

impl Run {
    fn put(&mut self, store: &Store) -> Outcome {
        let first = 1000 + self.numbers.below(60);
        let blocks: Vec<Block> = (0..1 + self.numbers.below(12))
            .map(|at| leaf(first + at, (first as usize * 97) % 9000))
            .collect();
        for block in &blocks {
            let entry = self.expected.blocks.entry(block.cid().clone());
            let entry = entry.or_insert((block.clone(), Known::Gone));
            if entry.1 != Known::Here {
                entry.1 = Known::Open;
            }
            self.undeleted.retain(|cid| cid != block.cid());
        }
        store.put_blocks(&blocks)?;
        self.uncommitted.extend(blocks.iter().map(|block| block.cid().clone()));
        Ok(())
    }

    fn commit(&mut self, store: &Store) -> Outcome {
        store.commit_blocks()?;
        self.committed();
        Ok(())
    }

    /// A sync covers everything that was visible.
    fn committed(&mut self) {
        for cid in self.uncommitted.drain(..) {
            if let Some(entry) = self.expected.blocks.get_mut(&cid) {
                entry.1 = Known::Here;
            }
        }
        for cid in self.undeleted.drain(..) {
            if let Some(entry) = self.expected.blocks.get_mut(&cid) {
                entry.1 = Known::Gone;
            }
        }
    }

    fn add_tree(&mut self, store: &Store) -> Outcome {
        let number = self.numbers.below(20);
        let leaves: Vec<Block> =
            (0..4).map(|at| leaf(number * 3 + at, 500 + number as usize * 400)).collect();
        let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
        let inner = node(number as u8, &cids[..2]);
        let top = node(number as u8 ^ 0x80, &[inner.cid().clone(), cids[2].clone(), cids[3].clone()]);
        let _guard = store.temporary_pin(Vec::new());
        let mut blocks = leaves;
        blocks.extend([inner, top.clone()]);
        self.expected.pins.insert(top.cid().clone(), Known::Open);
        store.put_blocks(&blocks)?;
        store.pin(top.cid(), PinMode::Recursive, Some("tree"))?;
        self.committed();
        self.expected.pins.insert(top.cid().clone(), Known::Here);
        Ok(())
    }

    fn unpin(&mut self, store: &Store) -> Outcome {
        let pinned: Vec<Cid> = self
            .expected
            .pins
            .iter()
            .filter(|(_, known)| **known == Known::Here)
            .map(|(c, _)| c.clone())
            .collect();
        if pinned.is_empty() {
            return Ok(());
        }
        let cid = pinned[self.numbers.below(pinned.len() as u64) as usize].clone();
        self.expected.pins.insert(cid.clone(), Known::Open);
        store.unpin(std::slice::from_ref(&cid))?;
        self.committed();
        self.expected.pins.insert(cid, Known::Gone);
        Ok(())
    }

    /// Only loose leaves are deleted; what is below a pin is left alone, as the commands do.
    fn delete(&mut self, store: &Store) -> Outcome {
        let loose: Vec<Cid> = self.expected.blocks.keys().cloned().collect();
        if loose.is_empty() {
            return Ok(());
        }
        let cid = loose[self.numbers.below(loose.len() as u64) as usize].clone();
        self.expected.blocks.get_mut(&cid).unwrap().1 = Known::Open;
        self.uncommitted.retain(|other| *other != cid);
        store.delete(std::slice::from_ref(&cid))?;
        self.undeleted.push(cid);
        Ok(())
    }

    /// A collection, with others at work between its plan and its sweep, and between the batches of the sweep.
    fn collect(&mut self, store: &Store) -> Outcome {
        for entry in self.expected.blocks.values_mut() {
            entry.1 = Known::Open;
        }
        self.uncommitted.clear();
        self.undeleted.clear();
        let plan = store.plan_collection()?;
        for _ in 0..self.numbers.below(3) {
            self.write_something(store)?;
        }
        let mut steps = self.numbers.below(3);
        let mut failure = None;
        store.collect(&plan, &mut |_| {
            if steps > 0 && failure.is_none() {
                steps -= 1;
                failure = self.write_something(store).err();
            }
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        // It syncs behind its sweep, so what was put meanwhile is acknowledged by its end.
        self.committed();
        for entry in self.expected.blocks.values_mut().filter(|entry| entry.1 == Known::Open) {
            entry.1 = Known::Gone;
        }
        Ok(())
    }

    /// A collection that nothing comes between.
    fn collect_alone(&mut self, store: &Store) -> Outcome {
        self.expected.blocks.values_mut().for_each(|entry| entry.1 = Known::Open);
        self.uncommitted.clear();
        self.undeleted.clear();
        let plan = store.plan_collection()?;
        store.collect(&plan, &mut |_| {})?;
        self.expected.blocks.values_mut().for_each(|entry| entry.1 = Known::Gone);
        Ok(())
    }

    fn write_something(&mut self, store: &Store) -> Outcome {
        match self.numbers.below(6) {
            0..3 => self.put(store),
            3 => self.add_tree(store),
            4 => self.delete(store),
            _ => self.unpin(store),
        }
    }

    /// A plan that is printed and not executed changes nothing.
    fn dry_run(store: &Store) -> Outcome {
        let plan = store.plan_collection()?;
        let planned = store.planned(&plan)?.collect::<Result<Vec<_>, _>>()?;
        assert!(planned.len() as u64 <= plan.blocks);
        Ok(())
    }

    fn step(&mut self, store: &Store) -> Outcome {
        match self.numbers.below(21) {
            0..7 => self.put(store),
            7..10 => self.commit(store),
            10..14 => self.add_tree(store),
            14 => self.unpin(store),
            15..17 => self.delete(store),
            17 => Ok(store.checkpoint()?),
            18 => self.collect(store),
            19 => Self::dry_run(store),
            _ => Ok(store.close()?),
        }
    }

    fn check(&self, store: &Store) {
        for (cid, (block, known)) in &self.expected.blocks {
            let found = store.get(cid).unwrap();
            match known {
                Known::Here => assert_eq!(found.as_ref(), Some(block), "an acknowledged block is lost"),
                Known::Gone => assert_eq!(found, None, "a deleted block came back"),
                Known::Open => assert!(found.is_none_or(|found| found == *block)),
            }
        }
        for (cid, known) in &self.expected.pins {
            let found = store.pin_of(cid).unwrap().is_some();
            match known {
                Known::Here => assert!(found, "an acknowledged pin is lost"),
                Known::Gone => assert!(!found, "an unpinned pin came back"),
                Known::Open => {}
            }
        }
        for pin in store.pins(None) {
            assert_eq!(tree(store, &pin.unwrap().cid).len(), 6, "a pin dangles");
        }
        assert_eq!(damages(store), []);
    }

    /// The disk works again: so does the store, without having been opened again.
    fn goes_on(&mut self, store: &Store) {
        self.disk.repair();
        self.commit(store).unwrap();
        self.add_tree(store).unwrap();
        self.check(store);
    }

    /// What an interrupted operation left open is now as it is found.
    fn learn(&mut self, store: &Store) {
        self.uncommitted.clear();
        self.undeleted.clear();
        for (cid, entry) in &mut self.expected.blocks {
            entry.1 = if store.has(cid).unwrap() { Known::Here } else { Known::Gone };
        }
        for (cid, known) in &mut self.expected.pins {
            *known = if store.pin_of(cid).unwrap().is_some() { Known::Here } else { Known::Gone };
        }
    }
}

/// Whether the store holds space back for collections, and did not have to use it yet.
fn holds_back(disk: &FakeDisk) -> bool {
    let spare = disk.paths().into_iter().find(|path| path.ends_with("spare"));
    spare.is_some_and(|path| disk.allocated(&path) > 0)
}

/// One seeded run; returns the number of calls to the disk, by which two runs can be compared.
fn run(seed: u64, fault: Fault) -> u64 {
    let disk = FakeDisk::new(seed);
    let mut run = Run {
        disk: disk.clone(),
        numbers: Numbers(seed),
        expected: Expected::default(),
        uncommitted: Vec::new(),
        undeleted: Vec::new(),
    };
    for _ in 0..3 {
        let after = run.numbers.below(400);
        run.disk.fail(after, fault);
        // The opening itself may be hit too.
        if let Ok(store) = open(&disk, options()) {
            for _ in 0..run.numbers.below(60) {
                // After a failure the store may recover or refuse; both are fine, as long as it is honest.
                if run.step(&store).is_err() && fault == Fault::Stop {
                    break;
                }
            }
            if fault == Fault::Full && holds_back(&disk) {
                run.collect_alone(&store).unwrap();
            }
            if fault != Fault::Stop && !store.is_read_only() && run.numbers.below(2) == 0 {
                run.goes_on(&store);
            }
        }
        disk.crash();
        let store = open(&disk, options()).unwrap();
        run.check(&store);
        run.learn(&store);
        drop(store);
        let before = images(&disk);
        let store = open(&disk, options()).unwrap();
        run.check(&store);
        drop(store);
        assert_eq!(images(&disk), before, "a second opening changed something");
    }
    disk.calls()
}

fn runs(name: &str, fault: Fault) {
    if let Ok(seed) = std::env::var("IPSE_STORE_CRASH_SEED") {
        run(seed.parse().unwrap(), fault);
        return;
    }
    for seed in 0..count("IPSE_STORE_CRASHES", 90) {
        let outcome = std::panic::catch_unwind(|| run(seed, fault));
        assert!(outcome.is_ok(), "{name}: seed {seed} fails; run it alone with IPSE_STORE_CRASH_SEED={seed}");
    }
}

#[test]
fn power_loss_at_any_call() {
    runs("power loss", Fault::Stop);
}

#[test]
fn a_failing_call_and_then_power_loss() {
    runs("failing call", Fault::Once);
}

#[test]
fn syncs_that_fail_and_then_power_loss() {
    runs("failing syncs", Fault::Syncs);
}

#[test]
fn a_read_only_disk_and_then_power_loss() {
    runs("read-only disk", Fault::ReadOnly);
}

#[test]
fn a_full_disk_and_then_power_loss() {
    runs("full disk", Fault::Full);
}

#[test]
fn a_seed_is_a_run() {
    assert_eq!(run(5, Fault::Stop), run(5, Fault::Stop));
}
