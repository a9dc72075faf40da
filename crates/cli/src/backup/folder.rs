//! The folder: its names, its lock, and its files as they are written.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ipse_api::{Held, Manifest, Piece};

use super::FolderError;
use crate::error::FileError;

const MANIFEST: &str = "manifest";
const SEGMENTS: &str = "segments";
const FILES: &str = "files";
const LOCK: &str = "lock";
/// A manifest of 100 TiB has some 900 MiB; what is larger is none of ours.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// A folder with a backup, or for one.
pub(crate) struct Folder {
    root: PathBuf,
    /// Held while it is written.
    _lock: Option<File>,
}

impl Folder {
    /// A folder that is to be read.
    pub(crate) fn open(root: &Path) -> Self {
        Self { root: root.to_owned(), _lock: None }
    }

    /// A folder that is to be written: made where it is not there, and locked.
    pub(crate) fn create(root: &Path) -> Result<Self, FolderError> {
        make_dir(root)?;
        let names = list(root)?;
        let ours = |name: &String| [MANIFEST, SEGMENTS, FILES, LOCK].contains(&name.trim_end_matches(".new"));
        // An interrupted first backup has left no manifest.
        if !names.iter().all(ours) || (!names.is_empty() && !names.iter().any(|name| name == LOCK)) {
            return Err(FolderError::Foreign(root.to_owned()));
        }
        let path = root.join(LOCK);
        let lock = create(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Locked(root.to_owned())),
            Err(TryLockError::Error(error)) => return Err(FileError::at("lock", &path)(error).into()),
        }
        make_dir(&root.join(SEGMENTS))?;
        make_dir(&root.join(FILES))?;
        Ok(Self { root: root.to_owned(), _lock: Some(lock) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a segment. The marker in its name keeps it apart from any other of its number.
    pub(crate) fn segment(&self, held: &Held) -> PathBuf {
        self.root.join(SEGMENTS).join(format!("{:08}-{}.seg", held.number, held.marker))
    }

    /// The path of a small file, which is named after its content, so that two backups never fight over one.
    pub(crate) fn file(&self, hash: &Piece) -> PathBuf {
        self.root.join(FILES).join(hash.to_string())
    }

    /// What the folder holds; `None` in an empty one.
    pub(crate) fn manifest(&self) -> Result<Option<Manifest>, FolderError> {
        let path = self.root.join(MANIFEST);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::at("open", &path)(error).into()),
        };
        let mut bytes = Vec::new();
        file.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes).map_err(FileError::at("read", &path))?;
        Manifest::parse(&bytes).map(Some).map_err(|source| FolderError::Manifest { path, source })
    }

    /// Keeps a small file, durably but for its name.
    pub(crate) fn keep(&self, hash: &Piece, bytes: &[u8]) -> Result<(), FolderError> {
        replace(&self.file(hash), bytes)
    }

    /// From here on the folder holds what this manifest says.
    pub(crate) fn commit(&self, manifest: &Manifest) -> Result<(), FolderError> {
        sync_dir(&self.root.join(SEGMENTS))?;
        sync_dir(&self.root.join(FILES))?;
        let path = self.root.join(MANIFEST);
        let bytes =
            manifest.to_bytes().map_err(|source| FolderError::Manifest { path: path.clone(), source })?;
        replace(&path, &bytes)?;
        sync_dir(&self.root)
    }

    /// Removes what the manifest does not name. What can't be removed now is so the next time.
    pub(crate) fn sweep(&self, manifest: &Manifest) -> Result<(), FolderError> {
        let segments = manifest.segments.iter().map(|segment| self.segment(&segment.held()));
        let files = manifest.files.iter().map(|file| self.file(&file.hash));
        let keep: std::collections::HashSet<PathBuf> = segments.chain(files).collect();
        for dir in [self.root.join(SEGMENTS), self.root.join(FILES)] {
            for path in list(&dir)?.into_iter().map(|name| dir.join(name)).filter(|path| !keep.contains(path))
            {
                let _ = std::fs::remove_file(path);
            }
        }
        Ok(())
    }
}

fn make_dir(path: &Path) -> Result<(), FileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::at("create", path))
}

fn list(dir: &Path) -> Result<Vec<String>, FileError> {
    let entries = std::fs::read_dir(dir).map_err(FileError::at("list", dir))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names.collect::<io::Result<_>>().map_err(FileError::at("list", dir))
}

/// Opens a file for writing, readable by its owner only.
pub(super) fn create(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(FileError::at("create", path))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let new = path.with_extension("new");
    let mut file = create(&new)?;
    let written = file.set_len(0).and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all());
    written.map_err(FileError::at("write", &new))?;
    Ok(std::fs::rename(&new, path).map_err(FileError::at("replace", path))?)
}

fn sync_dir(path: &Path) -> Result<(), FolderError> {
    let synced = File::open(path).and_then(|dir| dir.sync_all());
    Ok(synced.map_err(FileError::at("sync", path))?)
}
