//! The one connection handler for framed protocols, one value for each connection.
//!
//! Path: a stream that the peer opened is read and decoded here, in the connection's own task (`inbound.rs`); a
//! stream toward the peer is opened while the link has something to send, and written here (`outbound.rs`).
//! The swarm sees neither frames nor payload.
//!
//! Invariants: inbound streams up to the limit are all kept, and one that we can't serve right now waits unread,
//! so that the peer is slowed down and nothing is lost. There is at most one outbound stream of bitswap. The
//! connection lives for as long as somebody wants it: this handler keeps it alive, and only `disconnect` or a
//! limit closes it, because the swarm's own idle timeout would part quiet peers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use ipse_base::limits::BITSWAP_ROOMY_PROTOCOL;
use ipse_bitswap::ProtocolVersion;
use libp2p::StreamProtocol;
use libp2p::swarm::handler::{ConnectionEvent, ProtocolsAdded, ProtocolsChange};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol};

use crate::error::PeerError;
use crate::exchange::Event;
use crate::inbound;
use crate::link::{Link, PingReply};
use crate::outbound::{self, Ended};
use crate::ping;
use crate::traffic::Traffic;
use crate::upgrade::{PING, Upgrade};

/// How long the negotiation of a stream may take.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that a peer may open on each connection however many others have open.
const STREAMS_OWN: usize = 2;
/// Streams on which the peer broke the protocol before the connection is closed: as many as bad blocks.
const VIOLATIONS_MAX: u32 = 3;
/// Streams in a row that could not be opened before the peer's wants are given up.
const FAILURES_MAX: u32 = 3;

/// The peer broke the protocol more often than is borne: the connection is to be closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unbearable;

/// What a stream toward the peer was asked for.
#[derive(Debug)]
pub(crate) enum Opening {
    Bitswap,
    Ping(PingReply),
}

/// The stream toward the peer.
enum Outbound {
    Closed,
    Opening,
    Running(BoxFuture<'static, Ended>),
}

/// See the module.
pub(crate) struct Handler {
    link: Arc<Link>,
    traffic: Arc<Traffic>,
    streams_max: usize,
    /// Streams that the peer opened, each until it ends.
    inbound: FuturesUnordered<BoxFuture<'static, inbound::Ended>>,
    violations: u32,
    outbound: Outbound,
    /// Things told to the exchange, and pings under way.
    errands: FuturesUnordered<BoxFuture<'static, ()>>,
    /// The newest version that the peer is known to speak.
    version: Option<ProtocolVersion>,
    /// Whether the peer says that it takes many wants.
    roomy: bool,
    failures: u32,
    openings: VecDeque<Opening>,
}

impl Handler {
    pub(crate) fn new(link: Arc<Link>, traffic: Arc<Traffic>, streams_max: usize) -> Self {
        Self {
            link,
            traffic,
            streams_max,
            inbound: FuturesUnordered::new(),
            violations: 0,
            outbound: Outbound::Closed,
            errands: FuturesUnordered::new(),
            version: None,
            roomy: false,
            failures: 0,
            openings: VecDeque::new(),
        }
    }

    /// Tells the exchange that the peer speaks bitswap, once, and again when a newer version shows.
    fn speaks(&mut self, version: ProtocolVersion) {
        if self.version.is_none_or(|known| known < version) {
            self.version = Some(version);
            self.introduce();
        }
    }

    /// The peer names what it serves.
    fn serves(&mut self, names: ProtocolsAdded<'_>) {
        let known = (self.version, self.roomy);
        for name in names {
            self.roomy |= name.as_ref() == BITSWAP_ROOMY_PROTOCOL;
            self.version = self.version.max(ProtocolVersion::from_name(name.as_ref()));
        }
        if known != (self.version, self.roomy) {
            self.introduce();
        }
    }

    /// Tells the exchange what is known of the peer.
    fn introduce(&mut self) {
        if let Some(version) = self.version {
            let events = self.traffic.events.clone();
            let event = Event::Up { link: self.link.clone(), version, roomy: self.roomy };
            self.errands.push(async move { events.send(event).await.unwrap_or(()) }.boxed());
        }
    }

    fn accept(&mut self, stream: libp2p::Stream, protocol: &StreamProtocol) {
        let Some(version) = ProtocolVersion::from_name(protocol.as_ref()) else { return };
        self.speaks(version);
        // Both limits are far above what honest peers open; a stream over them is reset by being dropped.
        if self.inbound.len() >= self.streams_max {
            return;
        }
        // Those who open many must not keep the first stream of others out.
        let slot = match self.inbound.len() {
            ..STREAMS_OWN => None,
            _ => match self.traffic.stream_slot() {
                Some(slot) => Some(slot),
                None => return,
            },
        };
        let guard = self.link.stream_opened(version.name());
        let serve = inbound::serve(stream, self.link.clone(), self.traffic.clone());
        self.inbound.push(
            async move {
                let ended = serve.await;
                drop((guard, slot));
                ended
            }
            .boxed(),
        );
    }

