//! A file that a client handed over: its open descriptor, read where it lies.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use ipse_node::FileSource;
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};

use super::LocalError;

/// A descriptor that may be read. It was opened by its owner; nothing is opened here.
#[derive(Debug)]
pub(crate) struct LocalFile(OwnedFd);

impl LocalFile {
    /// Checks what was handed over: anything but a regular file could block whoever reads it, or be something
    /// that its owner may not read.
    ///
    /// # Errors
    /// [`LocalError::Descriptor`].
    pub(super) fn new(descriptor: OwnedFd) -> Result<Self, LocalError> {
        let kind = fstat(&descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let flags = fcntl_getfl(&descriptor);
        match (kind, flags) {
            (Ok(FileType::RegularFile), Ok(flags))
                if !flags.contains(OFlags::PATH) && (flags & OFlags::ACCMODE) != OFlags::WRONLY =>
            {
                Ok(Self(descriptor))
            }
            _ => Err(LocalError::Descriptor),
        }
    }
}

impl FileSource for LocalFile {
    fn length(&self) -> io::Result<u64> {
        Ok(u64::try_from(fstat(&self.0)?.st_size).unwrap_or_default())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.0, out, offset)?)
    }
}

/// No two owners hold one descriptor.
impl PartialEq for LocalFile {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_raw_fd() == other.0.as_raw_fd()
    }
}

impl Eq for LocalFile {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_that_may_be_read_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let file = std::fs::File::create(&path).unwrap();
        assert_eq!(
            LocalFile::new(file.into()).err(),
            Some(LocalError::Descriptor),
            "opened for writing only"
        );
        std::fs::write(&path, "hello").unwrap();
        let file = LocalFile::new(std::fs::File::open(&path).unwrap().into()).unwrap();
        let mut out = [0; 8];
        assert_eq!((file.length().unwrap(), file.read_at(2, &mut out).unwrap()), (5, 3));
        assert_eq!(&out[..3], b"llo");
        let directory = std::fs::File::open(folder.path()).unwrap();
        assert_eq!(LocalFile::new(directory.into()).err(), Some(LocalError::Descriptor));
        let (pipe, _other) = std::io::pipe().unwrap();
        assert_eq!(LocalFile::new(pipe.into()).err(), Some(LocalError::Descriptor));
        let only_path = rustix::fs::open(&path, OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        assert_eq!(LocalFile::new(only_path).err(), Some(LocalError::Descriptor));
    }
}
