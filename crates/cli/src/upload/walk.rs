//! Walk: what is below a path of the file system, in depth-first order, names sorted by their bytes.
//!
//! Invariant: an entry that can't be read is an item that says so, never the end of the walk. At most one
//! listing for each level is held, and one file is open at a time.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::multipart::Stamp;
use crate::error::FileError;

/// What a walk takes and follows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WalkOptions {
    /// Names that start with a dot, below the path itself.
    pub(crate) hidden: bool,
    /// Symbolic links stand for what they lead to.
    pub(crate) follow_links: bool,
    /// Permissions travel along.
    pub(crate) modes: bool,
    /// Times of change travel along.
    pub(crate) times: bool,
}

/// One entry.
pub(super) struct Found {
    /// Its path below the walk's parent, with `/` between the parts.
    pub(super) name: Vec<u8>,
    /// Permissions and time, as far as they travel.
    pub(super) stamp: Stamp,
    pub(super) kind: FoundKind,
}

/// What an entry is.
pub(super) enum FoundKind {
    /// A directory; its entries follow.
    Directory,
    /// A file, open.
    File { path: PathBuf, file: File },
    /// A symbolic link and where it leads.
    Symlink(Vec<u8>),
}

/// Why an entry is left out.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalkError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// No file, directory or symbolic link.
    #[error("unrecognized file type for {}: {kind}", path.display())]
    Kind { path: PathBuf, kind: &'static str },
    /// A name that no entry can have.
    #[error("{}: the name is not valid UTF-8", .0.display())]
    Name(PathBuf),
    /// A link leads back to a directory that is being walked.
    #[error("symbolic link {} leads back to a folder around it", .0.display())]
    Circle(PathBuf),
}

/// The walk, an iterator.
pub(super) struct Walk {
    options: WalkOptions,
    /// The path itself, until it was visited.
    start: Option<(PathBuf, OsString)>,
    levels: Vec<Level>,
}

/// A directory whose entries are being visited.
struct Level {
    path: PathBuf,
    name: Vec<u8>,
    identity: (u64, u64),
    /// Sorted backwards: the next one is the last.
    names: Vec<OsString>,
}

impl Walk {
    pub(super) fn new(path: PathBuf, name: OsString, options: WalkOptions) -> Self {
        Self { options, start: Some((path, name)), levels: Vec::new() }
    }

    fn visit(&mut self, path: PathBuf, name: Vec<u8>) -> Result<Found, WalkError> {
        if std::str::from_utf8(&name).is_err() {
            return Err(WalkError::Name(path));
        }
        let metadata = self.metadata(&path)?;
        let stamp = Stamp::of(&metadata, self.options);
        let kind = metadata.file_type();
        let kind = if kind.is_dir() {
            self.enter(path, name.clone(), &metadata)?;
            FoundKind::Directory
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(FileError::at("readlink", &path))?;
            FoundKind::Symlink(target.into_os_string().into_vec())
        } else if kind.is_file() || (kind.is_fifo() && self.levels.is_empty()) {
            // A pipe that was named on the command line is meant to be read; others would wait forever.
            let file = File::open(&path).map_err(FileError::at("open", &path))?;
            FoundKind::File { path, file }
        } else {
            return Err(WalkError::Kind { path, kind: special(&metadata) });
        };
        Ok(Found { name, stamp, kind })
    }

    fn metadata(&self, path: &Path) -> Result<Metadata, FileError> {
        if self.options.follow_links {
            fs::metadata(path).map_err(FileError::at("stat", path))
        } else {
            fs::symlink_metadata(path).map_err(FileError::at("lstat", path))
        }
    }

    fn enter(&mut self, path: PathBuf, name: Vec<u8>, metadata: &Metadata) -> Result<(), WalkError> {
        let identity = (metadata.dev(), metadata.ino());
        if self.levels.iter().any(|level| level.identity == identity) {
            return Err(WalkError::Circle(path));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(FileError::at("open", &path))? {
            let entry = entry.map_err(FileError::at("readdirent", &path))?;
            let name = entry.file_name();
            if self.options.hidden || !name.as_bytes().starts_with(b".") {
                names.push(name);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        self.levels.push(Level { path, name, identity, names });
        Ok(())
    }

    fn next_entry(&mut self) -> Option<(PathBuf, Vec<u8>)> {
        if let Some((path, name)) = self.start.take() {
            return Some((path, name.into_vec()));
        }
        loop {
            let level = self.levels.last_mut()?;
            if let Some(name) = level.names.pop() {
                let full = [&level.name, b"/".as_slice(), name.as_bytes()].concat();
                return Some((level.path.join(name), full));
            }
            self.levels.pop();
        }
    }
}

impl Iterator for Walk {
    type Item = Result<Found, WalkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (path, name) = self.next_entry()?;
        Some(self.visit(path, name))
    }
}

impl Stamp {
    fn of(metadata: &Metadata, options: WalkOptions) -> Self {
        Self {
            mode: options.modes.then(|| metadata.mode() & 0o7777),
            time: options.times.then(|| (metadata.mtime(), metadata.mtime_nsec())),
        }
    }
}

fn special(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}

/// Bytes of all files that a walk would read; what can't be read counts nothing.
pub(crate) fn total_bytes(path: &Path, name: &OsStr, options: WalkOptions) -> u64 {
    let mut total = 0;
    for found in Walk::new(path.to_owned(), name.to_owned(), options) {
        if let Ok(Found { kind: FoundKind::File { file, .. }, .. }) = found {
            total += file.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    total
}
