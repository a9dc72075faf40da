//! Bad input, from the command line and over the wire: each is refused with words, nothing is lost, and the program goes on.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use common::Home;

/// A Cid whose block no test has.
const ABSENT: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdG";
/// The sha2-256 of `hello`.
const HELLO_DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Runs as `ipfs`, must fail without a panic and say `words`.
fn refused(home: &Home, command: &[&str], words: &str) {
    let said = home.ipfs(command).bad();
    assert!(said.contains(words) && !said.contains("panicked"), "{command:?} said {said}");
}

#[test]
fn what_is_no_path_is_refused() {
    let home = Home::new();
    let long = "a".repeat(10_000);
    for (path, words) in [
        ("", "path does not have enough components"),
        ("..", "path does not have enough components"),
        ("a\u{1}b", "\"a\\u{1}b\""),
        ("/ipfs/foo", "invalid cid"),
        ("/ipns/x", "not resolved"),
        (long.as_str(), "invalid path"),
    ] {
        refused(&home, &["cat", path], words);
    }
    for command in [&["ls"][..], &["refs"], &["block", "get"], &["dag", "get"], &["pin", "add"]] {
        refused(&home, &[command, &["foo"]].concat(), "invalid path \"foo\"");
        refused(&home, &[command, &[ABSENT]].concat(), "not found locally (offline)");
    }
}

