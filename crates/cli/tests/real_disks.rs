//! Full and read-only disks that are real: small file systems in memory, mounted for the test. Where mounting is not
//! allowed the tests say so and pass.

#![allow(clippy::print_stdout, reason = "a test that can't run here says so")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use common::Home;

/// A home whose repository is on a file system of its own.
struct Mounted {
    home: Home,
    at: PathBuf,
}

impl Mounted {
    fn new(size: &str) -> Option<Self> {
        let home = Home::empty();
        let at = home.repository();
        fs::create_dir(&at).unwrap();
        let mounted = Self { home, at };
        if mounted.mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "ipse-test"]) {
            mounted.home.ipfs(&["init", "--profile=test"]).good();
            return Some(mounted);
        }
        println!("SKIP: no file system can be mounted here");
        None
    }

    fn mount(&self, words: &[&str]) -> bool {
        let done = Command::new("mount").args(words).arg(&self.at).output();
        done.is_ok_and(|done| done.status.success())
    }

    fn remount(&self, mode: &str) {
        assert!(self.mount(&["-o", &format!("remount,{mode}")]), "remounting {mode}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).output();
    }
}

/// Bytes that no two numbers share, nor two blocks of one.
fn content(number: u64, bytes: u64) -> Vec<u8> {
    let word = |at: u64| (number << 32 | at).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    (0..bytes / 8).flat_map(word).collect()
}

fn add(home: &Home, number: u64) -> Result<String, String> {
    home.write("file", content(number, 1 << 20));
    // As ourselves, for the hint.
    let done = home.ipse(&["add", "-Q", "file"]);
    if done.ok { Ok(done.good().trim().to_owned()) } else { Err(done.bad()) }
}

/// Adds until nothing more is taken.
fn fill(home: &Home, from: u64) -> (Vec<String>, String) {
    let mut added = Vec::new();
    loop {
        match add(home, from + added.len() as u64) {
            Ok(cid) => added.push(cid),
            Err(error) => return (added, error),
        }
    }
}

fn check_reading(home: &Home, added: &[String]) {
    for (cid, number) in added.iter().zip(0..) {
        let done = home.ipfs(&["cat", cid]);
        assert!(done.ok && done.out == content(number, 1 << 20), "{number}: {}", done.err);
    }
    let pinned = home.ipfs(&["pin", "ls", "--type=recursive", "-q"]).good();
    assert!(added.iter().all(|cid| pinned.contains(cid)));
    home.ipfs(&["ls", &added[0]]).good();
    assert!(home.ipfs(&["dag", "export", &added[0]]).out.len() > 1 << 20);
    home.ipfs(&["refs", "local"]).good();
    home.ipfs(&["repo", "stat"]).good();
}

#[test]
fn a_full_disk_is_served_and_cleaned_up() {
    for with_daemon in [true, false] {
        let Some(mounted) = Mounted::new("24m") else { return };
        let home = &mounted.home;
        let mut daemon = with_daemon.then(|| home.daemon());
        let (mut added, error) = fill(home, 0);
        assert!(added.len() > 10, "{}: {error}", added.len());
        assert!(error.contains("No space left") || error.contains("no storage space"), "{error}");
        assert!(error.contains("repo gc"), "a hint: {error}");
        check_reading(home, &added);
        if let Some(mut running) = daemon.take() {
            home.ipfs(&["shutdown"]).good();
            assert!(running.ended(), "{}", running.printed());
            daemon = Some(home.daemon());
        }
        check_reading(home, &added);
        let gone = added.split_off(2);
        home.ipfs(&[&["pin", "rm"][..], &gone.iter().map(String::as_str).collect::<Vec<_>>()].concat())
            .good();
        home.ipfs(&["repo", "gc", "-q"]).good();
        check_reading(home, &added);
        // The disk is as good as before.
        let (again, _) = fill(home, 100);
        assert!(again.len() + 2 >= gone.len(), "{} of {}", again.len(), gone.len());
        let verified = home.ipfs(&["repo", "verify"]);
        assert!(verified.ok, "{}", verified.err);
    }
}

#[test]
fn a_read_only_disk_is_served() {
    let Some(mounted) = Mounted::new("24m") else { return };
    let home = &mounted.home;
    let added: Vec<String> = (0..2).map(|number| add(home, number).unwrap()).collect();
    mounted.remount("ro");
    for with_daemon in [false, true] {
        let daemon = with_daemon.then(|| home.daemon());
        check_reading(home, &added);
        for words in [&["add", "-Q", "file"][..], &["pin", "rm", &added[0]], &["repo", "gc"]] {
            let error = home.ipse(words).bad();
            assert!(error.contains("takes no writes") && error.contains("make it writable"), "{error}");
        }
        if let Some(daemon) = &daemon {
            let printed = daemon.printed();
            let gateway = printed.lines().find_map(|line| line.split_once("Gateway server listening on "));
            let port = gateway.unwrap().1.rsplit('/').next().unwrap();
            assert!(fetched(port, &added[1]).ends_with(&content(1, 1 << 20)));
        }
    }
    mounted.remount("rw");
    home.ipfs(&["pin", "rm", &added[0]]).good();
    add(home, 7).unwrap();
}

/// What the gateway answers, head included.
fn fetched(port: &str, cid: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(stream, "GET /ipfs/{cid} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}
