//! What commands over a million blocks take: memory, each with a daemon of its own.

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::archive;
use crate::lab::limits::settle;
use crate::lab::node::Node;
use crate::lab::process::memory_mib;

const MEMORY: &[Target] = &[Target::AtMost(96.0)];
const FIRST: &[Target] = &[Target::AtMost(50.0)];
const LINES: &[Target] = &[Target::AtLeast(500_000.0)];

pub(super) const GROUP: Group = Group {
    name: "walks",
    about: "a million leaves of 32 bytes under 251 nodes, a fresh daemon for each command",
    rows: &[
        Row::cost("walks.import", "dag import: peak memory", "MiB").aim(MEMORY),
        Row::rate("walks.import_rate", "… blocks", "blocks/s"),
        Row::cost("walks.export", "dag export: peak memory", "MiB").aim(MEMORY),
        Row::rate("walks.export_rate", "… blocks", "blocks/s"),
        Row::cost("walks.stat", "dag stat: peak memory", "MiB").aim(MEMORY),
        Row::cost("walks.refs", "refs -r -u: peak memory", "MiB").aim(MEMORY),
        Row::cost("walks.verify", "pin verify: peak memory", "MiB").aim(MEMORY),
        Row::cost("walks.indirect", "pin ls --type=indirect: peak memory", "MiB").aim(MEMORY),
        Row::rate("walks.indirect_rate", "… lines", "lines/s").aim(LINES),
        Row::cost("walks.indirect_first", "… first line", "ms").aim(FIRST),
        Row::cost("walks.all", "pin ls --type=all: peak memory", "MiB").aim(MEMORY),
        Row::rate("walks.all_rate", "… lines", "lines/s").aim(LINES),
        Row::cost("walks.all_first", "… first line", "ms").aim(FIRST),
    ],
    limits: None,
    measure,
};

/// One command over what was imported, and its rows.
struct Step {
    words: &'static [&'static str],
    /// Whether the root is its last argument.
    of_root: bool,
    peak: &'static str,
    rate: Option<&'static str>,
    first: Option<&'static str>,
}

const STEPS: &[Step] = &[
    Step {
        words: &["dag", "stat", "--progress=false"],
        of_root: true,
        peak: "walks.stat",
        rate: None,
        first: None,
    },
    Step { words: &["refs", "-r", "-u"], of_root: true, peak: "walks.refs", rate: None, first: None },
    Step { words: &["pin", "verify"], of_root: false, peak: "walks.verify", rate: None, first: None },
    Step {
        words: &["pin", "ls", "--type=indirect", "--quiet", "--stream"],
        of_root: false,
        peak: "walks.indirect",
        rate: Some("walks.indirect_rate"),
        first: Some("walks.indirect_first"),
    },
    Step {
        words: &["pin", "ls", "--type=all", "--quiet", "--stream"],
        of_root: false,
        peak: "walks.all",
        rate: Some("walks.all_rate"),
        first: Some("walks.all_first"),
    },
];

fn measure(round: &mut Round) -> Outcome<()> {
    let leaves = round.bench.options.walks;
    let car = round.bench.folder().join(format!("walks-{leaves}.car"));
    let tree = archive::tree(&car, leaves)?;
    let path = car.to_str().ok_or("a folder that is not UTF-8")?;
    let mut node = round.node("walks")?;
    settle();
    let ran = node.run_quietly(&["dag", "import", path])?;
    std::fs::remove_file(&car)?;
    round.record("walks.import", memory_mib(node.pid()?, "VmHWM")?);
    round.record("walks.import_rate", tree.blocks as f64 / ran.seconds);
    if round.wants("walks.export") || round.wants("walks.export_rate") {
        fresh(&mut node)?;
        let ran = node.export(&tree.root, &car)?;
        std::fs::remove_file(&car)?;
        round.record("walks.export", memory_mib(node.pid()?, "VmHWM")?);
        round.record("walks.export_rate", tree.blocks as f64 / ran.seconds);
    }
    for step in STEPS {
        let rows = [Some(step.peak), step.rate, step.first];
        if rows.into_iter().flatten().any(|row| round.wants(row)) {
            fresh(&mut node)?;
            let root = step.of_root.then_some(tree.root.as_str());
            let words: Vec<&str> = step.words.iter().copied().chain(root).collect();
            let ran = node.count(&words)?;
            round.record(step.peak, memory_mib(node.pid()?, "VmHWM")?);
            let rate = ran.lines as f64 / ran.seconds;
            step.rate.into_iter().for_each(|row| round.record(row, rate));
            step.first.into_iter().for_each(|row| round.record(row, ran.first() * 1000.0));
        }
    }
    Ok(())
}

/// Starts the daemon again, with nothing in its memory.
fn fresh(node: &mut Node) -> Outcome<()> {
    node.stop()?;
    settle();
    node.start().map(drop)
}
