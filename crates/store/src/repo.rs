//! Repo: the folder of a node. What is in it is described in `docs/formats/repository.md`; nothing outside of
//! this crate opens a file there.

mod files;
mod keystore;
mod restore;
mod socket;
mod state;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ipse_base::{ErrorKind, Kind};

use crate::disk::real::RealDisk;
use crate::disk::{Disk, DiskError, HeldLock};
use crate::lock;

pub use files::AddressFile;
pub use restore::Restore;
pub use state::RepoState;

/// How often a lock is tried that nobody else holds.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// Our own format version of the folder.
pub const REPO_FORMAT: u64 = 1;

/// The file `version` holds this plus our format. The reference node refuses numbers above its own, so it
/// never takes our folder for one of its own; and no number of its own is as high.
pub(crate) const VERSION_BASE: u64 = 1000;

/// Why a repository could not be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RepoError {
    /// There is none.
    #[error("no IPFS repo found in {}", .0.display())]
    Absent(PathBuf),
    /// There is one already.
    #[error("ipfs configuration file already exists!")]
    Exists(PathBuf),
    /// Another process has it open.
    #[error("lock {}: someone else has the lock", path.display())]
    Locked {
        /// The file that it has locked.
        path: PathBuf,
        /// Its number, where the system tells.
        holder: Option<u32>,
    },
    /// It holds the blocks of the reference node.
    #[error("{} is a repository of Kubo, whose blocks ipse does not use in place", .0.display())]
    Kubo(PathBuf),
    /// It was written by a newer version.
    #[error("{} has repository format {format}, newer than {REPO_FORMAT}, the newest this version knows", path.display())]
    Newer {
        /// The repository.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// Its version file is not one.
    #[error("{} does not hold a version number", .0.display())]
    Version(PathBuf),
    /// A restoration into it was broken off.
    #[error("{} was not restored to its end", .0.display())]
    Unfinished(PathBuf),
    /// A backup names a file that no repository has.
    #[error("{0:?} is no file of a repository")]
    FileName(String),
    /// A key's name can't be a file's.
    #[error("key name {0:?} is empty or too long")]
    KeyName(String),
    /// A file could not be handled.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl ErrorKind for RepoError {
    fn kind(&self) -> Kind {
        match self {
            Self::Absent(_) => Kind::NotFound,
            Self::Exists(_) => Kind::Conflict,
            Self::Locked { .. } => Kind::Busy,
            Self::Kubo(_) | Self::Newer { .. } => Kind::Unsupported,
            Self::Version(_) => Kind::Corrupt,
            Self::Unfinished(_) => Kind::Conflict,
            Self::KeyName(_) | Self::FileName(_) => Kind::Invalid,
            Self::Disk(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent(_) => "please run: 'ipse init'".into(),
            Self::Exists(_) => "Reinitializing would overwrite your keys".into(),
            Self::Locked { holder, .. } => {
                let who = holder.map_or_else(|| "another process".into(), |id| format!("process {id}"));
                format!("{who} uses this repository: let it finish, or run `ipse shutdown` if it is a daemon")
            }
            Self::Kubo(path) => format!(
                "to move over: `ipse init` in another folder (name it by IPFS_PATH), then for each pin \
                 `IPFS_PATH={} ipfs dag export CID | ipse dag import`",
                path.display()
            ),
            Self::Newer { .. } => "use the version of ipse that wrote it, or a newer one".into(),
            Self::Version(path) => format!("restore {} from a backup", path.display()),
            Self::Unfinished(_) => "run `ipse restore` again, or remove the folder".into(),
            Self::FileName(_) => "use another backup".into(),
            Self::KeyName(_) => "choose another name for the key".into(),
            Self::Disk(error) => return error.hint(),
        })
    }
}

/// An open repository: its lock is held until the last clone is dropped.
#[derive(Clone)]
pub struct Repo {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    /// Address files that this process wrote, to be removed when it ends.
    published: Mutex<Vec<PathBuf>>,
    lock: Box<dyn HeldLock>,
}

