//! What a folder is, told without taking its lock.

use std::path::Path;

use super::{REPO_FORMAT, Repo, RepoError, VERSION_BASE};
use crate::disk::real::RealDisk;
use crate::disk::{self, Disk, DiskError};

/// What a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoState {
    /// No repository, or no folder.
    Absent,
    /// One that this version can open.
    Ready,
    /// One of the reference node.
    Kubo,
    /// One that a newer version wrote, with its format.
    Newer(u64),
}

impl RepoState {
    pub(super) fn check(self, root: &Path) -> Result<(), RepoError> {
        let path = root.to_path_buf();
        match self {
            Self::Ready => Ok(()),
            Self::Absent => Err(RepoError::Absent(path)),
            Self::Kubo => Err(RepoError::Kubo(path)),
            Self::Newer(format) => Err(RepoError::Newer { path, format }),
        }
    }
}

impl Repo {
    /// What a folder is. Takes no lock and changes nothing.
    ///
    /// # Errors
    /// [`RepoError::Version`] (corrupt) where its version file can't be understood, or what the disk says.
    pub fn state(root: &Path) -> Result<RepoState, RepoError> {
        Self::state_on(&RealDisk, root)
    }

    pub(super) fn state_on(disk: &dyn Disk, root: &Path) -> Result<RepoState, RepoError> {
        let path = root.join("version");
        let Some(bytes) = disk::read_file(disk, &path, 64)? else {
            return Ok(if holds_kubo(disk, root)? { RepoState::Kubo } else { RepoState::Absent });
        };
        let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let number = number.ok_or(RepoError::Version(path))?;
        Ok(match number.checked_sub(VERSION_BASE) {
            // Numbers below ours are the reference node's own.
            None | Some(0) => RepoState::Kubo,
            Some(format) if format > REPO_FORMAT => RepoState::Newer(format),
            Some(_) => RepoState::Ready,
        })
    }
}

/// Whether the reference node keeps blocks here, its version file being gone or never written.
fn holds_kubo(disk: &dyn Disk, root: &Path) -> Result<bool, DiskError> {
    for name in ["datastore_spec", "datastore", "blocks/SHARDING"] {
        let path = root.join(name);
        if disk.exists(&path).map_err(DiskError::of("look for", &path))? {
            return Ok(true);
        }
    }
    Ok(false)
}
