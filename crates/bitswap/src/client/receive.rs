//! Receive: what a peer's words and blocks change.

use std::time::Instant;

use ipse_base::Cid;

use super::peer::{Peer, PeerKey};
use super::want::{Standing, WantId};
use super::{Client, ClientOutput, DropReason};
use crate::WantType;
use crate::limits::{BAD_BLOCKS_MAX, GOOD_BLOCKS_PER_PARDON};

/// Wants of each session that a new peer is asked about.
const INTRODUCTION_WANTS: usize = 2;

impl Client {
    /// A peer is new: it is asked for what nobody had, and about a few of the wants that are being answered.
    pub(super) fn introduce(&mut self, key: PeerKey, now: Instant) {
        self.revive(key);
        let mut asks: Vec<WantId> = Vec::new();
        for session in self.sessions.values() {
            asks.extend(session.flying.iter().take(INTRODUCTION_WANTS));
        }
        for id in asks {
            self.ask_whether(key, id, now);
        }
        self.dirty = true;
    }

    /// Asks a peer whether it has a block, if it can answer that and was not asked.
    pub(super) fn ask_whether(&mut self, key: PeerKey, id: WantId, now: Instant) {
        let (Some(want), Some(peer)) = (self.wants.get(&id), self.peers.get(&key)) else { return };
        let open = want.is_open_to(key) && !want.haves.contains(&key);
        if open && peer.version.has_presences() && !peer.silent && peer.has_slot() {
            self.ask(key, id, WantType::Have, 0, now);
        }
    }

    /// Asks a peer for everything that nobody had.
    fn revive(&mut self, key: PeerKey) {
        let ids: Vec<WantId> = self.exhausted.iter().copied().collect();
        for id in ids {
            let can_name = |peer: &Peer, cid: &Cid| peer.can_name(cid);
            let Some(want) = self.wants.get_mut(&id) else { continue };
            if self.peers.get(&key).is_some_and(|peer| can_name(peer, &want.cid)) {
                want.nos.retain(|other| *other != key);
                want.passed.retain(|other| *other != key);
                self.make_ready(id, key);
            }
        }
    }

    /// A peer said something, whatever it is.
    pub(super) fn hear(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.heard = now;
        if peer.silent {
            peer.silent = false;
            peer.filling = true;
            self.dirty = true;
            self.revive(key);
        }
    }

