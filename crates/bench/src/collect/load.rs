//! Adders, readers and one who pins and unpins, each at a steady rate, and how long their steps take.
//!
//! A thread that is late goes on at once, so a stall is seen by one call and not made up for by its successors'
//! absence: the rate is kept over the whole run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ipse_base::Cid;
use ipse_store::Store;
use serde_json::{Value, json};

use super::Options;
use super::blocks::node;
use super::shelf::{Filled, Shelf, pin};
use crate::Outcome;
use crate::compare::number;
use crate::lab::content::Noise;

/// New blocks of an add, and those that it finds among the garbage.
const FRESH: u64 = 6;
const FOUND: u64 = 2;
/// Pins and unpins a second.
const PINS: u32 = 20;

/// What all threads see.
struct Shared {
    store: Store,
    shelf: Shelf,
    kept: Vec<Cid>,
    running: AtomicBool,
}

/// What a thread of the load does.
type Worker = Box<dyn FnOnce(&Shared) -> Outcome<Seen> + Send>;

/// A running load.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Outcome<Seen>>>,
}

/// What the threads saw.
#[derive(Default)]
pub(crate) struct Seen {
    puts: Vec<u32>,
    commits: Vec<u32>,
    gets: Vec<u32>,
    pins: Vec<u32>,
    /// Reads of blocks that are kept and were not there.
    pub(crate) failed: u64,
    /// What was added and pinned.
    promised: Vec<Cid>,
}

/// How long a step takes.
pub(crate) struct Times {
    p50: f64,
    pub(crate) p99: f64,
    max: f64,
    count: usize,
}

/// Microseconds of a step.
fn timed<T>(times: &mut Vec<u32>, step: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = step();
    times.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
    value
}

