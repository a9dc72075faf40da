//! Peer: what is asked of one peer, what is still to be told to it, and how much more it may be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ipse_base::limits::BITSWAP_WANTS_SENT_PER_PEER_MAX;
use ipse_base::{Cid, PeerId, Version};

use super::SessionId;
use super::meter::Meter;
use super::session::Rank;
use super::want::WantId;
use crate::limits::{SEND_PAUSE, SEND_PAUSE_MAX};
use crate::{ProtocolVersion, SendToken, WantType};

/// Names a connected peer; never used again after it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PeerKey(pub(super) u64);

/// Wants that a silent peer may have open: enough to notice that it is back.
const WANTS_OF_SILENT_MAX: usize = 16;

/// One want asked of one peer.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) want: WantId,
    pub(super) want_type: WantType,
    /// When it was asked or, once known, when it was written.
    pub(super) at: Instant,
    /// When this peer was first asked for it.
    pub(super) first_at: Instant,
    /// Bytes that it counts for.
    pub(super) bytes: u64,
    /// The session on whose account it is.
    pub(super) session: SessionId,
    /// Times it was asked of this peer before.
    pub(super) tries: u8,
    /// Whether a second peer was asked for the block because this one is late.
    pub(super) doubled: bool,
}

/// A message that is being written.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) token: SendToken,
    pub(super) asks: Vec<u64>,
    pub(super) cancels: Vec<Cid>,
}

/// One connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) version: ProtocolVersion,
    pub(super) meter: Meter,
    /// Unanswered asks by number: a higher number was asked later.
    pub(super) asks: BTreeMap<u64, Ask>,
    /// Asks that are not written yet.
    pub(super) unsent: BTreeSet<u64>,
    /// Wants to take back.
    pub(super) cancels: BTreeSet<Cid>,
    /// Wants to be asked of this very peer as soon as there is room.
    pub(super) ready: BTreeSet<Rank>,
    /// Wants answered DONT_HAVE that are still in the peer's ledger.
    pub(super) parked: BTreeMap<u64, WantId>,
    pub(super) asked_bytes: u64,
    /// Wants of ours that its ledger takes.
    pub(super) wants_max: usize,
    /// Whether it lost some of so many.
    pub(super) is_short: bool,
    /// Whether the window is being filled; when it is full, it empties by a quarter first.
    pub(super) filling: bool,
    /// Whether answers are overdue; others are asked first until it speaks.
    pub(super) silent: bool,
    /// When it was last heard of.
    pub(super) heard: Instant,
    /// Highest number among answered asks: an older one without an answer may be lost.
    pub(super) answered: u64,
    pub(super) bad_blocks: u32,
    pub(super) good_blocks: u32,
    pub(super) outgoing: Option<Outgoing>,
    /// Whether nothing was written to the peer yet: the first wantlist replaces what it may remember.
    pub(super) is_new: bool,
    pub(super) failures: u32,
    pub(super) paused_until: Option<Instant>,
    pub(super) timer: Option<Instant>,
}

impl Peer {
    pub(super) fn new(id: PeerId, version: ProtocolVersion, now: Instant) -> Self {
        Self {
            id,
            version,
            meter: Meter::default(),
            asks: BTreeMap::new(),
            unsent: BTreeSet::new(),
            cancels: BTreeSet::new(),
            ready: BTreeSet::new(),
            parked: BTreeMap::new(),
            asked_bytes: 0,
            wants_max: BITSWAP_WANTS_SENT_PER_PEER_MAX,
            is_short: false,
            filling: true,
            silent: false,
            heard: now,
            answered: 0,
            bad_blocks: 0,
            good_blocks: 0,
            outgoing: None,
            is_new: true,
            failures: 0,
            paused_until: None,
            timer: None,
        }
    }

    /// Whether the peer's version has words for this Cid.
    pub(super) fn can_name(&self, cid: &Cid) -> bool {
        self.version != ProtocolVersion::V1_0 || cid.version() == Version::V0
    }

    /// Whether one more want fits the peer's ledger. Parked ones make room when it is needed.
    pub(super) fn has_slot(&self) -> bool {
        self.asks.len() < self.slots()
    }

    /// A want was lost while the peer talks. With more of them than usual in its ledger they were too many: it has
    /// others to serve.
    pub(super) fn lost(&mut self) {
        if !self.silent && self.asks.len() > BITSWAP_WANTS_SENT_PER_PEER_MAX {
            self.wants_max = BITSWAP_WANTS_SENT_PER_PEER_MAX;
            self.is_short = true;
        }
    }

