//! Places: how many connections peers may open toward us, and who leaves when all places are taken.
//!
//! A bound alone would let whoever comes first keep everybody else out, by sitting there. So a newcomer gets the
//! place of the connection that is of the least use: one that never gave nor took a block before one that did,
//! among those one of the network that holds the most places, and there the one that was of use longest ago.
//! Peers of the configuration are never parted with, nor connections that we opened.
//!
//! Who comes back at once after having been of no use takes a place again, and drives the newest out: a thousand
//! of them would leave a newcomer no time to ask for a block. So they come ever later ([`Offenders`]).

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ipse_base::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};

use crate::counters::NetCounters;
use crate::link::Use;
use crate::offenders::{Machine, Offenders, ip_of};
use crate::peer;
use crate::peers::Peers;

/// Connections that may be closing at once to make places.
pub(crate) const CLOSING_MAX: usize = 32;
/// How long a connection may stand before its use counts. Who comes faster than this takes the places of those
/// who came as fast, and of nobody else.
const PROBATION: Duration = Duration::from_secs(5);

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceLimits {
    /// Connections in both directions.
    pub(crate) all: usize,
    /// Connections that peers opened.
    pub(crate) inbound: usize,
    /// Those of them over QUIC.
    pub(crate) quic: usize,
}

/// See the module.
pub(crate) struct Places {
    limits: PlaceLimits,
    protected: HashSet<PeerId>,
    peers: Arc<Peers>,
    counters: Arc<NetCounters>,
    offenders: Arc<Offenders>,
    taken: HashMap<ConnectionId, Way>,
    /// Those of them that were asked to leave.
    closing: HashSet<ConnectionId>,
    closes: VecDeque<(libp2p::PeerId, ConnectionId)>,
}

/// How a connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Outbound,
    Inbound { quic: bool },
}

/// All places are taken by peers that are of more use.
#[derive(Debug, thiserror::Error)]
#[error("all places for connections are taken")]
struct NoPlace;

/// One who might leave.
#[derive(Debug, Clone)]
struct Candidate {
    id: ConnectionId,
    peer: PeerId,
    machine: Option<Machine>,
    network: Option<IpAddr>,
    opened: Instant,
    made: Use,
}

impl Places {
    pub(crate) fn new(
        limits: PlaceLimits,
        protected: HashSet<PeerId>,
        peers: Arc<Peers>,
        counters: Arc<NetCounters>,
        offenders: Arc<Offenders>,
    ) -> Self {
        let (taken, closing, closes) = Default::default();
        Self { limits, protected, peers, counters, offenders, taken, closing, closes }
    }

    /// Finds a place for a newcomer.
    fn enter(&mut self, id: ConnectionId, quic: bool, now: Instant) -> Result<(), NoPlace> {
        let full = self.standing(|way| way != Way::Outbound) >= self.limits.inbound
            || self.standing(|_| true) >= self.limits.all;
        let quic_full = quic && self.standing(|way| way == Way::Inbound { quic }) >= self.limits.quic;
        if full || quic_full {
            if self.closing.len() >= CLOSING_MAX {
                return Err(NoPlace);
            }
            let leaver = least_useful(&self.candidates(quic_full), now).ok_or(NoPlace)?;
            let peer = peer::to_libp2p(&leaver.peer).ok_or(NoPlace)?;
            self.counters.places_made.one();
            if let Some(machine) = leaver.machine.filter(|_| leaver.made == Use::default()) {
                self.offenders.note(machine, now);
            }
            self.closing.insert(leaver.id);
            self.closes.push_back((peer, leaver.id));
        }
        self.taken.insert(id, Way::Inbound { quic });
        Ok(())
    }

    fn standing(&self, which: impl Fn(Way) -> bool) -> usize {
        self.taken.iter().filter(|&(id, &way)| which(way) && !self.closing.contains(id)).count()
    }

    fn dial(&self) -> Result<(), ConnectionDenied> {
        if self.standing(|_| true) >= self.limits.all {
            return Err(ConnectionDenied::new(NoPlace));
        }
        Ok(())
    }

    /// Who may leave, all of them or those over QUIC.
    fn candidates(&self, quic_only: bool) -> Vec<Candidate> {
        let inbound = self.peers.inbound().into_iter();
        inbound
            .filter(|(link, address, _)| {
                let stays = self.closing.contains(&link.id) || self.protected.contains(&link.peer);
                !stays && (!quic_only || is_quic(address))
            })
            .map(|(link, address, opened)| Candidate {
                id: link.id,
                peer: link.peer.clone(),
                machine: Machine::of(&address),
                network: network(&address),
                opened,
                made: link.use_made(),
            })
            .collect()
    }

