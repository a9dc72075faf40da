//! The nouns, the seams, the error kinds and every limit: the words that all other crates speak.
//!
//! Floor 0. No runtime, no file, no socket, no clock, no environment: bytes in, values out.
//!
//! Read first: [`Cid`] (the name of a block), [`Block`] (bytes that are known to match their name) and
//! [`BlockSource`] (where blocks come from, many at a time).
//!
//! ```
//! use ipse_base::{Block, Cid, Codec, HashCode};
//!
//! let block = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into())?;
//! let name = block.cid().to_string();
//! assert_eq!(name.parse::<Cid>()?, *block.cid());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base_encoding;
mod block;
mod buffer;
mod cid;
mod codec;
mod counter;
mod kind;
pub mod limits;
mod multihash;
mod path;
mod peer;
mod sink;
mod source;
pub mod varint;

pub use base_encoding::{Base, BaseError};
pub use block::{Block, BlockError};
pub use buffer::{Buffer, Buffers};
pub use cid::{Cid, CidError, Version};
pub use codec::Codec;
pub use counter::{Count, Counted, Counter};
pub use kind::{ErrorKind, Kind};
pub use multihash::{HashCode, Hasher, Multihash, MultihashError};
pub use path::{Namespace, Path, PathError};
pub use peer::{PeerId, PeerIdError};
pub use sink::{BlockSink, SinkError};
pub use source::{AbsentReason, BlockSession, BlockSource, Delivery, LocalBlocks, SourceError, Want};
