//! The connection is cut in the middle of a transfer and made again; the
//! transfer, which was told nothing, completes.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::Special;
use super::cell::{Peer, Shape, Transport};
use super::content::{Content, hash};
use super::foreign::Foreign;
use super::node::Node;
use super::side::{self, LIMIT, Side};
use super::tools::Tools;
use crate::{Outcome, process};

const SHAPE: Shape = Shape { cid_version: 1, raw_leaves: true, chunk: 256 * 1024 };
const MIB: u64 = 1024 * 1024;

/// Large enough that a fetch whose reader stands still cannot have all of it
/// in its buffers.
const FETCHED: Content = Content::File { bytes: 128 * MIB, seed: 77 };
/// A paced peer needs some seconds for this much.
const SERVED: Content = Content::File { bytes: 32 * MIB, seed: 78 };
const QUARTER: u64 = 8 * MIB;

/// One cell per direction and kind of connection.
pub(crate) fn cells() -> Vec<Special> {
    use Transport::{Quic, Tcp};
    vec![
        ("helia/ipse-fetches/tcp/cut-in-the-middle".into(), |tools, _| fetches(tools, Peer::Helia, Tcp)),
        ("boxo/ipse-fetches/tcp/cut-in-the-middle".into(), |tools, _| fetches(tools, Peer::Boxo, Tcp)),
        ("boxo/ipse-fetches/quic/cut-in-the-middle".into(), |tools, _| fetches(tools, Peer::Boxo, Quic)),
        ("ipse/ipse-fetches/tcp/cut-in-the-middle".into(), |tools, _| fetches(tools, Peer::Ipse, Tcp)),
        ("ipse/ipse-fetches/quic/cut-in-the-middle".into(), |tools, _| fetches(tools, Peer::Ipse, Quic)),
        ("helia/ipse-serves/tcp/cut-in-the-middle".into(), |tools, _| serves(tools, Peer::Helia, Tcp)),
        ("boxo/ipse-serves/tcp/cut-in-the-middle".into(), |tools, _| serves(tools, Peer::Boxo, Tcp)),
        ("boxo/ipse-serves/quic/cut-in-the-middle".into(), |tools, _| serves(tools, Peer::Boxo, Quic)),
    ]
}

/// Ipse fetches. Its output is not read while the connection is cut, so the
/// transfer cannot be over before.
fn fetches(tools: &Tools, peer: Peer, transport: Transport) -> Outcome<String> {
    let mut ipse = Node::start(&tools.ipse, transport)?;
    let mut other = side::start(peer, transport, tools)?;
    let cid = other.add(&FETCHED, SHAPE)?;
    ipse.connect(&other.address())?;

    let mut cat = ipse.command(LIMIT);
    let mut cat = process::Guard::spawn(cat.args(["cat", &cid]).stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut output = cat.child().stdout.take().ok_or("cat has no output")?;
    let mut head = Vec::new();
    output.by_ref().take(QUARTER).read_to_end(&mut head)?;

    let before = other.opened()?;
    ipse.disconnect(&other.id())?;
    until_cut(other.as_mut(), before)?;
    let start = Instant::now();
    ipse.connect(&other.address())?;
    let got = hash(head.as_slice().chain(output), std::io::sink())?;
    side::same(&got, &FETCHED)?;
    if !cat.child().wait()?.success() {
        return Err("cat failed although all bytes had come".into());
    }
    Ok(format!("whole {:.1} s after the new connection", start.elapsed().as_secs_f64()))
}

/// Ipse serves a foreign peer that takes its time.
fn serves(tools: &Tools, peer: Peer, transport: Transport) -> Outcome<String> {
    let mut ipse = Node::start(&tools.ipse, transport)?;
    let mut other = Foreign::start(peer, transport, tools)?;
    let cid = ipse.add(&SERVED, SHAPE)?;
    other.connect(&ipse.address())?;
    other.pace(20)?;
    let fetch = other.begin_fetch(&cid)?;
    let start = Instant::now();
    while other.written()? < QUARTER {
        if start.elapsed() > Duration::from_secs(60) {
            return Err("a quarter has not arrived within a minute".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }

    let before = other.opened()?;
    other.disconnect(&ipse.id())?;
    until_cut(&mut other, before)?;
    // What is stored is the content and some kilobytes of inner nodes.
    if other.written()? >= 32 * MIB {
        return Err("the transfer was over before it could be cut".into());
    }
    other.pace(0)?;
    let start = Instant::now();
    other.connect(&ipse.address())?;
    let got = other.end_fetch(fetch)?;
    side::same(&got, &SERVED)?;
    Ok(format!("whole {:.1} s after the new connection", start.elapsed().as_secs_f64()))
}

/// Waits until the connection is gone. A peer that is in the middle of a message may dial at once to finish it,
/// as boxo does, so it is never seen alone; that it has opened another connection says as much.
fn until_cut(side: &mut dyn Side, before: Option<u64>) -> Outcome<()> {
    let start = Instant::now();
    while side.connections()? > 0 && side.opened()? == before {
        if start.elapsed() > Duration::from_secs(10) {
            return Err("the connection is still there 10 seconds after it was closed".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
