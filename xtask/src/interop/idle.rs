//! A connection on which nothing has happened for a minute still answers: the
//! next request travels over it, without a new connection being made.

use std::time::{Duration, Instant};

use super::Special;
use super::cell::{Peer, Shape, Transport};
use super::content::Content;
use super::node::Node;
use super::side::{self, Side};
use super::tools::Tools;
use crate::Outcome;

const SILENCE: Duration = Duration::from_secs(60);
const SHAPE: Shape = Shape { cid_version: 1, raw_leaves: true, chunk: 256 * 1024 };

/// One cell per kind of connection.
pub(crate) fn cells() -> Vec<Special> {
    vec![
        ("helia/idle-for-a-minute/tcp".into(), |tools, _| run(tools, Peer::Helia, Transport::Tcp)),
        ("boxo/idle-for-a-minute/tcp".into(), |tools, _| run(tools, Peer::Boxo, Transport::Tcp)),
        ("boxo/idle-for-a-minute/quic".into(), |tools, _| run(tools, Peer::Boxo, Transport::Quic)),
        ("ipse/idle-for-a-minute/tcp".into(), |tools, _| run(tools, Peer::Ipse, Transport::Tcp)),
        ("ipse/idle-for-a-minute/quic".into(), |tools, _| run(tools, Peer::Ipse, Transport::Quic)),
    ]
}

fn run(tools: &Tools, peer: Peer, transport: Transport) -> Outcome<String> {
    let mut ipse = Node::start(&tools.ipse, transport)?;
    let mut other = side::start(peer, transport, tools)?;
    ipse.connect(&other.address())?;
    // Both directions once, so that both sides know each other's protocols.
    exchange(other.as_mut(), &mut ipse, 1)?;
    exchange(&mut ipse, other.as_mut(), 2)?;
    let opened = other.opened()?;

    std::thread::sleep(SILENCE);

    if other.connections()? == 0 {
        return Err("the connection was closed while it was idle".into());
    }
    let fetched = exchange(other.as_mut(), &mut ipse, 3)?;
    let served = exchange(&mut ipse, other.as_mut(), 4)?;
    if other.opened()? != opened {
        return Err("a new connection had to be made".into());
    }
    Ok(format!("fetched in {} ms, served in {} ms", fetched.as_millis(), served.as_millis()))
}

/// Sends one small block across and says how long that took.
fn exchange(server: &mut dyn Side, client: &mut dyn Side, seed: u64) -> Outcome<Duration> {
    let content = Content::File { bytes: 1000, seed };
    let cid = server.add(&content, SHAPE)?;
    let start = Instant::now();
    let got = client.fetch(&cid, &content)?;
    let time = start.elapsed();
    side::same(&got, &content)?;
    Ok(time)
}
