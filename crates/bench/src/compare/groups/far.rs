//! From node to node over a long path: a relay holds every byte.

mod among;

use std::time::Duration;

use super::{Group, MIB};
use crate::Outcome;
use crate::compare::bench::Bench;
use crate::compare::round::{Limits, Round};
use crate::compare::row::{Row, Target};
use crate::lab::command::Ran;
use crate::lab::content;
use crate::lab::http::here;
use crate::lab::limits::settle;
use crate::lab::node::Node;
use crate::lab::raw::Transport;
use crate::relay::{Relay, Road};

const KEEP: &[Target] = &[Target::AtLeast(80.0)];
const LOSS: &[Target] = &[Target::AtMost(6.0)];

macro_rules! fetch {
    ($id:expr, $work:literal, $aim:expr) => {
        Row::rate($id, $work, "MiB/s").aim($aim).beside("raw stream")
    };
}
macro_rules! keep {
    ($id:literal, $work:literal) => {
        Row::rate($id, $work, "% of its share at 0 ms").aim(KEEP)
    };
}
macro_rules! loss {
    ($id:literal, $work:literal) => {
        Row::cost($id, $work, "round trips").aim(LOSS)
    };
}

pub(super) const GROUP: Group = Group {
    name: "far",
    about: "fetch through a relay that holds every byte",
    rows: &[
        fetch!("far.0.4k", "fetch at 0 ms, 4 KiB blocks", &[]),
        fetch!("far.0.256k", "fetch at 0 ms, 256 KiB blocks", &[]),
        fetch!("far.0.1m", "fetch at 0 ms, 1 MiB blocks", &[]),
        fetch!("far.10.4k", "fetch at 10 ms, 4 KiB blocks", &[]),
        fetch!("far.10.256k", "fetch at 10 ms, 256 KiB blocks", &[]),
        fetch!("far.10.1m", "fetch at 10 ms, 1 MiB blocks", &[]),
        fetch!("far.50.4k", "fetch at 50 ms, 4 KiB blocks", &[]),
        fetch!("far.50.256k", "fetch at 50 ms, 256 KiB blocks", &[Target::Share(0.45)]),
        fetch!("far.50.1m", "fetch at 50 ms, 1 MiB blocks", &[Target::Share(0.45)]),
        fetch!("far.200.4k", "fetch at 200 ms, 4 KiB blocks", &[]),
        fetch!("far.200.256k", "fetch at 200 ms, 256 KiB blocks", &[]),
        fetch!("far.200.1m", "fetch at 200 ms, 1 MiB blocks", &[]),
        keep!("far.keep.50.4k", "kept at 50 ms, 4 KiB"),
        keep!("far.keep.50.256k", "kept at 50 ms, 256 KiB"),
        keep!("far.keep.50.1m", "kept at 50 ms, 1 MiB"),
        keep!("far.keep.200.4k", "kept at 200 ms, 4 KiB"),
        keep!("far.keep.200.256k", "kept at 200 ms, 256 KiB"),
        keep!("far.keep.200.1m", "kept at 200 ms, 1 MiB"),
        loss!("far.loss.50.4k", "lost at the start at 50 ms, 4 KiB"),
        loss!("far.loss.50.256k", "lost at the start at 50 ms, 256 KiB"),
        loss!("far.loss.50.1m", "lost at the start at 50 ms, 1 MiB"),
        loss!("far.loss.200.4k", "lost at the start at 200 ms, 4 KiB"),
        loss!("far.loss.200.256k", "lost at the start at 200 ms, 256 KiB"),
        loss!("far.loss.200.1m", "lost at the start at 200 ms, 1 MiB"),
        Row::cost("far.folder", "folder of 200 small files at 50 ms (get)", "round trips").aim(LOSS),
        fetch!("far.quic.50.256k", "fetch over QUIC at 50 ms, 256 KiB blocks", &[]),
        fetch!("far.lossy.50.256k", "the same, 1 % of datagrams lost", &[]),
        Row::rate("far.narrow.256k", "fetch at 50 ms through 20 MiB/s, 256 KiB blocks", "MiB/s")
            .beside("the road"),
        fetch!(
            among::OWN,
            "from its own kind at 50 ms, for seconds",
            &[Target::Ratio(28.0), Target::Share(0.45)]
        ),
        fetch!(among::FROM, "from the first program at 50 ms", &[]),
        fetch!(among::TO, "the first program from it at 50 ms", &[]),
    ],
    limits: Some(raw),
    measure,
};

