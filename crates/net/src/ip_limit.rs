//! How many connections one machine may open toward us, so that one can't take all places, and whether it may at
//! all ([`Offenders`]). Both are asked before a handshake.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, ListenError, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};

use crate::counters::NetCounters;
use crate::offenders::{Machine, Offenders};

/// See the module.
pub(crate) struct IpLimit {
    most: usize,
    offenders: Arc<Offenders>,
    counters: Arc<NetCounters>,
    /// Connections that peers opened, from the first byte to the end.
    machines: HashMap<ConnectionId, Machine>,
    counts: HashMap<Machine, usize>,
}

/// Why a connection is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    /// The machine has as many connections as it may.
    #[error("too many connections from one address")]
    TooMany,
    /// It has been a nuisance.
    #[error("this address is to come back later")]
    Offender,
}

impl IpLimit {
    pub(crate) fn new(most: usize, offenders: Arc<Offenders>, counters: Arc<NetCounters>) -> Self {
        Self { most, offenders, counters, machines: HashMap::new(), counts: HashMap::new() }
    }

    fn enter(&mut self, id: ConnectionId, remote: &Multiaddr, now: Instant) -> Result<(), Refusal> {
        let Some(machine) = Machine::of(remote) else { return Ok(()) };
        if self.offenders.refuses(machine, now) {
            return Err(Refusal::Offender);
        }
        let count = self.counts.entry(machine).or_default();
        if *count >= self.most {
            return Err(Refusal::TooMany);
        }
        *count += 1;
        self.machines.insert(id, machine);
        Ok(())
    }

    /// A connection has ended; tells whose it was.
    fn leave(&mut self, id: ConnectionId) -> Option<Machine> {
        let machine = self.machines.remove(&id)?;
        if let Some(count) = self.counts.get_mut(&machine) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&machine);
            }
        }
        Some(machine)
    }
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
        let entered = self.enter(id, remote, Instant::now());
        if entered.is_err() {
            self.counters.connections_refused.one();
        } else {
            self.counters.connections_in.one();
        }
        entered.map_err(ConnectionDenied::new)
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
            FromSwarm::ListenFailure(failure) => {
                let machine = self.leave(failure.connection_id);
                let failed = matches!(failure.error, ListenError::Transport(_));
                // A proxy in front of honest peers may look now and then whether somebody listens.
                let alone = |machine: &Machine| !self.counts.contains_key(machine);
                if let Some(machine) = machine.filter(|machine| failed && alone(machine)) {
                    self.offenders.note(machine, Instant::now());
                }
            }
            FromSwarm::ConnectionClosed(closed) => drop(self.leave(closed.connection_id)),
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
    fn a_machine_gets_its_places_and_no_more() {
        let mut limit = IpLimit::new(2, Arc::default(), Arc::default());
        let (id, now) = (ConnectionId::new_unchecked, Instant::now());
        assert!(limit.enter(id(1), &address("/ip4/192.0.2.1"), now).is_ok());
        assert!(limit.enter(id(2), &address("/ip6/::ffff:192.0.2.1"), now).is_ok());
        assert_eq!(limit.enter(id(3), &address("/ip4/192.0.2.1"), now), Err(Refusal::TooMany));
        assert!(limit.enter(id(4), &address("/ip4/192.0.2.2"), now).is_ok(), "another has its own");
        limit.leave(id(1));
        limit.leave(id(3));
        assert!(limit.enter(id(5), &address("/ip4/192.0.2.1"), now).is_ok());
        for gone in [2, 4, 5] {
            limit.leave(id(gone));
        }
        assert!(limit.machines.is_empty() && limit.counts.is_empty());
    }

    #[test]
    fn an_offender_is_kept_out() {
        let mut limit = IpLimit::new(2, Arc::default(), Arc::default());
        let (id, now, bad) = (ConnectionId::new_unchecked, Instant::now(), address("/ip4/192.0.2.1"));
        for _ in 0..2 {
            limit.offenders.note(Machine::of(&bad).unwrap(), now);
        }
        assert_eq!(limit.enter(id(1), &bad, now), Err(Refusal::Offender));
        assert!(limit.enter(id(2), &address("/ip4/192.0.2.2"), now).is_ok());
        assert!(limit.counts.len() == 1);
    }
}
