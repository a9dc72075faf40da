//! DirectoryBuilder: entries in, a folder out; in one node, or spread over shards where that would grow too
//! large. Last stop of the write path: a folder is written when everything in it is.
//!
//! Whether a folder is sharded follows from what is in it and not from the order of insertion, so that equal
//! folders get equal names.

mod basic;
mod hamt;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ipse_base::limits::ENTRY_NAME_BYTES_MAX;
use ipse_base::{Block, Cid};

use crate::options::SizeEstimation;
use crate::{Added, ImportOptions, WriteError};

/// An entry as its folder holds it.
#[derive(Debug, Clone)]
struct Child {
    cid: Cid,
    content_bytes: u64,
    dag_bytes: u64,
}

/// Builds one folder.
#[derive(Debug)]
pub struct DirectoryBuilder {
    options: ImportOptions,
    /// By name, because a folder's links stand in the order of the bytes of their names.
    entries: BTreeMap<String, Child>,
    /// Estimated bytes of all entries, by the measure of the options.
    estimated_bytes: u64,
}

impl DirectoryBuilder {
    /// Starts an empty folder. Its root carries the mode and time of the options.
    ///
    /// # Errors
    /// [`WriteError::Options`] where the options are out of bounds.
    pub fn new(options: ImportOptions) -> Result<Self, WriteError> {
        options.check()?;
        Ok(Self { options, entries: BTreeMap::new(), estimated_bytes: 0 })
    }

    /// Puts an entry in; one of the same name gives way.
    ///
    /// # Errors
    /// [`WriteError::Name`] for a name that is empty, a path, `.` or `..`, too long, or holds NUL.
    pub fn insert(&mut self, name: &str, added: Added) -> Result<(), WriteError> {
        check_name(name)?;
        let Added { cid, content_bytes, dag_bytes } = added;
        let child = Child { cid, content_bytes, dag_bytes };
        let estimate = |child: &Child| match self.options.size_estimation {
            SizeEstimation::Links => (name.len() + child.cid.to_bytes().len()) as u64,
            SizeEstimation::Block => basic::link_len(name, child),
            SizeEstimation::Disabled => 0,
        };
        self.estimated_bytes += estimate(&child);
        match self.entries.entry(name.to_owned()) {
            Entry::Vacant(slot) => {
                slot.insert(child);
            }
            Entry::Occupied(mut slot) => self.estimated_bytes -= estimate(&slot.insert(child)),
        }
        Ok(())
    }

    /// Entries so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the folder will be sharded as it stands.
    pub fn is_sharded(&self) -> bool {
        let ImportOptions { hamt_threshold_bytes, directory_links_max, size_estimation, .. } = self.options;
        if hamt_threshold_bytes == 0 {
            return false;
        }
        let own_bytes = match size_estimation {
            SizeEstimation::Block => basic::data_len(self.options.metadata()),
            SizeEstimation::Links | SizeEstimation::Disabled => 0,
        };
        // A folder of exactly the threshold stays whole.
        self.estimated_bytes + own_bytes > hamt_threshold_bytes && !self.is_empty()
            || directory_links_max > 0 && self.len() > directory_links_max
    }

    /// Ends the folder; returns its root and its blocks, shards before those that link to them.
    ///
    /// # Errors
    /// [`WriteError::Block`] where a folder that may not be sharded is over the size of a block,
    /// [`WriteError::TooDeep`] where the hashes of two names are equal.
    pub fn finish(self) -> Result<(Added, Vec<Block>), WriteError> {
        let content_bytes = self.entries.values().map(|child| child.content_bytes).sum();
        let sharded = self.is_sharded();
        let Self { options, entries, .. } = self;
        let (root, blocks) =
            if sharded { hamt::write(&options, entries)? } else { basic::write(&options, entries)? };
        Ok((Added { cid: root.cid, content_bytes, dag_bytes: root.dag_bytes }, blocks))
    }
}