impl Repo {
    /// Makes a repository in a folder, which is made too, with the bytes of its two configuration files:
    /// `config`, in the reference node's form, and our own `ipse.json`. Returns it open.
    ///
    /// # Errors
    /// [`RepoError::Exists`] (conflict) where there is one already; otherwise as [`Repo::open`].
    pub fn init(root: &Path, config: &[u8], settings: &[u8]) -> Result<Self, RepoError> {
        Self::init_on(Arc::new(RealDisk), root, config, settings)
    }

    /// As [`Repo::init`] on a disk of the caller's choice.
    ///
    /// # Errors
    /// As [`Repo::init`].
    pub fn init_on(
        disk: Arc<dyn Disk>,
        root: &Path,
        config: &[u8],
        settings: &[u8],
    ) -> Result<Self, RepoError> {
        let found = Self::state_on(disk.as_ref(), root)?;
        match found {
            RepoState::Absent if restore::is_unfinished(disk.as_ref(), root)? => {
                return Err(RepoError::Unfinished(root.to_path_buf()));
            }
            RepoState::Absent => {}
            RepoState::Ready => return Err(RepoError::Exists(root.to_path_buf())),
            other => other.check(root)?,
        }
        for dir in [root.to_path_buf(), root.join("blocks"), root.join("keystore")] {
            disk.create_dir(&dir).map_err(DiskError::of("create", &dir))?;
        }
        let repo = Self::locked(disk, root)?;
        // Two that start at once: the second one finds the first one's work once it has the lock.
        if Self::state_on(repo.disk().as_ref(), root)? == RepoState::Ready {
            return Err(RepoError::Exists(root.to_path_buf()));
        }
        repo.write_config(config)?;
        repo.write_settings(settings)?;
        // The version comes last: without it there is no repository yet, and init can be run again.
        repo.write("version", format!("{}\n", VERSION_BASE + REPO_FORMAT).as_bytes())?;
        crate::disk::sync_parent(repo.disk().as_ref(), root)?;
        Ok(repo)
    }

    /// Opens the repository in a folder and takes its lock.
    ///
    /// # Errors
    /// [`RepoError`]: not found, busy where another process has it, unsupported where it is Kubo's or newer.
    pub fn open(root: &Path) -> Result<Self, RepoError> {
        Self::open_on(Arc::new(RealDisk), root)
    }

    /// As [`Repo::open`] on a disk of the caller's choice.
    ///
    /// # Errors
    /// As [`Repo::open`].
    pub fn open_on(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, RepoError> {
        Self::state_on(disk.as_ref(), root)?.check(root)?;
        Self::locked(disk, root)
    }

    fn locked(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, RepoError> {
        let path = root.join("repo.lock");
        let held = take_lock(disk.as_ref(), path)?;
        let root = root.to_path_buf();
        Ok(Self { inner: Arc::new(Inner { root, disk, published: Mutex::default(), lock: held }) })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Whether its files can only be read, as things were when it was opened.
    pub fn is_read_only(&self) -> bool {
        self.inner.lock.is_shared()
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.inner.disk
    }

    pub(crate) fn blocks_dir(&self) -> PathBuf {
        self.root().join("blocks")
    }

    pub(crate) fn index_path(&self) -> PathBuf {
        self.root().join("index.redb")
    }
}

fn take_lock(disk: &dyn Disk, path: PathBuf) -> Result<Box<dyn HeldLock>, RepoError> {
    let mut tries = LOCK_TRIES;
    loop {
        if let Some(held) = disk.lock(&path).map_err(DiskError::of("lock", &path))? {
            return Ok(held);
        }
        tries -= 1;
        let holder = disk.lock_holder(&path);
        // A lock of this process that was given up lives on in a program that is just being started, until that runs.
        if tries == 0 || holder.is_some_and(|holder| holder != std::process::id()) {
            return Err(RepoError::Locked { holder, path });
        }
        std::thread::sleep(LOCK_PAUSE);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for path in lock(&self.published).drain(..) {
            // A file that is left behind misleads nobody for long: its address answers nothing.
            let _ = self.disk.remove(&path);
        }
    }
}

#[cfg(test)]
#[path = "repo_tests.rs"]
mod tests;