/// A length of path and the names of what is measured on it.
struct Path {
    /// Milliseconds of a round trip.
    round_trip: u64,
    raw: &'static str,
    fetch: [&'static str; 3],
    keep: Option<[&'static str; 3]>,
    loss: Option<[&'static str; 3]>,
}

const PATHS: [Path; 4] = [
    Path {
        round_trip: 0,
        raw: "raw libp2p stream at 0 ms, MiB/s",
        fetch: ["far.0.4k", "far.0.256k", "far.0.1m"],
        keep: None,
        loss: None,
    },
    Path {
        round_trip: 10,
        raw: "raw libp2p stream at 10 ms, MiB/s",
        fetch: ["far.10.4k", "far.10.256k", "far.10.1m"],
        keep: None,
        loss: None,
    },
    Path {
        round_trip: 50,
        raw: "raw libp2p stream at 50 ms, MiB/s",
        fetch: ["far.50.4k", "far.50.256k", "far.50.1m"],
        keep: Some(["far.keep.50.4k", "far.keep.50.256k", "far.keep.50.1m"]),
        loss: Some(["far.loss.50.4k", "far.loss.50.256k", "far.loss.50.1m"]),
    },
    Path {
        round_trip: 200,
        raw: "raw libp2p stream at 200 ms, MiB/s",
        fetch: ["far.200.4k", "far.200.256k", "far.200.1m"],
        keep: Some(["far.keep.200.4k", "far.keep.200.256k", "far.keep.200.1m"]),
        loss: Some(["far.loss.200.4k", "far.loss.200.256k", "far.loss.200.1m"]),
    },
];

const RAW_QUIC: &str = "raw libp2p stream over QUIC at 50 ms, MiB/s";
const RAW_LOSSY: &str = "raw libp2p stream over QUIC at 50 ms, 1 % lost, MiB/s";
const CHUNKS: [&str; 3] = ["--chunker=size-4096", "--chunker=size-262144", "--chunker=size-1048576"];
const NARROW_MIB_S: f64 = 20.0;

impl Path {
    fn wanted(&self, wants: impl Fn(&str) -> bool) -> [bool; 3] {
        [0, 1, 2].map(|i| {
            wants(self.fetch[i])
                || self.keep.is_some_and(|k| wants(k[i]))
                || self.loss.is_some_and(|l| wants(l[i]))
        })
    }

    fn road(&self) -> Road {
        Road::new(Duration::from_micros(self.round_trip * 500))
    }
}

fn raw(bench: &Bench, limits: &mut Limits) -> Outcome<()> {
    let Some(raw) = &bench.raw else { return Ok(()) };
    let wants = |row: &str| super::super::wants(&bench.options.only, row);
    for path in &PATHS {
        // The share that is to be kept is told by that at 0 ms.
        let kept = path.round_trip == 0 && PATHS.iter().filter_map(|path| path.keep).flatten().any(wants);
        if kept || path.wanted(wants).contains(&true) {
            let reader = raw.reader(Transport::Tcp)?;
            let relay = Relay::tcp(here(0), reader.address, path.road())?;
            limits.insert(path.raw, raw.rate(&reader, relay.address, bench.options.far, 256)?);
        }
    }
    if [among::OWN, among::FROM, among::TO].into_iter().any(wants) {
        let reader = raw.reader(Transport::Tcp)?;
        let relay = Relay::tcp(here(0), reader.address, Road::new(among::DELAY))?;
        limits.insert(among::RAW, raw.rate(&reader, relay.address, among::OWN_MIB, 256)?);
    }
    for (row, name, loss) in [("far.quic", RAW_QUIC, 0.0), ("far.lossy", RAW_LOSSY, 0.01)] {
        if wants(row) || wants(&format!("{row}.50.256k")) {
            let reader = raw.reader(Transport::Quic)?;
            let road = Road::new(Duration::from_millis(25)).lossy(loss);
            let relay = Relay::udp(here(0), reader.address, road)?;
            // A loss makes it slow: less will do.
            let mebibytes = if loss > 0.0 { bench.options.far.min(16) } else { bench.options.far };
            limits.insert(name, raw.rate(&reader, relay.address, mebibytes, 256)?);
        }
    }
    Ok(())
}

fn measure(round: &mut Round) -> Outcome<()> {
    among::measure(round)?;
    let server = round.node("server")?;
    let peer = server.peer_id()?;
    for (i, chunk) in CHUNKS.iter().enumerate() {
        sweep(round, &server, &peer, i, chunk)?;
    }
    for row in ["far.quic.50.256k", "far.lossy.50.256k", "far.narrow.256k"] {
        if round.wants(row) {
            special(round, &server, &peer, row)?;
        }
    }
    if round.wants("far.folder") {
        folder(round, &server, &peer)?;
    }
    Ok(())
}

/// All lengths of path for one size of block.
fn sweep(round: &mut Round, server: &Node, peer: &str, size: usize, chunk: &str) -> Outcome<()> {
    let mut share_near = None;
    let kept = PATHS.iter().any(|path| path.keep.is_some_and(|keep| round.wants(keep[size])));
    for path in &PATHS {
        let needed = path.round_trip == 0 && kept;
        if !needed && !path.wanted(|row| round.wants(row))[size] {
            continue;
        }
        let bytes = amount(round, path, size);
        let (cid, _) = server.add(&["--raw-leaves", chunk], &round.bench.file(bytes)?)?;
        let relay = Relay::tcp(here(0), server.swarm(), path.road())?;
        let client = round.node("client")?;
        client.connect(relay.address, peer)?;
        settle();
        let ran = client.count(&["cat", &cid])?;
        let rate = bytes as f64 / MIB / ran.seconds;
        let limit = round.limit(path.raw);
        round.record_beside(path.fetch[size], rate, limit);
        let share = limit.map(|limit| rate / limit);
        if path.round_trip == 0 {
            share_near = share;
        }
        if let (Some(rows), Some(share), Some(near)) = (path.keep, share, share_near) {
            round.record(rows[size], share / near * 100.0);
        }
        if let Some(rows) = path.loss {
            round.record(rows[size], start_up_loss(&ran) / (path.round_trip as f64 / 1000.0));
        }
    }
    Ok(())
}

/// How much is fetched, the same for every program, unless another one would take much longer than half a minute:
/// it gets less then, and the report says so.
fn amount(round: &mut Round, path: &Path, size: usize) -> u64 {
    let far = round.bench.options.far.min(if size == 0 { 32 } else { u64::MAX });
    if round.program().ours {
        return far << 20;
    }
    let less = far.min(patience_mib(path.round_trip, size));
    if less < far {
        let name = &round.program().name;
        let remark = format!("{}: {name} fetched {less} MiB instead of {far}", path.fetch[size]);
        round.remark(remark);
    }
    less << 20
}

/// What the reference node fetches in about half a minute, in MiB, by the milliseconds of a round trip and the
/// size of the blocks.
const fn patience_mib(round_trip: u64, size: usize) -> u64 {
    match (round_trip, size) {
        (0 | 10, 0) => 32,
        (50, 0) => 8,
        (_, 0) => 4,
        (200, 1) => 64,
        (200, _) => 32,
        (50, _) => 128,
        _ => 512,
    }
}

/// Seconds that a transfer took beyond what its second half's rate would have taken for all of it.
fn start_up_loss(ran: &Ran) -> f64 {
    let half = ran.progress.iter().find(|(_, bytes)| *bytes >= ran.bytes / 2);
    let (Some((at, done)), Some((end, all))) = (half, ran.progress.last()) else { return ran.seconds };
    if all <= done || end <= at {
        return ran.seconds;
    }
    let rate = (all - done) as f64 / (end - at);
    (ran.seconds - ran.bytes as f64 / rate).max(0.0)
}

/// QUIC, QUIC with loss, a narrow road.
fn special(round: &mut Round, server: &Node, peer: &str, row: &'static str) -> Outcome<()> {
    let road = Road::new(Duration::from_millis(25));
    let far = round.bench.options.far;
    // A loss makes it slow: less will do.
    let mebibytes = if row == "far.lossy.50.256k" { far.min(16) } else { far.min(patience_mib(50, 1)) };
    let (cid, _) = server.add(&["--raw-leaves", CHUNKS[1]], &round.bench.file(mebibytes << 20)?)?;
    let client = round.node("client")?;
    let limit = match row {
        "far.narrow.256k" => {
            let road = road.narrow(NARROW_MIB_S * MIB);
            client.connect(Relay::tcp(here(0), server.swarm(), road)?.address, peer)?;
            Some(NARROW_MIB_S)
        }
        _ => {
            let loss = if row == "far.lossy.50.256k" { 0.01 } else { 0.0 };
            client.connect_quic(Relay::udp(here(0), server.swarm(), road.lossy(loss))?.address, peer)?;
            round.limit(if loss > 0.0 { RAW_LOSSY } else { RAW_QUIC })
        }
    };
    settle();
    let ran = client.run_quietly(&["cat", &cid])?;
    round.record_beside(row, mebibytes as f64 / ran.seconds, limit);
    Ok(())
}

fn folder(round: &mut Round, server: &Node, peer: &str) -> Outcome<()> {
    let (cid, _) = server.add(&["-r"], &round.bench.files(200, 4096, 1)?)?;
    let relay = Relay::tcp(here(0), server.swarm(), Road::new(Duration::from_millis(25)))?;
    let client = round.node("client")?;
    client.connect(relay.address, peer)?;
    let target = round.bench.folder().join("got");
    let path = target.to_str().ok_or("a folder that is not UTF-8")?;
    settle();
    // The command's own start is no round trip.
    let idle = client.run_quietly(&["version"])?.seconds;
    let ran = client.run_quietly(&["get", "-o", path, &cid])?;
    round.record("far.folder", (ran.seconds - idle).max(0.0) / 0.050);
    content::lay_aside(&target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_up_loss_is_what_a_steady_rate_would_not_have_taken() {
        let mut ran = Ran { seconds: 1.5, bytes: 100, ..Ran::default() };
        // Half a second of nothing, then 100 bytes a second.
        ran.progress = (0..=10).map(|i| (0.5 + f64::from(i) / 10.0, i as u64 * 10)).collect();
        assert!((start_up_loss(&ran) - 0.5).abs() < 1e-9);
        ran.progress.clear();
        assert_eq!(start_up_loss(&ran), 1.5);
    }
}