    fn opened(&mut self, stream: libp2p::Stream, protocol: &StreamProtocol, opening: Opening) {
        match opening {
            Opening::Bitswap => {
                let version = ProtocolVersion::from_name(protocol.as_ref()).unwrap_or(ProtocolVersion::V1_0);
                self.speaks(version);
                // After a failure this one was agreed on; before, there is none to forget.
                self.failures = 0;
                let guard = self.link.stream_opened(version.name());
                let run = outbound::run(stream, version, self.link.clone(), self.traffic.clone());
                self.outbound = Outbound::Running(run.inspect(move |_| drop(guard)).boxed());
            }
            Opening::Ping(reply) => {
                let guard = self.link.stream_opened(PING);
                let ping = ping::once(stream, self.link.peer.clone(), reply);
                self.errands.push(ping.inspect(move |()| drop(guard)).boxed());
            }
        }
    }

    fn not_opened<E>(&mut self, opening: Opening, error: &StreamUpgradeError<E>) {
        let unsupported = matches!(error, StreamUpgradeError::NegotiationFailed);
        match opening {
            Opening::Ping(reply) => {
                let peer = self.link.peer.clone();
                let error = if unsupported {
                    PeerError::Unsupported { peer, protocol: PING }
                } else {
                    PeerError::Timeout(peer)
                };
                // Whoever asked may have left.
                let _ = reply.send(Err(error));
            }
            Opening::Bitswap => {
                self.outbound = Outbound::Closed;
                self.failures += 1;
                if unsupported || self.failures >= FAILURES_MAX {
                    self.failures = 0;
                    self.give_up();
                }
            }
        }
    }

    /// Reports every waiting message as not sent; the engine decides when to try again.
    fn give_up(&mut self) {
        while let Some(job) = self.link.take() {
            let event = Event::Sent { peer: self.link.peer.clone(), token: job.token, bytes: None };
            let events = self.traffic.events.clone();
            self.errands.push(async move { events.send(event).await.unwrap_or(()) }.boxed());
        }
    }

    /// What is proposed on a stream toward the peer. After a failure it has to agree before anything is sent.
    fn bitswap(&self) -> Upgrade {
        self.version.filter(|_| self.failures == 0).map_or(Upgrade::Bitswap, Upgrade::Known)
    }

    /// Serves the streams that the peer opened; true when it has just broken the protocol once too often.
    fn poll_inbound(&mut self, context: &mut Context<'_>) -> bool {
        let before = self.violations;
        while let Poll::Ready(Some(ended)) = self.inbound.poll_next_unpin(context) {
            if ended == inbound::Ended::Violated {
                self.traffic.counters.violations.one();
                self.violations += 1;
            }
        }
        before < VIOLATIONS_MAX && self.violations >= VIOLATIONS_MAX
    }

    fn poll_outbound(&mut self, context: &mut Context<'_>) {
        if let Outbound::Running(run) = &mut self.outbound
            && let Poll::Ready(ended) = run.poll_unpin(context)
        {
            self.outbound = Outbound::Closed;
            if let Ended::Failed = ended {
                self.failures += 1;
                if self.failures >= FAILURES_MAX {
                    self.failures = 0;
                    self.give_up();
                }
            }
        }
        if matches!(self.outbound, Outbound::Closed) && self.link.has_jobs() {
            self.outbound = Outbound::Opening;
            self.openings.push_back(Opening::Bitswap);
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.link.close();
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = std::convert::Infallible;
    type ToBehaviour = Unbearable;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(Upgrade::Served, ()).with_timeout(NEGOTIATION_TIMEOUT)
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, Opening, Unbearable>> {
        self.link.register(context);
        if self.poll_inbound(context) {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Unbearable));
        }
        self.poll_outbound(context);
        while let Poll::Ready(Some(())) = self.errands.poll_next_unpin(context) {}
        if let Some(reply) = self.link.take_ping() {
            self.openings.push_back(Opening::Ping(reply));
        }
        match self.openings.pop_front() {
            None => Poll::Pending,
            Some(opening) => {
                let upgrade = match opening {
                    Opening::Bitswap => self.bitswap(),
                    Opening::Ping(_) => Upgrade::Ping,
                };
                let protocol = SubstreamProtocol::new(upgrade, opening).with_timeout(NEGOTIATION_TIMEOUT);
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
        }
    }

    fn on_behaviour_event(&mut self, event: std::convert::Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), Opening>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(inbound) => {
                let (stream, protocol) = inbound.protocol;
                self.accept(stream, &protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(outbound) => {
                let (stream, protocol) = outbound.protocol;
                self.opened(stream, &protocol, outbound.info);
            }
            ConnectionEvent::DialUpgradeError(failed) => self.not_opened(failed.info, &failed.error),
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(added)) => {
                self.serves(added);
            }
            _ => {}
        }
    }
}
