//! Want: one block that at least one session wants, and how far asking for it has come.

use ipse_base::Cid;

use super::{PeerKey, SessionId};

/// Names a want; higher ones are younger.
pub(super) type WantId = u64;

/// Where a want stands when no block is asked of anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody was asked; it is in its sessions' `pending`.
    Pending,
    /// It is to be asked of this peer, in whose `ready` it is.
    Ready(PeerKey),
    /// Asked; see `asks`.
    Asked,
    /// Everyone said no; it is in the client's `exhausted`.
    Exhausted,
}

/// One block wanted.
#[derive(Debug)]
pub(super) struct WantState {
    pub(super) cid: Cid,
    pub(super) priority: i32,
    pub(super) size_hint: Option<u64>,
    /// Who wants it; never empty.
    pub(super) sessions: Vec<SessionId>,
    pub(super) standing: Standing,
    /// Unanswered asks, by peer and number.
    pub(super) asks: Vec<(PeerKey, u64)>,
    /// Of those, the ones for the block itself.
    pub(super) block_asks: usize,
    /// Who said HAVE. Peers that left may still be in here and in `nos`; their keys are never used again.
    pub(super) haves: Vec<PeerKey>,
    /// Who said DONT_HAVE, or nothing for too long.
    pub(super) nos: Vec<PeerKey>,
    /// Who said nothing while there were others to ask; to be asked once more if they all say no.
    pub(super) passed: Vec<PeerKey>,
    /// Who said DONT_HAVE and keeps the want in its ledger, with the number in the peer's `parked`.
    pub(super) parked: Vec<(PeerKey, u64)>,
}

impl WantState {
    pub(super) fn ask_of(&self, peer: PeerKey) -> Option<u64> {
        self.asks.iter().find(|(asked, _)| *asked == peer).map(|(_, number)| *number)
    }

    /// Whether asking the peer may still help.
    pub(super) fn is_open_to(&self, peer: PeerKey) -> bool {
        !self.nos.contains(&peer) && self.ask_of(peer).is_none()
    }

    pub(super) fn said_have(&mut self, peer: PeerKey) {
        self.nos.retain(|other| *other != peer);
        if !self.haves.contains(&peer) {
            self.haves.push(peer);
        }
    }

    pub(super) fn said_no(&mut self, peer: PeerKey) {
        self.haves.retain(|other| *other != peer);
        if !self.nos.contains(&peer) {
            self.nos.push(peer);
        }
    }
}
