//! Dispatch: who is asked for what, next.
//!
//! Three passes, only when something happened that lets more be asked: wants that wait for one peer, then what
//! nobody was asked for, session by session, then work for peers that would otherwise stand idle (`idle.rs`).

use std::time::{Duration, Instant};

use super::peer::{Peer, PeerKey};
use super::want::{Standing, WantId, WantState};
use super::{Client, SessionId};
use crate::WantType;
use crate::limits::DISCOVERY_WANTS;

/// Wants placed for one session before the next has its turn.
const WANTS_PER_TURN: usize = 16;

/// How placing a session's next want went.
enum Placed {
    Yes,
    /// Nobody has room now.
    NoRoom,
    /// There is nothing to place.
    Nothing,
}

impl Client {
    pub(super) fn dispatch(&mut self, now: Instant) {
        // Asking may itself change what can be asked, such as by answering that nobody has a block.
        while std::mem::take(&mut self.dirty) {
            self.dispatch_ready(now);
            self.dispatch_pending(now);
            self.dispatch_idle(now);
        }
    }

    fn dispatch_ready(&mut self, now: Instant) {
        let keys: Vec<PeerKey> =
            self.peers.iter().filter(|(_, peer)| !peer.ready.is_empty()).map(|(key, _)| *key).collect();
        for key in keys {
            while let Some((_, id)) = self.peers.get(&key).and_then(|peer| peer.ready.first().copied()) {
                if !self.peers.get_mut(&key).is_some_and(|peer| peer.has_room()) {
                    break;
                }
                self.ask(key, id, WantType::Block, 0, now);
            }
        }
    }

