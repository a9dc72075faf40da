//! Restore: a repository made from what a backup holds.
//!
//! The file `restoring` is there from before the first byte to after the last; `version`, which makes a folder a
//! repository, is written when everything else is durable. So a restoration that was broken off is never taken
//! for a repository, and is begun anew by the next one.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{REPO_FORMAT, Repo, RepoError, RepoState, VERSION_BASE, keystore};
use crate::disk::real::RealDisk;
use crate::disk::{self, Disk, DiskError, DiskFile, HeldLock, OpenMode};
use crate::segment::{self, Segment};

const MARKER_FILE: &str = "restoring";
/// Zeros of this length become a hole.
const HOLE_BYTES: usize = 64 * 1024;

/// Whether a folder is one that a restoration left unfinished.
pub(super) fn is_unfinished(disk: &dyn Disk, root: &Path) -> Result<bool, DiskError> {
    let path = root.join(MARKER_FILE);
    disk.exists(&path).map_err(DiskError::of("look for", &path))
}

/// A repository on its way. Dropped before [`Restore::finish`], it leaves a folder that only another restoration
/// takes.
pub struct Restore {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    last: u32,
    open: Option<(PathBuf, Arc<dyn DiskFile>, u64)>,
    _lock: Box<dyn HeldLock>,
}

impl Restore {
    /// Begins in a folder that is empty, not there, or was left by a restoration that did not end.
    ///
    /// # Errors
    /// [`RepoError::Exists`] (conflict) where there is anything; nothing is changed then.
    pub fn begin(root: &Path) -> Result<Self, RepoError> {
        Self::begin_on(Arc::new(RealDisk), root)
    }

    fn begin_on(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, RepoError> {
        let exists = || RepoError::Exists(root.to_path_buf());
        if Repo::state_on(disk.as_ref(), root)? != RepoState::Absent {
            return Err(exists());
        }
        let there = disk.exists(root).map_err(DiskError::of("look for", root))?;
        let unfinished = is_unfinished(disk.as_ref(), root)?;
        if there && !unfinished && !disk.list(root).map_err(DiskError::of("list", root))?.is_empty() {
            return Err(exists());
        }
        for dir in [root.to_path_buf(), root.join("blocks"), root.join("keystore")] {
            disk.create_dir(&dir).map_err(DiskError::of("create", &dir))?;
        }
        disk::write_file(disk.as_ref(), &root.join(MARKER_FILE), b"")?;
        let path = root.join("repo.lock");
        let held = super::take_lock(disk.as_ref(), path)?;
        for dir in [root.join("blocks"), root.join("keystore")] {
            for name in disk.list(&dir).map_err(DiskError::of("list", &dir))? {
                let path = dir.join(name);
                disk.remove(&path).map_err(DiskError::of("remove", &path))?;
            }
        }
        Ok(Self { disk, root: root.to_path_buf(), last: 0, open: None, _lock: held })
    }

    /// Writes one of the small files: configuration or a key.
    ///
    /// # Errors
    /// [`RepoError::FileName`] (invalid) where a repository has no such file, or what the disk says.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), RepoError> {
        let key = name.strip_prefix("keystore/").is_some_and(|file| keystore::key_name(file).is_some());
        if !key && name != "config" && name != "ipse.json" {
            return Err(RepoError::FileName(name.to_owned()));
        }
        Ok(disk::write_file(self.disk.as_ref(), &self.root.join(name), bytes)?)
    }

    /// Begins a segment; the one before is made durable.
    ///
    /// # Errors
    /// What the disk says; [`RepoError::Exists`] where this one is there already.
    pub fn segment(&mut self, number: u32) -> Result<(), RepoError> {
        self.end_segment()?;
        let path = segment::path(&self.root.join("blocks"), number);
        let file = self.disk.open(&path, OpenMode::CreateNew).map_err(DiskError::of("create", &path))?;
        self.last = self.last.max(number);
        self.open = Some((path, file, 0));
        Ok(())
    }

    /// The next bytes of the segment.
    ///
    /// # Errors
    /// What the disk says.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), RepoError> {
        let Some((path, file, at)) = &mut self.open else { return Ok(()) };
        for piece in bytes.chunks(HOLE_BYTES) {
            if piece.len() < HOLE_BYTES || piece.iter().any(|&byte| byte != 0) {
                file.write_at(*at, &mut [IoSlice::new(piece)]).map_err(DiskError::of("write", path))?;
            }
            *at += piece.len() as u64;
        }
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), RepoError> {
        if let Some((path, file, at)) = self.open.take() {
            let ended = file.set_len(at).and_then(|()| file.sync_data());
            ended.map_err(DiskError::of("write", &path))?;
        }
        Ok(())
    }

    /// Makes it a repository. It goes on in a segment of its own, so that what it writes from now on is never
    /// taken for what the node writes that it is a copy of.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(mut self) -> Result<(), RepoError> {
        self.end_segment()?;
        let (disk, root) = (self.disk.as_ref(), &self.root);
        Segment::create(disk, &root.join("blocks"), self.last + 1)?;
        for dir in [root.join("blocks"), root.join("keystore")] {
            disk.sync_dir(&dir).map_err(DiskError::of("sync", &dir))?;
        }
        let version = format!("{}\n", VERSION_BASE + REPO_FORMAT);
        disk::write_file(disk, &root.join("version"), version.as_bytes())?;
        let marker = root.join(MARKER_FILE);
        disk.remove(&marker).map_err(DiskError::of("remove", &marker))?;
        Ok(disk::sync_parent(disk, root)?)
    }
}
