//! What is committed says nothing about the machine it was written on.

use std::process::Command;

use crate::crates::root;
use crate::obey;

/// Folders that exist on one person's machine. Written in two halves, because
/// this file is committed too.
const FOLDERS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Hosts that packages are downloaded from.
const HOSTS: &[&str] = &[
    concat!("registry.", "npmjs.org"),
    concat!("proxy.", "golang.org"),
    concat!("sum.", "golang.org"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("py", "pi.org"),
    concat!("deb.", "debian.org"),
    concat!("\"resolved\": \"", "http"),
];

/// Every tracked text file with its content.
fn tracked() -> Vec<(String, String)> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8(listed.stdout)
        .unwrap()
        .split_terminator('\0')
        // What is not text, or deleted but not committed yet, is not read.
        .filter_map(|name| Some((name.to_owned(), std::fs::read_to_string(root().join(name)).ok()?)))
        .collect()
}

fn lines_with(text: &str, bad: impl Fn(&str) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().filter(move |(_, line)| bad(line));
    numbered.map(|(i, line)| (i + 1, line.get(..120).unwrap_or(line).trim()))
}

/// Whether a path in the line starts with the folder; `docs/home/` does not.
fn starts_there(line: &str, folder: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "_-./~*})>".contains(c);
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(inside))
}

#[test]
fn no_path_of_a_machine() {
    let mut broken = Vec::new();
    for (name, text) in tracked() {
        let bad = |line: &str| FOLDERS.iter().any(|folder| starts_there(line, folder));
        broken.extend(lines_with(&text, bad).map(|(line, text)| format!("{name}:{line}: {text}")));
    }
    obey(
        "A tracked file names a folder of one machine:",
        "Use a path from the workspace, or a temporary one.",
        &broken,
    );
}

#[test]
fn no_host_of_a_registry() {
    let mut broken = Vec::new();
    for (name, text) in tracked() {
        let bad = |line: &str| HOSTS.iter().any(|host| line.contains(host));
        broken.extend(lines_with(&text, bad).map(|(line, text)| format!("{name}:{line}: {text}")));
    }
    let remedy =
        "Name packages, not where they were downloaded; interop/.npmrc keeps hosts out of the lock file.";
    obey("A tracked file names the host of a package registry:", remedy, &broken);
}
