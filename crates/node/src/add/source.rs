//! A file that lies open somewhere and is read in place.

use std::io;

/// A file that is read where it is, at any offset, by several threads at once. Doors hand one over instead of the
/// bytes, so that the threads that hash do the reading too and nothing is copied on the way.
pub trait FileSource: Send + Sync {
    /// Bytes that the file has. Asked once; bytes that come to it later are not read.
    ///
    /// # Errors
    /// The system's error.
    fn length(&self) -> io::Result<u64>;

    /// Reads from `offset` into the front of `out`; answers how many bytes there were, zero at the file's end.
    ///
    /// # Errors
    /// The system's error.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize>;
}
