//! Codecs, links, bounded walks, path resolution and CAR archives: all that is true of Dags whatever is in them.
//!
//! Not here: what files and directories are (`unixfs`), and where blocks come from (`node` drives the walks).
//!
//! Floor 1. No runtime, no file, no socket, no clock: bytes in, values out.
//!
//! Read first: [`Planner`] (a walk without I/O), [`PbNode`] (the node under every file) and [`links()`] (what any
//! block points to).
//!
//! ```
//! use ipse_base::{Block, Codec, HashCode};
//! use ipse_dag::{PbLink, PbNode, links};
//!
//! let leaf = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into())?;
//! let link = PbLink { cid: leaf.cid().clone(), name: Some("a.txt".into()), tsize: Some(5) };
//! let node = PbNode { data: None, links: vec![link] };
//! let block = Block::hash(Codec::DAG_PB, HashCode::SHA2_256, node.encode())?;
//! assert_eq!(links(block.cid(), block.data())?[0].name, "a.txt");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod absent;
pub mod car;
mod cbor;
mod codec;
mod error;
mod fingerprints;
mod ipld;
mod json;
mod links;
mod pb;
mod pb_form;
mod planner;
pub mod protobuf;
mod step;
mod walk;

pub use absent::Absent;
pub use car::{CarError, CarItem, CarReader};
pub use cbor::{CborError, CborFault};
pub use codec::{decode, encode, from_dag_json, to_dag_json, transcode};
pub use error::{DecodeError, FormError};
pub use fingerprints::{Fingerprint, Fingerprints};
pub use ipld::Ipld;
pub use json::{JsonError, JsonFault};
pub use links::{Link, links, targets};
pub use pb::{PbError, PbLink, PbNode};
pub use planner::{Budget, Planner};
pub use step::{Step, StepError, follow, step};
pub use walk::{Leaves, Visit, Walk, WalkError, WalkOptions};
