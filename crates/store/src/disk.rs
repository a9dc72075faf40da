//! Disk: the narrow seam that every file operation of this crate goes through.
//!
//! It stands below everything else here: the log, the index and the repository files know no other way to a
//! file. There are two implementations: the real one, and a fake one that forgets what was not synced
//! ([`crate::fault`]), so that power loss and failing calls are ordinary test cases.

pub(crate) mod real;

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipse_base::{ErrorKind, Kind};

/// What opening a file does about one that is there, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// The file must be there.
    Existing,
    /// The file is made, readable by its owner only, where it is not there.
    Create,
    /// The file must not be there.
    CreateNew,
}

/// Files by path.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing. One that is there and can't be written now is opened nevertheless, and
    /// each write tries again.
    ///
    /// # Errors
    /// The system's error.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// The names in a directory, in no order.
    ///
    /// # Errors
    /// The system's error.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Whether a file or directory is there.
    ///
    /// # Errors
    /// The system's error.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Makes a directory and those above it; one that is there is left as it is.
    ///
    /// # Errors
    /// The system's error.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Renames a file, replacing the one at `to`.
    ///
    /// # Errors
    /// The system's error.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's error.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: a new, renamed or removed file is so only after this.
    ///
    /// # Errors
    /// The system's error.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes of the file system that a path is on, or would be.
    ///
    /// # Errors
    /// The system's error.
    fn bytes(&self, path: &Path) -> io::Result<u64>;

    /// Takes a lock that ends with the process at the latest; `None` where somebody else holds it. On a file that
    /// can't be written the lock is shared with others who only read.
    ///
    /// # Errors
    /// The system's error.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn HeldLock>>>;

    /// The process that holds a lock, where that can be told.
    fn lock_holder(&self, _path: &Path) -> Option<u32> {
        None
    }

    /// A number that nobody can foretell.
    fn random(&self) -> u64;
}

/// A lock that is held until this value is dropped.
pub trait HeldLock: Send + Sync {
    /// Whether others who only read may hold it too, since the file can't be written.
    fn is_shared(&self) -> bool;
}

/// One open file. Reads and writes name their offset, so a handle may be shared between threads.
pub trait DiskFile: Send + Sync {
    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file ends before, or the system's error.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Fills `out` from `offset` if that needs no waiting for the medium; answers false where it does, or where
    /// the system can't tell. `out` holds anything then.
    ///
    /// # Errors
    /// As [`DiskFile::read_at`].
    fn read_now(&self, _offset: u64, _out: &mut [u8]) -> io::Result<bool> {
        Ok(false)
    }

    /// Reads `length` bytes from `offset` into new memory.
    ///
    /// # Errors
    /// As [`DiskFile::read_at`].
    fn read_vec(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes all parts one behind the other from `offset`. On an error any part of them may be written.
    ///
    /// # Errors
    /// The system's error.
    fn write_at(&self, offset: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()>;

    /// Lets the medium begin with what was written to a range, so that a later sync has less to wait for. A
    /// wish: it promises nothing, and a system that can't do it does nothing.
    fn begin_writing(&self, _offset: u64, _length: u64) {}

    /// Makes everything written so far durable, the file's length included.
    ///
    /// # Errors
    /// The system's error. What was written since the last success may then be lost, even if a later call
    /// succeeds.
    fn sync_data(&self) -> io::Result<()>;

    /// Lets go of what the system holds in memory from `offset` on and is on the medium, as far as it knows; so a
    /// read after it shows what the medium has. No more than a wish: it is done where the system can.
    fn forget_cached(&self, offset: u64);

    /// Sets the length; new bytes are zero.
    ///
    /// # Errors
    /// The system's error.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// The system's error.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// The system's error.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Bytes that the file occupies; holes take none.
    ///
    /// # Errors
    /// The system's error.
    fn allocated(&self) -> io::Result<u64>;

    /// Makes a file at least so long, and takes the space for all of it, so that a full disk does not take it
    /// away again; new bytes are zero. Answers false where the file system can't do that, and changes nothing then.
    /// On an error part of it may be taken.
    ///
    /// # Errors
    /// The system's error.
    fn allocate(&self, length: u64) -> io::Result<bool>;

    /// Gives a range back to the file system; it reads as zeros afterwards. Answers false where the file
    /// system can't do that, and changes nothing then.
    ///
    /// # Errors
    /// The system's error.
    fn punch(&self, offset: u64, length: u64) -> io::Result<bool>;
}

/// A file operation that failed: which, on what, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
pub struct DiskError {
    /// What was being done.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's answer.
    pub source: Arc<io::Error>,
}

impl DiskError {
    /// For `map_err`: names the operation and the file.
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self { action, path, source: Arc::new(source) }
    }
}

impl ErrorKind for DiskError {
    fn kind(&self) -> Kind {
        use io::ErrorKind as Io;
        match self.source.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => Kind::Full,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => Kind::Denied,
            Io::NotFound => Kind::NotFound,
            Io::UnexpectedEof | Io::InvalidData => Kind::Corrupt,
            _ => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self.kind() {
            Kind::Full => Some("free space on this disk, for example with `ipse repo gc`".into()),
            Kind::Denied => {
                Some(format!("check who owns {} and whether it is writable", self.path.display()))
            }
            _ => None,
        }
    }
}

/// A whole small file, or `None` where it is not there.
///
/// # Errors
/// [`DiskError`]; a file over `limit` bytes is `InvalidData`, so that a wrong file is not taken into memory.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, DiskError> {
    let file = match disk.open(path, OpenMode::Existing) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DiskError::of("open", path)(error)),
    };
    let length = file.len().map_err(DiskError::of("measure", path))?;
    let length = usize::try_from(length.min(limit + 1)).unwrap_or(usize::MAX);
    if length as u64 > limit {
        return Err(DiskError::of("read", path)(io::Error::new(
            io::ErrorKind::InvalidData,
            "file is too large",
        )));
    }
    file.read_vec(0, length).map(Some).map_err(DiskError::of("read", path))
}

/// Replaces a whole small file: readers see the old or the new one, and after return the new one survives
/// power loss.
///
/// # Errors
/// [`DiskError`]; the old file is then still there.
pub(crate) fn write_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    replace(disk, path, bytes, |file| file.sync_data())?;
    sync_parent(disk, path)
}

/// Replaces a whole small file that means nothing after a power cut, which may leave the old one, the new one
/// or an empty one.
///
/// # Errors
/// [`DiskError`]; the old file is then still there.
pub(crate) fn write_passing_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    replace(disk, path, bytes, |_| Ok(()))
}

fn replace(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    sync: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> Result<(), DiskError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let file = disk.open(&temporary, OpenMode::Create).map_err(DiskError::of("create", &temporary))?;
    let written = file
        .set_len(0)
        .and_then(|()| file.write_at(0, &mut [IoSlice::new(bytes)]))
        .and_then(|()| sync(file.as_ref()))
        .map_err(DiskError::of("write", &temporary))
        .and_then(|()| disk.rename(&temporary, path).map_err(DiskError::of("replace", path)));
    if written.is_err() {
        // Nothing depends on the temporary file; leaving it behind on a failing disk does no harm.
        let _ = disk.remove(&temporary);
    }
    written
}

/// Makes a new, renamed or removed name durable.
pub(crate) fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), DiskError> {
    let dir = path.parent().unwrap_or(path);
    disk.sync_dir(dir).map_err(DiskError::of("sync", dir))
}
