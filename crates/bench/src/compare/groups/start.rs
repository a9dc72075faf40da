//! Starting, and doing nothing.

use std::time::Duration;

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::node::Node;
use crate::lab::process::{cpu_seconds, memory_mib};

const THIRD: &[Target] = &[Target::Ratio(3.0)];
const VERSION_RUNS: usize = 30;

pub(super) const GROUP: Group = Group {
    name: "start",
    about: "init, start, do nothing for some seconds",
    rows: &[
        Row::cost("start.init", "init", "s"),
        Row::cost("start.ready", "start to first answer on the RPC", "s").aim(THIRD),
        Row::cost("start.version", "`version`, fastest of 30", "ms").aim(&[Target::AtMost(5.0)]),
        Row::cost("start.memory", "idle memory", "MiB").aim(THIRD),
        Row::cost("start.cpu", "idle CPU", "%"),
        Row::cost("start.stop", "stop", "s"),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let place = round.bench.place(&format!("{}-start", round.program().name));
    let mut node = Node::init(round.program(), place)?;
    round.record("start.init", node.init_seconds);
    if round.wants("start.version") {
        let runs: Outcome<Vec<f64>> =
            (0..VERSION_RUNS).map(|_| Ok(node.run_quietly(&["version"])?.seconds)).collect();
        round.record("start.version", runs?.into_iter().fold(f64::INFINITY, f64::min) * 1000.0);
    }
    // The fastest of a few: what else the machine does only adds.
    let mut ready = f64::INFINITY;
    for _ in 0..5 {
        node.stop()?;
        ready = ready.min(node.start()?);
    }
    round.record("start.ready", ready);
    if round.wants("start.memory") || round.wants("start.cpu") {
        std::thread::sleep(Duration::from_secs(5));
        let before = cpu_seconds(node.pid()?)?;
        std::thread::sleep(Duration::from_secs(5));
        round.record("start.cpu", (cpu_seconds(node.pid()?)? - before) / 5.0 * 100.0);
        round.record("start.memory", memory_mib(node.pid()?, "VmRSS")?);
    }
    let stopped = node.stop()?;
    round.record("start.stop", stopped);
    Ok(())
}
