//! The swarm's task: the one owner of libp2p's `Swarm`. It dials, closes and keeps the table of peers; payload
//! never comes through here.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use ipse_base::PeerId;
use ipse_base::limits::QUIC_CONNECTION_BYTES_MAX;
use libp2p::core::transport::{ListenerId, TransportError};
use libp2p::core::upgrade;
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, Swarm, SwarmBuilder, identify, mdns, ping, tcp};
use tokio::sync::{mpsc, oneshot};

use crate::address::{dial_failure, is_port_taken, without_peer};
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::error::{ConnectError, PeerError, StartError};
use crate::exchange::Event;
use crate::muxer::Muxer;
use crate::options::NetOptions;
use crate::peer;
use crate::peers::{Peers, identity_of};
use crate::port;
use crate::secure::Secure;
use crate::traffic::Traffic;
use crate::unread::UnreadBudget;
use crate::unsent::UnsentBudget;

/// The swarm closes connections that nobody wants after this. Ours are always wanted; see `handler.rs`.
const IDLE_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long setting up a connection may take, from the first byte to the multiplexer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams of all protocols that a peer may have open on one connection.
const STREAMS_MAX: usize = 128;
/// Streams of one connection under negotiation.
const NEGOTIATING_MAX: usize = 64;
/// How long the first address of each listener is waited for.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Dials that wait for an outcome.
const DIALS_MAX: usize = 1024;

/// What the swarm's task is asked for.
pub(crate) enum Command {
    Connect { peer: PeerId, addresses: Vec<Multiaddr>, reply: oneshot::Sender<Result<(), ConnectError>> },
    Disconnect { peer: PeerId, address: Option<Multiaddr>, reply: oneshot::Sender<Result<(), PeerError>> },
}

/// Someone who waits for a connection.
struct Dial {
    peer: PeerId,
    /// Where to dial once more, from a port of its own.
    again: Option<Vec<Multiaddr>>,
    reply: oneshot::Sender<Result<(), ConnectError>>,
}

/// See the module.
pub(crate) struct SwarmTask {
    swarm: Swarm<Behaviour>,
    peers: Arc<Peers>,
    events: mpsc::Sender<Event>,
    dials: HashMap<ConnectionId, Dial>,
}

impl SwarmTask {
    /// Sets the transports up and listens; returns when every listener has an address or has failed.
    pub(crate) async fn start(
        options: &NetOptions,
        traffic: Arc<Traffic>,
        peers: Arc<Peers>,
    ) -> Result<Self, StartError> {
        let events = traffic.events.clone();
        let key = options.identity.keypair();
        let unread = UnreadBudget::new(traffic.counters.clone());
        let unsent = UnsentBudget::new(traffic.counters.clone());
        let muxer = Muxer::new(STREAMS_MAX, unread, unsent);
        let behaviour = Behaviour::new(key, options, traffic, peers.clone());
        let swarm = build(key.clone(), behaviour, muxer)?;
        let mut task = Self { swarm, peers, events, dials: HashMap::new() };
        task.listen(&options.listen).await?;
        Ok(task)
    }

    async fn listen(&mut self, addresses: &[String]) -> Result<(), StartError> {
        let mut waiting = Vec::new();
        let mut failures = Vec::new();
        for (address, text) in listenable(addresses)? {
            match self.swarm.listen_on(address) {
                Ok(listener) => waiting.push((listener, text)),
                Err(error) => failures.push((text, listen_failure(&error))),
            }
        }
        let deadline = tokio::time::Instant::now() + LISTEN_TIMEOUT;
        while !waiting.is_empty() {
            let Ok(event) = tokio::time::timeout_at(deadline, self.swarm.select_next_some()).await else {
                break;
            };
            let (listener, failure) = first_of(&event);
            self.handle(event).await;
            if let Some(at) = waiting.iter().position(|(id, _)| Some(*id) == listener) {
                let (_, text) = waiting.swap_remove(at);
                failures.extend(failure.map(|reason| (text, reason)));
            }
        }
        failures.extend(waiting.into_iter().map(|(_, text)| (text, "no address in time".to_owned())));
        // One family or transport may be missing on this machine; a node without any can't be reached at all.
        for (address, reason) in &failures {
            tracing::warn!(%address, %reason, "not listening");
        }
        let all_failed = !addresses.is_empty() && self.peers.listen_addresses().is_empty();
        match failures.into_iter().next() {
            Some((address, reason)) if all_failed => {
                Err(StartError::Listen { address: address.clone(), reason })
            }
            _ => Ok(()),
        }
    }

