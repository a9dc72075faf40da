//! What the gateway remembers of a file that it has answered: everything but its bytes, so that the next
//! request for it starts with its headers written and its blocks known.
//!
//! The key is the target as it was asked for. Under `/ipfs` it never changes; only what is on this node does,
//! so an entry counts as long as no block was removed since it was made.

use std::sync::Arc;

use hyper::HeaderMap;
use ipse_base::limits::GATEWAY_CACHE_BYTES;
use ipse_node::File;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Entries that the first tables are made for.
const ENTRIES: usize = 4096;
/// What an entry takes besides what is counted: links of the lists, allocations.
const ENTRY_BYTES: usize = 256;
/// What a header takes besides its value.
const HEADER_BYTES: usize = 104;

/// A file and how it is answered.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// The headers of an answer with the whole file.
    pub(crate) headers: HeaderMap,
    /// The entity tag.
    pub(crate) tag: String,
    /// Where its bytes are.
    pub(crate) file: Arc<File>,
    /// How many removals there were before it was looked up.
    pub(crate) removals: u64,
}

#[derive(Debug, Clone)]
struct Weigh;

impl Weighter<String, Arc<Remembered>> for Weigh {
    fn weight(&self, target: &String, entry: &Arc<Remembered>) -> u64 {
        let headers: usize = entry.headers.values().map(|value| value.len() + HEADER_BYTES).sum();
        (target.len() + headers + entry.tag.len() + entry.file.memory() + ENTRY_BYTES) as u64
    }
}

/// Files by the target that was asked for.
pub(crate) struct Memory {
    entries: Cache<String, Arc<Remembered>, Weigh>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { entries: Cache::with_weighter(ENTRIES, GATEWAY_CACHE_BYTES as u64, Weigh) }
    }
}

impl Memory {
    /// What is remembered of a target, if it was so since there were `removals` removals.
    pub(crate) fn get(&self, target: &str, removals: u64) -> Option<Arc<Remembered>> {
        let entry = self.entries.get(target)?;
        if entry.removals == removals {
            return Some(entry);
        }
        self.entries.remove(target);
        None
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.entries.clear();
    }

    pub(crate) fn insert(&self, target: &str, entry: &Arc<Remembered>) {
        self.entries.insert(target.to_owned(), Arc::clone(entry));
    }
}