    fn slots(&self) -> usize {
        if self.silent { WANTS_OF_SILENT_MAX } else { self.wants_max }
    }

    /// Whether one more block may be asked for. Notes when the window is full.
    ///
    /// The last block may reach over the window's end: were the window rounded down to whole blocks, one of less
    /// than two blocks would measure what one block gives and never grow.
    pub(super) fn has_room(&mut self) -> bool {
        if !self.filling {
            return false;
        }
        let fits = self.asked_bytes < self.meter.window();
        if !fits || !self.has_slot() {
            self.filling = false;
            if !fits {
                self.meter.full();
            }
        }
        self.filling
    }

    /// Whether the window has just become a quarter free.
    pub(super) fn reopens(&mut self) -> bool {
        let free = self.asked_bytes * 4 <= self.meter.window() * 3 && self.asks.len() * 4 <= self.slots() * 3;
        if free && !self.filling {
            self.filling = true;
            return true;
        }
        false
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        self.outgoing.is_none()
            && self.paused_until.is_none()
            && !(self.unsent.is_empty() && self.cancels.is_empty())
    }

    /// Notes how a message went; the pause that follows.
    pub(super) fn sent(&mut self, ok: bool, now: Instant) {
        if ok {
            self.failures = 0;
            self.is_new = false;
            return;
        }
        self.failures += 1;
        if self.failures > 1 {
            let doublings = (self.failures - 2).min(16);
            let pause = (SEND_PAUSE * (1 << doublings)).min(SEND_PAUSE_MAX);
            self.paused_until = Some(now + pause);
        }
    }

    /// When the ask counts as lost, if the peer says nothing.
    pub(super) fn overdue_at(&self, ask: &Ask) -> Instant {
        ask.at + self.meter.silence(ask.bytes) * (1 << ask.tries.min(4))
    }

    /// When another peer is to be asked too.
    pub(super) fn late_at(&self, ask: &Ask) -> Option<Instant> {
        let open = !ask.doubled && ask.want_type == WantType::Block;
        self.meter.lateness().filter(|_| open).map(|lateness| ask.at + lateness)
    }

    /// How soon the peer would deliver a block of this length on top of what is asked already.
    pub(super) fn expected(&self, bytes: u64) -> Duration {
        self.meter.expected(self.asked_bytes + bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipse_base::{HashCode, Multihash};

    fn slow_peer() -> Peer {
        let id = PeerId::new(Multihash::digest_of(HashCode::SHA2_256, b"a key").unwrap());
        let now = Instant::now();
        let mut peer = Peer::new(id, ProtocolVersion::V1_2, now);
        (0..9).for_each(|second| peer.meter.received(100_000, true, now + Duration::from_secs(second)));
        peer
    }

    #[test]
    fn a_window_of_less_than_two_blocks_takes_two_of_them() {
        let mut peer = slow_peer();
        assert!(peer.meter.window() < 600_000);
        peer.asked_bytes = 300_000;
        assert!(peer.has_room());
        peer.asked_bytes = 600_000;
        assert!(!peer.has_room());
    }

    #[test]
    fn a_full_window_opens_again_when_a_quarter_is_free() {
        let mut peer = slow_peer();
        let window = peer.meter.window();
        peer.asked_bytes = window;
        assert!(!peer.has_room());
        peer.asked_bytes = window * 3 / 4 + 1;
        assert!(!peer.reopens() && !peer.has_room());
        peer.asked_bytes = window * 3 / 4;
        assert!(peer.reopens() && peer.has_room());
        assert!(!peer.reopens(), "that is told once");
    }

    #[test]
    fn pauses_after_failed_sends_double_and_end() {
        let mut peer = slow_peer();
        let now = Instant::now();
        peer.sent(false, now);
        assert_eq!(peer.paused_until, None);
        for pause in [SEND_PAUSE, SEND_PAUSE * 2, SEND_PAUSE * 4] {
            peer.sent(false, now);
            assert_eq!(peer.paused_until, Some(now + pause));
        }
        (0..100).for_each(|_| peer.sent(false, now));
        assert_eq!(peer.paused_until, Some(now + SEND_PAUSE_MAX));
    }
}
