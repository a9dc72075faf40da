//! Asking: the steps that every decision is made of. A want is added, asked, no longer asked, finished.
//! Whatever holds between wants, peers and sessions is kept here and nowhere else.

use std::cmp::Reverse;
use std::time::Instant;

use ipse_base::{AbsentReason, Want};

use super::peer::{Ask, PeerKey};
use super::timeout::Timer;
use super::want::{Standing, WantId, WantState};
use super::{Client, ClientOutput, SessionId};
use crate::WantType;
use crate::limits::PARKED_PER_PEER_MAX;

impl Client {
    pub(super) fn add_want(&mut self, session: SessionId, want: Want, now: Instant) {
        let Some(owner) = self.sessions.get_mut(&session) else { return };
        let id = match self.ids.get(&want.cid) {
            Some(id) => *id,
            None => {
                self.next_number += 1;
                let id = self.next_number;
                self.ids.insert(want.cid.clone(), id);
                let state = WantState {
                    cid: want.cid,
                    priority: want.priority,
                    size_hint: want.size_hint,
                    sessions: Vec::new(),
                    standing: Standing::Pending,
                    asks: Vec::new(),
                    block_asks: 0,
                    haves: Vec::new(),
                    nos: Vec::new(),
                    passed: Vec::new(),
                    parked: Vec::new(),
                };
                self.wants.insert(id, state);
                id
            }
        };
        if owner.wants.insert(id) {
            owner.total += 1;
        }
        self.raise(id, want.priority);
        let Some(state) = self.wants.get_mut(&id) else { return };
        let Some(owner) = self.sessions.get_mut(&session) else { return };
        if !state.sessions.contains(&session) {
            state.sessions.push(session);
        }
        if state.block_asks > 0 {
            owner.flying.insert(id);
        }
        match state.standing {
            Standing::Pending => drop(owner.pending.insert((Reverse(state.priority), id))),
            Standing::Exhausted => self.be_patient(session, id, now),
            Standing::Ready(_) | Standing::Asked => {}
        }
        self.dirty = true;
    }