    pub(super) fn take_block(&mut self, key: PeerKey, cid: &Cid, length: u64, now: Instant) {
        self.counters.blocks_received += 1;
        self.counters.bytes_received += length;
        let Some(id) = self.ids.get(cid).copied() else {
            if self.recent.get(cid).is_some() {
                self.counters.duplicate_blocks += 1;
                self.counters.duplicate_bytes += length;
                self.measure(key, length, now);
            } else {
                self.strike(key, now);
            }
            return;
        };
        self.measure(key, length, now);
        self.answered(key, id, now);
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.good_blocks += 1;
            if peer.good_blocks.is_multiple_of(GOOD_BLOCKS_PER_PARDON) {
                peer.bad_blocks = peer.bad_blocks.saturating_sub(1);
            }
        }
        let sessions = self.wants.get(&id).map(|want| want.sessions.clone()).unwrap_or_default();
        for session in sessions {
            self.credit(key, session);
            if let Some(session) = self.sessions.get_mut(&session) {
                session.measure(length);
            }
        }
        let outrun = self.outrun(key, id);
        self.deliver(id);
        self.finish_want(id, Some(key));
        outrun.into_iter().for_each(|other| self.fall_silent(other, now));
    }

    /// Peers that were asked for a block before the one that sent it, and have said nothing at all since. They count
    /// as silent: were that left to the time after which an ask is lost, a peer that stands still would never come to
    /// it while a second one answers each of its asks before.
    fn outrun(&self, key: PeerKey, id: WantId) -> Vec<PeerKey> {
        let Some(want) = self.wants.get(&id) else { return Vec::new() };
        let is_mute = |other: &PeerKey, number: &u64| {
            let peer = self.peers.get(other);
            let ask = peer.and_then(|peer| peer.asks.get(number));
            peer.zip(ask).is_some_and(|(peer, ask)| ask.doubled && peer.heard < ask.at && !peer.silent)
        };
        let others = want.asks.iter().filter(|(other, number)| *other != key && is_mute(other, number));
        others.map(|(other, _)| *other).collect()
    }

    pub(super) fn take_have(&mut self, key: PeerKey, cid: &Cid, now: Instant) {
        let Some(id) = self.ids.get(cid).copied() else {
            // The block is here already; that this peer has it too is worth knowing for the next ones.
            let sessions = self.recent.get(cid).map(<[_]>::to_vec).unwrap_or_default();
            sessions.into_iter().for_each(|session| self.credit(key, session));
            return;
        };
        let Some(want) = self.wants.get_mut(&id) else { return };
        want.said_have(key);
        let sessions = want.sessions.clone();
        let asked_whether = want.ask_of(key).filter(|number| {
            let ask = self.peers.get(&key).and_then(|peer| peer.asks.get(number));
            ask.is_some_and(|ask| ask.want_type == WantType::Have)
        });
        if asked_whether.is_some() {
            self.answered(key, id, now);
        }
        sessions.into_iter().for_each(|session| self.credit(key, session));
        let standing = self.wants.get(&id).map(|want| want.standing);
        match standing {
            // Word that comes by itself: the peer kept the want and has the block now.
            Some(Standing::Exhausted) => self.make_ready(id, key),
            _ => self.advance(id, now),
        }
    }

    pub(super) fn take_dont_have(&mut self, key: PeerKey, cid: &Cid, now: Instant) {
        let Some(id) = self.ids.get(cid).copied() else { return };
        if !self.answered(key, id, now) {
            return;
        }
        self.park(key, id);
        self.refuse(key, id, now);
    }

    /// Counts a peer as not having a block, and asks the next.
    pub(super) fn refuse(&mut self, key: PeerKey, id: WantId, now: Instant) {
        let Some(want) = self.wants.get_mut(&id) else { return };
        want.said_no(key);
        for session in &want.sessions {
            if let Some(session) = self.sessions.get_mut(session) {
                session.debit(key);
            }
        }
        self.advance(id, now);
    }

    /// Closes the ask that a peer has answered, and learns from how long it took.
    fn answered(&mut self, key: PeerKey, id: WantId, now: Instant) -> bool {
        let Some(number) = self.wants.get(&id).and_then(|want| want.ask_of(key)) else { return false };
        let Some((ask, _)) = self.close_ask(key, number) else { return false };
        let Some(peer) = self.peers.get_mut(&key) else { return false };
        peer.answered = peer.answered.max(number);
        // The answer to a want that was repeated may be to the first time: the round trip is no longer than that.
        let since = if ask.tries == 0 { ask.at } else { ask.first_at };
        let latency = now.saturating_duration_since(since);
        peer.meter.answered(latency);
        if ask.want_type == WantType::Block && ask.tries == 0 {
            peer.meter.block_latency(latency);
        }
        true
    }

    /// Counts bytes, before the ask that they answer is closed: the window was full if nothing more could be asked
    /// for when they were on their way.
    fn measure(&mut self, key: PeerKey, length: u64, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&key) {
            // Small blocks may fill the peer's ledger long before the window.
            let is_full = !peer.filling && peer.asked_bytes * 2 > peer.meter.window();
            peer.meter.received(length, is_full, now);
        }
    }

    fn credit(&mut self, key: PeerKey, session: super::SessionId) {
        if let Some(session) = self.sessions.get_mut(&session)
            && session.credit(key)
        {
            self.dirty = true;
        }
    }

    /// Counts a bad block; too many, and the peer has to go.
    pub(super) fn strike(&mut self, key: PeerKey, now: Instant) {
        self.counters.bad_blocks += 1;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.bad_blocks += 1;
        if peer.bad_blocks >= BAD_BLOCKS_MAX {
            let peer = peer.id.clone();
            self.disconnect(key, now);
            self.outputs.push_back(ClientOutput::Drop { peer, reason: DropReason::BadBlocks });
        }
    }

    /// Forgets a peer and asks others for what it was asked for.
    pub(super) fn disconnect(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get(&key) else { return };
        let asks: Vec<u64> = peer.asks.keys().copied().collect();
        let ready: Vec<WantId> = peer.ready.iter().map(|(_, id)| *id).collect();
        let parked: Vec<WantId> = peer.parked.values().copied().collect();
        for session in self.sessions.values_mut() {
            session.providers.remove(&key);
        }
        let mut orphans = ready;
        for number in asks {
            orphans.extend(self.close_ask(key, number).map(|(ask, _)| ask.want));
        }
        for id in parked {
            if let Some(want) = self.wants.get_mut(&id) {
                want.parked.retain(|(other, _)| *other != key);
            }
        }
        for id in &orphans {
            if self.wants.get(id).is_some_and(|want| want.standing == Standing::Ready(key)) {
                self.unplace(*id);
            }
        }
        self.talkers.remove(&key);
        if let Some(peer) = self.peers.remove(&key) {
            self.keys.remove(&peer.id);
            self.disarm(key, peer.timer);
        }
        orphans.into_iter().for_each(|id| self.advance(id, now));
        self.dirty = true;
    }
}
