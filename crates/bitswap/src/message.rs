//! Message: what two peers say to each other, in memory. The wire form is in `decode.rs` and `encode.rs`.
//!
//! Path: a frame from `net` → [`Message::decode`] → wants to the [`Server`](crate::Server), presences to the
//! [`Client`](crate::Client), blocks to a hash worker and then, as (Cid, length), to the client. Back: either
//! side says what to send, `net` adds the payload and calls [`Message::encode`].
//!
//! Payload is never copied in here: a decoded block is a slice of its frame. Whoever keeps one that is much
//! smaller than the frame should copy it out, since the slice keeps the whole frame alive.

mod decode;
mod encode;
mod prefix;
mod wire;

pub use decode::DecodeError;
pub use encode::Encoded;
pub use prefix::CidPrefix;

use bytes::Bytes;
use ipse_base::Cid;

/// One message of any version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Wants and cancels of the sender.
    pub wantlist: Vec<WantEntry>,
    /// Whether `wantlist` replaces all that the sender wanted before, instead of adding to it.
    pub full: bool,
    /// Blocks, each with all of its Cid but the digest: the digest is for the receiver to compute.
    pub blocks: Vec<(CidPrefix, Bytes)>,
    /// HAVE and DONT_HAVE.
    pub presences: Vec<Presence>,
    /// Bytes that the sender has queued for the receiver and that are not in this message.
    pub pending_bytes: i32,
}

/// A line of a wantlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantEntry {
    /// Which block.
    pub cid: Cid,
    /// Higher is served sooner.
    pub priority: i32,
    /// Takes an earlier want back; the other fields then mean nothing.
    pub cancel: bool,
    /// Whether the block is wanted, or only word of it.
    pub want_type: WantType,
    /// Whether to answer when the block is not there.
    pub send_dont_have: bool,
}

impl WantEntry {
    /// Asks for a block and for word if it is not there.
    pub const fn block(cid: Cid, priority: i32) -> Self {
        Self { cid, priority, cancel: false, want_type: WantType::Block, send_dont_have: true }
    }

    /// Asks whether a block is there.
    pub const fn have(cid: Cid, priority: i32) -> Self {
        Self { cid, priority, cancel: false, want_type: WantType::Have, send_dont_have: true }
    }

    /// Takes a want back.
    pub const fn cancel(cid: Cid) -> Self {
        Self { cid, priority: 0, cancel: true, want_type: WantType::Block, send_dont_have: false }
    }
}

/// What a want asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WantType {
    /// The block itself.
    Block,
    /// HAVE; a small block may come in its place.
    Have,
}

/// Word of whether a peer has a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Which block.
    pub cid: Cid,
    /// HAVE or DONT_HAVE.
    pub have: bool,
}

impl Message {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.wantlist.is_empty() && self.blocks.is_empty() && self.presences.is_empty()
    }
}
