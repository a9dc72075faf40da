//! The measuring: this process fills the store, others open it.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use ipse_store::Repo;
use serde_json::{Value, json};

use super::part::{self, Probe};
use crate::Outcome;
use crate::compare::number;
use crate::lab::guard::Guarded;

/// Blocks that are put and committed right before a process is killed. About what is on its way into the index of a
/// busy store.
const KILLED_BLOCKS: u64 = 50_000;

/// What a store of so many blocks costs.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) blocks: u64,
    /// Durable puts a second, the index brought up to date at the end of the step; hashing is not counted.
    pub(crate) puts_s: f64,
    pub(crate) gets_s: f64,
    /// After it was closed, and after the process that had it open was killed.
    pub(crate) open_ms: f64,
    pub(crate) killed_open_ms: f64,
    /// What is resident beyond the process without a store: once it is open, and once its caches are full.
    pub(crate) opened_mib: f64,
    pub(crate) memory_mib: f64,
    pub(crate) disk_mib: f64,
    pub(crate) index_mib: f64,
    pub(crate) overhead_bytes: f64,
}

/// A store that is filled.
pub(crate) struct Scale {
    root: PathBuf,
    /// The program that opens it: this one.
    program: PathBuf,
    bytes: usize,
    gets: u64,
    filled: u64,
}

impl Scale {
    pub(crate) fn new(root: PathBuf, program: PathBuf, bytes: usize, gets: u64) -> Outcome<Self> {
        drop(Repo::init(&root, b"{}", b"{}")?);
        Ok(Self { root, program, bytes: bytes.max(8), gets, filled: 0 })
    }

    /// Fills up to so many blocks and closes; opens and reads; kills one that writes, and opens again.
    pub(crate) fn grow_to(&mut self, blocks: u64) -> Outcome<Point> {
        let store = part::open(&self.root)?;
        let start = self.filled;
        let mut seconds = part::put(&store, self.bytes, start, blocks)?;
        let end = Instant::now();
        store.commit_blocks()?;
        store.checkpoint()?;
        seconds += end.elapsed().as_secs_f64();
        let stats = store.stats()?;
        store.close()?;
        drop(store);
        self.filled = blocks;
        let Probe { open_ms, opened_mib, gets_s, read_mib } = self.probe(self.gets)?;
        self.kill_a_writer()?;
        let killed_open_ms = self.probe(0)?.open_ms;
        Ok(Point {
            blocks,
            puts_s: (blocks - start) as f64 / seconds,
            gets_s,
            open_ms,
            killed_open_ms,
            opened_mib,
            memory_mib: read_mib,
            disk_mib: stats.disk_bytes as f64 / 1_048_576.0,
            index_mib: stats.index_bytes as f64 / 1_048_576.0,
            overhead_bytes: stats.disk_bytes as f64 / blocks as f64 - self.bytes as f64,
        })
    }

    fn part(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("scale-part").arg(&self.root).stdout(Stdio::piped());
        command.args(["--bytes", &self.bytes.to_string(), "--blocks", &self.filled.to_string()]);
        command
    }

    fn probe(&self, gets: u64) -> Outcome<Probe> {
        let mut child = Guarded::spawn(self.part().args(["--gets", &gets.to_string()]), None)?;
        let told = first_line(&mut child)?;
        child.wait()?;
        serde_json::from_str(&told).map_err(|_| "opening the store in a process of its own failed".into())
    }

    fn kill_a_writer(&mut self) -> Outcome<()> {
        let more = KILLED_BLOCKS.min(self.filled);
        let mut child = Guarded::spawn(self.part().args(["--write", &more.to_string()]), None)?;
        if first_line(&mut child)?.trim() != "written" {
            return Err("writing in a process of its own failed".into());
        }
        // Dropped, it is killed.
        drop(child);
        self.filled += more;
        Ok(())
    }
}

fn first_line(child: &mut Guarded) -> Outcome<String> {
    let mut line = String::new();
    if let Some(out) = &mut child.child().stdout {
        BufReader::new(out).read_line(&mut line)?;
    }
    Ok(line)
}

impl Point {
    /// Resident bytes for each block.
    pub(crate) fn memory_bytes(&self) -> f64 {
        self.memory_mib * 1_048_576.0 / self.blocks as f64
    }

    pub(crate) fn json(&self) -> Value {
        json!({"blocks": self.blocks, "puts_s": self.puts_s, "gets_s": self.gets_s, "open_ms": self.open_ms,
               "killed_open_ms": self.killed_open_ms, "opened_mib": self.opened_mib,
               "memory_mib": self.memory_mib, "memory_bytes_a_block": self.memory_bytes(),
               "disk_mib": self.disk_mib, "index_mib": self.index_mib,
               "overhead_bytes_a_block": self.overhead_bytes})
    }
}

/// Headings of what a point is printed as.
pub(crate) const HEADINGS: &str = "| blocks | puts/s | gets/s | open, ms | open after kill -9, ms | memory once open, MiB | memory after reads, MiB | bytes of memory a block | disk, MiB | index, MiB |\n|---|---|---|---|---|---|---|---|---|---|";

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = [
            self.blocks as f64,
            self.puts_s,
            self.gets_s,
            self.open_ms,
            self.killed_open_ms,
            self.opened_mib,
            self.memory_mib,
            self.memory_bytes(),
            self.disk_mib,
            self.index_mib,
        ];
        write!(f, "| {} |", figures.map(number).join(" | "))
    }
}
