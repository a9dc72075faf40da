//! An add over the local socket tells and makes what an add by multipart does.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use common::Home;

/// Bytes that are different everywhere.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = bytes as u64 + 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// A folder with everything that a folder may have.
fn folder(home: &Home) {
    home.write("dir/empty", "");
    home.write("dir/.hidden", "h");
    home.write("dir/grün & co", "x");
    for length in [16_384, 16_385, 262_144, 262_145, 1_048_576, 5_000_000] {
        let path = home.write(&format!("dir/sub/{length}"), noise(length));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000 + length as u64, 7);
        std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
    }
    for n in 0..300 {
        home.write(&format!("dir/many/{n}"), format!("file {n}"));
    }
    std::fs::create_dir(home.path("dir/nothing")).unwrap();
    symlink("sub/16384", home.path("dir/link")).unwrap();
    symlink("/nowhere", home.path("dir/broken")).unwrap();
    home.write("other", "another file at the top");
}

#[test]
fn events_and_cids_are_those_of_multipart() {
    let home = Home::new();
    folder(&home);
    let _daemon = home.daemon();
    let api = std::fs::read_to_string(home.repository().join("api")).unwrap();
    assert!(home.repository().join("ipse.sock").exists());
    for words in [
        &["-r", "dir"][..],
        &["-r", "--hidden", "dir", "other"],
        &["-r", "-w", "dir", "other"],
        &["-r", "-n", "dir"],
        &["-r", "--preserve-mode", "--preserve-mtime", "dir"],
        &["-r", "--cid-version=1", "--chunker=size-1000000", "dir"],
        &["-r", "--inline", "dir"],
        &["-r", "--progress", "dir"],
        &["-r", "--dereference-symlinks", "dir/sub"],
        &["-r", "--mode=0600", "--mtime=5", "dir/sub"],
        &["--pin-name=x", "dir/empty"],
        &["--pin=false", "dir/sub/5000000", "dir/sub/16385"],
        // Refused: the same words and the same end.
        &["--pin=false", "--pin-name=x", "other"],
        &["--cid-version=9", "other"],
        &["-r", "--chunker=size-0", "dir"],
    ] {
        let add = [&["add"], words].concat();
        let local = home.ipse(&[&add[..], &["--enc=json"]].concat());
        let api_option = format!("--api={api}");
        let multipart = home.ipse(&[&add[..], &["--enc=json", &api_option]].concat());
        assert_eq!((local.text(), &local.err), (multipart.text(), &multipart.err), "{words:?}");
        assert_eq!(local.ok, multipart.ok, "{words:?}");
    }
    for input in [Vec::new(), b"hello".to_vec(), noise(3_000_000)] {
        let local = home.ipfs_with(&["add", "-Q"], &input).good();
        let multipart = home.ipfs_with(&["add", "-Q", &format!("--api={api}")], &input).good();
        assert_eq!(local, multipart);
    }
    let counts = home.ipse(&["diag", "hot"]).good();
    let in_place = counts.lines().find_map(|line| line.trim().strip_prefix("files_in_place"));
    assert!(in_place.is_some_and(|rest| !rest.trim().starts_with('0')), "{counts}");
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let home = Home::new();
    home.write("dir/a", "one");
    home.write("dir/b", noise(100_000));
    let _listener = std::os::unix::net::UnixListener::bind(home.path("dir/socket")).unwrap();
    let _daemon = home.daemon();
    let done = home.ipfs(&["add", "-r", "dir"]);
    assert!(!done.ok && done.err.contains("unrecognized file type for dir/socket: a socket"), "{}", done.err);
    assert!(done.text().contains(" dir/a\n") && done.text().ends_with(" dir\n"));
}

#[test]
fn files_that_the_system_makes_up_are_read_to_their_end() {
    let home = Home::new();
    let _daemon = home.daemon();
    let text = std::fs::read("/proc/version").unwrap();
    let cid = home.ipfs(&["add", "-Q", "/proc/version"]).good();
    assert_eq!(home.ipfs(&["cat", cid.trim()]).out, text);
}

#[test]
fn a_daemon_that_was_killed_leaves_nothing_in_the_way() {
    let home = Home::new();
    home.write("hello", "hello");
    let mut daemon = home.daemon();
    daemon.signal("KILL");
    assert!(!daemon.ended());
    assert!(home.repository().join("ipse.sock").exists());
    let cid = home.ipfs(&["add", "-Q", "hello"]).good();
    let _daemon = home.daemon();
    assert_eq!(home.ipfs(&["add", "-Q", "hello"]).good(), cid);
}
