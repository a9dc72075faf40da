//! What the operator names in a denylist is provided to nobody, by no door, and told as the reference node does.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::Home;

fn deny(home: &Home, list: &str, rules: &str) {
    let folder = home.repository().join("denylists");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(list), rules).unwrap();
}

fn add(home: &Home, name: &str, content: &str) -> String {
    home.write(name, content);
    home.ipfs(&["add", "-Q", name]).good().trim().to_owned()
}

/// The status line of the gateway's answer.
fn status(home: &Home, path: &str) -> String {
    let url = fs::read_to_string(home.repository().join("gateway")).unwrap();
    let mut stream = TcpStream::connect(url.trim().strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[test]
fn a_denied_block_is_not_provided_and_stays_pinned() {
    let home = Home::new();
    let (bad, good) = (add(&home, "bad", "not for anybody"), add(&home, "good", "for all"));
    deny(&home, "a.deny", &format!("version: 1\n---\n/ipfs/{bad} why:test\n"));
    let refused = format!("Error: /ipfs/{bad} is blocked and cannot be provided\n");
    assert_eq!(home.ipfs(&["cat", &bad]).bad(), refused);
    assert!(home.ipse(&["cat", &bad]).bad().contains("\nHint: a denylist"));
    assert_eq!(home.ipfs(&["block", "get", &bad]).bad(), refused);
    assert_eq!(home.ipfs(&["cat", &good]).good(), "for all");
    assert!(home.ipfs(&["pin", "ls"]).good().contains(&bad));
    assert!(home.ipfs(&["repo", "verify"]).good().ends_with("all blocks validated.\n"));
    assert_eq!(home.ipfs(&["pin", "rm", &bad]).good(), format!("unpinned {bad}\n"));
    // A later list has the last word.
    deny(&home, "b.deny", &format!("!/ipfs/{bad}\n"));
    assert_eq!(home.ipfs(&["cat", &bad]).good(), "not for anybody");
}

#[test]
fn the_gateway_says_gone_and_a_new_line_holds_without_a_restart() {
    let home = Home::new();
    let (first, second) = (add(&home, "first", "denied at the start"), add(&home, "second", "denied later"));
    deny(&home, "a.deny", &format!("/ipfs/{first}/*\n/ipns/gone.example\n"));
    let _daemon = home.daemon_as("ipfs", &["daemon", "--offline"]);
    assert_eq!(status(&home, &format!("/ipfs/{first}")), "HTTP/1.1 410 Gone");
    assert_eq!(status(&home, &format!("/ipfs/{first}/below")), "HTTP/1.1 410 Gone");
    assert_eq!(status(&home, "/ipns/gone.example"), "HTTP/1.1 410 Gone");
    assert_eq!(status(&home, "/ipns/other.example"), "HTTP/1.1 501 Not Implemented");
    // Twice, so that the gateway remembers it.
    for _ in 0..2 {
        assert_eq!(status(&home, &format!("/ipfs/{second}")), "HTTP/1.1 200 OK");
    }
    deny(&home, "a.deny", &format!("/ipfs/{first}\n/ipfs/{second}\n"));
    let deadline = Instant::now() + Duration::from_secs(60);
    while status(&home, &format!("/ipfs/{second}")) != "HTTP/1.1 410 Gone" {
        assert!(Instant::now() < deadline, "the new rule does not hold");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(home.ipfs(&["cat", &second]).bad().ends_with("is blocked and cannot be provided\n"));
}

#[test]
fn peers_get_nothing_that_is_denied() {
    let (server, client) = (Home::new(), Home::new());
    let (bad, good) = (add(&server, "bad", "not for peers"), add(&server, "good", "for peers"));
    deny(&server, "a.deny", &format!("/ipfs/{bad}\n"));
    let (_serving, _fetching) = (server.daemon(), client.daemon());
    let addresses = server.ipfs(&["id", "--format=<addrs>"]).good();
    client.ipfs(&["swarm", "connect", addresses.lines().next().unwrap()]).good();
    assert_eq!(client.ipfs(&["cat", &good]).good(), "for peers");
    client.ipfs(&["--timeout=1s", "cat", &bad]).bad();
    client.ipfs(&["--offline", "block", "stat", &bad]).bad();
}

#[test]
fn a_list_that_can_not_be_read_is_no_silence() {
    let home = Home::new();
    let cid = add(&home, "file", "content");
    deny(&home, "new.deny", "version: 9\n---\n");
    let error = home.ipse(&["cat", &cid]).bad();
    assert!(error.contains("new.deny: line 2: the list is of version \"9\""), "{error}");
    assert!(error.contains("\nHint: correct the list"), "{error}");
    deny(&home, "new.deny", "/ipfs/nonsense\n/ipfs/\n");
    let done = home.ipfs(&["cat", &cid]);
    assert!(done.err.contains("2 lines are no rules and deny nothing; line 1"), "{}", done.err);
    assert_eq!(done.good(), "content");
}
