//! Programs among each other. The figure in a program's column is of that program at the one end and the first
//! program at the other, so that the ratio is to the first program among its own.

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::limits::settle;
use crate::lab::node::LARGE;
use crate::lab::program::Program;

pub(super) const GROUP: Group = Group {
    name: "mixed",
    about: "fetch from and to the first program",
    rows: &[
        Row::rate("mixed.from.256k", "fetch from the first program, 256 KiB blocks", "MiB/s")
            .aim(&[Target::Ratio(2.5)]),
        Row::rate("mixed.from.1m", "fetch from the first program, 1 MiB blocks", "MiB/s")
            .aim(&[Target::Ratio(2.5)]),
        Row::rate("mixed.to.256k", "the first program fetches from it, 256 KiB blocks", "MiB/s")
            .aim(&[Target::Ratio(1.0)]),
        Row::rate("mixed.to.1m", "the first program fetches from it, 1 MiB blocks", "MiB/s")
            .aim(&[Target::Ratio(1.0)]),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let (this, first) = (round.program(), round.reference());
    pair(round, first, this, ["mixed.from.256k", "mixed.from.1m"])?;
    pair(round, this, first, ["mixed.to.256k", "mixed.to.1m"])
}

fn pair(round: &mut Round, server: &Program, client: &Program, rows: [&'static str; 2]) -> Outcome<()> {
    let mebibytes = round.bench.options.size;
    let file = round.bench.file(mebibytes << 20)?;
    for (row, flags) in rows.into_iter().zip([&[][..], LARGE]) {
        if round.wants(row) {
            let from = round.node_of(server, "server")?;
            let (cid, _) = from.add(flags, &file)?;
            let to = round.node_of(client, "client")?;
            to.connect(from.swarm(), &from.peer_id()?)?;
            settle();
            let ran = to.run_quietly(&["cat", &cid])?;
            round.record(row, mebibytes as f64 / ran.seconds);
        }
    }
    Ok(())
}
