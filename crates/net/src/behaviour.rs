//! What runs on every connection: libp2p's identify, ping, limits and mDNS, and our own handler.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ipse_base::limits::QUIC_INBOUND_MAX;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, identify, mdns, ping};

use crate::address::without_peer;
use crate::handler::Handler;
use crate::ip_limit::IpLimit;
use crate::link::Link;
use crate::offenders::{Machine, Offenders};
use crate::options::NetOptions;
use crate::peer;
use crate::peers::{Direction, Peers};
use crate::places::{CLOSING_MAX, PlaceLimits, Places};
use crate::traffic::Traffic;

/// The family of protocols that peers of the public network name.
pub(crate) const PROTOCOL_VERSION: &str = "ipfs/0.1.0";
/// Handshakes under way that we began.
const PENDING_OUTGOING_MAX: u32 = 128;
/// Handshakes under way that peers began: many, since those who begin and then say nothing must not keep others
/// out, and one costs little.
const PENDING_INCOMING_MAX: u32 = 1024;
/// How often each connection's round trip is measured.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// See the module.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    ip_limit: IpLimit,
    places: Places,
    links: Links,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

impl Behaviour {
    pub(crate) fn new(key: &Keypair, options: &NetOptions, traffic: Arc<Traffic>, peers: Arc<Peers>) -> Self {
        // Those that peers open are bounded by `places`; what is closing there still counts here.
        let most = options.connections_max + CLOSING_MAX as u32;
        let limits = ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_INCOMING_MAX))
            .with_max_pending_outgoing(Some(PENDING_OUTGOING_MAX))
            .with_max_established(Some(most))
            .with_max_established_per_peer(Some(options.connections_per_peer_max));
        let inbound = (options.connections_max - options.connections_max / 4) as usize;
        let place_limits = PlaceLimits {
            all: options.connections_max as usize,
            inbound,
            quic: inbound.min(QUIC_INBOUND_MAX),
        };
        let protected = options.protected.iter().cloned().collect();
        let offenders = Arc::new(Offenders::default());
        let counters = traffic.counters.clone();
        let ip_limit = IpLimit::new(options.connections_per_ip_max, offenders.clone(), counters.clone());
        let places = Places::new(place_limits, protected, peers.clone(), counters, offenders.clone());
        let links = Links {
            traffic,
            peers,
            streams_max: options.inbound_streams_max,
            offenders,
            opening: None,
            closes: VecDeque::new(),
        };
        let identify = identify::Config::new(PROTOCOL_VERSION.into(), key.public())
            .with_agent_version(options.agent.clone())
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        // Finding local peers is a convenience; a machine that can't do it is still a node.
        let mdns = options.mdns.then(|| {
            mdns::tokio::Behaviour::new(mdns::Config::default(), key.public().to_peer_id())
                .inspect_err(|error| tracing::warn!(%error, "no multicast DNS"))
        });
        Self {
            limits: connection_limits::Behaviour::new(limits),
            ip_limit,
            places,
            links,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            mdns: mdns.and_then(Result::ok).into(),
        }
    }
}

/// Gives each connection its handler and link, enters it in the table of peers, and closes those whose peer breaks
/// the protocol.
pub(crate) struct Links {
    traffic: Arc<Traffic>,
    peers: Arc<Peers>,
    streams_max: usize,
    offenders: Arc<Offenders>,
    /// The swarm reports a connection right after its handler was made, so one place is enough.
    opening: Option<Arc<Link>>,
    /// Connections of peers that can't be borne.
    closes: VecDeque<(PeerId, ConnectionId)>,
}

impl Links {
    fn handler(&mut self, id: ConnectionId, peer: PeerId) -> Result<Handler, ConnectionDenied> {
        let peer =
            peer::from_libp2p(&peer).ok_or_else(|| ConnectionDenied::new("peer ID of an unknown kind"))?;
        let link = Arc::new(Link::new(peer, id));
        self.opening = Some(link.clone());
        Ok(Handler::new(link, self.traffic.clone(), self.streams_max))
    }
}

impl NetworkBehaviour for Links {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let Some(link) = self.opening.take_if(|link| link.id == established.connection_id) else {
                    return;
                };
                let direction =
                    if established.endpoint.is_dialer() { Direction::Outbound } else { Direction::Inbound };
                let address = without_peer(established.endpoint.get_remote_address().clone());
                if direction == Direction::Outbound {
                    self.peers.remember(&link.peer, address.clone());
                }
                self.peers.opened(link, address, direction);
            }
            FromSwarm::ConnectionClosed(closed) => {
                if let Some(peer) = peer::from_libp2p(&closed.peer_id) {
                    self.peers.closed(&peer, closed.connection_id);
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, _: THandlerOutEvent<Self>) {
        let address = peer::from_libp2p(&peer).and_then(|peer| self.peers.address(&peer, id));
        tracing::debug!(%peer, address = address.as_ref().map(tracing::field::display), "breaks the protocol");
        if let Some(machine) = address.as_ref().and_then(Machine::of) {
            self.offenders.note(machine, Instant::now());
        }
        self.closes.push_back((peer, id));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // The swarm polls again after every event of a handler.
        let Some((peer_id, id)) = self.closes.pop_front() else { return Poll::Pending };
        Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) })
    }
}
