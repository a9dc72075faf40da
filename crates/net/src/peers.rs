//! Who is connected and how, and which addresses are known: written by the swarm's task, read by everyone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use ipse_base::PeerId;
use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;

use crate::link::Link;

/// Peers whose addresses are remembered.
const BOOK_PEERS_MAX: usize = 4096;
/// Addresses remembered of one peer.
const BOOK_ADDRESSES_MAX: usize = 16;
/// Protocols kept of what a peer says to speak.
const PROTOCOLS_MAX: usize = 256;
/// Characters kept of what a peer calls itself.
const AGENT_CHARS_MAX: usize = 256;

/// Which side opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The peer.
    Inbound,
    /// This node.
    Outbound,
}

/// One connection.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// The peer.
    pub peer: PeerId,
    /// Its address, without the peer ID.
    pub address: String,
    /// Which side opened the connection.
    pub direction: Direction,
    /// How long the connection has stood.
    pub age: Duration,
    /// The last round trip measured by ping, if there was one yet.
    pub latency: Option<Duration>,
    /// The protocol of each stream that is open and kept open.
    pub streams: Vec<&'static str>,
    /// What the peer told by identify, if it did yet.
    pub identity: Option<PeerIdentity>,
}

/// What a peer told of itself by identify. All of it is only the peer's word but the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The peer.
    pub peer: PeerId,
    /// Its public key in libp2p's protobuf form.
    pub public_key: Vec<u8>,
    /// Where it says to listen.
    pub addresses: Vec<String>,
    /// Software and version.
    pub agent: String,
    /// The family of protocols, such as `ipfs/0.1.0`.
    pub protocol_version: String,
    /// Protocols that it says to speak.
    pub protocols: Vec<String>,
}

/// Cuts what a peer said down to what is worth keeping.
pub(crate) fn identity_of(peer: PeerId, info: &libp2p::identify::Info) -> PeerIdentity {
    let cut = |text: &str| text.chars().filter(|char| !char.is_control()).take(AGENT_CHARS_MAX).collect();
    PeerIdentity {
        peer,
        public_key: info.public_key.encode_protobuf(),
        addresses: info.listen_addrs.iter().take(BOOK_ADDRESSES_MAX).map(Multiaddr::to_string).collect(),
        agent: cut(&info.agent_version),
        protocol_version: cut(&info.protocol_version),
        protocols: info.protocols.iter().take(PROTOCOLS_MAX).map(ToString::to_string).collect(),
    }
}

struct Connection {
    address: Multiaddr,
    direction: Direction,
    opened: Instant,
    latency: Option<Duration>,
    link: Arc<Link>,
}

#[derive(Default)]
struct Table {
    connections: BTreeMap<PeerId, Vec<Connection>>,
    identities: HashMap<PeerId, PeerIdentity>,
    listening: Vec<Multiaddr>,
    book: HashMap<PeerId, Vec<Multiaddr>>,
    /// Peers of the book, the one to be forgotten next in front.
    book_order: VecDeque<PeerId>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Peers(RwLock<Table>);

impl Peers {
    pub(crate) fn opened(&self, link: Arc<Link>, address: Multiaddr, direction: Direction) {
        let connection =
            Connection { address, direction, opened: Instant::now(), latency: None, link: link.clone() };
        self.write().connections.entry(link.peer.clone()).or_default().push(connection);
    }

    pub(crate) fn closed(&self, peer: &PeerId, id: ConnectionId) {
        let mut table = self.write();
        let Some(connections) = table.connections.get_mut(peer) else { return };
        connections.retain(|connection| connection.link.id != id);
        if connections.is_empty() {
            table.connections.remove(peer);
            table.identities.remove(peer);
        }
    }

    pub(crate) fn identified(&self, identity: PeerIdentity) {
        let mut table = self.write();
        if table.connections.contains_key(&identity.peer) {
            table.identities.insert(identity.peer.clone(), identity);
        }
    }

    pub(crate) fn pinged(&self, peer: &PeerId, id: ConnectionId, taken: Duration) {
        let mut table = self.write();
        let connections = table.connections.get_mut(peer);
        if let Some(connection) = connections.and_then(|all| all.iter_mut().find(|one| one.link.id == id)) {
            connection.latency = Some(taken);
        }
    }

    pub(crate) fn listening(&self, address: Multiaddr) {
        let mut table = self.write();
        if !table.listening.contains(&address) {
            table.listening.push(address);
        }
    }