    /// Runs until the commands end, then closes every connection.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.handle(event).await,
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
            }
        }
        let connected: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            // It may have left by itself by now.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closing = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        // Peers that don't answer are left behind.
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Connect { peer, addresses, reply } => self.connect(peer, addresses, reply),
            Command::Disconnect { peer, address, reply } => {
                let closing = self.peers.connections(&peer, address.as_ref());
                for &id in &closing {
                    self.swarm.close_connection(id);
                    self.peers.closed(&peer, id);
                }
                let outcome = if closing.is_empty() { Err(PeerError::NotConnected(peer)) } else { Ok(()) };
                // Whoever asked may have left.
                let _ = reply.send(outcome);
            }
        }
    }

    fn connect(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        reply: oneshot::Sender<Result<(), ConnectError>>,
    ) {
        // Whoever asked may have left, here and below.
        let Some(theirs) = peer::to_libp2p(&peer) else {
            let _ = reply.send(Err(ConnectError::NoAddresses(peer)));
            return;
        };
        if self.dials.len() >= DIALS_MAX {
            let reason = "too many dials at once".to_owned();
            let _ = reply.send(Err(ConnectError::Limit { peer, reason }));
            return;
        }
        if self.peers.is_connected(&peer) {
            let _ = reply.send(Ok(()));
            return;
        }
        // Whatever the swarm thinks: a connection that is being closed must not pass for one.
        let opts = DialOpts::peer_id(theirs).addresses(addresses.clone()).condition(PeerCondition::Always);
        self.dial(opts.build(), Dial { peer, again: Some(addresses), reply });
    }

    fn dial(&mut self, opts: DialOpts, dial: Dial) {
        let id = opts.connection_id();
        match self.swarm.dial(opts) {
            Ok(()) => {
                self.dials.insert(id, dial);
            }
            Err(error) => {
                // Whoever asked may have left.
                let _ = dial.reply.send(Err(connect_failure(dial.peer, &error)));
            }
        }
    }

    /// A dial failed. It left from the port that we listen on, so that peers learn it; another program may have
    /// a connection from the same port of another of this machine's addresses, and then it can't.
    fn dial_failed(&mut self, mut dial: Dial, error: &DialError) {
        let theirs = peer::to_libp2p(&dial.peer);
        match (dial.again.take().filter(|_| port_was_taken(error)), theirs) {
            (Some(addresses), Some(theirs)) => {
                let opts = DialOpts::peer_id(theirs).addresses(addresses).condition(PeerCondition::Always);
                self.dial(opts.allocate_new_port().build(), dial);
            }
            _ => {
                // Whoever asked may have left.
                let _ = dial.reply.send(Err(connect_failure(dial.peer, error)));
            }
        }
    }

    async fn handle(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.handle_behaviour(event).await,
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.resolve_dials(&peer_id),
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, cause = cause.map(tracing::field::display), "connection closed");
                if let Some(peer) = peer::from_libp2p(&peer_id) {
                    // The exchange is gone only when the net is shutting down.
                    let _ = self.events.send(Event::Down { peer, connection: connection_id }).await;
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(dial) = self.dials.remove(&connection_id) {
                    self.dial_failed(dial, &error);
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => self.peers.listening(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.peers.not_listening(&address),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener"),
            _ => {}
        }
    }

    async fn handle_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                let Some(peer) = peer::from_libp2p(&peer_id) else { return };
                for address in info.listen_addrs.iter().take(16) {
                    self.peers.remember(&peer, without_peer(address.clone()));
                }
                self.peers.identified(identity_of(peer, &info));
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Ok(taken) }) => {
                if let Some(peer) = peer::from_libp2p(&peer) {
                    self.peers.pinged(&peer, connection, taken);
                    // The exchange is gone only when the net is shutting down.
                    let _ = self.events.send(Event::RoundTrip { peer, taken }).await;
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (theirs, address) in found {
                    self.discovered(theirs, address);
                }
            }
            _ => {}
        }
    }

    fn discovered(&mut self, theirs: libp2p::PeerId, address: Multiaddr) {
        let Some(peer) = peer::from_libp2p(&theirs) else { return };
        let address = without_peer(address);
        self.peers.remember(&peer, address.clone());
        let dial = DialOpts::peer_id(theirs)
            .addresses(vec![address])
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .build();
        if let Err(error) = self.swarm.dial(dial) {
            tracing::debug!(%peer, %error, "local peer not dialed");
        }
    }

    fn resolve_dials(&mut self, theirs: &libp2p::PeerId) {
        let Some(peer) = peer::from_libp2p(theirs) else { return };
        let done: Vec<_> =
            self.dials.iter().filter(|(_, dial)| dial.peer == peer).map(|(id, _)| *id).collect();
        for id in done {
            if let Some(dial) = self.dials.remove(&id) {
                let _ = dial.reply.send(Ok(()));
            }
        }
    }
}

