//! One running node: the facade [`Node`], the only wiring of the parts, the only reader of configuration.
//!
//! Not here: formats (`dag`, `unixfs`), bytes on disk (`store`), sockets toward peers (`net`), and any language
//! that a door speaks. Floor 4.
//!
//! Read first: [`Node`] (what a door holds), `fetch` (the one loop in which walks wait for blocks) and
//! `assemble` (the one file that wires the parts).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ipse_node::{InitOptions, Node, OpenOptions};
//!
//! let root = std::path::Path::new("repository");
//! Node::init(root, InitOptions::default())?;
//! let node = Node::open(root, OpenOptions { online: false, ..OpenOptions::default() }).await?;
//! let path = "/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse()?;
//! assert_eq!(node.cat(&path, 0, None).await?.size, 0);
//! # Ok(())
//! # }
//! ```

mod add;
mod assemble;
mod backup;
mod block;
mod blocking;
mod cat;
mod collector;
pub mod config;
mod crew;
mod dag;
mod denied;
mod diag;
mod fetch;
mod file;
mod heal;
mod identity;
mod init;
mod leaves;
mod ls;
mod memory;
mod node;
mod peering;
mod pin;
mod quiet;
mod read_error;
mod refs;
mod repair;
mod repo;
mod resolve;
mod scrub;
mod source;
mod steady;
mod swarm;
mod tree;
mod verify;
mod worker;

pub use add::{AddError, AddEvent, AddInput, AddOptions, Adding, FileSource, Metadata};
pub use assemble::{OpenError, OpenOptions};
pub use backup::{BackupError, SmallFiles};
pub use block::{BlockPutError, BlockPutOptions, BlockRemoveError};
pub use cat::{FileStream, UnixfsStat};
pub use config::{Config, ConfigError, OwnSettings, Settings};
pub use dag::{
    DagError, DagImportEvent, DagImportInput, DagImportOptions, DagImporting, DagPutOptions, DagRootStat,
    DagStat,
};
pub use denied::{DenylistReadError, DenylistSource};
pub use fetch::Stream;
pub use file::{File, FileCursor, Piece};
pub use heal::HealError;
pub use identity::IdentityError;
pub use init::{InitError, InitOptions, Initialized};
pub use ls::ListEntry;
pub use memory::bound_heaps;
pub use node::Node;
pub use pin::{Pin, PinError, PinFilter, PinProgress, PinState};
pub use read_error::ReadError;
pub use refs::{Reference, RefsOptions};
pub use repo::{RepoError, RepoStat};
pub use resolve::Resolved;
pub use swarm::SwarmError;
pub use verify::{Remedy, VerifyEvent, VerifyOutcome};
pub use worker::WorkerInfo;

// What the facade's signatures speak of, so that doors need no lower floor.
pub use ipse_net::{Bandwidth, Direction, KeyKind, Ledger, PeerIdentity, PeerInfo, Stat};
pub use ipse_store::{BackupPart, HeldSegment, RepoError as RestoreError, Restore};
pub use ipse_unixfs::{Chunker, ImportOptions, Naming, NodeKind, OptionsError, TreeEvent, UnixfsNode};

/// The version of the reference node whose clients, scripts and tools work with this one.
pub const COMPATIBLE_VERSION: &str = "0.44.0";
/// The reference node's repository version that `repo version` prints.
pub const COMPATIBLE_REPO_VERSION: u32 = 18;
/// This node's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