    fn leave(&mut self, id: ConnectionId) {
        self.taken.remove(&id);
        self.closing.remove(&id);
    }
}

/// Who is of the least use, by the order that the module tells.
fn least_useful(candidates: &[Candidate], now: Instant) -> Option<Candidate> {
    let mut crowd: HashMap<Option<IpAddr>, usize> = HashMap::new();
    candidates.iter().for_each(|one| *crowd.entry(one.network).or_default() += 1);
    let rank = |one: &&Candidate| {
        let tried = one.made != Use::default();
        let new = now.duration_since(one.opened) < PROBATION;
        // Two of one network are no crowd: where all come from different places, only use and time count.
        let crowd = Reverse(crowd.get(&one.network).copied().filter(|&count| count > 2).unwrap_or_default());
        (tried, crowd, new, one.made, one.opened)
    };
    candidates.iter().min_by_key(rank).cloned()
}

/// The network that an address belongs to, as somebody who has many addresses has them: /24 or /48.
fn network(address: &Multiaddr) -> Option<IpAddr> {
    Some(match ip_of(address)? {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) >> 8 << 8).into()),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 80 << 80).into()),
    })
}

fn is_quic(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::QuicV1)
}

impl NetworkBehaviour for Places {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: libp2p::PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.enter(id, is_quic(remote), Instant::now()).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: Option<libp2p::PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.dial().map(|()| Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: libp2p::PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.dial()?;
        self.taken.insert(id, Way::Outbound);
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ListenFailure(failure) => self.leave(failure.connection_id),
            FromSwarm::DialFailure(failure) => self.leave(failure.connection_id),
            FromSwarm::ConnectionClosed(closed) => self.leave(closed.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: libp2p::PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // The swarm polls again after every connection that comes in.
        let Some((peer_id, id)) = self.closes.pop_front() else { return Poll::Pending };
        Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Link;

    struct Someone(Candidate, Link);

    fn someone(number: usize, network: &str, opened: Instant) -> Someone {
        let peer = peer::from_libp2p(&libp2p::PeerId::random()).unwrap();
        let id = ConnectionId::new_unchecked(number);
        let link = Link::new(peer.clone(), id);
        Someone(
            Candidate {
                id,
                peer,
                machine: None,
                network: network.parse().ok(),
                opened,
                made: Use::default(),
            },
            link,
        )
    }

    fn leaver(all: &[Someone], now: Instant) -> ConnectionId {
        let candidates: Vec<_> =
            all.iter().map(|Someone(one, link)| Candidate { made: link.use_made(), ..one.clone() }).collect();
        least_useful(&candidates, now).unwrap().id
    }

    #[test]
    fn who_was_of_no_use_leaves_first_then_the_crowd_then_who_was_of_use_longest_ago() {
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        let all = [
            someone(0, "192.0.2.0", start),
            someone(1, "198.51.100.0", start + Duration::from_millis(1)),
            someone(2, "198.51.100.0", start + Duration::from_millis(2)),
            someone(3, "198.51.100.0", start + Duration::from_millis(3)),
        ];
        assert_eq!(leaver(&all, later), all[1].0.id, "the oldest of the crowd");
        all[1].1.took();
        assert_eq!(leaver(&all, later), all[2].0.id);
        all[2].1.took();
        all[3].1.gave();
        assert_eq!(leaver(&all, later), all[0].0.id, "alone, but of no use");
        all[0].1.gave();
        assert_eq!(leaver(&all, later), all[1].0.id, "taking is worth less than giving");
        assert!(least_useful(&[], later).is_none());
    }

    #[test]
    fn who_came_a_moment_ago_gets_time_to_be_of_use() {
        let start = Instant::now();
        let all = [someone(0, "192.0.2.0", start), someone(1, "203.0.113.0", start + PROBATION * 2)];
        assert_eq!(leaver(&all, start + PROBATION * 2), all[0].0.id);
        let all = [someone(0, "192.0.2.0", start + PROBATION), someone(1, "203.0.113.0", start)];
        assert_eq!(leaver(&all, start + PROBATION), all[1].0.id);
    }
}
