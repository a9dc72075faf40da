//! Damage on the disk of the real program: reported, read around, healed from a peer, dropped.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;

use common::Home;

/// Flips one bit of the bytes `needle`, wherever a segment holds them.
fn damage(home: &Home, needle: &[u8]) {
    for entry in fs::read_dir(home.repository().join("blocks")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(needle.len()).position(|window| window == needle) {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_at(&[bytes[at] ^ 1], at as u64).unwrap();
            return;
        }
    }
    panic!("no segment holds it");
}

fn connect(from: &Home, to: &Home) {
    let addresses = to.ipfs(&["id", "--format=<addrs>"]).good();
    from.ipfs(&["swarm", "connect", addresses.lines().next().unwrap()]).good();
}

#[test]
fn damage_is_reported_and_only_an_online_node_heals() {
    let home = Home::new();
    home.write("a", "some content that will not stay");
    let cid = home.ipfs(&["add", "-Q", "--raw-leaves", "a"]).good();
    let cid = cid.trim();
    damage(&home, b"some content");
    let error = home.ipse(&["cat", cid]).bad();
    assert!(error.contains(cid) && error.contains("is damaged at segment 00000001"), "{error}");
    assert!(error.contains("\nHint: "), "{error}");
    let done = home.ipfs(&["repo", "verify"]);
    assert!(
        done.text().contains(&format!("block {cid} was corrupt (payload does not match")),
        "{}",
        done.text()
    );
    assert_eq!(done.bad(), "Error: verify complete, 1 blocks corrupt\n");
    let refused = home.ipfs(&["repo", "verify", "--heal"]).bad();
    assert_eq!(refused, "Error: this command must be run in online mode. Try running 'ipfs daemon' first\n");
    let dropped = home.ipfs(&["repo", "verify", "--drop"]).good();
    assert!(dropped.ends_with("verify complete, 1 blocks corrupt, 1 removed\n"), "{dropped}");
    home.ipfs(&["--offline", "block", "stat", cid]).bad();
    assert!(home.ipfs(&["repo", "verify"]).good().ends_with("verify complete, all blocks validated.\n"));
    // The pin outlived its block; adding the data makes it whole.
    home.ipfs(&["add", "-Q", "--raw-leaves", "a"]).good();
    assert_eq!(home.ipfs(&["cat", cid]).good(), "some content that will not stay");
}

#[test]
fn a_peer_heals_what_is_damaged() {
    let (whole, broken) = (Home::new(), Home::new());
    for home in [&whole, &broken] {
        home.write("a", "first content that will not stay");
        home.write("b", "other content that will not stay");
    }
    let add =
        |home: &Home, name: &str| home.ipfs(&["add", "-Q", "--raw-leaves", name]).good().trim().to_owned();
    let (first, other) = (add(&whole, "a"), add(&whole, "b"));
    assert_eq!((add(&broken, "a"), add(&broken, "b")), (first.clone(), other.clone()));
    damage(&broken, b"first content");
    damage(&broken, b"other content");
    let (_one, _two) = (whole.daemon(), broken.daemon());
    let alone = broken.ipfs(&["repo", "verify", "--heal", "--heal-timeout=10ms"]).bad();
    assert_eq!(alone, "Error: verify complete, 2 blocks corrupt, 2 failed to heal\n");
    connect(&broken, &whole);
    // A read is answered by the peer, and mends.
    assert_eq!(broken.ipfs(&["cat", &first]).good(), "first content that will not stay");
    assert_eq!(broken.ipfs(&["--offline", "cat", &first]).good(), "first content that will not stay");
    let healed = broken.ipfs(&["repo", "verify", "--heal"]).good();
    let summary = healed.lines().last().unwrap().to_owned();
    assert!(
        healed.contains(&format!("block {other} was corrupt")) || summary.ends_with("validated."),
        "{healed}"
    );
    assert!(broken.ipfs(&["repo", "verify"]).good().ends_with("verify complete, all blocks validated.\n"));
    assert_eq!(broken.ipfs(&["--offline", "cat", &other]).good(), "other content that will not stay");
}
