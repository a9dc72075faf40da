//! Which connections lead to a peer, and which messages are on their way over each.

use std::collections::HashMap;
use std::sync::Arc;

use ipse_base::PeerId;
use ipse_bitswap::ProtocolVersion;
use libp2p::swarm::ConnectionId;

use crate::link::{Job, Link, Token};

struct Peer {
    links: Vec<Arc<Link>>,
    version: ProtocolVersion,
}

/// See the module.
#[derive(Default)]
pub(super) struct Links {
    peers: HashMap<PeerId, Peer>,
    /// At most one of the client and one of the server for each peer.
    under_way: HashMap<Token, ConnectionId>,
}

impl Links {
    /// Adds a connection; true where this is news to the client: the peer, or a newer version of the protocol.
    pub(super) fn up(&mut self, link: Arc<Link>, version: ProtocolVersion) -> bool {
        let known = self.peers.contains_key(&link.peer);
        let peer = self.peers.entry(link.peer.clone()).or_insert_with(|| Peer { links: Vec::new(), version });
        if peer.links.iter().all(|one| one.id != link.id) {
            peer.links.push(link);
        }
        let newer = peer.version < version;
        peer.version = peer.version.max(version);
        !known || newer
    }

    /// Removes a connection; gives what was on its way over it.
    pub(super) fn down(&mut self, peer: &PeerId, connection: ConnectionId) -> Vec<Token> {
        if let Some(known) = self.peers.get_mut(peer) {
            known.links.retain(|link| link.id != connection);
            if known.links.is_empty() {
                self.peers.remove(peer);
            }
        }
        self.under_way.extract_if(|_, at| *at == connection).map(|(token, _)| token).collect()
    }

    /// Notes that a peer gave what we wanted. By which of its connections is not known here, so all get the credit.
    pub(super) fn gave(&self, peer: &PeerId) {
        self.peers.get(peer).into_iter().flat_map(|known| &known.links).for_each(|link| link.gave());
    }

    /// Notes wants of a peer that are not here. By which of its connections they came is not known here, so all bear
    /// them.
    pub(super) fn missed(&self, peer: &PeerId, misses: u64) {
        for link in self.peers.get(peer).into_iter().flat_map(|known| &known.links) {
            link.debt.add(misses);
        }
    }

    pub(super) fn has(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// Lays a message into the peer's first connection that takes it. Where none does, all of them have ended,
    /// and [`Links::down`] is about to say so.
    pub(super) fn send(&mut self, peer: &PeerId, mut job: Job) {
        for link in self.peers.get(peer).into_iter().flat_map(|known| &known.links) {
            let token = job.token;
            match link.push(job) {
                Ok(()) => {
                    self.under_way.insert(token, link.id);
                    return;
                }
                Err(back) => job = back,
            }
        }
    }

    /// Notes that a message is written or has failed.
    pub(super) fn sent(&mut self, token: Token) {
        self.under_way.remove(&token);
    }
}
