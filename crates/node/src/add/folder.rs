//! The directories of a running add, kept as names and links until everything below them is known.

use std::collections::BTreeMap;

use ipse_base::limits::{DAG_DEPTH_MAX, ENTRY_NAME_BYTES_MAX};
use ipse_unixfs::Added;

use super::{AddError, Metadata};

/// A directory of a running add.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// What its input told of it.
    pub(super) metadata: Metadata,
    /// Its entries, in the order in which they are written.
    pub(super) entries: BTreeMap<String, Entry>,
}

/// An entry of a directory of a running add.
#[derive(Debug)]
pub(super) enum Entry {
    /// A file or link that is in the store.
    Leaf(Added),
    /// A directory that is not written yet.
    Folder(Folder),
}

/// Splits a path into its names.
///
/// # Errors
/// [`AddError`] for names that leave the folder, hold NUL, are too long or nested too deep.
pub(super) fn names(path: &str) -> Result<Vec<&str>, AddError> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    if names.len() > DAG_DEPTH_MAX / 4 {
        return Err(AddError::TooDeep);
    }
    for name in &names {
        if *name == ".." || name.contains('\0') {
            return Err(AddError::Name(path.to_owned()));
        }
        if name.len() > ENTRY_NAME_BYTES_MAX {
            return Err(AddError::NameTooLong(name.len()));
        }
    }
    Ok(names)
}

impl Folder {
    /// The directory at a path below this one; made, with those above it, where it is not there.
    ///
    /// # Errors
    /// [`AddError::Twice`] where a file has that name.
    pub(super) fn folder(&mut self, names: &[&str]) -> Result<&mut Self, AddError> {
        let mut folder = self;
        for name in names {
            let entry =
                folder.entries.entry((*name).to_owned()).or_insert_with(|| Entry::Folder(Self::default()));
            folder = match entry {
                Entry::Folder(below) => below,
                Entry::Leaf(_) => return Err(AddError::Twice(names.join("/"))),
            };
        }
        Ok(folder)
    }

    /// Puts a file or link at a path below this directory.
    ///
    /// # Errors
    /// [`AddError::Twice`] where something has that name.
    pub(super) fn insert(&mut self, names: &[&str], added: Added) -> Result<(), AddError> {
        let Some((last, above)) = names.split_last() else { return Err(AddError::Name(String::new())) };
        let folder = self.folder(above)?;
        match folder.entries.insert((*last).to_owned(), Entry::Leaf(added)) {
            None => Ok(()),
            Some(_) => Err(AddError::Twice(names.join("/"))),
        }
    }
}
