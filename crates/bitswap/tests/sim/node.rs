//! A node of the simulated world: both halves of the exchange, a store of lengths, and what it went through.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ipse_base::{Cid, PeerId};
use ipse_bitswap::{Client, ClientOptions, Server, ServerOptions, SessionId};

/// How a node treats others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Honest,
    /// Takes everything and says nothing.
    Silent,
    /// Answers each wantlist with blocks that nobody asked for.
    Liar,
    /// Says HAVE to everything and sends nothing.
    Braggart,
}

pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) behaviour: Behaviour,
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) store: BTreeMap<Cid, u64>,
    /// Bytes a second that all of the node's links share on the way out.
    pub(crate) uplink: Option<f64>,
    pub(crate) uplink_busy_until: Option<Instant>,
    pub(crate) delivered: BTreeMap<SessionId, BTreeMap<Cid, Duration>>,
    pub(crate) absent: BTreeMap<SessionId, BTreeMap<Cid, Duration>>,
    pub(crate) dropped: BTreeSet<PeerId>,
    /// Payload that arrived, by sender.
    pub(crate) received_from: BTreeMap<PeerId, u64>,
    pub(crate) wantlists_sent: u64,
    /// Most wants that any one peer had in this node's server.
    pub(crate) wantlist_max: usize,
    pub(crate) next_tick: Option<Instant>,
}

impl Node {
    pub(crate) fn new(id: PeerId, behaviour: Behaviour) -> Self {
        Self {
            id,
            behaviour,
            client: Client::new(ClientOptions::default()),
            server: Server::new(ServerOptions::default()),
            store: BTreeMap::new(),
            uplink: None,
            uplink_busy_until: None,
            delivered: BTreeMap::new(),
            absent: BTreeMap::new(),
            dropped: BTreeSet::new(),
            received_from: BTreeMap::new(),
            wantlists_sent: 0,
            wantlist_max: 0,
            next_tick: None,
        }
    }

    pub(crate) fn bytes_from(&self, peer: &PeerId) -> u64 {
        self.received_from.get(peer).copied().unwrap_or(0)
    }
}
