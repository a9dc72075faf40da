//! Metadata: the mode and the time that a file, folder or symlink may carry (UnixFS 1.5).

/// Permission bits of a mode: the rest of the field is reserved.
const PERMISSION_BITS: u32 = 0xfff;

/// When something was last changed: seconds since 1970-01-01T00:00:00Z, negative before, and nanoseconds
/// after that second, below 1,000,000,000.
pub type Mtime = (i64, u32);

/// Mode and time, each where there is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Unix permission bits, set-user-id and its like included.
    pub(crate) mode: Option<u32>,
    pub(crate) mtime: Option<Mtime>,
}

impl Metadata {
    /// Only what a reader may believe: permission bits that are not all zero, nanoseconds that are fractions.
    pub(crate) fn normalised(self) -> Self {
        Self {
            mode: self.mode.map(|mode| mode & PERMISSION_BITS).filter(|&mode| mode != 0),
            mtime: self.mtime.filter(|&(_, nanos)| nanos < 1_000_000_000),
        }
    }
}
