//! Reading what is there.

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::limits::settle;
use crate::lab::node::LARGE;

const AIM: &[Target] = &[Target::Ratio(5.0)];

pub(super) const GROUP: Group = Group {
    name: "cat",
    about: "read a large file that is there",
    rows: &[
        Row::rate("cat.256k", "cat 1 GiB, 256 KiB chunks", "MiB/s").aim(AIM),
        Row::rate("cat.1m", "cat 1 GiB, 1 MiB raw leaves", "MiB/s").aim(AIM),
        Row::cost("cat.peak", "peak memory in this", "MiB").aim(&[Target::AtMost(96.0)]),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let mebibytes = round.bench.options.size;
    let file = round.bench.file(mebibytes << 20)?;
    let node = round.node("cat")?;
    let mut peak = 0.0_f64;
    for (row, flags) in [("cat.256k", &[][..]), ("cat.1m", LARGE)] {
        if !(round.wants(row) || round.wants("cat.peak")) {
            continue;
        }
        let (cid, _) = node.add(flags, &file)?;
        settle();
        let (ran, most) = node.with_peak(|| node.run_quietly(&["cat", &cid]))?;
        round.record(row, mebibytes as f64 / ran.seconds);
        peak = peak.max(most);
    }
    round.record("cat.peak", peak);
    Ok(())
}
