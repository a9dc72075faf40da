//! Options of the store.

use bytes::Bytes;
use ipse_base::Cid;
use ipse_base::limits::INDEX_CACHE_BYTES;

/// What goes wrong when links are read; any error of the caller's codecs.
pub type LinksError = Box<dyn std::error::Error + Send + Sync>;

/// The names that a block links to. The store asks it to know leaves from inner nodes, and to find what a pin
/// keeps; it has no codecs of its own.
pub type Links = fn(&Cid, &Bytes) -> Result<Vec<Cid>, LinksError>;

/// What the disk lets a store do, as it was when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// When the index takes what is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// In the background, within about a second.
    Background,
    /// When [`Store::checkpoint`](crate::Store::checkpoint) is called, memory for the pending part is used up,
    /// or the store is closed. No thread is started, so that a test is the same in each run.
    OnDemand,
}

/// How a store works. What a repository *is* does not depend on it.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Reads the links of a block.
    pub links: Links,
    /// Bytes at which a segment file is closed and the next begun. Smaller segments give space back sooner
    /// and cost more files. Default 1 GiB; at most 16 GiB.
    pub segment_bytes: u64,
    /// When the index takes what is in the log. Default in the background; change it only in tests.
    pub checkpoints: Checkpoints,
    /// Smallest payload of a deleted block whose space is given back in place, in bytes. Smaller ones wait
    /// until their segment is rewritten. Default 64 KiB.
    pub punch_bytes: u32,
    /// Memory for pages of the index, in bytes. With less of it look-ups of many blocks cost more, with more the process
    /// takes more. Default 16 MiB.
    pub index_cache_bytes: usize,
}

impl StoreOptions {
    /// The defaults.
    pub fn new(links: Links) -> Self {
        Self {
            links,
            segment_bytes: 1 << 30,
            checkpoints: Checkpoints::Background,
            punch_bytes: 64 * 1024,
            index_cache_bytes: INDEX_CACHE_BYTES,
        }
    }
}