fn check_name(name: &str) -> Result<(), WriteError> {
    let why = match name {
        "" => "it is empty",
        "." | ".." => "it means another folder",
        _ if name.contains('/') => "it holds a slash",
        _ if name.contains('\0') => "it holds a NUL byte",
        _ if name.len() > ENTRY_NAME_BYTES_MAX => "it is too long",
        _ => return Ok(()),
    };
    // A name that is too long is not worth repeating in full.
    let name = name.chars().take(80).collect();
    Err(WriteError::Name { name, why })
}

/// The root of what was written.
struct Root {
    cid: Cid,
    dag_bytes: u64,
}

#[cfg(test)]
mod tests {
    use ipse_base::{Codec, HashCode};

    use super::*;

    fn added(text: &str) -> Added {
        let block = Block::hash(Codec::RAW, HashCode::SHA2_256, text.to_owned().into()).unwrap();
        Added { cid: block.cid().clone(), content_bytes: text.len() as u64, dag_bytes: text.len() as u64 }
    }

    fn folder(options: &ImportOptions, entries: usize) -> DirectoryBuilder {
        let mut builder = DirectoryBuilder::new(options.clone()).unwrap();
        for index in 0..entries {
            builder.insert(&format!("entry-{index:04}"), added(&index.to_string())).unwrap();
        }
        builder
    }

    #[test]
    fn the_threshold_itself_is_not_over_the_threshold() {
        // Ten bytes of name and 36 of Cid.
        let limit = |bytes| ImportOptions { hamt_threshold_bytes: bytes, ..ImportOptions::unixfs_v0_2015() };
        assert!(!folder(&limit(460), 10).is_sharded());
        assert!(folder(&limit(459), 10).is_sharded());
        assert!(!folder(&limit(0), 10).is_sharded());
    }

    #[test]
    fn the_block_estimate_is_the_size_of_the_block() {
        bolero::check!().with_type::<(Vec<(u16, String)>, bool)>().for_each(|(entries, timed)| {
            let options = ImportOptions {
                hamt_threshold_bytes: u64::MAX,
                mode: timed.then_some(0o755),
                mtime: timed.then_some((1_700_000_000, 7)),
                ..ImportOptions::unixfs_v1_2025()
            };
            let metadata = options.metadata();
            let mut builder = DirectoryBuilder::new(options).unwrap();
            for (size, name) in entries {
                let child = Added { dag_bytes: u64::from(*size), ..added(name) };
                let _ = builder.insert(name, child);
            }
            let estimated = builder.estimated_bytes + basic::data_len(metadata);
            let (_, blocks) = builder.finish().unwrap();
            assert_eq!(blocks[0].data().len() as u64, estimated);
        });
    }

    #[test]
    fn links_bound_directories_too() {
        let options = ImportOptions { directory_links_max: 5, ..ImportOptions::unixfs_v1_2025() };
        assert!(!folder(&options, 5).is_sharded());
        assert!(folder(&options, 6).is_sharded());
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let options = ImportOptions { hamt_threshold_bytes: 400, ..ImportOptions::unixfs_v1_2025() };
        let forward = folder(&options, 40).finish().unwrap();
        let mut backward = DirectoryBuilder::new(options).unwrap();
        for index in (0..40).rev() {
            backward.insert(&format!("entry-{index:04}"), added("other")).unwrap();
            backward.insert(&format!("entry-{index:04}"), added(&index.to_string())).unwrap();
        }
        assert_eq!(backward.finish().unwrap(), forward);
    }

    #[test]
    fn names_that_no_folder_can_have_are_refused() {
        let mut builder = DirectoryBuilder::new(ImportOptions::unixfs_v1_2025()).unwrap();
        for name in ["", ".", "..", "a/b", "a\0b", &"x".repeat(4097)] {
            assert!(matches!(builder.insert(name, added("x")), Err(WriteError::Name { .. })), "{name:?}");
        }
        builder.insert(&"x".repeat(4096), added("x")).unwrap();
        builder.insert("...", added("x")).unwrap();
    }
}
