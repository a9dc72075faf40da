//! The manifest: what a folder with a backup holds, and the checksums of all of it.

use ipse_base::{ErrorKind, HashCode, Kind, Multihash};
use serde::{Deserialize, Serialize};

use super::{Held, Marker};

/// The format of the folder.
const FORMAT: u32 = 1;
/// Bytes of a segment that have a hash of their own; the last piece of a segment may be shorter.
pub const PIECE_BYTES: u64 = 8 * 1024 * 1024;
/// A segment stays under 32 GiB.
const SEGMENT_BYTES_MAX: u64 = 32 << 30;
/// Longest name of a file.
const NAME_BYTES_MAX: usize = 255;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Manifest {
    /// The format of the folder, 1.
    pub format: u32,
    /// The node.
    pub peer: String,
    /// When the backup was made, in seconds since 1970.
    pub made: u64,
    /// Blocks in it, by the index.
    pub blocks: u64,
    /// The segments, in order.
    pub segments: Vec<SegmentEntry>,
    /// The small files of the repository: configuration and keys.
    pub files: Vec<FileEntry>,
}

/// A segment in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SegmentEntry {
    /// How much of which segment.
    #[serde(flatten)]
    pub held: HeldFields,
    /// The hashes of its pieces, in order.
    pub pieces: Vec<Piece>,
}

/// [`Held`] among other fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HeldFields {
    number: u32,
    marker: Marker,
    length: u64,
}

impl SegmentEntry {
    /// A segment with the hashes of its pieces.
    pub fn new(held: &Held, pieces: Vec<Piece>) -> Self {
        let &Held { number, marker, length } = held;
        Self { held: HeldFields { number, marker, length }, pieces }
    }

    /// How much of which segment.
    pub fn held(&self) -> Held {
        let HeldFields { number, marker, length } = self.held;
        Held { number, marker, length }
    }
}

/// The SHA-256 of a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Piece([u8; 32]);

impl Piece {
    /// Of a hash that was computed piece by piece; `None` where it is not SHA-256.
    pub fn of_hash(hash: &Multihash) -> Option<Self> {
        (hash.code() == HashCode::SHA2_256).then(|| hash.digest().try_into().ok().map(Self)).flatten()
    }

    /// Of bytes that are all there.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        Self::of_hash(&Multihash::digest_of(HashCode::SHA2_256, bytes).ok()?)
    }
}

impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Piece> for String {
    fn from(piece: Piece) -> Self {
        piece.to_string()
    }
}

impl TryFrom<String> for Piece {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut out = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        let whole = text.len() == 64
            && out.iter_mut().zip(pairs).all(|(out, pair)| {
                digit(pair[0]).zip(digit(pair[1])).map(|(high, low)| *out = high << 4 | low).is_some()
            });
        whole.then_some(Self(out)).ok_or("a hash has 64 hexadecimal digits")
    }
}

/// A small file in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FileEntry {
    /// Its path in the repository.
    pub name: String,
    /// Its bytes.
    pub length: u64,
    /// Their hash, which is its name in the folder.
    pub hash: Piece,
}

/// Why bytes are no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The checksum does not hold, or there is none.
    #[error("the manifest is damaged")]
    Checksum,
    /// It is whole, and can't be understood.
    #[error("the manifest can't be read: {0}")]
    Content(#[from] serde_json::Error),
    /// A newer version wrote it.
    #[error("the backup has format {0}, newer than this version reads")]
    Newer(u32),
    /// It contradicts itself.
    #[error("the manifest contradicts itself: {0}")]
    Inconsistent(&'static str),
}

impl ErrorKind for ManifestError {
    fn kind(&self) -> Kind {
        match self {
            Self::Newer(_) => Kind::Unsupported,
            _ => Kind::Corrupt,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Newer(_) => "use the version of ipse that wrote it, or a newer one".into(),
            _ => "use another backup; a new one can be made into an empty folder".into(),
        })
    }
}

impl Manifest {
    /// A manifest of this format.
    pub fn new(peer: String, made: u64) -> Self {
        Self { format: FORMAT, peer, made, blocks: 0, segments: Vec::new(), files: Vec::new() }
    }

    /// The file's bytes: a line of JSON, and a line with its hash.
    ///
    /// # Errors
    /// [`ManifestError`] where it can't be expressed; a mistake of ours.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let mut out = serde_json::to_vec(self)?;
        out.push(b'\n');
        let hash = Piece::of(&out).ok_or(ManifestError::Checksum)?;
        out.extend_from_slice(format!("sha256:{hash}\n").as_bytes());
        Ok(out)
    }

    /// Reads a manifest, and checks that what it says goes together.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let end = bytes.iter().position(|&byte| byte == b'\n').ok_or(ManifestError::Checksum)? + 1;
        let (line, rest) = bytes.split_at(end);
        let hash = Piece::of(line).ok_or(ManifestError::Checksum)?;
        if rest != format!("sha256:{hash}\n").as_bytes() {
            return Err(ManifestError::Checksum);
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(line)?;
        if format > FORMAT {
            return Err(ManifestError::Newer(format));
        }
        let manifest: Self = serde_json::from_slice(line)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let wrong = ManifestError::Inconsistent;
        let mut before = None;
        for segment in &self.segments {
            let Held { number, length, .. } = segment.held();
            if before.is_some_and(|before| number <= before) || number == 0 {
                return Err(wrong("segments are not in order"));
            }
            if length > SEGMENT_BYTES_MAX || segment.pieces.len() as u64 != length.div_ceil(PIECE_BYTES) {
                return Err(wrong("a segment's pieces are not its length"));
            }
            before = Some(number);
        }
        let names: std::collections::BTreeSet<_> = self.files.iter().map(|file| &file.name).collect();
        if names.len() != self.files.len() {
            return Err(wrong("a file stands there twice"));
        }
        if self.files.iter().any(|file| file.name.len() > NAME_BYTES_MAX) {
            return Err(wrong("a file's name is too long"));
        }
        Ok(())
    }

    /// Bytes of all segments.
    pub fn segment_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.held.length).sum()
    }
}
