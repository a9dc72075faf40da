//! Timeout: what is overdue. One timer a peer, set to its oldest ask; one for each want that a session is
//! patient about; one for asking everybody again.
//!
//! An ask is overdue after the longer of a second and four round trips, and lost only if the peer has said
//! nothing for as long or has answered younger asks: a slow peer that works through its queue is not asked
//! twice.

use std::time::Instant;

use super::peer::{Ask, Peer, PeerKey};
use super::want::{Standing, WantId};
use super::{Client, SessionId};
use crate::limits::{ASK_ALL_FIRST, ASKS_PER_PEER_MAX};

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A peer's oldest ask, or the end of its pause.
    Peer(PeerKey),
    /// A session's patience with a block that nobody has.
    Patience(SessionId, WantId),
    /// Everybody is to be asked again for such blocks.
    AskAll,
}

/// Late asks that are doubled at once.
const DOUBLED_AT_ONCE_MAX: usize = 16;

impl Client {
    pub(super) fn fire(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Peer(key) => {
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.timer = None;
                    peer.paused_until = peer.paused_until.filter(|until| *until > now);
                    self.note(key);
                    self.check(key, now);
                }
            }
            Timer::Patience(session, id) => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.deadlines.remove(&id);
                }
                self.give_up(session, id);
            }
            Timer::AskAll => self.ask_all(now),
        }
    }

    /// Makes sure that a peer is looked at no later than this.
    pub(super) fn arm(&mut self, key: PeerKey, at: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.timer.is_none_or(|timer| at < timer) {
            let earlier = peer.timer.replace(at);
            self.disarm(key, earlier);
            self.timers.insert((at, Timer::Peer(key)));
        }
    }

    pub(super) fn disarm(&mut self, key: PeerKey, at: Option<Instant>) {
        if let Some(at) = at {
            self.timers.remove(&(at, Timer::Peer(key)));
        }
    }

    pub(super) fn arm_ask_all(&mut self, now: Instant) {
        if !self.asking_all {
            self.asking_all = true;
            self.timers.insert((now + self.ask_all_after, Timer::AskAll));
            self.ask_all_after = (self.ask_all_after * 2).min(self.options.ask_all_again);
        }
    }

    /// Looks for lost and late asks of a peer.
    fn check(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let oldest = peer.asks.first_key_value().map_or(0, |(_, ask)| ask.bytes);
        let silence = peer.meter.silence(oldest);
        let quiet = peer.heard + silence <= now;
        let (mut lost, mut late) = (Vec::new(), Vec::new());
        let mut next = peer.paused_until;
        for (number, ask) in &peer.asks {
            let overdue_at = peer.overdue_at(ask);
            let late_at = peer.late_at(ask);
            if overdue_at <= now && (quiet || *number < peer.answered) {
                lost.push(*number);
                continue;
            }
            if late_at.is_some_and(|at| at <= now) && late.len() < DOUBLED_AT_ONCE_MAX {
                late.push(*number);
            }
            // Overdue at a peer that still talks: it matters again once the peer falls quiet.
            let overdue_at =
                if overdue_at <= now { (peer.heard + silence).max(now + silence / 4) } else { overdue_at };
            let due = late_at.filter(|at| *at > now).map_or(overdue_at, |at| at.min(overdue_at));
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        let falls_silent = quiet && !lost.is_empty() && peer.version.has_presences();
        if falls_silent {
            peer.silent = true;
        }
        if let Some(next) = next {
            self.arm(key, next);
        }
        lost.into_iter().for_each(|number| self.lose(key, number, now));
        late.into_iter().for_each(|number| self.double(key, number, now));
        if falls_silent {
            self.move_ready(key, now);
        }
    }

    /// Asks again for a want that was lost: of the same peer if it talks or is the last hope, else of the next.
    fn lose(&mut self, key: PeerKey, number: u64, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.lost();
        }
        let Some(peer) = self.peers.get(&key) else { return };
        let Some(ask) = peer.asks.get(&number).cloned() else { return };
        let others = self.has_better(key, peer, ask.want);
        let tries = ask.tries + 1;
        let passes = peer.silent && others;
        let passed = self.wants.get(&ask.want).is_some_and(|want| want.passed.contains(&key));
        let again = tries < ASKS_PER_PEER_MAX && peer.version.has_presences() && !passes && !passed;
        let Some((ask, heard_of)) = self.close_ask(key, number) else { return };
        if again {
            self.counters.wants_repeated += 1;
            self.ask(key, ask.want, ask.want_type, tries, now);
            self.remember_first_ask(key, &ask);
            return;
        }
        if heard_of {
            self.take_back(key, ask.want);
        }
        match self.wants.get_mut(&ask.want) {
            Some(want) if passes && !passed => {
                want.passed.push(key);
                self.advance(ask.want, now);
            }
            _ => self.refuse(key, ask.want, now),
        }
    }

    /// Whether someone other than a peer may have a block and is likelier to answer.
    fn has_better(&self, key: PeerKey, peer: &Peer, id: WantId) -> bool {
        let Some(want) = self.wants.get(&id) else { return false };
        self.peers.iter().any(|(other, candidate)| {
            let answers = !candidate.silent || (candidate.good_blocks > 0 && peer.good_blocks == 0);
            let open = want.is_open_to(*other) || want.ask_of(*other).is_some();
            *other != key && answers && open && candidate.can_name(&want.cid)
        })
    }

    /// An ask that was repeated goes on where it was.
    fn remember_first_ask(&mut self, key: PeerKey, earlier: &Ask) {
        let number = self.wants.get(&earlier.want).and_then(|want| want.ask_of(key));
        let ask = self.peers.get_mut(&key).and_then(|peer| peer.asks.get_mut(&number?));
        if let Some(ask) = ask {
            ask.first_at = earlier.first_at;
        }
    }

    /// A peer that says nothing: others are asked first until it does.
    pub(super) fn fall_silent(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.version.has_presences()) else { return };
        peer.silent = true;
        self.move_ready(key, now);
    }

    /// Wants that wait for a peer that fell silent go to others, if there are any.
    fn move_ready(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get(&key) else { return };
        let ids: Vec<WantId> = peer.ready.iter().map(|(_, id)| *id).collect();
        for id in ids {
            self.unplace(id);
            self.advance(id, now);
        }
    }

    /// Asks every peer again for what nobody had.
    fn ask_all(&mut self, now: Instant) {
        self.asking_all = false;
        let ids: Vec<WantId> = self.exhausted.iter().copied().collect();
        if ids.is_empty() {
            self.ask_all_after = ASK_ALL_FIRST.min(self.options.ask_all_again);
            return;
        }
        self.arm_ask_all(now);
        for id in ids {
            if let Some(want) = self.wants.get_mut(&id) {
                // A session's patience runs on while its want is asked again.
                want.nos.clear();
                want.passed.clear();
                want.standing = Standing::Asked;
                self.exhausted.remove(&id);
            }
            self.advance(id, now);
        }
    }
}
