//! Net: the facade over everything that talks to peers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipse_base::{BlockSession, BlockSink, Cid, LocalBlocks, PeerId};
use ipse_bitswap::{Client, Ledger, ProtocolVersion, Server, SessionOptions, Stat};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

use crate::address;
use crate::counters::NetCounters;
use crate::error::{ConnectError, PeerError, StartError};
use crate::exchange::{EVENTS_MAX, Event, Exchange};
use crate::options::NetOptions;
use crate::peers::{PeerIdentity, PeerInfo, Peers};
use crate::pipeline::{Outlets, Pipeline};
use crate::registry::Registry;
use crate::session::Sessions;
use crate::swarm::{Command, SwarmTask};
use crate::traffic::{Bandwidth, Traffic};
use crate::upgrade::PING;

/// Commands that wait for the swarm's task.
const COMMANDS_MAX: usize = 64;
/// How long connecting may take, all addresses together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the tasks may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses that come this soon after one another belong to one listener on all interfaces.
const LISTEN_SETTLE: Duration = Duration::from_millis(10);

/// A running network: a peer among peers. Cheap to clone; the last clone's end, or [`Net::shutdown`], ends it.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    options: NetOptions,
    peers: Arc<Peers>,
    sessions: Arc<Sessions>,
    traffic: Arc<Traffic>,
    /// Taken out by the shutdown.
    commands: Mutex<Option<mpsc::Sender<Command>>>,
    swarm: Mutex<Option<JoinHandle<()>>>,
    exchange: AbortHandle,
}

