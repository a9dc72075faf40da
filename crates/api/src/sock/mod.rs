//! The local socket's frames: how `add` talks to a daemon on the same machine. Bytes and rules:
//! `docs/formats/sock.md`.
//!
//! A connection begins as HTTP; a request that asks for [`UPGRADE`] and gets it goes on in frames: entries one
//! way ([`Entry`]), the reply the other ([`ReplyFrame`]). Descriptors travel beside the bytes and are not seen
//! here.

mod entry;
mod reply;

pub use entry::{Entry, EntryDecoder, EntryError, EntryHead, Stamp};
pub use reply::{ReplyDecoder, ReplyError, ReplyFrame};

/// What the `Upgrade` header says. A daemon that does not know it answers the request as any other.
pub const UPGRADE: &str = "ipse-add/1";

/// Largest content of one frame, in bytes.
pub const FRAME_CONTENT_BYTES_MAX: usize = 1024 * 1024;

/// Regular files above this travel as descriptors, in bytes: below it, copying is cheaper than handing one over.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;
