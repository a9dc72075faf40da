//! Turns: whose blocks are written next. Deficit round robin by bytes: each turn is worth the same number of
//! bytes, and who asks for larger blocks saves up several.
//!
//! A peer that had nothing queued goes ahead of those with a backlog, once: so a newcomer's first answer does
//! not wait for a round of fifty others. When its queue is empty it stays in the round until its turn has
//! passed, or asking for one block at a time would always be first.
//!
//! The payload of all unfinished sends together is bounded. A peer whose stream has taken nothing for a while
//! stops counting, since its slowness takes nothing from the others.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use ipse_base::PeerId;
use ipse_base::limits::BITSWAP_MESSAGE_BYTES_TARGET;

use super::queue::{Queue, Sending};
use crate::SendToken;
use crate::limits::STALL;

/// Bytes that a turn is worth.
const QUANTUM: i64 = BITSWAP_MESSAGE_BYTES_TARGET as i64;

/// The lists of peers with something to do. A peer is in each at most once.
#[derive(Debug)]
pub(super) struct Turns {
    /// Peers that had nothing queued before.
    fresh: VecDeque<PeerId>,
    /// The round.
    steady: VecDeque<PeerId>,
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
    /// Bytes that the peer may still have before the next turn; negative where it had more.
    deficit: i64,
    /// Whether the peer takes part in the round. One that is being written to does, without being listed.
    in_round: bool,
    /// Whether the peer is in `fresh` or `steady`.
    listed: bool,
    lookup_listed: bool,
    presences_listed: bool,
}

impl Place {
    pub(super) const fn is_listed(self) -> bool {
        self.listed || self.lookup_listed || self.presences_listed
    }
}

impl Turns {
    pub(super) fn new(sending_bytes_max: u64) -> Self {
        Self {
            fresh: VecDeque::new(),
            steady: VecDeque::new(),
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
        if blocks && !place.in_round {
            *place = Place { in_round: true, listed: true, deficit: QUANTUM, ..*place };
            self.fresh.push_back(peer.clone());
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
            let is_fresh = !self.fresh.is_empty();
            let list = if is_fresh { &mut self.fresh } else { &mut self.steady };
            let peer = list.pop_front()?;
            let Some(queue) = peers.get_mut(&peer) else { continue };
            let (count, bytes) = queue.next_message();
            let sending = queue.is_sending();
            let (_, place) = queue.place();
            if sending {
                place.listed = false;
                continue;
            }
            if place.deficit <= 0 {
                place.deficit += QUANTUM;
                self.steady.push_back(peer);
                continue;
            }
            if count == 0 {
                *place = Place { in_round: false, listed: false, ..*place };
                if queue.is_unused() {
                    peers.remove(&peer);
                }
                continue;
            }
            if self.sending_bytes > 0 && self.sending_bytes + bytes > self.sending_bytes_max {
                let list = if is_fresh { &mut self.fresh } else { &mut self.steady };
                list.push_front(peer);
                return None;
            }
            place.deficit -= bytes as i64;
            self.steady.push_back(peer.clone());
            return Some((peer, count));
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
        if let Some((_, bytes)) = self.sends.remove(&sending.token) {
            self.sending_bytes -= bytes;
        }
        let (peer, place) = queue.place();
        if place.in_round && !place.listed {
            place.listed = true;
            self.steady.push_back(peer.clone());
        }
        self.update(queue);
    }

    /// Takes a peer that left off every list.
    pub(super) fn forget(&mut self, peer: &PeerId, sending: Option<&Sending>) {
        if let Some((_, bytes)) = sending.and_then(|sending| self.sends.remove(&sending.token)) {
            self.sending_bytes -= bytes;
        }
        for list in [&mut self.fresh, &mut self.steady, &mut self.lookups, &mut self.presences] {
            list.retain(|other| other != peer);
        }
    }

    /// When the oldest send will count as stalled, if that lets anyone else send.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = !self.fresh.is_empty() || !self.steady.is_empty();
        self.sends.first_key_value().filter(|_| waiting).map(|(_, (start, _))| *start + STALL)
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
