//! The exchange protocol without sockets: what to ask of which peer, and whom to serve next.
//!
//! This crate sees names and lengths of blocks and never their bytes; it opens no stream, reads no clock and
//! hashes nothing by itself. Input goes in by `handle_*(…, now)`, what is to be done comes out of `poll_*`.
//! `net` drives it; [`Message`] is the wire form that `net` puts into frames.
//!
//! Floor 1. Read first: [`Client`] (wants of our own), [`Server`] (wants of others), [`Message`].
//!
//! ```
//! use std::time::Instant;
//! use ipse_base::{Block, Codec, HashCode, Multihash, PeerId, Want};
//! use ipse_bitswap::{Client, ClientOptions, ClientOutput, ProtocolVersion, Received, SessionOptions};
//!
//! let block = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into())?;
//! let cid = block.cid().clone();
//! let peer = PeerId::new(Multihash::digest_of(HashCode::SHA2_256, b"a key")?);
//! let now = Instant::now();
//!
//! let mut client = Client::new(ClientOptions::default());
//! client.handle_connected(&peer, ProtocolVersion::V1_2, now);
//! let session = client.open_session(SessionOptions::default(), now);
//! client.want(session, vec![Want::new(cid.clone(), 1)], now);
//! let Some(ClientOutput::Send { token, message, .. }) = client.poll_output() else { unreachable!() };
//! assert_eq!(message.wantlist[0].cid, cid);
//!
//! client.handle_send_result(&peer, token, true, now);
//! let blocks = [(cid.clone(), block.data().len())];
//! client.handle_message(&peer, &Received { blocks: &blocks, ..Received::default() }, now);
//! assert_eq!(client.poll_output(), Some(ClientOutput::Deliver { session, cid }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
pub mod limits;
mod message;
mod server;
mod stat;
mod token;
mod version;

pub use client::{Client, ClientOptions, ClientOutput, DropReason, Received, SessionId, SessionOptions};
pub use message::{CidPrefix, DecodeError, Encoded, Message, Presence, WantEntry, WantType};
pub use server::{Ledger, LookupToken, SendFailed, Server, ServerOptions, ServerOutput};
pub use stat::{ClientCounters, ServerCounters, Stat};
pub use token::SendToken;
pub use version::ProtocolVersion;
