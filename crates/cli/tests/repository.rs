//! Who may have a repository: one at a time, whatever a killed one left behind, and nobody who is too old for it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;

use common::{Home, tree};

#[test]
fn a_second_daemon_says_who_has_it_and_ends() {
    let home = Home::new();
    let daemon = home.daemon();
    let api = fs::read_to_string(home.repository().join("api")).unwrap();
    for name in ["ipfs", "ipse"] {
        let mut second = home.start(name, &["daemon"]);
        let status = second.wait().unwrap();
        assert_eq!(status.code(), Some(1));
    }
    let error = home.ipse(&["daemon"]).bad();
    assert!(error.contains("someone else has the lock"), "{error}");
    assert!(error.contains(&format!("process {} uses this repository", daemon.id())), "{error}");
    assert!(error.contains("ipse shutdown"), "{error}");
    // The first one goes on, and is still found.
    home.write("a", "one");
    home.ipfs(&["add", "-Q", "a"]).good();
    assert_eq!(fs::read_to_string(home.repository().join("api")).unwrap(), api);
    drop(daemon);
}

#[test]
fn what_a_killed_daemon_leaves_is_in_nobodys_way() {
    let home = Home::new();
    home.write("a", "one");
    let mut daemon = home.daemon();
    let cid = home.ipfs(&["add", "-Q", "a"]).good();
    daemon.signal("KILL");
    assert!(!daemon.ended());
    for left in ["api", "gateway", "ipse.sock", "repo.lock"] {
        assert!(home.repository().join(left).exists(), "{left}");
    }
    let api = fs::read_to_string(home.repository().join("api")).unwrap();
    // Commands go on without a daemon, and the next daemon takes the files over.
    assert_eq!(home.ipfs(&["cat", cid.trim()]).good(), "one");
    // Neither a power cut's half of an address nor nothing keeps them from it.
    for cut in ["/ip4/127.0", ""] {
        fs::write(home.repository().join("api"), cut).unwrap();
        assert_eq!(home.ipfs(&["cat", cid.trim()]).good(), "one");
    }
    fs::write(home.repository().join("api"), &api).unwrap();
    home.write("b", "two");
    home.ipfs(&["add", "-Q", "b"]).good();
    let _next = home.daemon();
    assert_ne!(fs::read_to_string(home.repository().join("api")).unwrap(), api);
    assert_eq!(home.ipfs(&["cat", cid.trim()]).good(), "one");
}

#[test]
fn a_repository_of_a_newer_version_is_left_as_it_is() {
    let home = Home::new();
    home.write("a", "one");
    let cid = home.ipfs(&["add", "-Q", "a"]).good();
    fs::write(home.repository().join("version"), "1002\n").unwrap();
    let before = tree(&home.repository());
    for words in [&["cat", cid.trim()][..], &["add", "a"], &["repo", "gc"], &["daemon"]] {
        let error = home.ipse(words).bad();
        assert!(error.contains("repository format 2, newer than 1"), "{words:?}: {error}");
        assert!(
            error.contains("use the version of ipse that wrote it, or a newer one"),
            "{words:?}: {error}"
        );
    }
    assert_eq!(tree(&home.repository()), before);
    fs::write(home.repository().join("version"), "1001\n").unwrap();
    assert_eq!(home.ipfs(&["cat", cid.trim()]).good(), "one");
}

#[test]
fn a_segment_of_a_newer_version_is_left_as_it_is() {
    let home = Home::new();
    home.write("a", "one");
    let cid = home.ipfs(&["add", "-Q", "a"]).good();
    let segment = home.repository().join("blocks/00000001.seg");
    let old = fs::read(&segment).unwrap();
    let mut new = old.clone();
    for copy in [0, 32] {
        new[copy + 8] = 2;
        let sum = crc32c::crc32c(&new[copy..copy + 24]);
        new[copy + 24..copy + 28].copy_from_slice(&sum.to_le_bytes());
    }
    fs::write(&segment, &new).unwrap();
    let error = home.ipse(&["cat", cid.trim()]).bad();
    assert!(error.contains("has format 2, newer than this version reads"), "{error}");
    assert!(error.contains("use the version of ipse that wrote it"), "{error}");
    assert_eq!(fs::read(&segment).unwrap(), new);
    fs::write(&segment, &old).unwrap();
    assert_eq!(home.ipfs(&["cat", cid.trim()]).good(), "one");
}
