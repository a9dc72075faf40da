//! From several nodes at once, whose roads are of different width.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::guard::Guarded;
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

/// When one server falls silent, after the start of the fetch.
const SILENT_AFTER: Duration = Duration::from_secs(3);

pub(super) const GROUP: Group = Group {
    name: "shaped",
    about: "fetch from three nodes behind roads of 8, 16 and 32 MiB/s",
    rows: &[
        Row::rate("shaped.rate", "fetch from peers at 1:2:4, 256 KiB blocks", "MiB/s")
            .aim(&[Target::Share(0.85)])
            .beside("the sum of the roads"),
        Row::cost("shaped.twice", "of that received twice", "%").aim(&[Target::AtMost(3.0)]),
        Row::cost("shaped.silent", "lost when the one of 16 MiB/s falls silent", "s")
            .aim(&[Target::AtMost(1.0)]),
        Row::cost("shaped.liar", "bad blocks taken from a liar until it is dropped", "blocks")
            .aim(&[Target::AtMost(3.0)]),
    ],
    limits: None,
    measure,
};

/// A client behind the three roads, and what it can fetch over all of them.
struct Scene {
    client: Node,
    servers: Vec<Node>,
    root: String,
}

fn measure(round: &mut Round) -> Outcome<()> {
    let wants = |rows: &[&str]| rows.iter().any(|row| round.wants(row));
    let (rate, silent, liar) =
        (wants(&["shaped.rate", "shaped.twice"]), wants(&["shaped.silent"]), wants(&["shaped.liar"]));
    if rate || silent {
        let scene = set(round)?;
        let ran = scene.client.run_quietly(&["cat", &scene.root])?;
        round.record_beside("shaped.rate", MIB as f64 / ran.seconds, Some(ROADS_MIB_S.iter().sum()));
        round.record("shaped.twice", received_twice(&scene.client)? * 100.0);
        drop(scene);
        if silent {
            let lost = falls_silent(round, MIB as f64 / ran.seconds)?;
            round.record("shaped.silent", lost);
        }
    }
    if liar && let Some(bad) = drops_a_liar(round)? {
        round.record("shaped.liar", bad);
    }
    Ok(())
}

fn set(round: &Round) -> Outcome<Scene> {
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
    Ok(Scene { client, servers, root })
}

/// Seconds that a fetch takes longer than it would if the two roads that are left were filled as well as all three
/// are, from the moment on at which one server stands still without a word.
fn falls_silent(round: &Round, rate: f64) -> Outcome<f64> {
    let scene = set(round)?;
    let [slow, middle, quick] = ROADS_MIB_S;
    let quiet = scene.servers[1].pid()?;
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(SILENT_AFTER);
        send(quiet, Signal::STOP)
    });
    let ran = scene.client.run_quietly(&["cat", &scene.root])?;
    stopper.join().map_err(|_| "the thread that stops a server panicked")??;
    send(quiet, Signal::CONT)?;
    let before = SILENT_AFTER.as_secs_f64();
    let left = rate * (slow + quick) / (slow + middle + quick);
    Ok(ran.seconds - before - (MIB as f64 - rate * before) / left)
}

fn send(pid: u32, signal: Signal) -> Outcome<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("a process without a number")?;
    Ok(kill_process(pid, signal)?)
}

/// Bad blocks that a liar could send before the client parted with it, which fetches from it and from an honest
/// peer at once. It waits after each of them, so that none is on its way when it is dropped.
fn drops_a_liar(round: &mut Round) -> Outcome<Option<f64>> {
    let Some(program) = round.bench.liar.clone() else { return Ok(None) };
    let server = round.node("server-1")?;
    let client = round.node("client")?;
    let (root, _) = server.add(&[], &round.bench.file(MIB << 20)?)?;
    let road = Road::new(DELAY).narrow(ROADS_MIB_S[2] * f64::from(1 << 20));
    client.connect(Relay::tcp(here(0), server.swarm(), road)?.address, &server.peer_id()?)?;
    let mut command = Command::new(program);
    let address = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", client.swarm().port(), client.peer_id()?);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut liar = Guarded::spawn(&mut command, Some(Duration::from_secs(120)))?;
    let mut said = BufReader::new(liar.child().stdout.take().ok_or("the liar has no output")?).lines();
    let mut line = || -> Outcome<String> { Ok(said.next().ok_or("the liar says nothing")??) };
    let ready = line()?;
    if ready != "connected" {
        return Err(format!("the liar says {ready:?}").into());
    }
    settle();
    client.run_quietly(&["cat", &root])?;
    let bad = line()?;
    Ok(Some(bad.parse().map_err(|_| format!("the liar says {bad:?}"))?))
}

/// The share of received bytes that were here already.
fn received_twice(node: &Node) -> Outcome<f64> {
    let stat: Value = serde_json::from_str(&node.run(&["bitswap", "stat", "--enc=json"])?.text())?;
    let figure = |name: &str| stat[name].as_f64().ok_or_else(|| format!("bitswap stat without {name}"));
    Ok(figure("DupDataReceived")? / figure("DataReceived")?.max(1.0))
}
