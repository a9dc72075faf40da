//! From several nodes at once, whose roads are of different width.

use std::time::Duration;

use serde_json::Value;

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::http::here;
use crate::lab::limits::settle;
use crate::lab::node::Node;
use crate::relay::{Relay, Road};

/// What each road takes: narrow enough that the roads are the limit and not the processors.
const ROADS_MIB_S: [f64; 3] = [8.0, 16.0, 32.0];
/// How long every byte is held, in each direction.
const DELAY: Duration = Duration::from_millis(10);
/// Several seconds of all roads, so that the start weighs little.
const MIB: u64 = 384;

pub(super) const GROUP: Group = Group {
    name: "shaped",
    about: "fetch from three nodes behind roads of 8, 16 and 32 MiB/s",
    rows: &[
        Row::rate("shaped.rate", "fetch from peers at 1:2:4, 256 KiB blocks", "MiB/s")
            .aim(&[Target::Share(0.85)])
            .beside("the sum of the roads"),
        Row::cost("shaped.twice", "of that received twice", "%").aim(&[Target::AtMost(3.0)]),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let file = round.bench.file(MIB << 20)?;
    let client = round.node("client")?;
    let mut servers = Vec::new();
    let mut root = String::new();
    for (role, mib_s) in ["server-1", "server-2", "server-4"].into_iter().zip(ROADS_MIB_S) {
        let server = round.node(role)?;
        root = server.add(&[], &file)?.0;
        let road = Road::new(DELAY).narrow(mib_s * f64::from(1 << 20));
        client.connect(Relay::tcp(here(0), server.swarm(), road)?.address, &server.peer_id()?)?;
        servers.push(server);
    }
    settle();
    let ran = client.run_quietly(&["cat", &root])?;
    round.record_beside("shaped.rate", MIB as f64 / ran.seconds, Some(ROADS_MIB_S.iter().sum()));
    round.record("shaped.twice", received_twice(&client)? * 100.0);
    Ok(())
}

/// The share of received bytes that were here already.
fn received_twice(node: &Node) -> Outcome<f64> {
    let stat: Value = serde_json::from_str(&node.run(&["bitswap", "stat", "--enc=json"])?.text())?;
    let figure = |name: &str| stat[name].as_f64().ok_or_else(|| format!("bitswap stat without {name}"));
    Ok(figure("DupDataReceived")? / figure("DataReceived")?.max(1.0))
}
