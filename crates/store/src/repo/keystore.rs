//! The keystore: one file a key, its name in base32, as the reference node has it.

use std::path::Path;

use ipse_base::Base;

use super::{Repo, RepoError};
use crate::disk::{self, Disk, DiskError};

const PREFIX: &str = "key_";
/// Longest name of a key, so that its base32 form still is a file name.
const NAME_BYTES_MAX: usize = 128;
const KEY_BYTES_MAX: u64 = 64 * 1024;

impl Repo {
    /// The names of the keys, sorted.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keys(&self) -> Result<Vec<String>, RepoError> {
        let dir = self.root().join("keystore");
        let files = self.disk().list(&dir).map_err(DiskError::of("list", &dir))?;
        let mut names: Vec<String> = files.iter().filter_map(|file| key_name(file)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The bytes of a key, if there is one of this name.
    ///
    /// # Errors
    /// [`RepoError::KeyName`] (invalid), or what the disk says.
    pub fn key(&self, name: &str) -> Result<Option<Vec<u8>>, RepoError> {
        let path = self.root().join(file_name(name)?);
        Ok(disk::read_file(self.disk().as_ref(), &path, KEY_BYTES_MAX)?)
    }

    /// Keeps a key, durably; readable by its owner only. One of the same name is replaced.
    ///
    /// # Errors
    /// [`RepoError::KeyName`] (invalid), or what the disk says.
    pub fn write_key(&self, name: &str, bytes: &[u8]) -> Result<(), RepoError> {
        self.write(&file_name(name)?, bytes)
    }

    /// Removes a key, durably; answers whether there was one.
    ///
    /// # Errors
    /// [`RepoError::KeyName`] (invalid), or what the disk says.
    pub fn remove_key(&self, name: &str) -> Result<bool, RepoError> {
        let path = self.root().join(file_name(name)?);
        if !self.disk().exists(&path).map_err(DiskError::of("look for", &path))? {
            return Ok(false);
        }
        self.disk().remove(&path).map_err(DiskError::of("remove", &path))?;
        disk::sync_parent(self.disk().as_ref(), &path)?;
        Ok(true)
    }
}

/// The bytes of every key by its path in the repository, without its lock.
pub(super) fn read_all(disk: &dyn Disk, root: &Path) -> Result<Vec<(String, Vec<u8>)>, RepoError> {
    let dir = root.join("keystore");
    if !disk.exists(&dir).map_err(DiskError::of("look for", &dir))? {
        return Ok(Vec::new());
    }
    let mut names = disk.list(&dir).map_err(DiskError::of("list", &dir))?;
    names.retain(|name| key_name(name).is_some());
    names.sort_unstable();
    let mut keys = Vec::with_capacity(names.len());
    for name in names {
        // One that was removed in this moment is not there.
        if let Some(bytes) = disk::read_file(disk, &dir.join(&name), KEY_BYTES_MAX)? {
            keys.push((format!("keystore/{name}"), bytes));
        }
    }
    Ok(keys)
}

fn file_name(name: &str) -> Result<String, RepoError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(RepoError::KeyName(name.to_owned()));
    }
    Ok(format!("keystore/{PREFIX}{}", Base::BASE32.encode_bare(name.as_bytes())))
}

pub(super) fn key_name(file: &str) -> Option<String> {
    let bytes = Base::BASE32.decode_bare(file.strip_prefix(PREFIX)?).ok()?;
    String::from_utf8(bytes).ok()
}
