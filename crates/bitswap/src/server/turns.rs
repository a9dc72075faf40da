//! Turns: whose blocks are written next. Each peer has a clock that advances by the bytes it is sent, and the
//! one whose clock is furthest behind is next (start-time fair queueing). Who asks for larger blocks is served
//! less often, and a newcomer, whose clock starts where the last turn stood, goes before all with a backlog.
//!
//! Why not deficits in a round: a peer has one message on its way and is out of the round meanwhile, so a round
//! of the others passes at once and gives them credit for nothing. Clocks need no round.
//!
//! The payload of all unfinished sends together is bounded, and that bound is what makes peers take turns: below
//! it every peer has a message on its way and the network shares itself out. Holding one peer back for another
//! there would tie the quick one to the slow one's link. A peer whose stream has taken nothing for a while
//! stops counting, since its slowness takes nothing from the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use ipse_base::PeerId;

use super::queue::{Queue, Sending};
use crate::SendToken;
use crate::limits::STALL;

/// Bytes that a block costs besides its payload, so that empty ones are not free.
const BLOCK_BYTES_OVERHEAD: u64 = 64;

/// A peer's place among the senders: its clock, then who was there first.
type Rank = (u64, u64);

/// The lists of peers with something to do. A peer is in each at most once.
#[derive(Debug)]
pub(super) struct Turns {
    /// Peers with blocks to send and nothing on its way.
    senders: BTreeSet<(Rank, PeerId)>,
    /// Clock of the last turn.
    clock: u64,
    arrivals: u64,
    /// Peers with wants to look up.
    lookups: VecDeque<PeerId>,
    /// Peers with presences to send.
    presences: VecDeque<PeerId>,
    /// Unfinished sends that are not stalled, in the order of their start, with their bytes.
    sends: BTreeMap<SendToken, (Instant, u64)>,
    sending_bytes: u64,
    sending_bytes_max: u64,
}

/// Where a peer stands in the turns. Kept in its queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    clock: u64,
    rank: Option<Rank>,
    lookup_listed: bool,
    presences_listed: bool,
}

impl Place {
    pub(super) const fn is_listed(self) -> bool {
        self.rank.is_some() || self.lookup_listed || self.presences_listed
    }
}

impl Turns {
    pub(super) fn new(sending_bytes_max: u64) -> Self {
        Self {
            senders: BTreeSet::new(),
            clock: 0,
            arrivals: 0,
            lookups: VecDeque::new(),
            presences: VecDeque::new(),
            sends: BTreeMap::new(),
            sending_bytes: 0,
            sending_bytes_max,
        }
    }

    /// Lists a peer wherever it has something to do.
    pub(super) fn update(&mut self, queue: &mut Queue) {
        let (lookups, presences, blocks) = (queue.has_lookups(), queue.has_presences(), queue.has_blocks());
        let sending = queue.is_sending();
        let (peer, place) = queue.place();
        if lookups && !place.lookup_listed {
            place.lookup_listed = true;
            self.lookups.push_back(peer.clone());
        }
        if presences && !sending && !place.presences_listed {
            place.presences_listed = true;
            self.presences.push_back(peer.clone());
        }
        if blocks && !sending && place.rank.is_none() {
            // Time spent without wanting anything is not saved up.
            place.clock = place.clock.max(self.clock);
            self.arrivals += 1;
            let rank = (place.clock, self.arrivals);
            place.rank = Some(rank);
            self.senders.insert((rank, peer.clone()));
        }
    }

    /// The next peer whose wants are to be looked up.
    pub(super) fn next_lookup(&mut self, peers: &mut HashMap<PeerId, Queue>) -> Option<PeerId> {
        let peer = self.lookups.pop_front()?;
        if let Some(queue) = peers.get_mut(&peer) {
            queue.place().1.lookup_listed = false;
        }
        Some(peer)
    }

    /// The next peer that word is to be sent to.
    pub(super) fn next_presences(&mut self, peers: &mut HashMap<PeerId, Queue>) -> Option<PeerId> {
        let peer = self.presences.pop_front()?;
        if let Some(queue) = peers.get_mut(&peer) {
            queue.place().1.presences_listed = false;
        }
        Some(peer)
    }

    /// The peer whose turn it is and how many of its blocks the message takes.
    pub(super) fn next_sender(&mut self, peers: &mut HashMap<PeerId, Queue>) -> Option<(PeerId, usize)> {
        loop {
            let (rank, peer) = self.senders.first()?.clone();
            let Some(queue) = peers.get_mut(&peer) else {
                self.senders.pop_first();
                continue;
            };
            let (count, bytes) = queue.next_message();
            let sending = queue.is_sending();
            let ready = count > 0 && !sending;
            if ready && self.sending_bytes > 0 && self.sending_bytes + bytes > self.sending_bytes_max {
                return None;
            }
            self.senders.pop_first();
            let (_, place) = queue.place();
            place.rank = None;
            if ready {
                self.clock = rank.0;
                place.clock = rank.0 + bytes + BLOCK_BYTES_OVERHEAD * count as u64;
                return Some((peer, count));
            }
        }
    }

    /// Counts a send with blocks.
    pub(super) fn started(&mut self, token: SendToken, bytes: u64, now: Option<Instant>) {
        if let Some(now) = now {
            self.sends.insert(token, (now, bytes));
            self.sending_bytes += bytes;
        }
    }

    /// Counts a send no longer, and lets its peer take part again.
    pub(super) fn finished(&mut self, queue: &mut Queue, sending: &Sending) {
        self.settle(sending.token);
        self.update(queue);
    }

    fn settle(&mut self, token: SendToken) {
        if let Some((_, bytes)) = self.sends.remove(&token) {
            self.sending_bytes -= bytes;
        }
    }

    /// Takes a peer that left off every list.
    pub(super) fn forget(&mut self, queue: &mut Queue) {
        if let Some(sending) = queue.sending() {
            self.settle(sending.token);
        }
        let (peer, place) = queue.place();
        if let Some(rank) = place.rank.take() {
            self.senders.remove(&(rank, peer.clone()));
        }
        if place.lookup_listed {
            self.lookups.retain(|other| other != peer);
        }
        if place.presences_listed {
            self.presences.retain(|other| other != peer);
        }
    }

    /// When the oldest send will count as stalled, if that lets anyone else send.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.sends.first_key_value().filter(|_| !self.senders.is_empty());
        oldest.map(|(_, (start, _))| *start + STALL)
    }

    /// Stops counting sends that take too long.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self.sends.first_entry() {
            let (start, bytes) = *entry.get();
            if now < start + STALL {
                break;
            }
            self.sending_bytes -= bytes;
            entry.remove();
        }
    }
}

#[cfg(test)]
impl Turns {
    /// After everything is polled, a peer with something to do is listed or has a message on its way.
    pub(super) fn check(&self, queue: &Queue) {
        assert!(!queue.has_lookups());
        assert!(!queue.has_presences() || queue.is_sending());
        let listed = self.senders.iter().any(|(_, peer)| *peer == queue.peer());
        assert!(!queue.has_blocks() || queue.is_sending() || listed, "blocks without a turn");
        assert_eq!(self.sending_bytes, self.sends.values().map(|(_, bytes)| bytes).sum::<u64>());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.senders.is_empty()
            && self.lookups.is_empty()
            && self.presences.is_empty()
            && self.sends.is_empty()
            && self.sending_bytes == 0
    }
}
