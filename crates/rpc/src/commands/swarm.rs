//! `swarm`: connections with peers.

use ipse_api::{AddressBook, Connection, Peers, Protocol, Texts, format_duration};
use ipse_base::{ErrorKind, Kind};
use ipse_node::{Direction, PeerInfo, SwarmError};

use super::id;
use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

pub(super) async fn connect(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let mut strings = Vec::new();
    for address in &context.invocation.arguments {
        match node.connect(address).await {
            Ok(peer) => strings.push(format!("connect {peer} success")),
            Err(error) => return Err(not_connected(error)),
        }
    }
    Reply::value(&Texts { strings })
}

/// Says which of the peers asked for it was, where one was named.
fn not_connected(error: SwarmError) -> Failure {
    let peer = error.unreached().cloned();
    let mut failure = Failure::from(error);
    if let Some(peer) = peer {
        failure.message = format!("connect {peer} failure: {}", failure.message);
    }
    failure
}

pub(super) async fn disconnect(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let mut strings = Vec::new();
    for address in &context.invocation.arguments {
        strings.push(match node.disconnect(address).await {
            Ok(peer) => format!("disconnect {peer} success"),
            // A peer that is not connected is what was asked for: a line, and success.
            Err(error) if error.kind() == Kind::NotFound => {
                let peer = address.rsplit('/').next().unwrap_or_default();
                format!("disconnect {peer} failure: not connected")
            }
            Err(error) => return Err(error.into()),
        });
    }
    Reply::value(&Texts { strings })
}

pub(super) async fn peers(context: Context) -> Result<Reply, Failure> {
    let wants = |name| context.invocation.bool("verbose") || context.invocation.bool(name);
    let show = Show {
        streams: wants("streams"),
        latency: wants("latency"),
        direction: wants("direction"),
        identity: wants("identify"),
    };
    let mut peers: Vec<_> = context.node()?.peers()?.into_iter().map(|peer| show.connection(peer)).collect();
    peers.sort_by(|a, b| (&a.peer, &a.addr).cmp(&(&b.peer, &b.addr)));
    Reply::value(&Peers { peers })
}

/// What was asked for of each connection.
struct Show {
    streams: bool,
    latency: bool,
    direction: bool,
    identity: bool,
}

impl Show {
    fn connection(&self, info: PeerInfo) -> Connection {
        let streams = info.streams.iter().map(|protocol| Protocol { protocol: (*protocol).to_owned() });
        let latency = info.latency.map_or_else(|| "n/a".to_owned(), format_duration);
        let direction = match info.direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        Connection {
            addr: info.address,
            peer: info.peer.to_string(),
            latency: if self.latency { latency } else { String::new() },
            muxer: String::new(),
            direction: if self.direction { direction } else { 0 },
            streams: if self.streams { streams.collect() } else { Vec::new() },
            identify: match info.identity {
                Some(identity) if self.identity => id::shown(identity, None),
                _ => ipse_api::Identity::default(),
            },
        }
    }
}

pub(super) async fn addrs(context: Context) -> Result<Reply, Failure> {
    let known = context.node()?.known_addresses()?;
    let addrs = known.into_iter().map(|(peer, addresses)| (peer.to_string(), addresses)).collect();
    Reply::value(&AddressBook { addrs })
}

pub(super) async fn local(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let mut strings = node.listen_addresses()?;
    if context.invocation.bool("id") {
        strings = strings.iter().map(|address| id::with_peer(address, node.peer_id())).collect();
    }
    Reply::value(&Texts { strings })
}
