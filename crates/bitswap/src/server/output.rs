//! What a server asks its surroundings to do.

use ipse_base::{Cid, PeerId};

use crate::{Presence, SendToken};

/// Names one lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupToken(pub(super) u64);

/// A message that was not written: the stream or the connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message was not written")]
pub struct SendFailed;

impl ipse_base::ErrorKind for SendFailed {
    fn kind(&self) -> ipse_base::Kind {
        ipse_base::Kind::Unavailable
    }
}

/// What a server asks its surroundings to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerOutput {
    /// Find out which of these blocks are here and how long they are, for
    /// [`Server::handle_lookup`](crate::Server::handle_lookup). One lookup a peer at a time.
    Lookup {
        /// To be given back with the answer.
        token: LookupToken,
        /// Who wants to know; policy may answer `None` for what the peer may not have.
        peer: PeerId,
        /// The blocks, the most urgent first.
        cids: Vec<Cid>,
    },
    /// Write a message, then call [`Server::handle_sent`](crate::Server::handle_sent). One message a peer at a
    /// time.
    Send {
        /// To be given back when it is written.
        token: SendToken,
        /// To whom.
        peer: PeerId,
        /// Blocks to read and to put in: one large one, or about 256 KiB of small ones. The empty block is in
        /// no store; [`Block::implied_by`](ipse_base::Block::implied_by) makes it.
        blocks: Vec<Cid>,
        /// Payload of these blocks, in bytes.
        bytes: u64,
        /// HAVE and DONT_HAVE to put in.
        presences: Vec<Presence>,
        /// Bytes queued for the peer behind this message.
        pending_bytes: i32,
    },
}
