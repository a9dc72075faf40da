//! The real disk: positioned reads and writes by system calls, one process's lock by `flock`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustix::fs::{FlockOperation, flock};

use super::{Disk, DiskFile, HeldLock, OpenMode};

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(mode == OpenMode::Create)
            .create_new(mode == OpenMode::CreateNew)
            .truncate(false)
            .mode(0o600)
            .open(path);
        match file {
            Err(error) if mode != OpenMode::CreateNew && takes_no_writes(&error) => {
                Ok(Arc::new(RealFile { file: File::open(path)?, read_only: true, writing: OnceLock::new() }))
            }
            file => Ok(Arc::new(RealFile { file: file?, read_only: false, writing: OnceLock::new() })),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(dir)?;
        // Our own names are ASCII; a name that is not UTF-8 is somebody else's and of no interest.
        entries.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned())).collect()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn bytes(&self, path: &Path) -> io::Result<u64> {
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
        let system = rustix::fs::statvfs(there)?;
        Ok(system.f_blocks.saturating_mul(system.f_frsize))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn HeldLock>>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let (file, shared) = match file {
            Err(error) if takes_no_writes(&error) => (File::open(path)?, true),
            file => (file?, false),
        };
        let wanted = match shared {
            true => FlockOperation::NonBlockingLockShared,
            false => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, wanted) {
            Ok(()) => Ok(Some(Box::new(RealLock { _file: file, shared }))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn lock_holder(&self, path: &Path) -> Option<u32> {
        let file = std::fs::metadata(path).ok()?;
        let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
        holder(
            &std::fs::read_to_string("/proc/locks").ok()?,
            &format!("{major:02x}:{minor:02x}:{}", file.ino()),
        )
    }

    fn random(&self) -> u64 {
        RandomState::new().hash_one(std::process::id())
    }
}

/// The process that has a file locked, in the system's table of locks.
#[cfg(target_os = "linux")]
fn holder(locks: &str, file: &str) -> Option<u32> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut held = locks.lines().map(words).filter(|words| words.get(1).is_some_and(|word| word == "FLOCK"));
    held.find(|words| words.get(5).is_some_and(|word| word == file))?.get(4)?.parse().ok()
}

fn takes_no_writes(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

/// The descriptor that holds the lock; the system frees it however the process ends.
struct RealLock {
    _file: File,
    shared: bool,
}

impl HeldLock for RealLock {
    fn is_shared(&self) -> bool {
        self.shared
    }
}

struct RealFile {
    file: File,
    read_only: bool,
    /// Of one that could not be opened for writing: the same file, once that is possible.
    writing: OnceLock<File>,
}

impl RealFile {
    fn writing(&self) -> io::Result<&File> {
        if !self.read_only {
            return Ok(&self.file);
        }
        match self.writing.get() {
            Some(file) => Ok(file),
            None => {
                let again = writable_again(&self.file)?;
                Ok(self.writing.get_or_init(|| again))
            }
        }
    }
}

/// The same file, whatever its name is by now, for writing.
#[cfg(target_os = "linux")]
fn writable_again(file: &File) -> io::Result<File> {
    use std::os::fd::AsRawFd;
    OpenOptions::new().read(true).write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(not(target_os = "linux"))]
fn writable_again(_file: &File) -> io::Result<File> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn read_now(&self, offset: u64, out: &mut [u8]) -> io::Result<bool> {
        read_now(&self.file, offset, out)
    }

    fn read_vec(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = offset + bytes.len() as u64;
            // The kernel fills the spare capacity, so that no time goes into zeroing it first. A vector may
            // have more of it than asked for; reading a little too much is cut off below.
            match rustix::io::pread(&self.file, rustix::buffer::spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn write_at(&self, offset: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        write_all(self.writing()?, offset, parts)
    }

    fn begin_writing(&self, offset: u64, length: u64) {
        begin_writing(&self.file, offset, length);
    }

    fn sync_data(&self) -> io::Result<()> {
        self.writing.get().unwrap_or(&self.file).sync_data()
    }

    fn forget_cached(&self, offset: u64) {
        forget_cached(&self.file, offset);
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.writing()?.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn allocated(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.blocks() * 512)
    }

    fn allocate(&self, length: u64) -> io::Result<bool> {
        allocate(self.writing()?, length)
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<bool> {
        punch(self.writing()?, offset, length)
    }
}

#[cfg(target_os = "linux")]
fn write_all(file: &File, mut offset: u64, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Empty parts at the front would make a write of zero bytes look like a full disk.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match rustix::io::pwritev(file, parts, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut parts, written);
                offset += written as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn write_all(file: &File, mut offset: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    for part in parts {
        file.write_all_at(part, offset)?;
        offset += part.len() as u64;
    }
    Ok(())
}

/// Reads what the page cache has.
#[cfg(target_os = "linux")]
fn read_now(file: &File, offset: u64, out: &mut [u8]) -> io::Result<bool> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let mut done = 0;
    while done < out.len() {
        let rest = &mut out[done..];
        match preadv2(file, &mut [io::IoSliceMut::new(rest)], offset + done as u64, ReadWriteFlags::NOWAIT) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(Errno::INTR) => {}
            // Not in memory; or a file system that can't tell, such as tmpfs.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
fn read_now(_file: &File, _offset: u64, _out: &mut [u8]) -> io::Result<bool> {
    Ok(false)
}

/// Linux answers this advice by writing the dirty pages of the range without waiting for them. Only pages that
/// are clean already leave the page cache, which fresh ones are not.
#[cfg(target_os = "linux")]
fn begin_writing(file: &File, offset: u64, length: u64) {
    let length = std::num::NonZeroU64::new(length);
    // Advice: what it can't do, the sync does.
    let _ = rustix::fs::fadvise(file, offset, length, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn begin_writing(_file: &File, _offset: u64, _length: u64) {}

#[cfg(target_os = "linux")]
fn forget_cached(file: &File, offset: u64) {
    // Where it can't be done, a read shows what memory has, as it would without this.
    let _ = rustix::fs::fadvise(file, offset, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn forget_cached(_file: &File, _offset: u64) {}

#[cfg(target_os = "linux")]
fn allocate(file: &File, length: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_file: &File, _length: u64) -> io::Result<bool> {
    Ok(false)
}

#[cfg(target_os = "linux")]
fn punch(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn punch(_file: &File, _offset: u64, _length: u64) -> io::Result<bool> {
    Ok(false)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_holder_of_a_lock_is_found_in_the_systems_table() {
        let locks = "1: FLOCK  ADVISORY  READ 12 fe:00:71 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 13 fe:00:7 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 14 fe:00:7 0 EOF\n3: FLOCK  ADVISORY  WRITE 15 fe:00:7 0 EOF\n";
        assert_eq!(super::holder(locks, "fe:00:7"), Some(15));
        assert_eq!(super::holder(locks, "fe:00:8"), None);
    }
}
