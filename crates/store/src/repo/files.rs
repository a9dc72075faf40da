//! The small files of a repository: configuration and addresses. Each is replaced as a whole, configuration
//! also durably.

use std::path::Path;

use super::{Repo, RepoError};
use crate::disk::real::RealDisk;
use crate::disk::{self, Disk, DiskError};
use crate::lock;

/// Largest configuration that is read; a real one has a few kilobytes.
const CONFIG_BYTES_MAX: u64 = 16 * 1024 * 1024;
const ADDRESS_BYTES_MAX: u64 = 4096;

/// A file by which other programs find a running daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFile {
    /// `api`: the multiaddr of the RPC.
    Api,
    /// `gateway`: the URL of the gateway.
    Gateway,
}

impl AddressFile {
    const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Gateway => "gateway",
        }
    }
}

impl Repo {
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RepoError> {
        Ok(disk::write_file(self.disk().as_ref(), &self.root().join(name), bytes)?)
    }

    /// The bytes of a small file that need not be there.
    pub(crate) fn read_optional(&self, name: &str) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(disk::read_file(self.disk().as_ref(), &self.root().join(name), ADDRESS_BYTES_MAX)?)
    }

    /// The bytes of `config`.
    ///
    /// # Errors
    /// [`RepoError::Absent`] where it is not there, or what the disk says.
    pub fn config(&self) -> Result<Vec<u8>, RepoError> {
        read(self.disk().as_ref(), self.root(), "config")
    }

    /// The bytes of `config` in a folder whose lock may be held by another process. The file is replaced as a
    /// whole, so this never sees half of one.
    ///
    /// # Errors
    /// As [`Repo::config`].
    pub fn read_config(root: &Path) -> Result<Vec<u8>, RepoError> {
        read(&RealDisk, root, "config")
    }

    /// Replaces `config`, durably and as a whole; readable by its owner only.
    ///
    /// # Errors
    /// What the disk says; the old file is then still there.
    pub fn write_config(&self, bytes: &[u8]) -> Result<(), RepoError> {
        self.write("config", bytes)
    }

    /// The bytes of `ipse.json`, our own settings.
    ///
    /// # Errors
    /// As [`Repo::config`].
    pub fn settings(&self) -> Result<Vec<u8>, RepoError> {
        read(self.disk().as_ref(), self.root(), "ipse.json")
    }

    /// The bytes of `ipse.json` in a folder whose lock may be held by another process.
    ///
    /// # Errors
    /// As [`Repo::config`].
    pub fn read_settings(root: &Path) -> Result<Vec<u8>, RepoError> {
        read(&RealDisk, root, "ipse.json")
    }

    /// Replaces `ipse.json`, durably and as a whole.
    ///
    /// # Errors
    /// What the disk says; the old file is then still there.
    pub fn write_settings(&self, bytes: &[u8]) -> Result<(), RepoError> {
        self.write("ipse.json", bytes)
    }

    /// Everything small that a backup needs, by its path in the repository: configuration and keys, the node's
    /// private key among them. The lock may be held by another process; each file is replaced as a whole.
    ///
    /// # Errors
    /// As [`Repo::config`].
    pub fn read_small_files(root: &Path) -> Result<Vec<(String, Vec<u8>)>, RepoError> {
        let mut files = Vec::new();
        for name in ["config", "ipse.json"] {
            files.push((name.to_owned(), read(&RealDisk, root, name)?));
        }
        files.extend(super::keystore::read_all(&RealDisk, root)?);
        Ok(files)
    }

    /// Publishes an address for as long as the repository is open. No line end follows it, for the reference
    /// node's clients take the file as it is. It is not synced: no daemon outlives a power cut.
    ///
    /// # Errors
    /// What the disk says.
    pub fn publish(&self, file: AddressFile, address: &str) -> Result<(), RepoError> {
        let path = self.root().join(file.name());
        let mut published = lock(&self.inner.published);
        disk::write_passing_file(self.disk().as_ref(), &path, address.as_bytes())?;
        if !published.contains(&path) {
            published.push(path);
        }
        Ok(())
    }

    /// The address that a running daemon published, or one that a crashed daemon left behind.
    ///
    /// # Errors
    /// What the disk says.
    pub fn published(root: &Path, file: AddressFile) -> Result<Option<String>, RepoError> {
        let bytes = disk::read_file(&RealDisk, &root.join(file.name()), ADDRESS_BYTES_MAX)?;
        let address = bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        // A power cut may have left the name without its bytes.
        Ok(address.filter(|address| !address.is_empty()))
    }

    /// Takes a published address back.
    ///
    /// # Errors
    /// What the disk says.
    pub fn unpublish(&self, file: AddressFile) -> Result<(), RepoError> {
        let path = self.root().join(file.name());
        let mut published = lock(&self.inner.published);
        if let Some(index) = published.iter().position(|other| *other == path) {
            self.disk().remove(&path).map_err(DiskError::of("remove", &path))?;
            published.swap_remove(index);
        }
        Ok(())
    }
}

fn read(disk: &dyn Disk, root: &Path, name: &str) -> Result<Vec<u8>, RepoError> {
    let bytes = disk::read_file(disk, &root.join(name), CONFIG_BYTES_MAX)?;
    bytes.ok_or_else(|| RepoError::Absent(root.to_path_buf()))
}
