//! A long path between programs: each fetches from itself, and the first program and each other one fetch from each
//! other, in one run. How much is fetched goes by how fast the pair is, so that every figure is of seconds: a start
//! of some round trips weighs little then. The report says how much it was.

use std::time::Duration;

use super::CHUNKS;
use crate::Outcome;
use crate::compare::groups::MIB;
use crate::compare::round::Round;
use crate::lab::http::here;
use crate::lab::limits::settle;
use crate::lab::program::Program;
use crate::relay::{Relay, Road};

pub(super) const OWN: &str = "far.own.50.256k";
pub(super) const FROM: &str = "far.from.50.256k";
pub(super) const TO: &str = "far.to.50.256k";
pub(super) const RAW: &str = "raw libp2p stream at 50 ms, 512 MiB, MiB/s";

/// MiB that our own fetch from each other, and that the raw stream has to carry beside it.
pub(super) const OWN_MIB: u64 = 512;
/// MiB between one of ours and another program, and between two others.
const MIXED_MIB: u64 = 128;
const OTHERS_MIB: u64 = 64;

/// Half of the round trip.
pub(super) const DELAY: Duration = Duration::from_millis(25);

pub(super) fn measure(round: &mut Round) -> Outcome<()> {
    let (this, first) = (round.program(), round.reference());
    if std::ptr::eq(this, first) {
        // Among its own is then all there is.
        if [OWN, FROM, TO].iter().any(|row| round.wants(row)) {
            let rate = fetch(round, OWN, this, this)?;
            for row in [OWN, FROM, TO] {
                round.record_beside(row, rate, round.limit(RAW));
            }
        }
        return Ok(());
    }
    for (row, server, client) in [(OWN, this, this), (FROM, first, this), (TO, this, first)] {
        if round.wants(row) {
            let rate = fetch(round, row, server, client)?;
            round.record_beside(row, rate, round.limit(RAW));
        }
    }
    Ok(())
}

/// MiB/s of one pair.
fn fetch(round: &mut Round, row: &str, server: &Program, client: &Program) -> Outcome<f64> {
    let mebibytes = match (server.ours, client.ours) {
        (true, true) => OWN_MIB,
        (false, false) => OTHERS_MIB,
        _ => MIXED_MIB,
    };
    round.remark(format!("{row}: {} fetched {mebibytes} MiB from {}", client.name, server.name));
    let from = round.node_of(server, "server")?;
    let (cid, _) = from.add(&["--raw-leaves", CHUNKS[1]], &round.bench.file(mebibytes << 20)?)?;
    let relay = Relay::tcp(here(0), from.swarm(), Road::new(DELAY))?;
    let to = round.node_of(client, "client")?;
    to.connect(relay.address, &from.peer_id()?)?;
    settle();
    let ran = to.run_quietly(&["cat", &cid])?;
    Ok((mebibytes << 20) as f64 / MIB / ran.seconds)
}
