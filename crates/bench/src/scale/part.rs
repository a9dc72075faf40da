//! What a process of its own does for `scale`, so that its memory is the store's and nothing else's.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ipse_base::{Block, Codec, HashCode};
use ipse_store::{Store, StoreOptions};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::lab::content::Noise;
use crate::lab::process::memory_mib;

/// Blocks of one put, as an add batches them, and of one stretch of gets.
pub(super) const BATCH: u64 = 1024;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The repository
    repo: PathBuf,
    /// Bytes of a block
    #[arg(long)]
    bytes: usize,
    /// Blocks that are there
    #[arg(long)]
    blocks: u64,
    /// Blocks to read
    #[arg(long, default_value_t = 0)]
    gets: u64,
    /// Put and commit so many more instead, say so, and wait to be killed
    #[arg(long)]
    write: Option<u64>,
}

/// What a process saw that opened a store and read from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) open_ms: f64,
    /// What became resident with the opening.
    pub(super) opened_mib: f64,
    /// Reads a second of blocks all over the store, on one thread; 0 where none was read.
    pub(super) gets_s: f64,
    /// What became resident with opening and reads.
    pub(super) read_mib: f64,
}

pub(crate) fn run(options: &Options) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    match options.write {
        None => {
            let probe = probe(&options.repo, options.bytes, options.blocks, options.gets)?;
            writeln!(out, "{}", serde_json::to_string(&probe)?)?;
        }
        Some(more) => {
            let store = open(&options.repo)?;
            put(&store, options.bytes, options.blocks, options.blocks + more)?;
            store.commit_blocks()?;
            writeln!(out, "written")?;
            out.flush()?;
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
    Ok(())
}

pub(super) fn open(repo: &Path) -> Outcome<Store> {
    // Blocks of noise have no links.
    Ok(Store::open(repo, StoreOptions::new(|_, _| Ok(Vec::new())))?)
}

/// Block number i: its number, then zeros.
fn block(bytes: usize, i: u64) -> Outcome<Block> {
    let mut payload = vec![0; bytes];
    payload[..8].copy_from_slice(&i.to_be_bytes());
    Ok(Block::hash(Codec::RAW, HashCode::SHA2_256, payload.into())?)
}

/// Puts the blocks of these numbers, and says how long that took without their hashing.
pub(super) fn put(store: &Store, bytes: usize, from: u64, to: u64) -> Outcome<f64> {
    let (mut next, mut seconds) = (from, 0.0);
    while next < to {
        let end = (next + BATCH).min(to);
        let batch = (next..end).map(|i| block(bytes, i)).collect::<Outcome<Vec<_>>>()?;
        let start = Instant::now();
        store.put_blocks(&batch)?;
        seconds += start.elapsed().as_secs_f64();
        next = end;
    }
    Ok(seconds)
}

/// Opens a store, reads from all over it, and closes it.
pub(super) fn probe(repo: &Path, bytes: usize, blocks: u64, gets: u64) -> Outcome<Probe> {
    let pid = std::process::id();
    let before = memory_mib(pid, "VmRSS")?;
    let grown = || Ok::<_, Box<dyn std::error::Error + Send + Sync>>(memory_mib(pid, "VmRSS")? - before);
    let start = Instant::now();
    let store = open(repo)?;
    let open_ms = start.elapsed().as_secs_f64() * 1000.0;
    let opened_mib = grown()?;
    let (mut noise, mut read, mut seconds) = (Noise::new(blocks), 0, 0.0);
    while read < gets {
        let count = BATCH.min(gets - read);
        // The names are made before: neither the time nor much of the memory is theirs.
        let any = |_| Ok(block(bytes, (noise.unit() * blocks as f64) as u64)?.cid().clone());
        let names = (0..count).map(any).collect::<Outcome<Vec<_>>>()?;
        let start = Instant::now();
        for name in &names {
            if store.get(name)?.is_none() {
                return Err(format!("{name} was put and is not there").into());
            }
        }
        seconds += start.elapsed().as_secs_f64();
        read += count;
    }
    let read_mib = grown()?;
    store.close()?;
    let gets_s = if read == 0 { 0.0 } else { read as f64 / seconds };
    Ok(Probe { open_ms, opened_mib, gets_s, read_mib })
}
