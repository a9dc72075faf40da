//! What the tests of the store share: a toy codec with links, and a store on the fake disk.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ipse_base::{Block, Cid, Codec, HashCode};
use ipse_store::fault::FakeDisk;
use ipse_store::{
    Checked, Checkpoints, CollectError, Collected, Disk, OpenError, Repo, RepoState, Store, StoreOptions,
};

/// Inner nodes of the tests: the binary Cids of the children, one behind the other.
pub const NODE: Codec = Codec::DAG_CBOR;

pub fn links(cid: &Cid, data: &Bytes) -> Result<Vec<Cid>, ipse_store::LinksError> {
    let mut found = Vec::new();
    if cid.codec() == NODE {
        let mut rest = &data[1..];
        while !rest.is_empty() {
            let (cid, behind) = Cid::read(rest)?;
            found.push(cid);
            rest = behind;
        }
    }
    Ok(found)
}

pub fn options() -> StoreOptions {
    let mut options = StoreOptions::new(links);
    options.checkpoints = Checkpoints::OnDemand;
    options.segment_bytes = 32 * 1024;
    options.punch_bytes = 4096;
    options
}

pub fn root() -> PathBuf {
    PathBuf::from("/repo")
}

pub fn segments(disk: &FakeDisk) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "seg");
    disk.paths().into_iter().filter(is_segment).collect()
}

/// Opens the repository on a fake disk, making it if needed.
pub fn open(disk: &FakeDisk, options: StoreOptions) -> Result<Store, OpenError> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let repo = match Repo::open_on(Arc::clone(&shared), &root()) {
        Err(ipse_store::RepoError::Absent(_)) => Repo::init_on(shared, &root(), b"{}", b"{}")?,
        other => other?,
    };
    Store::open_in(repo, options)
}

pub fn state(root: &Path) -> RepoState {
    Repo::state(root).unwrap()
}

/// A leaf whose size and content follow from its number.
pub fn leaf(number: u64, bytes: usize) -> Block {
    let mut data: Vec<u8> = (0..bytes as u64).map(|at| (number.wrapping_mul(31) + at * 7) as u8).collect();
    data.splice(0..0, number.to_le_bytes());
    Block::hash(Codec::RAW, HashCode::SHA2_256, data.into()).unwrap()
}

/// An inner node over children.
pub fn node(number: u8, children: &[Cid]) -> Block {
    let mut data = vec![number];
    for child in children {
        child.write(&mut data);
    }
    Block::hash(NODE, HashCode::SHA2_256, data.into()).unwrap()
}

/// Everything below a root, itself included; panics where a block is missing.
pub fn tree(store: &Store, root: &Cid) -> Vec<Cid> {
    let mut found = Vec::new();
    let mut stack = vec![root.clone()];
    while let Some(cid) = stack.pop() {
        let block = store.get(&cid).unwrap().unwrap_or_else(|| panic!("{cid} is missing below {root}"));
        stack.extend(links(&cid, block.data()).unwrap());
        found.push(cid);
    }
    found
}

pub fn collect(store: &Store) -> Result<Collected, CollectError> {
    let plan = store.plan_collection()?;
    let mut removed = 0;
    let collected = store.collect(&plan, &mut |_| removed += 1)?;
    assert_eq!((collected.blocks, collected.bytes), (plan.blocks, plan.bytes), "{plan}");
    assert_eq!(removed, plan.blocks);
    Ok(collected)
}

/// The damages that a verification finds.
pub fn damages(store: &Store) -> Vec<ipse_store::Damage> {
    let mut found = Vec::new();
    let summary = store
        .verify(&mut |_, checked| {
            if let Checked::Damaged(damage) = checked {
                found.push(damage);
            }
        })
        .unwrap();
    assert_eq!(summary.damages, found.len() as u64);
    found
}

/// The segments with their lengths and checksums.
pub fn images(disk: &FakeDisk) -> Vec<(PathBuf, usize, u32)> {
    let image = |path: PathBuf| {
        let content = disk.content(&path).unwrap();
        (path, content.len(), crc32c::crc32c(&content))
    };
    segments(disk).into_iter().map(image).collect()
}

/// A small sequence of numbers that look random, the same for the same seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// How often a test repeats, unless the variable says otherwise.
pub fn count(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().unwrap())
}
