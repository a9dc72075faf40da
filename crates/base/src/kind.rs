//! The eleven kinds of error. Every error of every crate answers one of them, and each door owns one table
//! from kind to its own language.

/// What sort of failure an error is, as far as a caller needs to know to decide what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nobody we asked has it, or the name is not there.
    NotFound,
    /// The request can never succeed as it stands.
    Invalid,
    /// Policy or permission forbids it.
    Denied,
    /// It contradicts what is there already.
    Conflict,
    /// Understood, and not something this node does.
    Unsupported,
    /// It may be had, but not from here now: offline, or nobody provides it.
    Unavailable,
    /// A limit is reached or a lock is held; try again soon.
    Busy,
    /// The disk or a quota is full.
    Full,
    /// No answer within the bound.
    Timeout,
    /// Bytes do not match their name, checksum or format.
    Corrupt,
    /// Our own fault.
    Internal,
}

impl Kind {
    /// The kind's name in words, as it stands in logs and in `--json` errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Full => "full",
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error that knows its kind.
pub trait ErrorKind: std::error::Error {
    /// The kind of this error; see [`Kind`].
    fn kind(&self) -> Kind;

    /// What the person at the keyboard should do next, as a sentence; printed on a second line by the command
    /// line and never sent over the RPC.
    fn hint(&self) -> Option<String> {
        None
    }
}