    pub(crate) fn not_listening(&self, address: &Multiaddr) {
        self.write().listening.retain(|one| one != address);
    }

    /// Remembers an address of a peer. The newest stays when there are too many.
    pub(crate) fn remember(&self, peer: &PeerId, address: Multiaddr) {
        let mut table = self.write();
        if !table.book.contains_key(peer) {
            table.book_order.push_back(peer.clone());
            if table.book_order.len() > BOOK_PEERS_MAX
                && let Some(oldest) = table.book_order.pop_front()
            {
                table.book.remove(&oldest);
            }
        }
        let addresses = table.book.entry(peer.clone()).or_default();
        addresses.retain(|one| *one != address);
        if addresses.len() >= BOOK_ADDRESSES_MAX {
            addresses.remove(0);
        }
        addresses.push(address);
    }

    pub(crate) fn known(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.read().book.get(peer).cloned().unwrap_or_default()
    }

    pub(crate) fn book(&self) -> Vec<(PeerId, Vec<String>)> {
        let table = self.read();
        let mut book: Vec<_> = table
            .book
            .iter()
            .map(|(peer, addresses)| (peer.clone(), addresses.iter().map(Multiaddr::to_string).collect()))
            .collect();
        book.sort_unstable();
        book
    }

    pub(crate) fn is_connected(&self, peer: &PeerId) -> bool {
        self.read().connections.contains_key(peer)
    }

    /// Connections that peers opened, with their addresses and since when.
    pub(crate) fn inbound(&self) -> Vec<(Arc<Link>, Multiaddr, Instant)> {
        let table = self.read();
        let all = table.connections.values().flatten().filter(|one| one.direction == Direction::Inbound);
        all.map(|one| (one.link.clone(), one.address.clone(), one.opened)).collect()
    }

    /// Where a connection leads to.
    pub(crate) fn address(&self, peer: &PeerId, id: ConnectionId) -> Option<Multiaddr> {
        let table = self.read();
        let one = table.connections.get(peer)?.iter().find(|one| one.link.id == id)?;
        Some(one.address.clone())
    }

    /// A connection to the peer, the oldest one.
    pub(crate) fn link(&self, peer: &PeerId) -> Option<Arc<Link>> {
        Some(self.read().connections.get(peer)?.first()?.link.clone())
    }

    /// Connections to the peer, or only those to one of its addresses.
    pub(crate) fn connections(&self, peer: &PeerId, address: Option<&Multiaddr>) -> Vec<ConnectionId> {
        let table = self.read();
        let connections = table.connections.get(peer).into_iter().flatten();
        connections
            .filter(|one| address.is_none_or(|address| one.address == *address))
            .map(|one| one.link.id)
            .collect()
    }

    pub(crate) fn listen_addresses(&self) -> Vec<String> {
        self.read().listening.iter().map(Multiaddr::to_string).collect()
    }

    pub(crate) fn identity(&self, peer: &PeerId) -> Option<PeerIdentity> {
        self.read().identities.get(peer).cloned()
    }

    pub(crate) fn list(&self) -> Vec<PeerInfo> {
        let table = self.read();
        let each = |peer: &PeerId, one: &Connection| PeerInfo {
            peer: peer.clone(),
            address: one.address.to_string(),
            direction: one.direction,
            age: one.opened.elapsed(),
            latency: one.latency,
            streams: one.link.streams(),
            identity: table.identities.get(peer).cloned(),
        };
        let connections = table.connections.iter();
        connections.flat_map(|(peer, all)| all.iter().map(move |one| each(peer, one))).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> PeerId {
        crate::peer::from_libp2p(&libp2p::PeerId::random()).unwrap()
    }

    #[test]
    fn the_address_book_is_bounded_both_ways() {
        let peers = Peers::default();
        let first = peer();
        for port in 0..2 * BOOK_ADDRESSES_MAX as u16 {
            peers.remember(&first, format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap());
        }
        let known = peers.known(&first);
        assert_eq!(known.len(), BOOK_ADDRESSES_MAX);
        assert_eq!(known.last().unwrap().to_string(), "/ip4/127.0.0.1/tcp/31");
        for _ in 0..BOOK_PEERS_MAX {
            peers.remember(&peer(), "/ip4/127.0.0.1/tcp/1".parse().unwrap());
        }
        assert_eq!(peers.book().len(), BOOK_PEERS_MAX);
        assert!(peers.known(&first).is_empty());
    }
}
