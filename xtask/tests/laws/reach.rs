//! What the code of a crate may touch.

use crate::code::{find_word, line_of};
use crate::crates::Crate;
use crate::floors::PURE;
use crate::imports::imports;
use crate::modules::{Source, sources};
use crate::obey;

/// The sources of all shipped crates but some.
fn sources_but(except: &[&str]) -> Vec<Source> {
    let crates = Crate::shipped().into_iter().filter(|one| !except.contains(&one.noun.as_str()));
    crates.flat_map(|one| sources(&one)).collect()
}

/// Lines that write one of these pieces of code.
fn written(source: &Source, needles: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for needle in needles {
        for at in find_word(&source.code, needle) {
            found.push(format!("{}:{}: {needle}", source.path, line_of(&source.code, at)));
        }
    }
    found
}

/// Lines that import one of these paths, or something below it.
fn imported(source: &Source, paths: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, import) in imports(&source.code) {
        let below = |path: &&&str| import == ***path || import.starts_with(&format!("{path}::"));
        if paths.iter().any(|path| below(&path)) {
            found.push(format!("{}:{}: use {import}", source.path, line_of(&source.code, at)));
        }
    }
    found
}

/// Lines that import a path or write it out where it is used.
fn touched(source: &Source, paths: &[&str]) -> Vec<String> {
    let spelled: Vec<String> = paths.iter().map(|path| format!("{path}::")).collect();
    let spelled: Vec<&str> = spelled.iter().map(String::as_str).collect();
    let mut found = imported(source, paths);
    found.extend(written(source, &spelled));
    one_per_line(found)
}

/// A line that breaks a law in two ways is told once.
fn one_per_line(mut found: Vec<String>) -> Vec<String> {
    let place = |text: &String| text.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
    found.sort_by_key(place);
    found.dedup_by_key(|text| place(text));
    found
}

fn impure(source: &Source) -> Vec<String> {
    let places =
        ["std::fs", "std::net", "std::env", "std::process", "std::time::SystemTime", "tokio", "async_std"];
    let mut found = touched(source, &places);
    found.extend(written(source, &["Instant::now(", "SystemTime::now("]));
    one_per_line(found)
}

fn unbounded(source: &Source) -> Vec<String> {
    let mut found = written(source, &["unbounded_channel", "unbounded(", "std::sync::mpsc::channel("]);
    found.extend(imported(source, &["std::sync::mpsc::channel"]));
    // `mpsc::channel(n)` of the runtime has a bound, that of std has none.
    if !imported(source, &["std::sync::mpsc"]).is_empty() {
        found.extend(written(source, &["mpsc::channel("]));
    }
    one_per_line(found)
}

fn printing(source: &Source) -> Vec<String> {
    written(source, &["println!", "eprintln!", "print!", "eprint!", "dbg!"])
}

/// What asks about a descriptor that was handed over opens nothing.
const ASKING: [&str; 4] =
    ["rustix::fs::FileType", "rustix::fs::OFlags", "rustix::fs::fcntl_getfl", "rustix::fs::fstat"];

fn opening(source: &Source) -> Vec<String> {
    let mut found = touched(source, &["std::fs", "tokio::fs", "rustix::fs"]);
    found.retain(|line| !ASKING.iter().any(|asking| line.ends_with(&format!("use {asking}"))));
    found.extend(written(source, &["File::open", "File::create"]));
    one_per_line(found)
}

fn attesting(source: &Source) -> Vec<String> {
    written(source, &["Block::attested"])
}

#[test]
fn pure_crates_touch_nothing() {
    let pure = Crate::shipped().into_iter().filter(|one| PURE.contains(&one.noun.as_str()));
    let broken: Vec<String> = pure.flat_map(|one| sources(&one)).flat_map(|source| impure(&source)).collect();
    let remedy = "Take time, randomness and bytes as arguments: handle_*(input, now) in, poll_*() out. \
                  Types of addresses are in core::net too, which is no socket.";
    obey("A pure crate touches a file, socket, clock or environment:", remedy, &broken);
}

#[test]
fn every_channel_has_a_bound() {
    let broken: Vec<String> = sources_but(&[]).iter().flat_map(unbounded).collect();
    let remedy =
        "Use a bounded channel, its bound named in base/limits, and say what happens when it is full.";
    obey("A channel has no bound:", remedy, &broken);
}

#[test]
fn only_the_command_line_prints() {
    let broken: Vec<String> = sources_but(&["cli"]).iter().flat_map(printing).collect();
    obey(
        "A crate below the command line prints:",
        "Return it, or trace it; cli decides what a person sees.",
        &broken,
    );
}

#[test]
fn only_the_store_opens_files() {
    let broken: Vec<String> = sources_but(&["store", "cli"]).iter().flat_map(opening).collect();
    let remedy = "store opens the repository's files and hands out handles, cli opens the user's own.";
    obey("A crate other than store and cli opens files:", remedy, &broken);
}

/// The clock of a machine jumps; what was written last must not depend on it.
#[test]
fn the_store_knows_no_time_of_day() {
    let store = Crate::shipped().into_iter().filter(|one| one.noun == "store");
    let told = |source: Source| touched(&source, &["std::time::SystemTime", "std::time::UNIX_EPOCH"]);
    let broken: Vec<String> = store.flat_map(|one| sources(&one)).flat_map(told).collect();
    obey(
        "The store asks for the time of day:",
        "Order is the order of the log; a time that is kept comes in as an argument.",
        &broken,
    );
}

#[test]
fn only_the_store_attests_blocks() {
    let broken: Vec<String> = sources_but(&["store", "base"]).iter().flat_map(attesting).collect();
    let remedy =
        "Block::new hashes the bytes. Only the store may vouch for bytes that it has checked itself.";
    obey("A block is taken on trust:", remedy, &broken);
}

/// The laws must bite, and only where they should.
mod bite {
    use super::*;

    fn lines(law: fn(&Source) -> Vec<String>, text: &str) -> Vec<usize> {
        let source = Source { path: "a".into(), text: text.into(), code: crate::code::shipped(text) };
        law(&source).iter().map(|line| line.split(':').nth(1).unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn impure_code_is_found() {
        let text = "use std::{env, io};\nuse core::net::IpAddr;\n// std::fs::read\nlet a = Instant::now();\n\
                    let b = \"tokio::spawn\";\nlet c = std::process::id();\ntokio::spawn(d);";
        assert_eq!(lines(impure, text), [1, 4, 6, 7]);
    }

    #[test]
    fn unbounded_channels_are_found() {
        assert_eq!(lines(unbounded, "use std::sync::mpsc;\nlet (a, b) = mpsc::channel();"), [2]);
        assert_eq!(lines(unbounded, "use std::sync::mpsc::{channel, sync_channel};"), [1]);
        assert_eq!(lines(unbounded, "let a = tokio::sync::mpsc::unbounded_channel();"), [1]);
        assert!(lines(unbounded, "use tokio::sync::mpsc;\nlet a = mpsc::channel(8);").is_empty());
    }

    #[test]
    fn prints_files_and_attestations_are_found() {
        assert_eq!(
            lines(printing, "fn a() {\n    eprintln!();\n}\n#[cfg(test)]\nmod tests { println!(); }"),
            [2]
        );
        assert_eq!(lines(opening, "use std::io;\nlet a = File::open(b);\nstd::fs::read(c);"), [2, 3]);
        assert_eq!(lines(opening, "use rustix::fs::fstat;\nuse rustix::fs::open;"), [2]);
        assert_eq!(lines(attesting, "Block::attested(cid, bytes)"), [1]);
    }
}
