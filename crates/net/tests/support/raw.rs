//! Bare libp2p streams of one protocol, without anything of ours on top: the raw limit that our figures are
//! compared with, and the hostile peer of the tests, which may write whatever it likes.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, Stream, StreamProtocol};

/// A stream that was opened, by us or by the peer.
#[derive(Debug)]
#[allow(dead_code, reason = "each user needs a part")]
pub struct Opened {
    pub stream: Stream,
    pub inbound: bool,
}

/// Opens and accepts streams of one protocol.
pub struct RawBehaviour {
    protocol: StreamProtocol,
    actions: VecDeque<ToSwarm<Opened, ()>>,
}

impl RawBehaviour {
    pub fn new(protocol: StreamProtocol) -> Self {
        Self { protocol, actions: VecDeque::new() }
    }

    /// Asks for one more stream to a connected peer; it comes as an [`Opened`] event.
    pub fn open(&mut self, peer: PeerId) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::Any,
            event: (),
        });
    }

    fn handler(&self) -> RawHandler {
        RawHandler { protocol: self.protocol.clone(), wanted: 0, opened: VecDeque::new() }
    }
}

impl NetworkBehaviour for RawBehaviour {
    type ConnectionHandler = RawHandler;
    type ToSwarm = Opened;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        (stream, inbound): THandlerOutEvent<Self>,
    ) {
        self.actions.push_back(ToSwarm::GenerateEvent(Opened { stream, inbound }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // The swarm polls again after every call that could have queued something.
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

pub struct RawHandler {
    protocol: StreamProtocol,
    wanted: usize,
    opened: VecDeque<(Stream, bool)>,
}

impl ConnectionHandler for RawHandler {
    type FromBehaviour = ();
    type ToBehaviour = (Stream, bool);
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(opened));
        }
        if self.wanted > 0 {
            self.wanted -= 1;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, (): ()) {
        self.wanted += 1;
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                self.opened.push_back((protocol, true));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                self.opened.push_back((protocol, false));
            }
            _ => {}
        }
    }
}
