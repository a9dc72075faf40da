//! The stream: frames, each with a checksum.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ipse_base::{ErrorKind, Kind};
use serde::{Deserialize, Serialize};

use super::{Held, Marker};

const MAGIC: [u8; 8] = *b"ipse-bk1";
const HEAD_BYTES: usize = 12;
/// Bytes of a segment in one frame at the most.
pub const DATA_BYTES_MAX: usize = 1024 * 1024;
/// The last frame lists every segment; this is enough for some 40,000 of them.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What stands first in a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BackupBegin {
    /// The node.
    pub peer: String,
    /// Bytes to come, as things stand; more where the node goes on writing.
    pub bytes: u64,
}

/// A stretch of a segment follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BackupSegment {
    /// The segment's number.
    pub number: u32,
    /// Its marker.
    pub marker: Marker,
    /// Where the stretch begins: at zero, or where the folder's copy ends.
    pub from: u64,
}

/// What stands last: a stream without it is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BackupEnd {
    /// All segments of the backup, those included of which nothing was new.
    pub segments: Vec<Held>,
    /// Blocks in them, by the index.
    pub blocks: u64,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupFrame {
    /// The first.
    Begin(BackupBegin),
    /// What follows belongs to this segment.
    Segment(BackupSegment),
    /// Bytes of it.
    Data(Bytes),
    /// So many zeros of it.
    Zeros(u64),
    /// The last.
    End(BackupEnd),
}

/// Why bytes are no stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// It begins with something else.
    #[error("the answer is no backup stream")]
    Magic,
    /// A frame's checksum does not hold.
    #[error("the backup stream is damaged")]
    Checksum,
    /// A frame is longer than any that is written.
    #[error("a frame of {0} bytes is over the limit")]
    TooLong(usize),
    /// A frame of an unknown kind.
    #[error("frame of unknown kind {0}")]
    Kind(u8),
    /// A frame's content can't be understood.
    #[error("frame: {0}")]
    Content(#[from] serde_json::Error),
    /// A frame where it must not stand.
    #[error("the frames of the backup stream are not in order")]
    Order,
    /// It ends before its last frame.
    #[error("the backup stream was cut off")]
    Short,
}

impl ErrorKind for StreamError {
    fn kind(&self) -> Kind {
        Kind::Corrupt
    }

    fn hint(&self) -> Option<String> {
        Some("run the backup again; what was there before is untouched".into())
    }
}

impl BackupFrame {
    /// What stands in front of the first frame.
    pub const MAGIC: [u8; 8] = MAGIC;

    /// The frame as bytes: its head with a small content, and data apart, so that it is not copied.
    ///
    /// # Errors
    /// [`StreamError::Content`] where a value can't be expressed; a mistake of ours.
    pub fn encode(self) -> Result<(Bytes, Bytes), StreamError> {
        let (kind, content) = match self {
            Self::Begin(begin) => (1, serde_json::to_vec(&begin)?.into()),
            Self::Segment(segment) => (2, serde_json::to_vec(&segment)?.into()),
            Self::Data(data) => (3, data),
            Self::Zeros(count) => (4, Bytes::copy_from_slice(&count.to_le_bytes())),
            Self::End(end) => (5, serde_json::to_vec(&end)?.into()),
        };
        let mut head = BytesMut::with_capacity(HEAD_BYTES);
        head.put_u32_le(kind);
        head.put_u32_le(u32::try_from(content.len()).unwrap_or(u32::MAX));
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head), &content);
        head.put_u32_le(crc);
        Ok((head.freeze(), content))
    }
}

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Magic,
    Begin,
    Between,
    InSegment,
    Over,
}

/// Reads a stream that comes in pieces.
#[derive(Debug)]
pub struct FrameReader {
    held: BytesMut,
    at: At,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self { held: BytesMut::new(), at: At::Magic }
    }
}

impl FrameReader {
    /// Takes more bytes. Call [`FrameReader::next`] until it has no more before giving the next ones: that is
    /// what bounds the memory.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// [`StreamError`]; the stream is then over.
    #[expect(clippy::should_implement_trait, reason = "it fails, and goes on after having nothing")]
    pub fn next(&mut self) -> Result<Option<BackupFrame>, StreamError> {
        if self.at == At::Magic {
            let Some(magic) = self.held.first_chunk::<8>() else { return Ok(None) };
            if *magic != MAGIC {
                return Err(StreamError::Magic);
            }
            self.held.advance(MAGIC.len());
            self.at = At::Begin;
        }
        let Some(head) = self.held.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (kind, length, crc) = (word(0), word(4) as usize, word(8));
        let limit = if kind == 3 { DATA_BYTES_MAX } else { FRAME_BYTES_MAX };
        if length > limit {
            return Err(StreamError::TooLong(length));
        }
        if self.held.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        let frame = self.held.split_to(HEAD_BYTES + length).freeze();
        let content = frame.slice(HEAD_BYTES..);
        if crc32c::crc32c_append(crc32c::crc32c(&frame[..8]), &content) != crc {
            return Err(StreamError::Checksum);
        }
        let frame = decode(kind, content)?;
        self.at = self.at.after(&frame).ok_or(StreamError::Order)?;
        Ok(Some(frame))
    }

    /// To be called when no bytes come any more.
    ///
    /// # Errors
    /// [`StreamError::Short`] where the last frame has not come.
    pub fn finish(&self) -> Result<(), StreamError> {
        if self.at == At::Over && self.held.is_empty() { Ok(()) } else { Err(StreamError::Short) }
    }
}

impl At {
    fn after(self, frame: &BackupFrame) -> Option<Self> {
        Some(match (self, frame) {
            (Self::Begin, BackupFrame::Begin(_)) => Self::Between,
            (Self::Between | Self::InSegment, BackupFrame::Segment(_)) => Self::InSegment,
            (Self::InSegment, BackupFrame::Data(_) | BackupFrame::Zeros(_)) => Self::InSegment,
            (Self::Between | Self::InSegment, BackupFrame::End(_)) => Self::Over,
            _ => return None,
        })
    }
}

fn decode(kind: u32, content: Bytes) -> Result<BackupFrame, StreamError> {
    Ok(match kind {
        1 => BackupFrame::Begin(serde_json::from_slice(&content)?),
        2 => BackupFrame::Segment(serde_json::from_slice(&content)?),
        3 => BackupFrame::Data(content),
        4 => {
            let count = content.as_ref().try_into().map_err(|_| StreamError::Short)?;
            BackupFrame::Zeros(u64::from_le_bytes(count))
        }
        5 => BackupFrame::End(serde_json::from_slice(&content)?),
        other => return Err(StreamError::Kind(other.to_le_bytes()[0])),
    })
}
