//! Collection by hand and by itself, through the program.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::Home;
use serde_json::Value;

/// Bytes that no two files share.
fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length / 8).flat_map(|_| next()).collect()
}

/// What the repository takes on the disk.
fn disk_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).unwrap() {
        // Segments go while the daemon runs.
        let Ok(meta) = entry.as_ref().unwrap().metadata() else { continue };
        bytes += if meta.is_dir() { disk_bytes(&entry.unwrap().path()) } else { meta.blocks() * 512 };
    }
    bytes
}

fn added(home: &Home, name: &str, seed: u64, bytes: usize, flags: &[&str]) -> String {
    home.write(name, content(seed, bytes));
    let words = [&["add", "-Q", "--cid-version=1"], flags, &[name]].concat();
    home.ipfs(&words).good().trim().to_owned()
}

fn local(home: &Home) -> usize {
    home.ipfs(&["refs", "local"]).good().lines().count()
}

#[test]
fn a_dry_run_prints_the_plan_and_removes_nothing() {
    let home = Home::new();
    added(&home, "kept", 1, 300_000, &[]);
    let loose = added(&home, "loose", 2, 600_000, &["--pin=false"]);
    let before = local(&home);
    for daemon in [None, Some(())].map(|on| on.map(|()| home.daemon())) {
        let said = home.ipfs(&["repo", "gc", "--dry-run"]).good();
        assert!(said.starts_with("BlocksRemoved:"), "{said}");
        assert!(said.trim_end().ends_with("of the disk would return; nothing was removed"), "{said}");
        let plan: Value =
            serde_json::from_str(&home.ipse(&["repo", "gc", "--dry-run", "--enc=json"]).good()).unwrap();
        let number = |key: &str| plan[key].as_u64().unwrap();
        // Three chunks of 256 KiB and their node go.
        assert_eq!((number("Blocks"), number("KeptBlocks")), (4, before as u64 - 4), "{plan}");
        assert!(number("Bytes") > 600_000 && number("FreedBytes") > 500_000, "{plan}");
        assert!(number("Segments") + number("Holes") > 0, "{plan}");
        assert_eq!(local(&home), before);
        drop(daemon);
    }
    let removed = home.ipfs(&["repo", "gc", "--quiet"]).good();
    assert_eq!((removed.lines().count(), local(&home)), (4, before - 4));
    assert!(removed.lines().any(|line| line == loose), "{removed}");
    assert!(home.ipfs(&["repo", "verify"]).ok);
}

#[test]
fn a_daemon_keeps_the_bound_and_lets_go_what_was_used_longest_ago() {
    const BOUND: u64 = 40_000_000;
    // A write that is under way, and a segment that is copied.
    const SLACK: u64 = 8 << 20;
    const FILE: usize = 5_000_000;
    let home = Home::new();
    home.ipfs(&["config", "Datastore.StorageMax", "40MB"]).good();
    let _daemon = home.daemon_as("ipfs", &["daemon", "--enable-gc"]);
    let loose = |seed| added(&home, "file", seed, FILE, &["--pin=false", "--raw-leaves"]);
    let is_here = |cid: &str| home.ipfs(&["cat", "--offline", cid]).ok;
    let pinned = added(&home, "file", 0, FILE, &[]);
    let first = loose(1);
    let second = loose(2);
    let mut last = String::new();
    for seed in 3..14 {
        last = loose(seed);
        // What is read goes on being here.
        assert!(is_here(&first), "{seed}");
        let bytes = disk_bytes(&home.repository());
        assert!(bytes <= BOUND + SLACK, "{bytes} bytes after {seed} files");
    }
    assert!(is_here(&pinned) && is_here(&last));
    assert!(!is_here(&second));
    // Pins fill it: what does not fit is refused, and the rest goes on.
    let mut filling = vec![pinned.clone()];
    let refused = (20..30).find_map(|seed| {
        home.write("file", content(seed, FILE));
        let done = home.ipse(&["add", "-Q", "file"]);
        if done.ok {
            filling.push(done.text().trim().to_owned());
        }
        (!done.ok).then_some(done.err)
    });
    let refused = refused.unwrap();
    assert!(refused.contains("the repository is full") && refused.contains("StorageMax"), "{refused}");
    assert!(disk_bytes(&home.repository()) <= BOUND + SLACK);
    assert!(is_here(&pinned));
    // Room is made by unpinning.
    home.ipfs(&["pin", "rm", &filling[0], &filling[1]]).good();
    loose(40);
    let workers = home.ipse(&["diag", "workers"]).good();
    assert!(workers.contains("collector"), "{workers}");
}
