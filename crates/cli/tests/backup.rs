//! Backup and restoration by the real program: beside a daemon, killed in the middle, damaged, into the wrong place.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use common::Home;

fn noise(bytes: u32, seed: u32) -> Vec<u8> {
    let word = |at: u32| (at ^ seed).wrapping_mul(2_654_435_761).rotate_left(at % 31);
    (0..bytes / 4).flat_map(|at| word(at).wrapping_mul(word(at + 1)).to_le_bytes()).collect()
}

/// What a repository holds: identity, blocks, pins.
fn contents(home: &Home) -> [String; 3] {
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    [&["id", "--format=<id>"][..], &["refs", "local"], &["pin", "ls", "--type=recursive", "--names"]]
        .map(|words| sorted(home.ipfs(words).good()))
}

/// A home whose repository is restored from a folder.
fn restored(folder: &Path) -> Home {
    let home = Home::empty();
    home.ipse(&["restore", folder.to_str().unwrap()]).good();
    home
}

fn copied(json: &str) -> u64 {
    let field = json.split("\"Copied\":").nth(1).unwrap();
    field.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

#[test]
fn a_backup_beside_a_daemon_is_the_node_again() {
    let home = Home::new();
    home.write("dir/a", noise(3_000_000, 1));
    home.write("dir/sub/b", "small");
    let folder = home.path("backup");
    let name = folder.to_str().unwrap();
    let daemon = home.daemon();
    let cid = home.ipfs(&["add", "-Qr", "--pin-name=mine", "dir"]).good();
    let said = home.ipse(&["backup", name]).good();
    assert!(said.contains("it holds the node's private key"), "{said}");
    let first = contents(&home);
    assert_eq!(contents(&restored(&folder)), first);
    // Again, with a little more: only that is copied.
    home.write("more", noise(100_000, 2));
    home.ipfs(&["add", "-Q", "more"]).good();
    let json = home.ipse(&["backup", "--enc=json", name]).good();
    assert!((100_000..200_000).contains(&copied(&json)), "{json}");
    // Less again: what was collected goes from the backup too, once its segment does.
    home.ipfs(&["pin", "rm", cid.trim()]).good();
    home.ipfs(&["repo", "gc", "-q"]).good();
    home.ipse(&["backup", name]).good();
    let last = contents(&home);
    drop(daemon);
    let again = restored(&folder);
    assert_eq!(contents(&again), last);
    assert!(again.ipfs(&["repo", "verify"]).good().ends_with("verify complete, all blocks validated.\n"));
    // Without a daemon it is the same.
    assert_eq!(copied(&home.ipse(&["backup", "--enc=json", name]).good()) / 4096, 0);
    // Nobody else can read it.
    for entry in [folder.join("manifest"), folder.join("files"), folder.join("segments")] {
        assert_eq!(fs::metadata(entry).unwrap().permissions().mode() & 0o077, 0);
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_foreign_taken() {
    let (one, two) = (Home::new(), Home::new());
    let folder = one.path("backup");
    let name = folder.to_str().unwrap();
    one.ipse(&["backup", name]).good();
    let taken = one.ipse(&["restore", name]).bad();
    assert!(taken.starts_with("Error: ipfs configuration file already exists!"), "{taken}");
    let other = two.ipse(&["backup", name]).bad();
    assert!(other.contains("holds a backup of the node 12D3"), "{other}");
    let full = one.write("full/file", "mine");
    let refused = one.ipse(&["backup", full.parent().unwrap().to_str().unwrap()]).bad();
    assert!(refused.contains("is not empty and holds no backup"), "{refused}");
    let nothing = Home::empty().ipse(&["restore", one.path("full").to_str().unwrap()]).bad();
    assert!(nothing.contains("holds no backup"), "{nothing}");
}

#[test]
fn a_damaged_backup_is_noticed_and_makes_no_repository() {
    let home = Home::new();
    home.write("a", noise(500_000, 3));
    home.ipfs(&["add", "-Q", "a"]).good();
    let folder = home.path("backup");
    let name = folder.to_str().unwrap();
    home.ipse(&["backup", name]).good();
    assert!(home.ipse(&["restore", "--verify", name]).good().starts_with("the backup is whole"));
    let segment = fs::read_dir(folder.join("segments")).unwrap().next().unwrap().unwrap().path();
    let file = fs::OpenOptions::new().read(true).write(true).open(&segment).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 300_000).unwrap();
    file.write_all_at(&[byte[0] ^ 4], 300_000).unwrap();
    let found = home.ipse(&["restore", "--verify", name]).bad();
    assert!(found.contains("is damaged at offset"), "{found}");
    let target = Home::empty();
    target.ipse(&["restore", name]).bad();
    let unfinished = target.ipfs(&["init", "--profile=test"]).bad();
    assert!(unfinished.contains("was not restored to its end"), "{unfinished}");
    // A restoration that was broken off is begun anew.
    file.write_all_at(&byte, 300_000).unwrap();
    target.ipse(&["restore", name]).good();
    assert_eq!(contents(&target), contents(&home));
}

#[test]
fn a_backup_killed_in_the_middle_leaves_the_earlier_one() {
    let home = Home::new();
    let folder = home.path("backup");
    let name = folder.to_str().unwrap();
    home.write("a", noise(1_000_000, 4));
    home.ipfs(&["add", "-Q", "a"]).good();
    home.ipse(&["backup", name]).good();
    let mut first = contents(&home);
    for round in 0..3_u64 {
        home.write("b", noise(24_000_000, 10 + round as u32));
        home.ipfs(&["add", "-Q", "b"]).good();
        let before = bytes_of(&folder);
        let mut child = home.start("ipse", &["backup", name]);
        let deadline = Instant::now() + Duration::from_secs(60);
        while bytes_of(&folder) < before + round * 8_000_000 && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        child.kill().unwrap();
        let ended = child.wait().unwrap().success();
        assert!(home.ipse(&["restore", "--verify", name]).ok);
        if ended {
            first = contents(&home);
        }
        assert_eq!(contents(&restored(&folder)), first, "round {round}");
    }
    home.ipse(&["backup", name]).good();
    assert_eq!(contents(&restored(&folder)), contents(&home));
}

fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder.join("segments")).unwrap();
    entries.map(|entry| entry.unwrap().metadata().map_or(0, |found| found.len())).sum()
}
