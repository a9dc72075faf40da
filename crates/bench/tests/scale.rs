//! `ipse-bench scale` as a person starts it, and what is left of it.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ipse-bench"))
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn each_point_is_told_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (work, plots) = (folder.path().join("work"), folder.path().join("plots"));
    fs::create_dir(&work).unwrap();
    let mut command = bench();
    command.args(["scale", "--from", "1000", "--up-to", "3000", "--gets", "500", "--work"]).arg(&work);
    let output = command.arg("--plots").arg(&plots).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].starts_with("| 1,000 | ") && rows[1].starts_with("| 3,000 | "), "{text}");
    assert_eq!((entries(&plots), entries(&work)), (5, 0));
}

/// The processes that this one has started.
fn children(parent: u32) -> Vec<u32> {
    let of_parent = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.to_owned()).unwrap_or_default();
        fields.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(of_parent).collect()
}

#[test]
fn an_interrupt_ends_children_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bench();
    // The process that reads is at it for hours.
    command.args(["scale", "--from", "1000", "--gets", "1000000000000", "--work"]).arg(folder.path());
    let mut running = command.stdout(Stdio::null()).spawn().unwrap();
    let reader = loop {
        if let Some(child) = children(running.id()).first() {
            break *child;
        }
        assert!(running.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(entries(folder.path()), 1);
    kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(entries(folder.path()), 0);
    // It was killed; the system may still be taking it down, and whoever takes on orphans may not have asked for
    // its end.
    let is_there = || {
        let stat = fs::read_to_string(format!("/proc/{reader}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    let start = Instant::now();
    while is_there() {
        assert!(start.elapsed() < Duration::from_secs(30), "{reader} goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}
