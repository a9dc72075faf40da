//! The measuring.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use ipse_base::{Block, Cid, Codec, HashCode};
use ipse_store::{Repo, Store, StoreOptions};
use serde_json::{Value, json};

use crate::Outcome;
use crate::compare::number;
use crate::lab::content::Noise;
use crate::lab::process::memory_mib;

/// Blocks of one put, as an add batches them.
const BATCH: u64 = 1024;

/// What a store of so many blocks costs.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) blocks: u64,
    /// Durable puts a second, the index brought up to date at the end of the step; hashing is not counted.
    pub(crate) puts_s: f64,
    /// Reads a second of blocks all over the store, on one thread.
    pub(crate) gets_s: f64,
    pub(crate) open_ms: f64,
    /// What is resident beyond the process without a store, after the reads.
    pub(crate) memory_mib: f64,
    pub(crate) disk_mib: f64,
    pub(crate) overhead_bytes: f64,
}

/// A store that is filled.
pub(crate) struct Scale {
    root: PathBuf,
    bytes: usize,
    gets: u64,
    filled: u64,
}

impl Scale {
    pub(crate) fn new(root: PathBuf, bytes: usize, gets: u64) -> Outcome<Self> {
        drop(Repo::init(&root, b"{}", b"{}")?);
        Ok(Self { root, bytes: bytes.max(8), gets, filled: 0 })
    }

    fn open(&self) -> Outcome<Store> {
        // Blocks of noise have no links.
        Ok(Store::open(&self.root, StoreOptions::new(|_, _| Ok(Vec::new())))?)
    }

    /// Block number i: its number, then zeros.
    fn block(&self, i: u64) -> Outcome<Block> {
        let mut payload = vec![0; self.bytes];
        payload[..8].copy_from_slice(&i.to_be_bytes());
        Ok(Block::hash(Codec::RAW, HashCode::SHA2_256, payload.into())?)
    }

    /// Fills up to so many blocks, closes, opens, reads.
    pub(crate) fn grow_to(&mut self, blocks: u64) -> Outcome<Point> {
        let puts_s = self.fill(blocks)?;
        let pid = std::process::id();
        // The names are made before, so that neither time nor memory counts them.
        let names = self.names()?;
        let before = memory_mib(pid, "VmRSS")?;
        let start = Instant::now();
        let store = self.open()?;
        let open_ms = start.elapsed().as_secs_f64() * 1000.0;
        let start = Instant::now();
        for name in &names {
            if store.get(name)?.is_none() {
                return Err(format!("{name} was put and is not there").into());
            }
        }
        let gets_s = names.len() as f64 / start.elapsed().as_secs_f64();
        let memory_mib = (memory_mib(pid, "VmRSS")? - before).max(0.0);
        let disk = store.stats()?.disk_bytes as f64;
        store.close()?;
        let overhead_bytes = disk / blocks as f64 - self.bytes as f64;
        Ok(Point {
            blocks,
            puts_s,
            gets_s,
            open_ms,
            memory_mib,
            disk_mib: disk / 1_048_576.0,
            overhead_bytes,
        })
    }

    fn fill(&mut self, blocks: u64) -> Outcome<f64> {
        let store = self.open()?;
        let (first, mut seconds) = (self.filled, 0.0);
        while self.filled < blocks {
            let end = (self.filled + BATCH).min(blocks);
            let batch = (self.filled..end).map(|i| self.block(i)).collect::<Outcome<Vec<_>>>()?;
            let start = Instant::now();
            store.put_blocks(&batch)?;
            seconds += start.elapsed().as_secs_f64();
            self.filled = end;
        }
        let start = Instant::now();
        store.commit_blocks()?;
        store.checkpoint()?;
        seconds += start.elapsed().as_secs_f64();
        store.close()?;
        Ok((blocks - first) as f64 / seconds)
    }

    fn names(&self) -> Outcome<Vec<Cid>> {
        let mut noise = Noise::new(self.filled);
        let any = |_| Ok(self.block((noise.unit() * self.filled as f64) as u64)?.cid().clone());
        (0..self.gets.min(self.filled)).map(any).collect()
    }
}

impl Point {
    /// Resident bytes for each block.
    fn memory_bytes(&self) -> f64 {
        self.memory_mib * 1_048_576.0 / self.blocks as f64
    }

    pub(crate) fn json(&self) -> Value {
        json!({"blocks": self.blocks, "puts_s": self.puts_s, "gets_s": self.gets_s, "open_ms": self.open_ms,
               "memory_mib": self.memory_mib, "memory_bytes_a_block": self.memory_bytes(),
               "disk_mib": self.disk_mib, "overhead_bytes_a_block": self.overhead_bytes})
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = [
            self.blocks as f64,
            self.puts_s,
            self.gets_s,
            self.open_ms,
            self.memory_mib,
            self.memory_bytes(),
            self.disk_mib,
        ];
        write!(f, "| {} |", figures.map(number).join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_grows_and_everything_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut scale = Scale::new(folder.path().join("repo"), 64, 100).unwrap();
        let small = scale.grow_to(2000).unwrap();
        let large = scale.grow_to(5000).unwrap();
        assert_eq!((small.blocks, large.blocks), (2000, 5000));
        assert!(large.disk_mib > small.disk_mib && large.puts_s > 0.0);
    }
}
