//! How many connections one IP address may open toward us, so that one machine can't take all places. An IPv6
//! address counts with its whole /64, which one machine can have by itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm, dummy,
};

/// One machine, as far as an address tells.
type Place = u128;

/// See the module.
pub(crate) struct IpLimit {
    most: usize,
    /// Connections that peers opened, from the first byte to the end.
    places: HashMap<ConnectionId, Place>,
    counts: HashMap<Place, usize>,
}

/// The address has as many connections as it may.
#[derive(Debug, thiserror::Error)]
#[error("too many connections from one address")]
struct TooMany;

impl IpLimit {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, places: HashMap::new(), counts: HashMap::new() }
    }

    fn enter(&mut self, id: ConnectionId, remote: &Multiaddr) -> Result<(), TooMany> {
        let Some(place) = place(remote) else { return Ok(()) };
        let count = self.counts.entry(place).or_default();
        if *count >= self.most {
            return Err(TooMany);
        }
        *count += 1;
        self.places.insert(id, place);
        Ok(())
    }

    fn leave(&mut self, id: ConnectionId) {
        let Some(place) = self.places.remove(&id) else { return };
        if let Some(count) = self.counts.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&place);
            }
        }
    }
}

/// Where a connection comes from; nothing for those of this machine.
fn place(remote: &Multiaddr) -> Option<Place> {
    let ip = ip_of(remote)?;
    if ip.is_loopback() {
        return None;
    }
    Some(match ip {
        IpAddr::V4(ip) => u128::from(ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => u128::from(ip) >> 64 << 64,
    })
}

/// The address of a connection; those of version 4 that are written as version 6 as what they are.
pub(crate) fn ip_of(remote: &Multiaddr) -> Option<IpAddr> {
    remote.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip).to_canonical()),
        _ => None,
    })
}

impl NetworkBehaviour for IpLimit {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.enter(id, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ListenFailure(failure) => self.leave(failure.connection_id),
            FromSwarm::ConnectionClosed(closed) => self.leave(closed.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(ip: &str) -> Multiaddr {
        format!("{ip}/tcp/4001").parse().unwrap()
    }

    #[test]
    fn an_address_gets_its_places_and_no_more() {
        let mut limit = IpLimit::new(2);
        let id = ConnectionId::new_unchecked;
        assert!(limit.enter(id(1), &address("/ip4/192.0.2.1")).is_ok());
        assert!(limit.enter(id(2), &address("/ip6/::ffff:192.0.2.1")).is_ok());
        assert!(limit.enter(id(3), &address("/ip4/192.0.2.1")).is_err());
        assert!(limit.enter(id(4), &address("/ip4/192.0.2.2")).is_ok(), "another address has its own");
        limit.leave(id(1));
        limit.leave(id(3));
        assert!(limit.enter(id(5), &address("/ip4/192.0.2.1")).is_ok());
        for gone in [2, 4, 5] {
            limit.leave(id(gone));
        }
        assert!(limit.places.is_empty() && limit.counts.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_place_and_this_machine_is_none() {
        assert_eq!(place(&address("/ip6/2001:db8::1")), place(&address("/ip6/2001:db8::2:3")));
        assert_ne!(place(&address("/ip6/2001:db8::1")), place(&address("/ip6/2001:db8:0:1::1")));
        assert_eq!(place(&address("/ip4/127.0.0.1")), None);
        assert_eq!(place(&address("/ip6/::1")), None);
    }
}
