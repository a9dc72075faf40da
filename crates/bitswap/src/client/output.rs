//! What goes into a client besides wants, and what comes out.

use std::time::Duration;

use ipse_base::{AbsentReason, Cid, PeerId};

use crate::{Message, SendToken};

/// Names one session of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub(super) u64);

/// How a session behaves.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// How long to wait for other peers once every connected one has said no.
    ///
    /// Default: `None`, wait until the caller cancels, as the reference node does. Zero answers
    /// [`ClientOutput::Absent`] at once. New peers are asked in either case for as long as the session waits.
    pub patience: Option<Duration>,
}

/// What a peer's message said, blocks by name and length. Any split of a message into several is fine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Received<'a> {
    /// Blocks that arrived and verified, with their lengths in bytes.
    pub blocks: &'a [(Cid, usize)],
    /// What the peer says it has.
    pub haves: &'a [Cid],
    /// What the peer says it lacks.
    pub dont_haves: &'a [Cid],
}

/// Why a peer should be disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// It sent blocks that did not verify, or that nobody had asked for, more than by accident.
    BadBlocks,
}

/// What a client asks its surroundings to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientOutput {
    /// Write a message, then call [`Client::handle_send_result`](crate::Client::handle_send_result). One message
    /// a peer at a time.
    Send {
        /// To whom.
        peer: PeerId,
        /// To be given back when it is written.
        token: SendToken,
        /// Wants and cancels.
        message: Message,
    },
    /// A block that the session wanted is here: it arrived, was added locally, or follows from its name
    /// ([`Block::implied_by`](ipse_base::Block::implied_by)).
    Deliver {
        /// Who wanted it.
        session: SessionId,
        /// Which block.
        cid: Cid,
    },
    /// The session's block can't be had.
    Absent {
        /// Who wanted it.
        session: SessionId,
        /// Which block.
        cid: Cid,
        /// Why not.
        reason: AbsentReason,
    },
    /// End all connections to a peer. The client has forgotten it already.
    Drop {
        /// Which peer.
        peer: PeerId,
        /// Why.
        reason: DropReason,
    },
}
