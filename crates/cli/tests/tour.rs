//! The tour, small: three nodes, one of them killed in the middle of a transfer, nothing left behind.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::process::Command;

#[test]
fn three_nodes_exchange_a_folder_and_survive_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let tour = Command::new(env!("CARGO_BIN_EXE_ipse"))
        .args(["tour", "--mib", "96"])
        .env("TMPDIR", place.path())
        .output()
        .unwrap();
    let said = String::from_utf8(tour.stdout).unwrap();
    assert!(tour.status.success(), "{said}\n{}", String::from_utf8_lossy(&tour.stderr));
    for part in [
        "was killed (SIGKILL)",
        "fetched only the missing",
        "fetched all of it from both",
        "every file is byte-equal",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "something is left behind");
}

#[test]
fn the_reference_name_has_no_tour() {
    let place = tempfile::tempdir().unwrap();
    let link = place.path().join("ipfs");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ipse"), &link).unwrap();
    let tour = Command::new(link).arg("tour").env("IPFS_PATH", place.path().join("none")).output().unwrap();
    assert!(!tour.status.success());
    assert!(tour.stdout.is_empty());
}
