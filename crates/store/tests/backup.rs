//! A backup is what the repository was at one moment, whatever goes on while it is made.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use common::{Numbers, collect, damages, leaf, node, open, options, root, tree};
use ipse_base::{Block, Cid, ErrorKind, Kind};
use ipse_store::fault::FakeDisk;
use ipse_store::{BackupPart, Disk, HeldSegment, OpenMode, PinMode, Repo, Store};

/// What somebody holds of a repository: segments by number and marker.
#[derive(Default)]
struct Copy {
    segments: BTreeMap<(u32, u64), Vec<u8>>,
    /// Bytes that came with the last backup.
    came: u64,
}

impl Copy {
    fn have(&self) -> Vec<HeldSegment> {
        let held = |(&(number, marker), bytes): (&(u32, u64), &Vec<u8>)| HeldSegment {
            number,
            marker,
            length: bytes.len() as u64,
        };
        self.segments.iter().map(held).collect()
    }

    /// Brings it up to date; `meanwhile` runs at each part.
    fn update(&mut self, store: &Store, meanwhile: &mut dyn FnMut()) {
        let (mut at, mut end) = (None, None);
        self.came = 0;
        let have = self.have();
        store
            .backup(&have, &mut |part| {
                meanwhile();
                match part {
                    BackupPart::Begin { .. } => {}
                    BackupPart::Segment { number, marker, from } => {
                        let segment = self.segments.entry((number, marker)).or_default();
                        assert_eq!(segment.len() as u64, from);
                        at = Some((number, marker));
                    }
                    BackupPart::Data(bytes) => {
                        self.came += bytes.len() as u64;
                        self.segments.get_mut(&at.unwrap()).unwrap().extend(bytes);
                    }
                    BackupPart::Zeros(count) => {
                        self.segments.get_mut(&at.unwrap()).unwrap().extend(vec![0; count as usize]);
                    }
                    BackupPart::End { segments, .. } => end = Some(segments),
                }
                true
            })
            .unwrap();
        let end = end.unwrap();
        self.segments
            .retain(|&(number, marker), _| end.iter().any(|s| (s.number, s.marker) == (number, marker)));
        assert_eq!(self.have(), end);
    }

    /// A repository made of it.
    fn restored(&self) -> Store {
        let disk = FakeDisk::new(77);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        drop(Repo::init_on(Arc::clone(&shared), &root(), b"{}", b"{}").unwrap());
        for ((number, _), bytes) in &self.segments {
            let path: PathBuf = root().join("blocks").join(format!("{number:08}.seg"));
            let file = shared.open(&path, OpenMode::CreateNew).unwrap();
            file.write_at(0, &mut [IoSlice::new(bytes)]).unwrap();
        }
        open(&disk, options()).unwrap()
    }
}

fn add(store: &Store, number: u64) -> Cid {
    let leaves: Vec<Block> = (0..4).map(|at| leaf(number * 4 + at, 6000)).collect();
    let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
    let top = node(number as u8, &cids);
    let _guard = store.temporary_pin(Vec::new());
    store.put_blocks(&leaves).unwrap();
    store.put_blocks(std::slice::from_ref(&top)).unwrap();
    store.pin(top.cid(), PinMode::Recursive, None).unwrap();
    top.cid().clone()
}

fn contents(store: &Store) -> (Vec<Cid>, Vec<ipse_store::Pin>) {
    let mut cids: Vec<Cid> = store.iter().unwrap().map(Result::unwrap).collect();
    cids.sort();
    (cids, store.pins(None).map(Result::unwrap).collect())
}

#[test]
fn a_second_backup_takes_only_what_is_new() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    for number in 0..10 {
        add(&store, number);
    }
    let mut copy = Copy::default();
    copy.update(&store, &mut || {});
    let all = copy.came;
    assert_eq!(contents(&copy.restored()), contents(&store));
    add(&store, 10);
    copy.update(&store, &mut || {});
    assert!(copy.came < all / 4, "{} of {all}", copy.came);
    assert_eq!(contents(&copy.restored()), contents(&store));
    copy.update(&store, &mut || {});
    assert_eq!(copy.came, 0);
}

#[test]
fn a_collection_in_the_middle_of_a_backup_harms_neither() {
    for seed in 0..40 {
        let mut numbers = Numbers(seed);
        let disk = FakeDisk::new(seed);
        let store = open(&disk, options()).unwrap();
        let mut tops: Vec<Cid> = (0..12).map(|number| add(&store, number)).collect();
        let mut copy = Copy::default();
        if numbers.below(2) == 0 {
            copy.update(&store, &mut || {});
        }
        add(&store, 50);
        // Something is unpinned, collected and added at random moments of the backup.
        let mut left = 3;
        let mut number = 100;
        copy.update(&store, &mut || {
            if left > 0 && numbers.below(4) == 0 {
                left -= 1;
                number += 1;
                let gone = tops.remove(numbers.below(tops.len() as u64) as usize);
                store.unpin(&[gone]).unwrap();
                collect(&store).unwrap();
                tops.push(add(&store, number));
            }
        });
        let restored = copy.restored();
        assert_eq!(damages(&restored), [], "seed {seed}");
        for pin in restored.pins(None) {
            assert_eq!(tree(&restored, &pin.unwrap().cid).len(), 5, "seed {seed}: a pin dangles");
        }
        // With nothing going on the next one is the same as the repository.
        copy.update(&store, &mut || {});
        assert_eq!(contents(&copy.restored()), contents(&store), "seed {seed}");
        assert_eq!(damages(&copy.restored()), [], "seed {seed}");
    }
}

#[test]
fn a_copy_that_is_ahead_is_refused() {
    let disk = FakeDisk::new(1);
    let store = open(&disk, options()).unwrap();
    add(&store, 1);
    let mut copy = Copy::default();
    copy.update(&store, &mut || {});
    let mut have = copy.have();
    have[0].length += 8;
    let error = store.backup(&have, &mut |_| true).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
}
