//! A busy daemon, killed again and again: what it acknowledged is there.
//!
//! Adds, pins, unpins, fetches from a second daemon and a collection run at the same time, each as commands of the
//! real program. `IPSE_CLI_KILLS` sets how often the daemon is killed.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use common::{Home, tree};

/// Kills of one repository; then a new one begins, so that it stays small.
const KILLS_PER_HOME: u64 = 20;
/// Things that the second daemon has.
const OFFERED: u64 = 12;

/// A sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The content of a file, by its number.
fn content(number: u64) -> Vec<u8> {
    let mut numbers = Numbers(number ^ 0x5eed);
    let length = numbers.below(120_000);
    (0..length).map(|_| numbers.below(256) as u8).collect()
}

/// What was acknowledged over the lives of a daemon.
#[derive(Default)]
struct Acknowledged {
    pinned: BTreeSet<String>,
    /// Added in this life, with the number of its content.
    added: Vec<(String, u64)>,
}

/// One life of a daemon and those who ask it.
struct Life<'a> {
    home: &'a Home,
    known: &'a Mutex<Acknowledged>,
    /// The next file.
    next: &'a AtomicU64,
    offered: &'a [String],
    over: AtomicBool,
}

impl Life<'_> {
    fn running(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    /// Adds, and takes some of the pins away again.
    fn add(&self, told: &SyncSender<()>) {
        while self.running() {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let file = format!("file-{number}");
            self.home.write(&file, content(number));
            let done = self.home.ipfs(&["add", "-Q", "--chunker=size-4096", "--cid-version=1", &file]);
            let _ = fs::remove_file(self.home.path(&file));
            if !done.ok {
                return;
            }
            let cid = done.good().trim().to_owned();
            {
                let mut known = self.known.lock().unwrap();
                known.pinned.insert(cid.clone());
                known.added.push((cid.clone(), number));
            }
            let _ = told.try_send(());
            if number.is_multiple_of(3) {
                // From here on it may be there or not.
                let mut known = self.known.lock().unwrap();
                known.pinned.remove(&cid);
                known.added.retain(|(added, _)| *added != cid);
                drop(known);
                if !self.home.ipfs(&["pin", "rm", &cid]).ok {
                    return;
                }
                let _ = told.try_send(());
            }
        }
    }

    /// Pins what only the other daemon has.
    fn fetch(&self, told: &SyncSender<()>, start: u64) {
        for at in start.. {
            let cid = &self.offered[(at % self.offered.len() as u64) as usize];
            if !self.running() || !self.home.ipfs(&["pin", "add", "--timeout=30s", cid]).ok {
                return;
            }
            self.known.lock().unwrap().pinned.insert(cid.clone());
            let _ = told.try_send(());
            self.known.lock().unwrap().pinned.remove(cid);
            if !self.home.ipfs(&["pin", "rm", cid]).ok {
                return;
            }
        }
    }

    fn collect(&self) {
        while self.running() && self.home.ipfs(&["repo", "gc", "-q"]).ok {}
    }
}

/// What the repository must be after a kill, seen without a daemon.
fn check(home: &Home, known: &Acknowledged) {
    let pins = home.ipfs(&["pin", "ls", "--type=recursive", "-q"]).good();
    let pins: BTreeSet<String> = pins.lines().map(str::to_owned).collect();
    let lost: Vec<_> = known.pinned.difference(&pins).collect();
    assert!(lost.is_empty(), "pins that were acknowledged are gone: {lost:?}");
    assert_eq!(home.ipfs(&["pin", "verify", "-q"]).good(), "", "a pin dangles");
    for (cid, number) in &known.added {
        let read = home.ipfs(&["cat", cid]);
        assert!(read.ok && read.out == content(*number), "{cid}: {}", read.err);
    }
    let verified = home.ipfs(&["repo", "verify"]).good();
    assert!(verified.ends_with("verify complete, all blocks validated.\n"), "{verified}");
    // Everything above opened and closed the repository; doing it once more changes nothing.
    let (blocks, segments) = (home.ipfs(&["refs", "local"]).good(), tree(&home.repository().join("blocks")));
    assert_eq!(home.ipfs(&["refs", "local"]).good(), blocks);
    assert!(tree(&home.repository().join("blocks")) == segments, "a second opening changed the segments");
}

fn live_and_die(
    home: &Home,
    known: &Mutex<Acknowledged>,
    next: &AtomicU64,
    peer: &str,
    offered: &[String],
    seed: u64,
) {
    let mut numbers = Numbers(seed);
    let daemon = home.daemon();
    home.ipfs(&["swarm", "connect", peer]).good();
    known.lock().unwrap().added.clear();
    let life = Life { home, known, next, offered, over: AtomicBool::new(false) };
    let (told, acknowledgements) = sync_channel(64);
    let first = numbers.below(OFFERED);
    std::thread::scope(|scope| {
        let life = &life;
        for _ in 0..2 {
            let told = told.clone();
            scope.spawn(move || life.add(&told));
        }
        scope.spawn(move || life.fetch(&told, first));
        scope.spawn(|| life.collect());
        // The moment is one of the daemon's own: so many acknowledgements after the start.
        for _ in 0..1 + numbers.below(10) {
            acknowledgements.recv().unwrap();
        }
        drop(daemon);
        life.over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn killed_while_it_is_busy() {
    let kills: u64 = std::env::var("IPSE_CLI_KILLS").map_or(12, |count| count.parse().unwrap());
    let other = Home::new();
    let offered: Vec<String> = (0..OFFERED)
        .map(|number| {
            other.write("offered", content(1_000_000 + number));
            other
                .ipfs(&["add", "-Q", "--chunker=size-4096", "--cid-version=1", "offered"])
                .good()
                .trim()
                .to_owned()
        })
        .collect();
    let _peer = other.daemon();
    let addresses = other.ipfs(&["id", "--format=<addrs>"]).good();
    let address = addresses.lines().next().unwrap();
    let next = AtomicU64::new(0);
    let mut acknowledged = 0;
    for first in (0..kills).step_by(KILLS_PER_HOME as usize) {
        let home = Home::new();
        let known = Mutex::new(Acknowledged::default());
        for kill in first..kills.min(first + KILLS_PER_HOME) {
            live_and_die(&home, &known, &next, address, &offered, kill);
            let known = known.lock().unwrap();
            acknowledged += known.added.len();
            check(&home, &known);
        }
    }
    assert!(acknowledged as u64 > kills, "it was killed before it did anything: {acknowledged}");
}
