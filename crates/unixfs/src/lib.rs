//! Files and folders as Dags (UnixFS): how content becomes blocks, and how blocks become content again.
//!
//! Not here: where blocks are kept (`store`), where they come from (`node` drives the planners), and the
//! mutable tree.
//!
//! Floor 2, pure: no runtime, no file, no socket, no clock.
//!
//! Read first: [`ImportOptions`] (what decides which name content gets), [`FileWriter`] (bytes in, blocks
//! out) and [`FileReader`] (blocks in, bytes out).
//!
//! ```
//! use ipse_dag::{Budget, Planner};
//! use ipse_unixfs::{FileReader, FileWriter, ImportOptions};
//!
//! let mut writer = FileWriter::new(ImportOptions::unixfs_v1_2025())?;
//! let mut blocks = writer.write("hello world")?;
//! let (file, rest) = writer.finish()?;
//! blocks.extend(rest);
//!
//! let mut reader = FileReader::new(file.cid, 6..11);
//! let budget = Budget { wants: 8, bytes: 1 << 20 };
//! while let Some(want) = reader.wants(budget).pop() {
//!     let block = blocks.iter().find(|block| *block.cid() == want.cid).ok_or("missing")?;
//!     reader.give(block.clone())?;
//! }
//! assert_eq!(reader.poll_out().as_deref(), Some(&b"world"[..]));
//! assert!(reader.is_done());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunk;
mod content;
mod data;
mod directory;
mod folder;
mod frontier;
mod layout;
mod leaf;
mod list;
mod metadata;
mod murmur;
mod node;
mod options;
mod parts;
mod read;
mod read_error;
mod resolve;
mod shard;
mod tree;
mod write;

pub use chunk::{Chunker, ChunkerError, Splitter};
pub use data::{DataError, NodeKind};
pub use directory::DirectoryBuilder;
pub use layout::{Added, Layout, LeafLink};
pub use leaf::{Leaf, LeafFrame, leaf, sole_leaf};
pub use list::{Entry, ListDirectory};
pub use metadata::Mtime;
pub use node::{NodeError, UnixfsNode};
pub use options::{CHUNK_BYTES_MAX, ImportOptions, Naming, OptionsError, SizeEstimation};
pub use parts::{FilePart, FileParts};
pub use read::FileReader;
pub use read_error::ReadError;
pub use resolve::{Resolve, ResolveError, Resolved};
pub use shard::ShardError;
pub use tree::{Tree, TreeEvent};
pub use write::{FileWriter, WriteError, symlink};
