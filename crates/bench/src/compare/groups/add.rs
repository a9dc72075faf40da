//! Adding one large file.

use super::Group;
use crate::Outcome;
use crate::compare::bench::Bench;
use crate::compare::round::{Limits, Round};
use crate::compare::row::{Row, Target};
use crate::lab::limits;
use crate::lab::node::LARGE;
use crate::lab::process::cpu_seconds;

const SHA_ONE: &str = "sha256 on one core, MiB/s";
const SHA_TWO: &str = "sha256 on two cores, MiB/s";
const BOUND: &str = "min(hash, disk)";
const AIM: &[Target] = &[Target::Ratio(4.0), Target::Share(0.65)];

pub(super) const GROUP: Group = Group {
    name: "add",
    about: "add one large file",
    rows: &[
        Row::rate("add.256k", "add 1 GiB, 256 KiB chunks", "MiB/s").aim(AIM).beside(BOUND),
        Row::rate("add.1m", "add 1 GiB, 1 MiB raw leaves", "MiB/s").aim(AIM).beside(BOUND),
        Row::cost("add.cpu", "CPU of the daemon for both adds", "s"),
        Row::cost("add.peak", "peak memory in these adds", "MiB").aim(&[Target::AtMost(96.0)]),
    ],
    limits: Some(hashing),
    measure,
};

fn hashing(_: &Bench, limits: &mut Limits) -> Outcome<()> {
    limits.insert(SHA_ONE, limits::sha256_mib_s(1));
    limits.insert(SHA_TWO, limits::sha256_mib_s(2));
    Ok(())
}

fn measure(round: &mut Round) -> Outcome<()> {
    let mebibytes = round.bench.options.size;
    let file = round.bench.file(mebibytes << 20)?;
    let node = round.node("add")?;
    let mut peak = 0.0_f64;
    for (row, flags) in [("add.256k", &[][..]), ("add.1m", LARGE)] {
        if !(round.wants(row) || round.wants("add.peak") || round.wants("add.cpu")) {
            continue;
        }
        // The disk before and after, because it does not keep still.
        let before = round.disk(mebibytes)?;
        let ((_, ran), most) = node.with_peak(|| node.add(flags, &file))?;
        let after = round.disk(mebibytes)?;
        let disk = 2.0 / (1.0 / before + 1.0 / after);
        let bound = round.limit(SHA_TWO).map(|hash| hash.min(disk));
        round.record_beside(row, mebibytes as f64 / ran.seconds, bound);
        peak = peak.max(most);
    }
    round.record("add.cpu", cpu_seconds(node.pid()?)?);
    round.record("add.peak", peak);
    Ok(())
}
