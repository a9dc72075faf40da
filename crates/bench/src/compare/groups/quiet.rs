//! What a node keeps after heavy work, once nobody asks it for anything.

use std::time::Duration;

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::process::memory_mib;

const THIRD: &[Target] = &[Target::Ratio(3.0)];
/// Our nodes give memory back when a minute has passed in which nothing happened; they look once a minute.
const WAIT: Duration = Duration::from_secs(125);

pub(super) const GROUP: Group = Group {
    name: "quiet",
    about: "add, cat and fetch a large file, then wait for two minutes",
    rows: &[
        Row::cost("quiet.add", "memory two minutes after an add of 1 GiB", "MiB").aim(THIRD),
        Row::cost("quiet.cat", "memory two minutes after a cat of 1 GiB", "MiB").aim(THIRD),
        Row::cost("quiet.fetch", "memory two minutes after a fetch of 1 GiB", "MiB").aim(THIRD),
        Row::cost("quiet.serve", "memory two minutes after an add of 1 GiB that a peer fetched", "MiB")
            .aim(THIRD),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let file = round.bench.file(round.bench.options.size << 20)?;
    let adder = round.node("quiet-add")?;
    let server = round.node("quiet-serve")?;
    let fetcher = round.node("quiet-fetch")?;
    let mut reader = round.node("quiet-cat")?;
    let (cid, _) = adder.add(&[], &file)?;
    reader.add(&[], &file)?;
    // What the adding left behind does not count for the reading.
    reader.stop()?;
    reader.start()?;
    reader.run_quietly(&["cat", &cid])?;
    server.add(&[], &file)?;
    fetcher.connect(server.swarm(), &server.peer_id()?)?;
    fetcher.run_quietly(&["cat", &cid])?;
    std::thread::sleep(WAIT);
    for (row, node) in
        [("quiet.add", &adder), ("quiet.cat", &reader), ("quiet.fetch", &fetcher), ("quiet.serve", &server)]
    {
        round.record(row, memory_mib(node.pid()?, "VmRSS")?);
    }
    Ok(())
}