#[test]
fn a_folder_is_no_file_nor_the_other_way_round() {
    let home = Home::new();
    home.write("d/f", "hi\n");
    let taken = home.write("taken", "mine");
    let folder = home.ipfs(&["add", "-rQ", "d"]).good().trim().to_owned();
    refused(&home, &["cat", &folder], "is a directory");
    refused(&home, &["add", "d"], "use the '-r' flag");
    refused(&home, &["block", "put", "d"], "does not support directories");
    for command in ["cat", "ls", "get"] {
        refused(&home, &[command, &format!("{folder}/f/x")], "no link named \"x\"");
    }
    refused(&home, &["get", &folder, "-o", "taken"], "file exists");
    assert_eq!(fs::read(taken).unwrap(), b"mine");
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_added() {
    let home = Home::new();
    home.write("u/a", "a");
    home.write("u/z", "z");
    for (link, target) in [("u/dangling", "nowhere"), ("u/loop", "loop"), ("u/m", "/proc/self/mem")] {
        std::os::unix::fs::symlink(target, home.path(link)).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(home.path("u/socket")).unwrap();
    let done = home.ipfs(&["add", "-r", "--dereference-symlinks", "u"]);
    let added = done.text();
    let said = done.bad();
    for name in ["u/dangling", "u/loop", "u/m", "u/socket"] {
        assert!(said.contains(name), "{name} is not named in {said}");
    }
    for line in [" u/a\n", " u/z\n", " u\n"] {
        assert!(added.contains(line), "{line:?} is not in {added}");
    }
    let root = added.lines().last().unwrap().split(' ').nth(1).unwrap().to_owned();
    assert_eq!(home.ipfs(&["cat", &format!("{root}/z")]).good(), "z");
}

#[test]
fn a_broken_configuration_is_refused_and_stays_as_it_is() {
    let home = Home::new();
    let place = home.repository().join("config");
    let good = fs::read_to_string(&place).unwrap();
    let cut = &good[..400];
    for bad in [cut, "", "null", "[]", "12", "{}", r#"{"Identity":null}"#, r#"{"Identity":[1]}"#] {
        fs::write(&place, bad).unwrap();
        refused(&home, &["id"], "config");
        assert_eq!(fs::read_to_string(&place).unwrap(), bad);
    }
    let before = good.replacen('{', "{\n  \"Zeta\": {\"b\": 1.50, \"a\": [12345678901234567890, null]},", 1);
    fs::write(&place, before).unwrap();
    home.ipfs(&["config", "Gateway.RootRedirect", "/x"]).good();
    let after = fs::read_to_string(&place).unwrap();
    let order = ["\"Zeta\"", "\"b\"", "\"a\"", "12345678901234567890", "\"Identity\""]
        .map(|key| after.find(key).unwrap());
    assert!(order.is_sorted(), "{after}");
    refused(&home, &["config", "--json", "Gateway", "{"], "unmarshal");
    home.write("half", "{\"a\":");
    refused(&home, &["config", "replace", "half"], "failure to decode config");
    assert_eq!(fs::read_to_string(&place).unwrap(), after);
}

/// A number as archives carry it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn archives_that_lie_are_refused() {
    let home = Home::new();
    let digest = (0..32).map(|at| u8::from_str_radix(&HELLO_DIGEST[2 * at..2 * at + 2], 16).unwrap());
    let cid: Vec<u8> = [1, 0x55, 0x12, 0x20].into_iter().chain(digest).collect();
    let roots = [b"\xa2eroots\x81\xd8\x2a\x58\x25\x00", &cid[..], b"gversion\x01"].concat();
    let head = [varint(roots.len() as u64), roots].concat();
    let good = [&head[..], &varint(41), &cid, b"hello"].concat();
    let wrong = [&good[..good.len() - 1], b"X"].concat();
    let huge = [&head[..], &varint(1 << 62), &cid].concat();
    for (name, archive, words) in [
        ("cut", &good[..good.len() - 3], "unexpected end"),
        ("cut-head", &good[..20], "unexpected end"),
        ("empty", b"", "unexpected end"),
        ("wrong", &wrong, "bytes do not match"),
        ("huge", &huge, "beyond allowable maximum"),
        ("huge-head", &varint(1 << 60), "beyond allowable maximum"),
        ("endless", &[0xff; 40], "varint"),
        ("nested", &[varint(5000), vec![0x81; 5000]].concat(), "invalid header"),
    ] {
        home.write(name, archive);
        refused(&home, &["dag", "import", name], words);
    }
    assert_eq!(home.ipfs(&["pin", "ls"]).good(), "");
    home.write("good", &good);
    home.ipfs(&["dag", "import", "good"]).good();
}

#[test]
fn blocks_that_are_no_nodes_are_refused() {
    let home = Home::new();
    let cases: [(&[u8], &str); 4] = [
        (b"garbage-bytes-here", "wire type"),
        (b"\x12\x05\x0a\x03abc", "expected CID"),
        (b"\x0a\x04\x08\x63\x12\x00", "type: 99"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "unexpected end"),
    ];
    for (bytes, words) in cases {
        home.write("block", bytes);
        let cid = home.ipfs(&["block", "put", "--cid-codec=dag-pb", "block"]).good().trim().to_owned();
        for command in ["cat", "ls", "get"] {
            refused(&home, &[command, &cid], words);
        }
        assert_eq!(home.ipfs(&["block", "get", &cid]).out, bytes);
    }
}

#[test]
fn names_that_lead_elsewhere_are_not_written() {
    let home = Home::new();
    // A folder with one entry: the empty block by its identity, under a hostile name.
    for name in ["..", "../../pwn", "/abs", "a\0b", ".", ""] {
        let link =
            [b"\x0a\x04\x01\x55\x00\x00\x12", &varint(name.len() as u64)[..], name.as_bytes(), b"\x18\x00"]
                .concat();
        let node = [b"\x12", &varint(link.len() as u64)[..], &link, b"\x0a\x02\x08\x01"].concat();
        home.write("node", node);
        let cid = home.ipfs(&["block", "put", "--cid-codec=dag-pb", "node"]).good().trim().to_owned();
        refused(&home, &["get", &cid, "-o", "out"], "has an entry with the name");
        assert!(!home.path("out").exists(), "{name:?} was begun");
    }
}

/// Sends bytes to the door, hangs up where that is asked for, and returns all that comes back.
fn exchange(port: u16, bytes: &[u8], hang_up: bool) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // A door that has heard enough may close before all is sent.
    let _ = stream.write_all(bytes);
    if hang_up {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(command: &str, boundary: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/v0/{command} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: multipart/form-data{boundary}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn part(name: &str) -> Vec<u8> {
    let head =
        format!("--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\nhello\r\n");
    head.into_bytes()
}

#[test]
fn a_daemon_outlives_bad_bodies() {
    let home = Home::new();
    let daemon = home.daemon();
    let api = fs::read_to_string(home.repository().join("api")).unwrap();
    let port: u16 = api.trim().rsplit('/').next().unwrap().parse().unwrap();
    let end = b"--B--\r\n";
    let sent = |name: &str| [&part(name)[..], end].concat();
    let head_of_a_mebibyte = [b"--B\r\nX-A: ", &[b'a'; 1 << 20][..], b"\r\n\r\nhi\r\n", end].concat();
    for (boundary, body, words) in [
        ("", sent("a"), "is required"),
        ("; boundary=", sent("a"), "is required"),
        ("; boundary=B", part("a"), "unexpected EOF"),
        ("; boundary=B", part("a")[..30].to_vec(), "unexpected EOF"),
        ("; boundary=B", head_of_a_mebibyte, "too large"),
        ("; boundary=B", sent("../x"), "invalid file name"),
        ("; boundary=B", sent("a%00b"), "invalid file name"),
        ("; boundary=B", sent("%2e%2e/x"), "invalid file name"),
        ("; boundary=B", sent(&"x".repeat(10_000)), "over the limit"),
        ("; boundary=B", sent(&"a/".repeat(5_000)), "nested deeper"),
        ("; boundary=B", [part("a"), sent("a/b")].concat(), "added twice"),
    ] {
        let answer = exchange(port, &post("add", boundary, body.len(), &body), false);
        assert!(answer.contains(words) && !answer.contains("\"Hash\""), "wanted {words}: {answer}");
    }
    let cut = exchange(port, &post("add", "; boundary=B", 99_999, &part("a")), true);
    assert!(!cut.contains("\"Hash\""), "{cut}");
    exchange(port, &[0; 100_000], true);
    refused(&home, &["daemon"], "lock");
    refused(&home, &["swarm", "connect", "/ip4/1.2.3"], "multiaddr");
    refused(&home, &["cat", "--timeout=1s", ABSENT], "deadline exceeded");
    home.ipfs(&["repo", "verify"]).good();
    assert_eq!(home.ipfs(&["pin", "ls"]).good(), "");
    drop(daemon);
}
