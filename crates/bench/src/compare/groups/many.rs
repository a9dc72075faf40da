//! A repository with many files.

use std::collections::HashSet;

use super::{Group, MIB};
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::content::footprint;
use crate::lab::limits::settle;
use crate::lab::node::Node;
use crate::lab::process::memory_mib;

const FIVE: &[Target] = &[Target::Ratio(5.0)];
const TWENTY: &[Target] = &[Target::Ratio(20.0)];
const THIRD: &[Target] = &[Target::Ratio(3.0)];
const FIRST: &[Target] = &[Target::AtMost(50.0)];

pub(super) const GROUP: Group = Group {
    name: "many",
    about: "100,000 files of 1 KiB: walks, pins, archives, collection, starts",
    rows: &[
        Row::rate("many.add", "100,000 files of 1 KiB: add", "files/s"),
        Row::rate("many.refs", "… refs -r", "blocks/s").aim(FIVE),
        Row::cost("many.first.refs", "… refs -r, first line", "ms"),
        Row::rate("many.stat", "… dag stat", "blocks/s").aim(FIVE),
        Row::rate("many.export", "… dag export", "blocks/s").aim(FIVE),
        Row::rate("many.import", "… dag import", "blocks/s").aim(FIVE),
        Row::cost("many.restart", "… start to ready", "s").aim(THIRD),
        Row::cost("many.killed", "… start to ready after kill -9", "s").aim(&[Target::AtMost(1.0)]),
        Row::cost("many.memory", "… memory at rest after a start", "MiB").aim(THIRD),
        Row::cost("many.peak", "… peak memory of all this", "MiB").aim(&[Target::AtMost(96.0)]),
        Row::cost("many.disk", "… disk taken", "MiB"),
        Row::rate("many.pin_add", "… pin add, each block", "pins/s").aim(TWENTY),
        Row::rate("many.pin_ls", "… pin ls --type=all", "pins/s"),
        Row::cost("many.first.pin_ls", "… pin ls --type=all, first line", "ms").aim(FIRST),
        Row::rate("many.pin_rm", "… pin rm, half of them", "pins/s").aim(TWENTY),
        Row::rate("many.gc", "… repo gc", "blocks/s"),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let files = round.bench.options.many;
    let folder = round.bench.files(files, 1024, 256)?;
    let mut node = round.node("many")?;
    settle();
    let (root, ran) = node.add(&["-r", "--cid-version=1"], &folder)?;
    round.record("many.add", files as f64 / ran.seconds);
    let cids = walks(round, &node, &root)?;
    if round.wants("many.export") || round.wants("many.import") {
        archive(round, &node, &root, cids.len())?;
    }
    round.record("many.peak", memory_mib(node.pid()?, "VmHWM")?);
    starts(round, &mut node)?;
    let leaves: Vec<&String> = cids.iter().filter(|cid| cid.starts_with("bafkrei")).collect();
    pins(round, &node, &root, &leaves)
}

fn walks(round: &mut Round, node: &Node, root: &str) -> Outcome<Vec<String>> {
    settle();
    let ran = node.run(&["refs", "-r", "-u", root])?;
    let text = String::from_utf8_lossy(&ran.output);
    let mut seen = HashSet::new();
    let cids: Vec<String> =
        text.split_whitespace().filter(|cid| seen.insert(*cid)).map(str::to_owned).collect();
    round.record("many.refs", cids.len() as f64 / ran.seconds);
    round.record("many.first.refs", ran.first() * 1000.0);
    if round.wants("many.stat") {
        settle();
        let ran = node.run_quietly(&["dag", "stat", "--progress=false", root])?;
        round.record("many.stat", cids.len() as f64 / ran.seconds);
    }
    Ok(cids)
}

fn archive(round: &mut Round, node: &Node, root: &str, blocks: usize) -> Outcome<()> {
    let car = round.bench.folder().join("archive.car");
    let path = car.to_str().ok_or("a folder that is not UTF-8")?;
    settle();
    let ran = node.export(root, &car)?;
    round.record("many.export", blocks as f64 / ran.seconds);
    if round.wants("many.import") {
        let other = round.node("import")?;
        settle();
        let ran = other.run_quietly(&["dag", "import", path])?;
        round.record("many.import", blocks as f64 / ran.seconds);
    }
    Ok(std::fs::remove_file(&car)?)
}

fn starts(round: &mut Round, node: &mut Node) -> Outcome<()> {
    if ["many.restart", "many.killed", "many.memory"].iter().any(|row| round.wants(row)) {
        let (bytes, _) = footprint(&node.repo);
        round.record("many.disk", bytes as f64 / MIB);
        node.kill();
        let killed = node.start()?;
        round.record("many.killed", killed);
        node.stop()?;
        let started = node.start()?;
        round.record("many.restart", started);
        std::thread::sleep(std::time::Duration::from_secs(3));
        round.record("many.memory", memory_mib(node.pid()?, "VmRSS")?);
    }
    Ok(())
}

fn pins(round: &mut Round, node: &Node, root: &str, leaves: &[&String]) -> Outcome<()> {
    let rows = ["many.pin_add", "many.pin_ls", "many.first.pin_ls", "many.pin_rm", "many.gc"];
    if !rows.iter().any(|row| round.wants(row)) {
        return Ok(());
    }
    let lines =
        |cids: &[&String]| cids.iter().flat_map(|cid| [cid.as_bytes(), b"\n"]).flatten().copied().collect();
    settle();
    let ran = node.feed(&["pin", "add", "--recursive=false"], lines(leaves))?;
    round.record("many.pin_add", leaves.len() as f64 / ran.seconds);
    if round.wants("many.pin_ls") || round.wants("many.first.pin_ls") {
        settle();
        let ran = node.count(&["pin", "ls", "--type=all", "--quiet", "--stream"])?;
        round.record("many.pin_ls", ran.lines as f64 / ran.seconds);
        round.record("many.first.pin_ls", ran.first() * 1000.0);
    }
    if round.wants("many.pin_rm") || round.wants("many.gc") {
        let half = &leaves[..leaves.len() / 2];
        node.run(&["pin", "rm", root])?;
        settle();
        let ran = node.feed(&["pin", "rm"], lines(half))?;
        round.record("many.pin_rm", half.len() as f64 / ran.seconds);
    }
    if round.wants("many.gc") {
        settle();
        let ran = node.count(&["repo", "gc", "--quiet"])?;
        round.record("many.gc", ran.lines as f64 / ran.seconds);
    }
    Ok(())
}