    /// Takes the higher priority, wherever the want is ordered by it.
    fn raise(&mut self, id: WantId, priority: i32) {
        let Some(want) = self.wants.get_mut(&id) else { return };
        if priority <= want.priority {
            return;
        }
        let (old, new) = ((Reverse(want.priority), id), (Reverse(priority), id));
        want.priority = priority;
        match want.standing {
            Standing::Pending => {
                for session in &want.sessions {
                    if let Some(session) = self.sessions.get_mut(session)
                        && session.pending.remove(&old)
                    {
                        session.pending.insert(new);
                    }
                }
            }
            Standing::Ready(key) => {
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.ready.remove(&old);
                    peer.ready.insert(new);
                }
            }
            Standing::Asked | Standing::Exhausted => {}
        }
    }

    /// Takes a want out of the place where it stands, to be asked or to be placed anew.
    pub(super) fn unplace(&mut self, id: WantId) {
        let Some(want) = self.wants.get_mut(&id) else { return };
        let rank = (Reverse(want.priority), id);
        let standing = std::mem::replace(&mut want.standing, Standing::Asked);
        match standing {
            Standing::Pending => {
                for session in &want.sessions {
                    if let Some(session) = self.sessions.get_mut(session) {
                        session.pending.remove(&rank);
                    }
                }
            }
            Standing::Ready(key) => {
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.ready.remove(&rank);
                }
            }
            Standing::Exhausted => {
                self.exhausted.remove(&id);
                for session in want.sessions.clone() {
                    self.forget_deadline(session, id);
                }
            }
            Standing::Asked => {}
        }
    }

    /// Lets a want wait for room at one peer.
    pub(super) fn make_ready(&mut self, id: WantId, key: PeerKey) {
        self.unplace(id);
        let (Some(want), Some(peer)) = (self.wants.get_mut(&id), self.peers.get_mut(&key)) else { return };
        want.standing = Standing::Ready(key);
        peer.ready.insert((Reverse(want.priority), id));
        self.dirty = true;
    }

    /// What the block is likely to weigh, by its first session.
    pub(super) fn guess_bytes(&self, id: WantId) -> u64 {
        let Some(want) = self.wants.get(&id) else { return 0 };
        let session = want.sessions.first().and_then(|session| self.sessions.get(session));
        session.map_or(0, |session| session.guess_bytes(want.size_hint))
    }

    /// Asks a peer. The message leaves when the peer's stream is free.
    pub(super) fn ask(&mut self, key: PeerKey, id: WantId, want_type: WantType, tries: u8, now: Instant) {
        if let Some(earlier) = self.wants.get(&id).and_then(|want| want.ask_of(key)) {
            self.close_ask(key, earlier);
        }
        let bytes = if want_type == WantType::Block { self.guess_bytes(id) } else { 0 };
        self.next_number += 1;
        let number = self.next_number;
        let (Some(want), Some(peer)) = (self.wants.get_mut(&id), self.peers.get_mut(&key)) else { return };
        let Some(session) = want.sessions.first().copied() else { return };
        want.asks.push((key, number));
        if want_type == WantType::Block {
            want.block_asks += 1;
            if peer.asked_bytes == 0 {
                peer.meter.begin();
            }
            peer.asked_bytes += bytes;
            for owner in &want.sessions {
                if let Some(owner) = self.sessions.get_mut(owner) {
                    owner.flying.insert(id);
                }
            }
            if let Some(payer) = self.sessions.get_mut(&session) {
                payer.asked_bytes += bytes;
            }
        }
        let ask = Ask { want: id, want_type, at: now, first_at: now, bytes, session, tries, doubled: false };
        let due = peer.late_at(&ask).map_or(peer.overdue_at(&ask), |late| late.min(peer.overdue_at(&ask)));
        peer.asks.insert(number, ask);
        peer.unsent.insert(number);
        // boxo would take the want first and then the cancel, if both came in one message.
        peer.cancels.remove(&want.cid);
        if let Some(index) = want.parked.iter().position(|(parked, _)| *parked == key) {
            peer.parked.remove(&want.parked.swap_remove(index).1);
        }
        self.unplace(id);
        self.trim_parked(key);
        self.arm(key, due);
        self.note(key);
    }

    /// An ask is answered or no longer of interest. Returns it and whether the peer has heard of it.
    pub(super) fn close_ask(&mut self, key: PeerKey, number: u64) -> Option<(Ask, bool)> {
        let peer = self.peers.get_mut(&key)?;
        let ask = peer.asks.remove(&number)?;
        let heard_of = !peer.unsent.remove(&number);
        peer.asked_bytes -= ask.bytes;
        if peer.reopens() || peer.asked_bytes == 0 {
            self.dirty = true;
        }
        self.settle(key, number, &ask);
        self.note(key);
        Some((ask, heard_of))
    }

    /// Takes an ask off the accounts of its want and its sessions.
    fn settle(&mut self, key: PeerKey, number: u64, ask: &Ask) {
        if let Some(payer) = self.sessions.get_mut(&ask.session) {
            payer.asked_bytes = payer.asked_bytes.saturating_sub(ask.bytes);
        }
        let Some(want) = self.wants.get_mut(&ask.want) else { return };
        want.asks.retain(|asked| *asked != (key, number));
        if ask.want_type == WantType::Block {
            want.block_asks -= 1;
            if want.block_asks == 0 {
                for owner in &want.sessions {
                    if let Some(owner) = self.sessions.get_mut(owner) {
                        owner.flying.remove(&ask.want);
                    }
                }
                self.dirty = true;
            }
        }
    }

    /// The want stays in the ledger of a peer that lacks the block, so that it tells when it gets it.
    pub(super) fn park(&mut self, key: PeerKey, id: WantId) {
        self.next_number += 1;
        let number = self.next_number;
        let (Some(want), Some(peer)) = (self.wants.get_mut(&id), self.peers.get_mut(&key)) else { return };
        want.parked.push((key, number));
        peer.parked.insert(number, id);
        self.trim_parked(key);
    }

    /// Cancels the oldest parked wants beyond what a peer's ledger has room for.
    fn trim_parked(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let most = PARKED_PER_PEER_MAX.min(peer.wants_max.saturating_sub(peer.asks.len()));
        while peer.parked.len() > most {
            let Some((number, id)) = peer.parked.pop_first() else { break };
            if let Some(want) = self.wants.get_mut(&id) {
                want.parked.retain(|parked| *parked != (key, number));
                peer.cancels.insert(want.cid.clone());
            }
        }
        self.note(key);
    }

    /// Tells a want's sessions that the block is here.
    pub(super) fn deliver(&mut self, id: WantId) {
        let Some(want) = self.wants.get(&id) else { return };
        for session in &want.sessions {
            self.outputs.push_back(ClientOutput::Deliver { session: *session, cid: want.cid.clone() });
        }
    }

    /// Forgets a want, and takes it back from everyone but the peer that has just answered it.
    pub(super) fn finish_want(&mut self, id: WantId, from: Option<PeerKey>) {
        self.unplace(id);
        let asks = self.wants.get(&id).map(|want| want.asks.clone()).unwrap_or_default();
        for (key, number) in asks {
            let heard_of = self.close_ask(key, number).is_some_and(|(_, heard_of)| heard_of);
            if heard_of && from != Some(key) {
                self.take_back(key, id);
            }
        }
        let parked = self.wants.get_mut(&id).map(|want| std::mem::take(&mut want.parked)).unwrap_or_default();
        for (key, number) in parked {
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.parked.remove(&number);
            }
            if from != Some(key) {
                self.take_back(key, id);
            }
        }
        let Some(want) = self.wants.remove(&id) else { return };
        self.ids.remove(&want.cid);
        for session in &want.sessions {
            self.forget_deadline(*session, id);
            if let Some(session) = self.sessions.get_mut(session) {
                session.wants.remove(&id);
                session.flying.remove(&id);
            }
        }
        self.recent.add(want.cid, want.sessions);
    }

    /// Tells a peer that a want is off.
    pub(super) fn take_back(&mut self, key: PeerKey, id: WantId) {
        if let (Some(want), Some(peer)) = (self.wants.get(&id), self.peers.get_mut(&key)) {
            peer.cancels.insert(want.cid.clone());
            self.note(key);
        }
    }

    /// One session no longer wants a block.
    pub(super) fn leave(&mut self, session: SessionId, id: WantId) {
        let Some(want) = self.wants.get_mut(&id) else { return };
        let Some(index) = want.sessions.iter().position(|owner| *owner == session) else { return };
        if want.sessions.len() == 1 {
            self.finish_want(id, None);
            return;
        }
        want.sessions.remove(index);
        let rank = (Reverse(want.priority), id);
        self.forget_deadline(session, id);
        if let Some(owner) = self.sessions.get_mut(&session) {
            owner.wants.remove(&id);
            owner.flying.remove(&id);
            owner.pending.remove(&rank);
        }
    }

    /// Nobody has the block, as far as can be known now.
    pub(super) fn exhaust(&mut self, id: WantId, now: Instant) {
        self.unplace(id);
        let Some(want) = self.wants.get_mut(&id) else { return };
        want.standing = Standing::Exhausted;
        self.exhausted.insert(id);
        let sessions = want.sessions.clone();
        self.arm_ask_all(now);
        sessions.into_iter().for_each(|session| self.be_patient(session, id, now));
    }

    /// Waits for as long as the session wants to.
    fn be_patient(&mut self, session: SessionId, id: WantId, now: Instant) {
        let Some(owner) = self.sessions.get_mut(&session) else { return };
        match owner.options.patience {
            None => {}
            Some(patience) if patience.is_zero() => self.give_up(session, id),
            Some(patience) => {
                // Being asked for again in between does not begin the wait anew.
                let deadline = *owner.deadlines.entry(id).or_insert(now + patience);
                self.timers.insert((deadline, Timer::Patience(session, id)));
            }
        }
    }

    fn forget_deadline(&mut self, session: SessionId, id: WantId) {
        let deadline = self.sessions.get_mut(&session).and_then(|owner| owner.deadlines.remove(&id));
        if let Some(deadline) = deadline {
            self.timers.remove(&(deadline, Timer::Patience(session, id)));
        }
    }

    /// Answers a session that its block can't be had.
    pub(super) fn give_up(&mut self, session: SessionId, id: WantId) {
        if let Some(want) = self.wants.get(&id) {
            let (cid, reason) = (want.cid.clone(), AbsentReason::NobodyHasIt);
            self.outputs.push_back(ClientOutput::Absent { session, cid, reason });
            self.leave(session, id);
        }
    }

    /// Keeps track of whether a peer's next message can be made.
    pub(super) fn note(&mut self, key: PeerKey) {
        if self.peers.get(&key).is_some_and(|peer| peer.has_something_to_say()) {
            self.talkers.insert(key);
        } else {
            self.talkers.remove(&key);
        }
    }
}
