//! Session: wants that belong together. Peers that had one of them are the first to be asked for the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ipse_base::limits::SESSION_ASKED_BYTES_MAX;

use super::want::WantId;
use super::{PeerKey, SessionOptions};
use crate::limits::{DONT_HAVES_MAX, ENDGAME_PERCENT};

/// A want's place among those of the same priority: the older first.
pub(super) type Rank = (Reverse<i32>, WantId);

/// Guess for blocks of unknown length before any has arrived, in bytes.
const GUESSED_BLOCK_BYTES: u64 = 256 * 1024;

/// Wants that belong together.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) options: SessionOptions,
    /// Everything wanted.
    pub(super) wants: BTreeSet<WantId>,
    /// What nobody was asked for yet.
    pub(super) pending: BTreeSet<Rank>,
    /// What is asked of someone as a block.
    pub(super) flying: BTreeSet<WantId>,
    /// Peers that have the content, with the DONT_HAVEs that they gave in a row.
    pub(super) providers: BTreeMap<PeerKey, u32>,
    /// Bytes asked for and not here, on this session's account.
    pub(super) asked_bytes: u64,
    /// Whether its walk lags: nothing more is asked for until it has taken what is here.
    pub(super) paused: bool,
    /// When this session gives up on blocks that nobody has.
    pub(super) deadlines: BTreeMap<WantId, Instant>,
    /// Wants ever added.
    pub(super) total: usize,
    /// Wants for which all peers were asked.
    pub(super) discovered: usize,
    mean_bytes: Option<u64>,
}

impl Session {
    pub(super) fn new(options: SessionOptions) -> Self {
        Self {
            options,
            wants: BTreeSet::new(),
            pending: BTreeSet::new(),
            flying: BTreeSet::new(),
            providers: BTreeMap::new(),
            asked_bytes: 0,
            paused: false,
            deadlines: BTreeMap::new(),
            total: 0,
            discovered: 0,
            mean_bytes: None,
        }
    }

    /// A block of this length arrived.
    pub(super) fn measure(&mut self, bytes: u64) {
        self.mean_bytes = Some(self.mean_bytes.map_or(bytes, |mean| (mean * 7 + bytes) / 8));
    }

    /// What a block is likely to weigh.
    pub(super) fn guess_bytes(&self, hint: Option<u64>) -> u64 {
        // A hint comes from a file's author; it may be anything, and a block is never more than this.
        let most = ipse_base::limits::BLOCK_BYTES_MAX as u64;
        hint.or(self.mean_bytes).unwrap_or(GUESSED_BLOCK_BYTES).min(most)
    }

    pub(super) fn may_ask(&self, bytes: u64) -> bool {
        !self.paused && self.asked_bytes + bytes <= SESSION_ASKED_BYTES_MAX
    }

    /// A peer has one of the blocks. Returns whether that is new.
    pub(super) fn credit(&mut self, peer: PeerKey) -> bool {
        self.providers.insert(peer, 0).is_none()
    }

    /// A peer lacks one of the blocks; too many in a row, and it is no longer asked first.
    pub(super) fn debit(&mut self, peer: PeerKey) {
        let others = self.providers.len() > 1;
        if let Some(count) = self.providers.get_mut(&peer) {
            *count += 1;
            if *count >= DONT_HAVES_MAX && others {
                self.providers.remove(&peer);
            }
        }
    }

    /// Whether so little is left that asking two peers for it costs little.
    pub(super) fn is_ending(&self) -> bool {
        self.pending.is_empty() && self.flying.len() * 100 <= self.total * ENDGAME_PERCENT
    }
}