fn build(key: Keypair, behaviour: Behaviour, muxer: Muxer) -> Result<Swarm<Behaviour>, StartError> {
    let setup = |part| move |reason: String| StartError::Setup { part, reason };
    let builder = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default(), |key: &Keypair| Secure::new(key), move || muxer.clone())
        .map_err(|error| setup("TCP")(error.to_string()))?
        .with_quic_config(|mut config| {
            config.max_connection_data = QUIC_CONNECTION_BYTES_MAX;
            config.max_stream_data = QUIC_CONNECTION_BYTES_MAX;
            config.max_concurrent_stream_limit = STREAMS_MAX as u32;
            config
        })
        .with_behaviour(|_| behaviour)
        .map_err(|error| setup("protocols")(error.to_string()))?;
    let config = |config: libp2p::swarm::Config| {
        config
            .with_idle_connection_timeout(IDLE_TIMEOUT)
            // Saves the round trip in which a peer agrees to the only protocol that is proposed.
            .with_substream_upgrade_protocol_override(upgrade::Version::V1Lazy)
            .with_max_negotiating_inbound_streams(NEGOTIATING_MAX)
    };
    Ok(builder.with_swarm_config(config).with_connection_timeout(HANDSHAKE_TIMEOUT).build())
}

/// The addresses read, each with its text; all of them are looked at before the first is listened on, as our own
/// listeners would be found on their ports too.
fn listenable(addresses: &[String]) -> Result<Vec<(Multiaddr, &String)>, StartError> {
    let mut read = Vec::with_capacity(addresses.len());
    for text in addresses {
        let address = text.parse().map_err(|source| StartError::Address { address: text.clone(), source })?;
        if port::is_taken(&address) {
            let reason = "another program listens on this port".to_owned();
            return Err(StartError::Listen { address: text.clone(), reason });
        }
        read.push((address, text));
    }
    Ok(read)
}

/// The listener that an event says the first word of, and why it failed if it did.
fn first_of(event: &SwarmEvent<BehaviourEvent>) -> (Option<ListenerId>, Option<String>) {
    match event {
        SwarmEvent::NewListenAddr { listener_id, .. } => (Some(*listener_id), None),
        SwarmEvent::ListenerClosed { listener_id, reason, .. } => (
            Some(*listener_id),
            Some(reason.as_ref().err().map_or_else(|| "closed".into(), ToString::to_string)),
        ),
        _ => (None, None),
    }
}

/// Whether the port that a dial should have left from can't be used.
fn port_was_taken(error: &DialError) -> bool {
    let taken = |error: &TransportError<io::Error>| match error {
        TransportError::Other(error) => is_port_taken(error),
        TransportError::MultiaddrNotSupported(_) => false,
    };
    matches!(error, DialError::Transport(failures) if failures.iter().any(|(_, error)| taken(error)))
}

fn listen_failure(error: &TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => "no transport of this node takes such an address".into(),
        TransportError::Other(error) => error.to_string(),
    }
}

fn connect_failure(peer: PeerId, error: &DialError) -> ConnectError {
    match error {
        DialError::LocalPeerId { .. } => ConnectError::Myself(peer),
        DialError::NoAddresses => ConnectError::NoAddresses(peer),
        DialError::DialPeerConditionFalse(_) | DialError::Aborted => ConnectError::Aborted(peer),
        DialError::WrongPeerId { obtained, address } => ConnectError::OtherPeer {
            peer,
            address: without_peer(address.clone()).to_string(),
            found: obtained.to_string(),
        },
        DialError::Denied { cause } => ConnectError::Limit { peer, reason: cause.to_string() },
        DialError::Transport(failures) => {
            let attempts = failures.iter().map(|(address, error)| {
                let address = without_peer(address.clone());
                let reason = match error {
                    TransportError::MultiaddrNotSupported(_) => "no transport for this address".to_owned(),
                    TransportError::Other(error) => dial_failure(&address, error),
                };
                (address.to_string(), reason)
            });
            ConnectError::AllFailed { peer, attempts: attempts.collect() }
        }
    }
}
