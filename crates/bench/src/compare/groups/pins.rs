//! A million pins.

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::archive;
use crate::lab::limits::settle;
use crate::lab::node::Node;
use crate::lab::process::memory_mib;

const FIRST: &[Target] = &[Target::AtMost(50.0)];

pub(super) const GROUP: Group = Group {
    name: "pins",
    about: "a million pinned blocks (other programs get 20,000)",
    rows: &[
        Row::rate("pins.import", "import tiny blocks from an archive", "blocks/s"),
        Row::rate("pins.add", "pin add -r=false, each of them, from standard input", "pins/s"),
        Row::cost("pins.add_peak", "… peak memory", "MiB").aim(&[Target::AtMost(96.0)]),
        Row::cost("pins.direct", "pin ls of 10⁶ direct pins", "s").aim(&[Target::AtMost(1.0)]),
        Row::cost("pins.first.direct", "… first line", "ms").aim(FIRST),
        Row::rate("pins.all", "pin ls --type=all", "lines/s").aim(&[Target::AtLeast(500_000.0)]),
        Row::cost("pins.first.all", "… first line", "ms").aim(FIRST),
        Row::cost("pins.recursive", "pin ls of 10⁶ recursive pins", "s").aim(&[Target::AtMost(1.0)]),
        Row::cost("pins.first.recursive", "… first line", "ms").aim(FIRST),
        Row::cost("pins.growth", "memory that both lists add", "MiB").aim(&[Target::AtMost(16.0)]),
        Row::cost("pins.memory", "memory at rest with 10⁶ blocks, after a start", "MiB"),
        Row::cost("pins.killed", "start to ready after kill -9 with 10⁶ blocks", "s")
            .aim(&[Target::AtMost(1.0)]),
        Row::rate("pins.rm", "pin rm, each of them, from standard input", "pins/s"),
        Row::cost("pins.rm_peak", "… peak memory", "MiB").aim(&[Target::AtMost(96.0)]),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let pins =
        if round.program().ours { round.bench.options.pins } else { round.bench.options.pins.min(20_000) };
    let car = round.bench.folder().join(format!("pins-{pins}.car"));
    let names = archive::leaves(&car, pins)?;
    let mut node = round.node("pins")?;
    let path = car.to_str().ok_or("a folder that is not UTF-8")?;
    settle();
    let ran = node.run_quietly(&["dag", "import", "--pin-roots=false", path])?;
    round.record("pins.import", pins as f64 / ran.seconds);
    std::fs::remove_file(&car)?;
    settle();
    let add = &["pin", "add", "--recursive=false"];
    let (ran, peak) = node.with_peak(|| node.feed(add, names.clone()))?;
    round.record("pins.add", pins as f64 / ran.seconds);
    round.record("pins.add_peak", peak);
    lists(round, &node, pins, &names)?;
    node.kill();
    let killed = node.start()?;
    round.record("pins.killed", killed);
    node.stop()?;
    node.start()?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    round.record("pins.memory", memory_mib(node.pid()?, "VmRSS")?);
    settle();
    let (ran, peak) = node.with_peak(|| node.feed(&["pin", "rm"], names))?;
    round.record("pins.rm", pins as f64 / ran.seconds);
    round.record("pins.rm_peak", peak);
    Ok(())
}

fn lists(round: &mut Round, node: &Node, pins: u64, names: &[u8]) -> Outcome<()> {
    settle();
    // A list of fewer pins than were asked for says nothing about them.
    let is_whole = pins == round.bench.options.pins;
    let before = memory_mib(node.pid()?, "VmRSS")?;
    let list = |kind| node.with_peak(|| node.count(&["pin", "ls", kind, "--quiet", "--stream"]));
    let (ran, direct) = list("--type=direct")?;
    if is_whole {
        round.record("pins.direct", ran.seconds);
    }
    round.record("pins.first.direct", ran.first() * 1000.0);
    let (ran, all) = list("--type=all")?;
    round.record("pins.all", ran.lines as f64 / ran.seconds);
    round.record("pins.first.all", ran.first() * 1000.0);
    round.record("pins.growth", (direct.max(all) - before).max(0.0));
    if round.wants("pins.recursive") || round.wants("pins.first.recursive") {
        node.feed(&["pin", "add"], names.to_vec())?;
        settle();
        let (ran, _) = list("--type=recursive")?;
        if is_whole {
            round.record("pins.recursive", ran.seconds);
        }
        round.record("pins.first.recursive", ran.first() * 1000.0);
    }
    Ok(())
}
