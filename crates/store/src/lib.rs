//! Everything on this node's disk: blocks, pins, keys, collection, and the small files of the repository.
//!
//! It is not a file system of files and folders (that is `unixfs`), knows no codec (it is given a function that
//! reads links) and asks no network. Floor 2; blocking calls and threads, no async runtime.
//!
//! Read first: [`Store`] (blocks and pins), [`Repo`] (the folder, its lock and small files) and [`Disk`] (the
//! seam below both). The log of segments is the truth, the index is derived from it: `docs/formats/`.
//!
//! ```
//! use ipse_base::{Block, Codec, HashCode};
//! use ipse_store::{PinMode, Repo, Store, StoreOptions};
//!
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path().join("repo");
//! let repo = Repo::init(&root, b"{}", b"{}")?;
//! // Blocks of this example have no links; a node passes the function of its codecs.
//! let store = Store::open_in(repo, StoreOptions::new(|_, _| Ok(Vec::new())))?;
//!
//! let block = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into())?;
//! store.put_blocks(&[block.clone()])?; // visible
//! store.pin(block.cid(), PinMode::Recursive, None)?; // block and pin durable, by one sync
//! assert_eq!(store.get(block.cid())?, Some(block));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod background;
mod backup;
mod blocks;
mod core;
mod counters;
mod damaged;
mod disk;
pub mod fault;
mod filter;
mod gc;
mod guard;
mod hot;
mod index;
mod list;
mod log;
mod lookup;
mod mend;
mod options;
mod pending;
mod pins;
mod place;
mod quota;
mod rebuild;
mod record;
mod recover;
mod repo;
mod scan;
mod scrub;
mod segment;
mod spare;
mod store;
mod uses;
mod verify;

pub use crate::core::WriteError;
pub use crate::counters::StoreCounters;
pub use backup::{BackupError, BackupPart, HeldSegment};
pub use blocks::{Prepared, ReadError};
pub use disk::{Disk, DiskError, DiskFile, HeldLock, OpenMode};
pub use gc::{CollectError, Collected, CollectionPlan, Root};
pub use guard::TemporaryPin;
pub use hot::{AtHand, Reuse};
pub use index::IndexError;
pub use list::LocalCids;
pub use log::LogError;
pub use lookup::Known;
pub use mend::Mended;
pub use options::{Checkpoints, Links, LinksError, StoreOptions};
pub use pins::{Pin, PinError, PinMode, PinPages, Pins};
pub use place::Position;
pub use record::RecordError;
pub use recover::RecoverError;
pub use repo::{AddressFile, REPO_FORMAT, Repo, RepoError, RepoState, Restore};
pub use scrub::{ScrubPlace, Scrubbed, spawn_idle};
pub use store::{OpenError, Store, StoreStats};
pub use verify::{Checked, Damage, VerifyError, VerifySummary};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic elsewhere: what these locks guard is consistent between any two statements.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
