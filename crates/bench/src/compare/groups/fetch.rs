//! From node to node over loopback.

use std::net::SocketAddr;

use super::Group;
use crate::Outcome;
use crate::compare::bench::Bench;
use crate::compare::round::{Limits, Round};
use crate::compare::row::{Row, Target};
use crate::lab::content;
use crate::lab::limits::settle;
use crate::lab::node::LARGE;
use crate::lab::raw::Transport;

const RAW: &str = "raw libp2p stream, TCP, MiB/s";
/// Files that every program fetches. All of `--files` would take others eight minutes a round, so only our own
/// does that besides.
const FEW: u64 = 1000;

pub(super) const GROUP: Group = Group {
    name: "fetch",
    about: "fetch from a node of the same program, and from a boxo server",
    rows: &[
        Row::rate("fetch.256k", "fetch 1 GiB, 256 KiB blocks", "MiB/s")
            .aim(&[Target::Ratio(5.0), Target::Share(0.6)])
            .beside("raw stream"),
        Row::rate("fetch.1m", "fetch 1 GiB, 1 MiB blocks", "MiB/s")
            .aim(&[Target::Ratio(3.5), Target::Share(0.6)])
            .beside("raw stream"),
        Row::rate("fetch.few", "fetch 1,000 files of 4 KiB (get)", "files/s").aim(&[Target::Ratio(200.0)]),
        Row::rate("fetch.files", "fetch 20,000 files of 4 KiB (get)", "files/s"),
        Row::cost("fetch.peak", "peak memory of the fetching node", "MiB").aim(&[Target::AtMost(96.0)]),
        Row::rate("fetch.boxo.256k", "fetch 1 GiB, 256 KiB blocks, from boxo", "MiB/s").beside("raw stream"),
        Row::rate("fetch.boxo.1m", "fetch 1 GiB, 1 MiB blocks, from boxo", "MiB/s").beside("raw stream"),
        Row::rate("fetch.boxo.few", "fetch 1,000 files up to 1 KiB, from boxo", "files/s")
            .aim(&[Target::Ratio(40.0)]),
        Row::rate("fetch.boxo.files", "fetch 20,000 files up to 1 KiB, from boxo", "files/s"),
    ],
    limits: Some(raw),
    measure,
};

fn raw(bench: &Bench, limits: &mut Limits) -> Outcome<()> {
    if let Some(raw) = &bench.raw {
        limits.insert(RAW, raw.direct(Transport::Tcp, bench.options.size, 256)?);
    }
    Ok(())
}

fn measure(round: &mut Round) -> Outcome<()> {
    let wants = |rows: &[&str]| rows.iter().any(|row| round.wants(row));
    let own = wants(&["fetch.256k", "fetch.1m", "fetch.few", "fetch.files", "fetch.peak"]);
    let boxo = wants(&["fetch.boxo.256k", "fetch.boxo.1m", "fetch.boxo.few", "fetch.boxo.files"]);
    if own {
        from_own_kind(round)?;
    }
    if boxo {
        from_boxo(round)?;
    }
    Ok(())
}

fn from_own_kind(round: &mut Round) -> Outcome<()> {
    let options = &round.bench.options;
    let file = round.bench.file(options.size << 20)?;
    let server = round.node("server")?;
    let (at, peer) = (server.swarm(), server.peer_id()?);
    for (row, flags) in [("fetch.256k", &[][..]), ("fetch.1m", LARGE)] {
        if round.wants(row) {
            let (cid, _) = server.add(flags, &file)?;
            one_file(round, row, at, &peer, &cid)?;
        }
    }
    for (row, files) in folders(round, "fetch.few", "fetch.files") {
        let folder = round.bench.files(files, 4096, 100)?;
        let (cid, _) = server.add(&["-r"], &folder)?;
        folder_of_files(round, row, at, &peer, &cid, files)?;
    }
    Ok(())
}

fn from_boxo(round: &mut Round) -> Outcome<()> {
    let Some(mut boxo) = round.bench.boxo()? else { return Ok(()) };
    let options = &round.bench.options;
    let (at, peer) = (boxo.address, boxo.peer.clone());
    for (row, chunk) in [("fetch.boxo.256k", 256 << 10), ("fetch.boxo.1m", 1 << 20)] {
        if round.wants(row) {
            let cid = boxo.add(options.size << 20, chunk)?;
            one_file(round, row, at, &peer, &cid)?;
        }
    }
    for (row, files) in folders(round, "fetch.boxo.few", "fetch.boxo.files") {
        let cid = boxo.add_folder(files)?;
        folder_of_files(round, row, at, &peer, &cid, files)?;
    }
    Ok(())
}

/// The rows of folders that are to be measured, with the number of their files.
fn folders(round: &Round, few: &'static str, all: &'static str) -> Vec<(&'static str, u64)> {
    let files = round.bench.options.files;
    let mut folders = vec![(few, files.min(FEW))];
    if round.program().ours {
        folders.push((all, files));
    }
    folders.retain(|(row, _)| round.wants(row));
    folders
}

fn one_file(round: &mut Round, row: &'static str, at: SocketAddr, peer: &str, cid: &str) -> Outcome<()> {
    let node = round.node("client")?;
    node.connect(at, peer)?;
    settle();
    let (ran, peak) = node.with_peak(|| node.run_quietly(&["cat", cid]))?;
    let rate = round.bench.options.size as f64 / ran.seconds;
    round.record_beside(row, rate, round.limit(RAW));
    round.record("fetch.peak", peak);
    Ok(())
}

fn folder_of_files(
    round: &mut Round,
    row: &'static str,
    at: SocketAddr,
    peer: &str,
    cid: &str,
    files: u64,
) -> Outcome<()> {
    let node = round.node("client")?;
    node.connect(at, peer)?;
    let target = round.bench.folder().join("got");
    let path = target.to_str().ok_or("a folder that is not UTF-8")?;
    settle();
    let (ran, peak) = node.with_peak(|| node.run_quietly(&["get", "-o", path, cid]))?;
    round.record(row, files as f64 / ran.seconds);
    round.record("fetch.peak", peak);
    content::lay_aside(&target);
    Ok(())
}
