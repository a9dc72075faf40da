//! Idle: work for peers that stand idle while others of the session are busy.
//!
//! When nothing is left to be asked for, a quick peer takes over what a slow one has been asked for last and has
//! not begun to send: that costs a cancel and no bytes. What the slow one may be sending already is asked for
//! twice only among the last few percent of a session.

use std::time::Instant;

use super::peer::PeerKey;
use super::want::WantId;
use super::{Client, SessionId};
use crate::WantType;

/// Oldest unanswered wants that are looked at for a duplicate.
const DUPLICATES_MAX: usize = 8;
/// Wants that an idle peer takes over at once.
const TAKEN_OVER_MAX: usize = 128;
/// Youngest wants of a busy peer that are looked at for one to take over.
const LOOKED_AT_MAX: usize = 8;

impl Client {
    pub(super) fn dispatch_idle(&mut self, now: Instant) {
        let drained: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| {
                session.providers.len() > 1 && session.pending.is_empty() && !session.flying.is_empty()
            })
            .map(|(id, _)| *id)
            .collect();
        for id in drained {
            let Some(session) = self.sessions.get(&id) else { continue };
            let ending = session.is_ending();
            let providers: Vec<PeerKey> = session.providers.keys().copied().collect();
            let idle: Vec<PeerKey> = providers.iter().copied().filter(|key| self.is_idle(*key)).collect();
            for key in idle {
                self.take_over(id, key, &providers, now);
                if ending && self.is_idle(key) {
                    self.duplicate(id, key, now);
                }
            }
        }
    }

    fn is_idle(&self, key: PeerKey) -> bool {
        self.peers.get(&key).is_some_and(|peer| !peer.silent && peer.asked_bytes == 0 && peer.has_slot())
    }

    /// Moves wants from the peer that needs longest to an idle one, until that would no longer be done in half
    /// the time.
    fn take_over(&mut self, session: SessionId, idle: PeerKey, providers: &[PeerKey], now: Instant) {
        let busy = |key: &&PeerKey| self.peers.get(key).map(|peer| peer.expected(0));
        let Some(holder) = providers.iter().filter(|key| **key != idle).max_by_key(busy).copied() else {
            return;
        };
        for _ in 0..TAKEN_OVER_MAX {
            let Some((number, id)) = self.youngest_ask(session, holder, idle) else { break };
            let bytes = self.guess_bytes(id);
            let slow = self.peers.get(&holder).map(|peer| peer.expected(0));
            let quick = self.peers.get(&idle).map(|peer| peer.expected(bytes));
            let pays = slow.zip(quick).is_some_and(|(slow, quick)| slow > quick * 2);
            if !pays || !self.peers.get_mut(&idle).is_some_and(|peer| peer.has_room()) {
                break;
            }
            if self.close_ask(holder, number).is_some_and(|(_, heard_of)| heard_of) {
                self.take_back(holder, id);
            }
            self.ask(idle, id, WantType::Block, 0, now);
        }
    }

    /// The last want of the session that a peer was asked for and that another may take over. The first one
    /// asked is never it: that is being sent.
    fn youngest_ask(&self, session: SessionId, holder: PeerKey, idle: PeerKey) -> Option<(u64, WantId)> {
        let peer = self.peers.get(&holder)?;
        let other = self.peers.get(&idle)?;
        let looked_at = LOOKED_AT_MAX.min(peer.asks.len().saturating_sub(1));
        peer.asks.iter().rev().take(looked_at).find_map(|(number, ask)| {
            let want = self.wants.get(&ask.want)?;
            let fits = ask.want_type == WantType::Block
                && want.block_asks == 1
                && want.sessions.contains(&session)
                && want.is_open_to(idle)
                && other.can_name(&want.cid);
            fits.then_some((*number, ask.want))
        })
    }

    /// Asks an idle peer for one of the oldest wants too, if it should have the block in half the time.
    fn duplicate(&mut self, session: SessionId, idle: PeerKey, now: Instant) {
        let Some(session) = self.sessions.get(&session) else { return };
        let oldest: Vec<WantId> = session.flying.iter().copied().take(DUPLICATES_MAX).collect();
        if let Some(id) = oldest.into_iter().find(|id| self.is_worth_doubling(*id, idle)) {
            self.ask(idle, id, WantType::Block, 0, now);
        }
    }

    fn is_worth_doubling(&self, id: WantId, idle: PeerKey) -> bool {
        let Some(want) = self.wants.get(&id) else { return false };
        let Some(quick) = self.peers.get(&idle) else { return false };
        if want.block_asks != 1 || !want.is_open_to(idle) || !quick.can_name(&want.cid) {
            return false;
        }
        let holder = want.asks.iter().find_map(|(key, number)| {
            let peer = self.peers.get(key)?;
            let ask = peer.asks.get(number)?;
            (ask.want_type == WantType::Block).then_some(peer)
        });
        holder.is_some_and(|holder| holder.expected(0) > quick.expected(self.guess_bytes(id)) * 2)
    }
}
