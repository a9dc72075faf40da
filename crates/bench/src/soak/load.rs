//! The load: adds, reads near and far, gateway requests, pins, collection, all at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use super::shelf::{Kept, Shelf};
use crate::Outcome;
use crate::lab::content::Noise;
use crate::lab::http;
use crate::lab::node::Node;

/// A collection every so often; everything else goes on as fast as it can.
const COLLECT_EVERY: Duration = Duration::from_secs(30);

const EMPTY: &str = "nothing was added yet";

/// Failures that are kept word for word.
const FAILURES_MAX: usize = 100;

/// What is done, with whom, and what came of it.
pub(crate) struct Load<'a> {
    near: &'a Node,
    far: &'a Node,
    folder: &'a Path,
    keep: usize,
    shelf: Shelf,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    failures: Mutex<Vec<String>>,
}

type Step<'a> = fn(&Load<'a>, &mut Noise) -> Outcome<()>;

impl<'a> Load<'a> {
    pub(crate) fn new(near: &'a Node, far: &'a Node, folder: &'a Path, keep: usize) -> Self {
        let (counts, failures) = (Mutex::default(), Mutex::default());
        Self { near, far, folder, keep, shelf: Shelf::default(), counts, failures }
    }

    /// Adds the first file.
    pub(crate) fn prime(&self) -> Outcome<()> {
        self.add(&mut Noise::new(0))
    }

    /// Starts a thread for each kind of work.
    pub(crate) fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        stop: &'scope AtomicBool,
    ) -> Vec<ScopedJoinHandle<'scope, ()>> {
        let work: [(&'static str, Step<'a>, Duration); 7] = [
            ("adds", Self::add, Duration::ZERO),
            ("reads", Self::cat_near, Duration::ZERO),
            ("fetches", Self::cat_far, Duration::ZERO),
            ("requests", Self::request, Duration::from_millis(10)),
            ("pins", Self::pin, Duration::from_millis(50)),
            ("collections", Self::collect_near, COLLECT_EVERY),
            ("far collections", Self::collect_far, COLLECT_EVERY),
        ];
        let start = |(seed, (name, step, pause)): (usize, (&'static str, Step<'a>, Duration))| {
            scope.spawn(move || {
                let mut noise = Noise::new(seed as u64 + 1);
                while !stop.load(Ordering::Relaxed) {
                    self.note(name, step(self, &mut noise));
                    rest(pause, stop);
                }
            })
        };
        work.into_iter().enumerate().map(start).collect()
    }

    fn note(&self, name: &'static str, outcome: Outcome<()>) {
        match outcome {
            Ok(()) => *lock(&self.counts).entry(name).or_default() += 1,
            Err(failure) => {
                let mut failures = lock(&self.failures);
                if failures.len() < FAILURES_MAX {
                    failures.push(format!("{name}: {failure}"));
                }
            }
        }
    }

    /// Adds a file of 1 B to 8 MiB, most of them small, and unpins an old one.
    fn add(&self, noise: &mut Noise) -> Outcome<()> {
        let length = (8.0 * 1024.0 * 1024.0 * noise.unit().powi(4)) as usize + 1;
        let content = noise.bytes(length);
        let path = self.folder.join("soak-file");
        std::fs::write(&path, &content)?;
        let (cid, _) = self.near.add(&[], &path)?;
        self.shelf.put(Kept::new(cid, &content));
        if let Some(old) = self.shelf.forget(self.keep) {
            self.near.run(&["pin", "rm", &old.cid])?;
        }
        Ok(())
    }

    fn cat_near(&self, noise: &mut Noise) -> Outcome<()> {
        let kept = self.shelf.any(noise).ok_or(EMPTY)?;
        read(self.near, &kept)
    }

    fn cat_far(&self, noise: &mut Noise) -> Outcome<()> {
        let kept = self.shelf.any(noise).ok_or(EMPTY)?;
        read(self.far, &kept)
    }

    fn request(&self, noise: &mut Noise) -> Outcome<()> {
        let kept = self.shelf.any(noise).ok_or(EMPTY)?;
        http::get(self.near.gateway(), &format!("/ipfs/{}", kept.cid), 1)
    }

    /// A pin of the far node that comes and goes.
    fn pin(&self, noise: &mut Noise) -> Outcome<()> {
        let kept = self.shelf.any(noise).ok_or(EMPTY)?;
        self.far.run(&["pin", "add", &kept.cid])?;
        self.far.run(&["pin", "rm", &kept.cid]).map(drop)
    }

    fn collect_near(&self, _: &mut Noise) -> Outcome<()> {
        self.near.run_quietly(&["repo", "gc", "--quiet"]).map(drop)
    }

    fn collect_far(&self, _: &mut Noise) -> Outcome<()> {
        self.far.run_quietly(&["repo", "gc", "--quiet"]).map(drop)
    }

    /// Reads every file that was acknowledged and not unpinned; what fails.
    pub(crate) fn read_everything_back(&self) -> Vec<String> {
        let all = self.shelf.all();
        all.iter().filter_map(|kept| read(self.near, kept).err()).map(|failure| failure.to_string()).collect()
    }

    pub(crate) fn kept(&self) -> usize {
        self.shelf.all().len()
    }

    /// What was done, as a person reads it.
    pub(crate) fn counts(&self) -> String {
        let counts = lock(&self.counts);
        counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        lock(&self.failures).clone()
    }
}

fn read(node: &Node, kept: &Kept) -> Outcome<()> {
    let ran = node.run(&["cat", &kept.cid])?;
    if kept.is(&ran.output) { Ok(()) } else { Err(format!("{} reads as something else", kept.cid).into()) }
}

/// Waits, but not beyond the end.
fn rest(pause: Duration, stop: &AtomicBool) {
    let start = std::time::Instant::now();
    while start.elapsed() < pause && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(pause.saturating_sub(start.elapsed()).min(Duration::from_millis(100)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
