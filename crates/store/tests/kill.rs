//! A real process, killed in the middle of its writing, 200 times: what it acknowledged is there.
//!
//! The test starts itself again as the child, which writes and tells each acknowledgement through a pipe.

#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Numbers, collect, count, damages, leaf, links, node, tree};
use ipse_base::Cid;
use ipse_store::{PinMode, Repo, RepoError, Store, StoreOptions};

const FOLDER: &str = "IPSE_STORE_KILL_FOLDER";
const START: &str = "IPSE_STORE_KILL_START";

fn open(root: &Path) -> Store {
    let repo = match Repo::open(root) {
        Err(RepoError::Absent(_)) => Repo::init(root, b"{}", b"{}"),
        other => other,
    };
    let mut options = StoreOptions::new(links);
    options.segment_bytes = 4 << 20;
    Store::open_in(repo.unwrap(), options).unwrap()
}

/// The child: does nothing unless it is told where.
#[test]
fn child() {
    let Ok(root) = std::env::var(FOLDER) else { return };
    let start: u64 = std::env::var(START).unwrap().parse().unwrap();
    let store = open(Path::new(&root));
    let mut out = std::io::stdout().lock();
    let mut said: Vec<Cid> = Vec::new();
    for round in start.. {
        let leaves: Vec<_> = (0..5).map(|at| leaf(round * 5 + at, (round as usize * 977) % 60_000)).collect();
        let cids: Vec<Cid> = leaves.iter().map(|block| block.cid().clone()).collect();
        store.put_blocks(&leaves).unwrap();
        if round % 3 == 0 {
            let top = node(round as u8, &cids);
            store.put_blocks(std::slice::from_ref(&top)).unwrap();
            store.pin(top.cid(), PinMode::Recursive, Some("tour")).unwrap();
            said.push(top.cid().clone());
            writeln!(out, "pinned {}", top.cid()).unwrap();
        } else {
            store.commit_blocks().unwrap();
            let names: Vec<String> = cids.iter().map(Cid::to_string).collect();
            writeln!(out, "stored {}", names.join(" ")).unwrap();
        }
        if said.len() == 12 {
            let gone = said.remove(0);
            writeln!(out, "unpinning {gone}").unwrap();
            out.flush().unwrap();
            store.unpin(&[gone]).unwrap();
            writeln!(out, "collecting").unwrap();
            out.flush().unwrap();
            collect(&store).unwrap();
        }
        out.flush().unwrap();
    }
}

fn start(root: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, root)
        .env(START, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the killed child said it had.
#[derive(Default)]
struct Said {
    stored: Vec<Cid>,
    pinned: Vec<Cid>,
}

fn hear(child: &mut Child) -> Said {
    let mut said = Said::default();
    for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        // The test harness writes to the same pipe; the last line may be cut off.
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let cids: Vec<Cid> = rest.split(' ').filter_map(|cid| cid.parse().ok()).collect();
        match word {
            "stored" => said.stored.extend(cids),
            "pinned" => said.pinned.extend(cids),
            "unpinning" => said.pinned.retain(|cid| !cids.contains(cid)),
            "collecting" => said.stored.clear(),
            _ => {}
        }
    }
    said
}

fn check(store: &Store, said: &Said) {
    for cid in &said.stored {
        assert!(store.get(cid).unwrap().is_some(), "{cid} was acknowledged");
    }
    for cid in &said.pinned {
        assert_eq!(store.pin_of(cid).unwrap().unwrap().mode, PinMode::Recursive);
    }
    for pin in store.pins(None) {
        assert_eq!(tree(store, &pin.unwrap().cid).len(), 6, "a pin dangles");
    }
}

#[test]
fn killed_at_any_moment() {
    if std::env::var(FOLDER).is_ok() {
        return;
    }
    let mut numbers = Numbers(u64::from(std::process::id()));
    let mut acknowledged = 0;
    let kills = count("IPSE_STORE_KILLS", 200);
    for folder_number in 0..kills.div_ceil(20) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        for kill in 0..20.min(kills - folder_number * 20) {
            let mut child = start(&root, kill * 100_000);
            std::thread::sleep(Duration::from_millis(5 + numbers.below(120)));
            child.kill().unwrap();
            let said = hear(&mut child);
            child.wait().unwrap();
            acknowledged += said.stored.len() + said.pinned.len();
            let store = open(&root);
            check(&store, &said);
            if kill % 5 == 4 {
                assert_eq!(damages(&store), []);
            }
        }
    }
    assert!(acknowledged as u64 > kills, "the children were killed before they did anything: {acknowledged}");
}

#[test]
fn two_processes_do_not_share_a_repository() {
    if std::env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repo");
    let mut child = start(&root, 0);
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    while !line.starts_with("pinned") {
        line.clear();
        out.read_line(&mut line).unwrap();
    }
    let error = Repo::open(&root).err().unwrap();
    let text = format!("lock {}: someone else has the lock", root.join("repo.lock").display());
    assert_eq!(error.to_string(), text);
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock goes with the process, however it ended.
    assert!(Repo::open(&root).is_ok());
}