impl Load {
    /// Starts it. Blocks that adders make are numbered from `first` on behind those of the shelf.
    pub(crate) fn start(
        store: &Store,
        shelf: &Shelf,
        filled: &Filled,
        options: &Options,
        first: u64,
    ) -> Self {
        let shared = Arc::new(Shared {
            store: store.clone(),
            shelf: *shelf,
            kept: filled.kept.clone(),
            running: AtomicBool::new(true),
        });
        let mut threads = Vec::new();
        let mut spawn = |work: Worker| {
            let shared = Arc::clone(&shared);
            threads.push(std::thread::spawn(move || work(&shared)));
        };
        for thread in 0..options.adders as u64 {
            let (rate, first) = (options.adds, shelf.blocks + first + (thread << 32));
            spawn(Box::new(move |shared| shared.add(rate, first, thread)));
        }
        for thread in 0..options.readers as u64 {
            let (rate, seed) = (options.reads, first + thread);
            spawn(Box::new(move |shared| shared.read(rate, seed)));
        }
        spawn(Box::new(move |shared| shared.pin_and_unpin(first)));
        Self { shared, threads }
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Outcome<Seen> {
        self.shared.running.store(false, Ordering::SeqCst);
        let mut seen = Seen::default();
        for thread in self.threads {
            seen.join(thread.join().map_err(|_| "a thread of the load panicked")??);
        }
        Ok(seen)
    }
}

impl Shared {
    /// Calls the step so many times a second until the end.
    fn at_rate(&self, rate: u32, mut step: impl FnMut() -> Outcome<()>) -> Outcome<()> {
        let pause = Duration::from_secs(1) / rate.max(1);
        let mut due = Instant::now();
        while self.running.load(Ordering::Relaxed) {
            step()?;
            due += pause;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    /// Any block that was garbage when the repository was made.
    fn any_garbage(&self, noise: &mut Noise) -> Option<u64> {
        (0..10_000).map(|_| noise.next() % self.shelf.blocks).find(|&i| self.shelf.is_garbage(i))
    }

    fn add(&self, rate: u32, first: u64, thread: u64) -> Outcome<Seen> {
        let (mut seen, mut next, mut noise) = (Seen::default(), first, Noise::new(first + thread));
        self.at_rate(rate, || {
            let mut blocks =
                (next..next + FRESH).map(|i| self.shelf.sizes.block(i)).collect::<Outcome<Vec<_>>>()?;
            next += FRESH;
            for _ in 0..FOUND {
                let Some(i) = self.any_garbage(&mut noise) else { continue };
                blocks.push(self.shelf.sizes.block(i)?);
            }
            let cids: Vec<Cid> = blocks.iter().map(|block| block.cid().clone()).collect();
            let top = node(&cids)?;
            let keep = self.store.temporary_pin(Vec::new());
            blocks.push(top);
            timed(&mut seen.puts, || self.store.put_blocks(&blocks))?;
            let top = blocks[blocks.len() - 1].cid();
            timed(&mut seen.commits, || self.store.commit_with_pins(&[pin(top)]))?;
            drop(keep);
            seen.promised.extend(blocks.iter().map(|block| block.cid().clone()));
            Ok(())
        })?;
        Ok(seen)
    }

    fn read(&self, rate: u32, seed: u64) -> Outcome<Seen> {
        let (mut seen, mut noise) = (Seen::default(), Noise::new(seed));
        self.at_rate(rate, || {
            let cid = &self.kept[(noise.next() % self.kept.len() as u64) as usize];
            let found = timed(&mut seen.gets, || self.store.get(cid));
            seen.failed += u64::from(!matches!(found, Ok(Some(_))));
            Ok(())
        })?;
        Ok(seen)
    }

    /// Pins garbage that is still there, sees that it stays, and lets it go.
    fn pin_and_unpin(&self, seed: u64) -> Outcome<Seen> {
        let (mut seen, mut noise) = (Seen::default(), Noise::new(seed + 77));
        self.at_rate(PINS, || {
            let Some(i) = self.any_garbage(&mut noise) else { return Ok(()) };
            let cid = self.shelf.sizes.block(i)?.cid().clone();
            let keep = self.store.temporary_pin(vec![cid.clone()]);
            if self.store.has(&cid)? {
                timed(&mut seen.pins, || self.store.commit_with_pins(&[pin(&cid)]))?;
                drop(keep);
                seen.failed += u64::from(!matches!(self.store.get(&cid), Ok(Some(_))));
                timed(&mut seen.pins, || self.store.unpin(std::slice::from_ref(&cid)))?;
            }
            Ok(())
        })?;
        Ok(seen)
    }
}

impl Seen {
    fn join(&mut self, other: Self) {
        self.puts.extend(other.puts);
        self.commits.extend(other.commits);
        self.gets.extend(other.gets);
        self.pins.extend(other.pins);
        self.failed += other.failed;
        self.promised.extend(other.promised);
    }

    /// Each step with its times.
    pub(crate) fn steps(&self) -> [(&'static str, Times); 4] {
        [
            ("put of 9 blocks, visible", Times::of(&self.puts)),
            ("commit with a pin, durable", Times::of(&self.commits)),
            ("get", Times::of(&self.gets)),
            ("pin or unpin, durable", Times::of(&self.pins)),
        ]
    }

    /// Blocks that were promised and are not there.
    pub(crate) fn missing(&self, store: &Store) -> Outcome<u64> {
        let mut missing = 0;
        for cid in &self.promised {
            missing += u64::from(store.get(cid)?.is_none());
        }
        Ok(missing)
    }
}

impl Times {
    fn of(micros: &[u32]) -> Self {
        let mut sorted = micros.to_vec();
        sorted.sort_unstable();
        let at = |share: f64| {
            let at = (sorted.len() as f64 * share) as usize;
            sorted
                .get(at.min(sorted.len().saturating_sub(1)))
                .map_or(0.0, |&micros| f64::from(micros) / 1000.0)
        };
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0), count: sorted.len() }
    }

    pub(crate) fn json(&self) -> Value {
        json!({"p50_ms": self.p50, "p99_ms": self.p99, "max_ms": self.max, "count": self.count})
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {} ({})", number(self.p50), number(self.p99), number(self.max), self.count)
    }
}
