//! Backup: the stream by which a node hands over what a folder does not have yet, and the manifest of that
//! folder. Layouts: `docs/formats/backup.md`.
//!
//! The node never sees the folder, and whoever writes the folder never opens the repository's segments.

mod manifest;
mod stream;

pub use manifest::{FileEntry, Manifest, ManifestError, PIECE_BYTES, Piece, SegmentEntry};
pub use stream::{
    BackupBegin, BackupEnd, BackupFrame, BackupSegment, DATA_BYTES_MAX, FrameReader, StreamError,
};

use serde::{Deserialize, Serialize};

use crate::InvocationError;

/// How much of a segment there is: of the repository, or of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Held {
    /// The segment's number.
    pub number: u32,
    /// Its marker, sixteen hexadecimal digits.
    pub marker: Marker,
    /// Bytes from its start.
    pub length: u64,
}

/// The random number that tells a segment from any other of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Marker(pub u64);

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Marker> for String {
    fn from(marker: Marker) -> Self {
        marker.to_string()
    }
}

impl TryFrom<String> for Marker {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(&text, 16).ok().filter(|_| digits);
        number.map(Self).ok_or("a marker has sixteen hexadecimal digits")
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.number, self.marker, self.length)
    }
}

impl std::str::FromStr for Held {
    type Err = InvocationError;

    /// Reads `NUMBER-MARKER-LENGTH`, as requests carry it.
    fn from_str(text: &str) -> Result<Self, InvocationError> {
        let mut parts = text.splitn(3, '-');
        let held = (|| {
            let number = parts.next()?.parse().ok()?;
            let marker = Marker::try_from(parts.next()?.to_owned()).ok()?;
            Some(Self { number, marker, length: parts.next()?.parse().ok()? })
        })();
        let wrong = || InvocationError::Value { option: "have", kind: "segment", value: text.to_owned() };
        held.ok_or_else(wrong)
    }
}

/// What a backup or a restoration did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BackupDone {
    /// The node.
    pub peer: String,
    /// Blocks in it, by the index.
    pub blocks: u64,
    /// Segments in it.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that were new.
    pub copied: u64,
}

#[cfg(test)]
mod tests;