impl Net {
    /// Starts: returns when the node listens. `local` is what peers are served from, `sink` is where blocks go
    /// that sessions asked for. To be called inside of a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]: `Invalid` for a malformed address, `Conflict` where none of the addresses can be
    /// listened on, `Internal` where a transport can't be set up.
    pub async fn start(
        options: NetOptions,
        local: Arc<dyn LocalBlocks>,
        sink: Arc<dyn BlockSink>,
    ) -> Result<Self, StartError> {
        let (events, event_queue) = mpsc::channel(EVENTS_MAX);
        let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
        let counters = Arc::new(NetCounters::default());
        let registry = Arc::new(Registry::default());
        let sessions = Arc::new(Sessions::new(registry.clone(), local.clone(), counters.clone()));
        let threads = match options.hash_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => given,
        };
        let outlets = Outlets { registry, sink, events: events.clone(), counters: counters.clone() };
        let pipeline = Pipeline::start(threads, &outlets)
            .map_err(|error| StartError::Setup { part: "hash threads", reason: error.to_string() })?;
        let exchange =
            Exchange::new(sessions.clone(), options.serve, events.downgrade(), commands.downgrade());
        let traffic = Arc::new(Traffic::new(events, pipeline, local, counters));
        let peers = Arc::new(Peers::default());
        let swarm = match SwarmTask::start(&options, traffic.clone(), peers.clone()).await {
            Ok(swarm) => swarm,
            Err(error) => {
                traffic.pipeline.close();
                return Err(error);
            }
        };
        let exchange = tokio::spawn(exchange.run(event_queue)).abort_handle();
        tokio::spawn(crate::tls::warm_up());
        let swarm = Mutex::new(Some(tokio::spawn(swarm.run(command_queue))));
        Ok(Self(Arc::new(Inner {
            options,
            peers,
            sessions,
            traffic,
            commands: Mutex::new(Some(commands)),
            swarm,
            exchange,
        })))
    }

    /// This node's peer ID.
    pub fn peer_id(&self) -> &PeerId {
        self.0.options.identity.peer_id()
    }

    /// What the net counted since it was started.
    pub fn counters(&self) -> Arc<NetCounters> {
        self.0.traffic.counters.clone()
    }

    /// This node's own side of identify.
    pub fn own_identity(&self) -> PeerIdentity {
        let suffix = format!("/p2p/{}", self.peer_id());
        let with_peer = |address: String| address + &suffix;
        PeerIdentity {
            peer: self.peer_id().clone(),
            public_key: self.0.options.identity.public_key(),
            addresses: self.listen_addresses().into_iter().map(with_peer).collect(),
            agent: self.0.options.agent.clone(),
            protocol_version: crate::behaviour::PROTOCOL_VERSION.to_owned(),
            protocols: self.protocols(),
        }
    }

    /// The addresses that the node listens on, those for every interface written out, without the peer ID.
    pub fn listen_addresses(&self) -> Vec<String> {
        self.0.peers.listen_addresses()
    }

    /// Returns when a listener on all interfaces has said its addresses, which come one by one after the start;
    /// at once where there is none. Dropping it has no effect.
    pub async fn listeners_settled(&self) {
        let wild = |address: &String| address.contains("/ip4/0.0.0.0/") || address.contains("/ip6/::/");
        if !self.0.options.listen.iter().any(wild) {
            return;
        }
        let mut known = 0;
        while known < self.listen_addresses().len() {
            known = self.listen_addresses().len();
            tokio::time::sleep(LISTEN_SETTLE).await;
        }
    }

    /// The protocols that peers may open streams of, sorted.
    pub fn protocols(&self) -> Vec<String> {
        let mut names: Vec<String> =
            ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", PING].map(str::to_owned).to_vec();
        names.extend(ProtocolVersion::PREFERRED.iter().map(|version| version.name().to_owned()));
        names.sort_unstable();
        names
    }

    /// Opens a session that asks the connected peers, and waits for as long as it lives where none has a block.
    pub fn session(&self) -> Box<dyn BlockSession> {
        self.session_with(SessionOptions::default())
    }

    /// Opens a session; see [`SessionOptions::patience`].
    pub fn session_with(&self, options: SessionOptions) -> Box<dyn BlockSession> {
        Box::new(self.0.sessions.open(options))
    }

    /// Tells that blocks became visible by another way than a session: peers that wait for them are served, and
    /// sessions that want them get them.
    pub fn notify_blocks(&self, blocks: &[(Cid, u64)]) {
        self.0.sessions.added(blocks);
    }

    /// Connects to a peer, by an address that ends in `/p2p/ID`, or by `/p2p/ID` alone where addresses of it are
    /// known. Tells which peer it is. Done at once where it is connected already.
    ///
    /// # Errors
    /// [`ConnectError`]: `Invalid` for a malformed address, `NotFound` where no address is known, `Unavailable`
    /// where none answers, `Denied` where somebody else answers, `Busy` at a limit.
    pub async fn connect(&self, address: &str) -> Result<PeerId, ConnectError> {
        let target = address::parse_target(address)?;
        let peer = target.peer;
        if peer == *self.peer_id() {
            return Err(ConnectError::Myself(peer));
        }
        if self.0.peers.is_connected(&peer) {
            return Ok(peer);
        }
        let addresses = match target.address {
            Some(address) => {
                self.0.peers.remember(&peer, address.clone());
                address::resolve(&address).await
            }
            None => self.0.peers.known(&peer),
        };
        if addresses.is_empty() {
            return Err(ConnectError::NoAddresses(peer));
        }
        let (reply, outcome) = oneshot::channel();
        self.command(Command::Connect { peer: peer.clone(), addresses, reply })
            .await
            .ok_or(ConnectError::Closed)?;
        match tokio::time::timeout(CONNECT_TIMEOUT, outcome).await {
            Ok(Ok(Ok(()))) => Ok(peer),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) => Err(ConnectError::Closed),
            Err(_) => Err(ConnectError::Aborted(peer)),
        }
    }

    /// Closes the connections to a peer, named as for [`Net::connect`]; with an address, only those to it.
    ///
    /// # Errors
    /// [`PeerError`]: `NotFound` where there is none, `Invalid` for a malformed address.
    pub async fn disconnect(&self, address: &str) -> Result<PeerId, PeerError> {
        let target = address::parse_target(address)?;
        let (reply, outcome) = oneshot::channel();
        let command = Command::Disconnect { peer: target.peer.clone(), address: target.address, reply };
        self.command(command).await.ok_or(PeerError::Closed)?;
        outcome.await.unwrap_or(Err(PeerError::Closed)).map(|()| target.peer)
    }

    /// Every connection.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.0.peers.list()
    }

    /// Every address that is known, by peer; this node with those that it listens on is among them.
    pub fn addresses(&self) -> Vec<(PeerId, Vec<String>)> {
        let mut known = self.0.peers.book();
        known.push((self.peer_id().clone(), self.listen_addresses()));
        known.sort_unstable();
        known
    }

    /// What a connected peer told of itself.
    ///
    /// # Errors
    /// [`PeerError::NotConnected`], also where it has not told anything yet.
    pub fn identify(&self, peer: &PeerId) -> Result<PeerIdentity, PeerError> {
        self.0.peers.identity(peer).ok_or_else(|| PeerError::NotConnected(peer.clone()))
    }

    /// Measures one round trip to a connected peer.
    ///
    /// # Errors
    /// [`PeerError`]: `NotFound` where it is not connected, `Unsupported`, `Timeout`, `Corrupt`.
    pub async fn ping(&self, peer: &PeerId) -> Result<Duration, PeerError> {
        let not_connected = || PeerError::NotConnected(peer.clone());
        let link = self.0.peers.link(peer).ok_or_else(not_connected)?;
        let (reply, taken) = oneshot::channel();
        if !link.ping(reply) {
            return Err(not_connected());
        }
        taken.await.unwrap_or_else(|_| Err(not_connected()))
    }

    /// Totals of the exchange, with what is wanted and who can be asked.
    pub async fn bitswap_stat(&self) -> Stat {
        self.inspect(Stat::of).await.unwrap_or_default()
    }

    /// What this node wants, or what a peer wants of it.
    pub async fn bitswap_wantlist(&self, peer: Option<&PeerId>) -> Vec<Cid> {
        let wantlist = match peer.filter(|peer| *peer != self.peer_id()).cloned() {
            None => self.inspect(|client, _| client.wantlist()).await,
            Some(peer) => self.inspect(move |_, server| server.wantlist(&peer)).await,
        };
        wantlist.unwrap_or_default()
    }

    /// What was given to and taken from a peer.
    pub async fn bitswap_ledger(&self, peer: &PeerId) -> Ledger {
        let peer = peer.clone();
        self.inspect(move |_, server| server.ledger(&peer)).await.unwrap_or_default()
    }

    /// Bytes of framed protocols that passed since the start.
    pub fn bandwidth(&self) -> Bandwidth {
        self.0.traffic.bandwidth()
    }

    /// Bytes that arrived for sessions and were not taken by them yet.
    pub fn unconsumed_bytes(&self) -> u64 {
        self.0.sessions.unconsumed.bytes()
    }

    /// Bytes of messages that were read for peers and that no stream has taken yet, but for the small piece that
    /// each peer may have.
    pub fn loaded_bytes(&self) -> u64 {
        self.0.traffic.loads.used() as u64
    }

    /// Closes every connection and ends the tasks. Sessions that live on get nothing more.
    pub async fn shutdown(&self) {
        self.0.commands().take();
        let swarm = self.0.swarm.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut swarm) = swarm
            && tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut swarm).await.is_err()
        {
            swarm.abort();
        }
        self.0.close();
        let pipeline = self.0.traffic.pipeline.clone();
        let joined = tokio::task::spawn_blocking(move || pipeline.join());
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, joined).await.is_err() {
            tracing::error!("the store did not take received blocks in time to shut down");
        }
    }

    async fn command(&self, command: Command) -> Option<()> {
        let commands = self.0.commands().clone();
        commands?.send(command).await.ok()
    }

    /// Asks the exchange's task something; nothing after the shutdown.
    async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Client, &Server) -> T + Send + 'static,
    ) -> Option<T> {
        let (give, take) = oneshot::channel();
        let inspection = move |client: &Client, server: &Server| {
            // Whoever asked may have left.
            let _ = give.send(look(client, server));
        };
        self.0.traffic.events.send(Event::Inspect(Box::new(inspection))).await.ok()?;
        take.await.ok()
    }
}

impl Inner {
    fn commands(&self) -> MutexGuard<'_, Option<mpsc::Sender<Command>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what does not end by itself when the commands do.
    fn close(&self) {
        self.exchange.abort();
        self.traffic.pipeline.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