    fn dispatch_pending(&mut self, now: Instant) {
        let mut round: std::collections::VecDeque<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| !session.pending.is_empty())
            .map(|(id, _)| *id)
            .collect();
        // A different session begins each time, so that none lives off what the others leave.
        let first = self.next_number as usize % round.len().max(1);
        round.rotate_left(first);
        while let Some(session) = round.pop_front() {
            let placed = (0..WANTS_PER_TURN).all(|_| matches!(self.place_next(session, now), Placed::Yes));
            if placed {
                round.push_back(session);
            }
        }
    }

    /// Places the most urgent want of a session that nobody was asked for.
    fn place_next(&mut self, id: SessionId, now: Instant) -> Placed {
        let Some(session) = self.sessions.get(&id) else { return Placed::Nothing };
        let Some((_, want)) = session.pending.first().copied() else { return Placed::Nothing };
        let bytes = self.guess_bytes(want);
        if !session.may_ask(bytes) {
            return Placed::NoRoom;
        }
        let (candidates, known) = self.candidates(id, want);
        if candidates.is_empty() {
            self.exhaust(want, now);
            return Placed::Yes;
        }
        let waiting = self.sessions.get(&id).map_or(0, |session| session.flying.len());
        if !known && candidates.len() > 1 && waiting >= DISCOVERY_WANTS {
            return Placed::NoRoom;
        }
        let Some(best) = self.quickest_with_room(&candidates, bytes) else { return Placed::NoRoom };
        self.ask(best, want, WantType::Block, 0, now);
        self.discover(id, want, now);
        Placed::Yes
    }

    /// Those who are not known to have a session's content are asked about its first wants. Also once somebody is
    /// known to: who answers first may be the slowest, and with the block that he sent the question to the others
    /// is taken back.
    fn discover(&mut self, id: SessionId, want: WantId, now: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.discovered >= DISCOVERY_WANTS {
            return;
        }
        session.discovered += 1;
        let is_new = |key: &PeerKey| !session.providers.contains_key(key);
        let others: Vec<PeerKey> = self.peers.keys().copied().filter(is_new).collect();
        others.into_iter().for_each(|other| self.ask_whether(other, want, now));
    }

    /// Whom to ask for a want that nobody was asked for, and whether they are known to have the content:
    /// providers if any talks, else anyone who talks, else anyone.
    fn candidates(&self, session: SessionId, want: WantId) -> (Vec<PeerKey>, bool) {
        let Some(want) = self.wants.get(&want) else { return (Vec::new(), false) };
        let can_name = |key: &PeerKey| self.peers.get(key).is_some_and(|peer| peer.can_name(&want.cid));
        let talks = |key: &PeerKey| self.peers.get(key).is_some_and(|peer| !peer.silent);
        let providers: Vec<PeerKey> = self
            .sessions
            .get(&session)
            .map(|session| session.providers.keys().copied().filter(can_name).filter(talks).collect())
            .unwrap_or_default();
        if !providers.is_empty() {
            return (providers, true);
        }
        let anyone: Vec<PeerKey> = self.peers.keys().copied().filter(can_name).collect();
        let talking: Vec<PeerKey> = anyone.iter().copied().filter(talks).collect();
        (if talking.is_empty() { anyone } else { talking }, false)
    }

    fn quickest_with_room(&mut self, candidates: &[PeerKey], bytes: u64) -> Option<PeerKey> {
        let mut best: Option<(Duration, PeerKey)> = None;
        for key in candidates {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            if peer.has_room() {
                let found = (peer.expected(bytes), *key);
                best = Some(best.map_or(found, |best| best.min(found)));
            }
        }
        best.map(|(_, key)| key)
    }

    /// Moves a want on whose last want-block was answered by no or by nothing.
    pub(super) fn advance(&mut self, id: WantId, now: Instant) {
        let Some(want) = self.wants.get(&id) else { return };
        if want.standing != Standing::Asked || want.block_asks > 0 {
            return;
        }
        let bytes = self.guess_bytes(id);
        if let Some(key) = self.next_peer(want, bytes) {
            self.make_ready(id, key);
            return;
        }
        if !want.asks.is_empty() {
            return;
        }
        let open = |(key, peer): &(&PeerKey, &Peer)| want.is_open_to(**key) && peer.can_name(&want.cid);
        // The silent come last, and last of all those who never gave anything: they are not worth a wait while
        // someone else may have it.
        let best = self
            .peers
            .iter()
            .filter(open)
            .min_by_key(|(key, peer)| (peer.silent, peer.good_blocks == 0, peer.expected(bytes), **key))
            .map(|(key, _)| *key);
        let Some(best) = best else {
            self.exhaust(id, now);
            return;
        };
        let others: Vec<PeerKey> = self.peers.keys().copied().filter(|key| *key != best).collect();
        others.into_iter().for_each(|other| self.ask_whether(other, id, now));
        self.make_ready(id, best);
    }

    /// The quickest of those who said HAVE, or else of those who have the session's content.
    fn next_peer(&self, want: &WantState, bytes: u64) -> Option<PeerKey> {
        let talks = |key: &&PeerKey| {
            want.is_open_to(**key)
                && self.peers.get(key).is_some_and(|peer| !peer.silent && peer.can_name(&want.cid))
        };
        let pace = |key: &&PeerKey| self.peers.get(key).map(|peer| peer.expected(bytes));
        let providers = || {
            want.sessions
                .iter()
                .filter_map(|session| self.sessions.get(session))
                .flat_map(|session| session.providers.keys())
        };
        let had = want.haves.iter().filter(talks).min_by_key(pace);
        had.or_else(|| providers().filter(talks).min_by_key(pace)).copied()
    }

    /// A want is late: another peer that should have it is asked too.
    pub(super) fn double(&mut self, key: PeerKey, number: u64, now: Instant) {
        let Some(id) = self.peers.get(&key).and_then(|peer| peer.asks.get(&number)).map(|ask| ask.want)
        else {
            return;
        };
        let bytes = self.guess_bytes(id);
        let Some(want) = self.wants.get(&id).filter(|want| want.block_asks == 1) else { return };
        let Some(other) = self.next_peer(want, bytes) else { return };
        if !self.peers.get_mut(&other).is_some_and(|peer| peer.has_room()) {
            return;
        }
        if let Some(ask) = self.peers.get_mut(&key).and_then(|peer| peer.asks.get_mut(&number)) {
            ask.doubled = true;
        }
        self.ask(other, id, WantType::Block, 0, now);
    }
}
