//! Entries: what is added, in depth-first order.

use ipse_base::limits::PATH_BYTES_MAX;
use ipse_base::{ErrorKind, Kind};

use super::FRAME_CONTENT_BYTES_MAX;

/// Bytes of a header before name and content.
const HEADER_BYTES: usize = 24;
/// Where a symbolic link leads, in bytes at the most.
const TARGET_BYTES_MAX: usize = 4096;

const DIRECTORY: u8 = 1;
const SYMLINK: u8 = 2;
const FILE: u8 = 3;
const DESCRIPTOR: u8 = 4;
const BEGIN: u8 = 5;
const DATA: u8 = 6;
const END: u8 = 7;
const FINISH: u8 = 8;

const HAS_MODE: u8 = 1;
const HAS_MTIME: u8 = 2;

/// Mode and time of an entry, as far as they travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Seconds since 1970, and nanoseconds below a second.
    pub mtime: Option<(i64, u32)>,
}

/// What an entry is called, and its stamp.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryHead {
    /// Its path: relative, its names joined by `/`, none of them `.` or `..`; empty for a file without a name.
    pub path: String,
    /// Mode and time.
    pub stamp: Stamp,
}

/// One frame towards the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory(EntryHead),
    /// A symbolic link and where it leads, which may be no text.
    Symlink(EntryHead, Vec<u8>),
    /// A whole file with its content.
    File(EntryHead, Vec<u8>),
    /// A whole file whose descriptor comes with this frame.
    Descriptor(EntryHead),
    /// A file begins whose length nobody knows.
    Begin(EntryHead),
    /// More of it.
    Data(Vec<u8>),
    /// It is complete.
    End,
    /// Everything was sent.
    Finish,
}

/// Why bytes are not entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// No entry is of this kind.
    #[error("entry of unknown kind {0}")]
    Kind(u8),
    /// A flag that this version does not know, or one that the kind does not have.
    #[error("entry with unknown flags {0:#x}")]
    Flags(u8),
    /// The content is longer than any that is sent, or there should be none.
    #[error("entry with content of {0} bytes")]
    Content(u32),
    /// A name that leaves its folder, is too long, holds NUL, or is not text.
    #[error("invalid file name {0:?}")]
    Name(String),
    /// Nanoseconds of a whole second or more.
    #[error("{0} nanoseconds are over a second")]
    Nanoseconds(u32),
}

impl ErrorKind for EntryError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

impl Entry {
    /// Appends the bytes of the frame. The writer keeps to the bounds: a name of at most 16 KiB, content of at
    /// most a mebibyte, a target of at most 4 KiB.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Directory(head) => write(DIRECTORY, Some(head), &[], out),
            Self::Symlink(head, target) => write(SYMLINK, Some(head), target, out),
            Self::File(head, content) => write(FILE, Some(head), content, out),
            Self::Descriptor(head) => write(DESCRIPTOR, Some(head), &[], out),
            Self::Begin(head) => write(BEGIN, Some(head), &[], out),
            Self::Data(content) => write(DATA, None, content, out),
            Self::End => write(END, None, &[], out),
            Self::Finish => write(FINISH, None, &[], out),
        }
    }
}

fn write(kind: u8, head: Option<&EntryHead>, content: &[u8], out: &mut Vec<u8>) {
    let (path, stamp) = head.map_or(("", Stamp::default()), |head| (head.path.as_str(), head.stamp));
    debug_assert!(path.len() <= PATH_BYTES_MAX && content.len() <= FRAME_CONTENT_BYTES_MAX);
    let mode = stamp.mode.map_or(0, |_| HAS_MODE);
    let mtime = stamp.mtime.map_or(0, |_| HAS_MTIME);
    let (seconds, nanoseconds) = stamp.mtime.unwrap_or_default();
    out.extend_from_slice(&[kind, mode | mtime]);
    out.extend_from_slice(&(path.len() as u16).to_le_bytes());
    out.extend_from_slice(&(content.len() as u32).to_le_bytes());
    out.extend_from_slice(&stamp.mode.unwrap_or_default().to_le_bytes());
    out.extend_from_slice(&seconds.to_le_bytes());
    out.extend_from_slice(&nanoseconds.to_le_bytes());
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(content);
}

/// Finds frames in bytes that come in pieces of any size. Holds at most one frame that is not whole.
#[derive(Debug, Default)]
pub struct EntryDecoder {
    pending: Vec<u8>,
    /// Bytes at the front that were handed on.
    done: usize,
}

impl EntryDecoder {
    /// Takes bytes in. Call [`EntryDecoder::next`] until it answers `None` before the next bytes, and the decoder
    /// holds no more than one frame.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.drain(..std::mem::take(&mut self.done));
        self.pending.extend_from_slice(bytes);
    }

    /// Whether the bytes so far end between two frames.
    pub fn is_empty(&self) -> bool {
        self.pending.len() == self.done
    }

    /// The next frame, or `None` where more bytes are needed. A header is checked before its content is waited
    /// for.
    ///
    /// # Errors
    /// [`EntryError`]; nothing that follows means anything then.
    #[allow(clippy::should_implement_trait, reason = "an end here is no end of the stream")]
    pub fn next(&mut self) -> Result<Option<Entry>, EntryError> {
        let bytes = &self.pending[self.done..];
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let header = Header::read(header)?;
        let names = HEADER_BYTES + header.path_bytes;
        let total = names + header.content_bytes;
        let Some(content) = bytes.get(names..total) else { return Ok(None) };
        let (path, content) = (bytes[HEADER_BYTES..names].to_vec(), content.to_vec());
        self.done += total;
        header.entry(path, content).map(Some)
    }
}

/// The fixed part of a frame.
struct Header {
    kind: u8,
    path_bytes: usize,
    content_bytes: usize,
    stamp: Stamp,
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Self, EntryError> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (kind, flags) = (bytes[0], bytes[1]);
        let path_bytes = usize::from(u16::from_le_bytes([bytes[2], bytes[3]]));
        let (named, content_max) = match kind {
            SYMLINK => (true, TARGET_BYTES_MAX),
            FILE => (true, FRAME_CONTENT_BYTES_MAX),
            DIRECTORY | DESCRIPTOR | BEGIN => (true, 0),
            DATA => (false, FRAME_CONTENT_BYTES_MAX),
            END | FINISH => (false, 0),
            other => return Err(EntryError::Kind(other)),
        };
        if flags & !(HAS_MODE | HAS_MTIME) != 0 || (!named && flags != 0) {
            return Err(EntryError::Flags(flags));
        }
        if path_bytes > PATH_BYTES_MAX || (!named && path_bytes > 0) {
            return Err(EntryError::Name(format!("of {path_bytes} bytes")));
        }
        let content_bytes = word(4);
        if content_bytes as usize > content_max {
            return Err(EntryError::Content(content_bytes));
        }
        let (seconds, nanoseconds) = (u64::from(word(12)) | u64::from(word(16)) << 32, word(20));
        if nanoseconds >= 1_000_000_000 {
            return Err(EntryError::Nanoseconds(nanoseconds));
        }
        let stamp = Stamp {
            mode: (flags & HAS_MODE != 0).then(|| word(8) & 0o7777),
            mtime: (flags & HAS_MTIME != 0).then(|| (seconds.cast_signed(), nanoseconds)),
        };
        Ok(Self { kind, path_bytes, content_bytes: content_bytes as usize, stamp })
    }

    fn entry(self, path: Vec<u8>, content: Vec<u8>) -> Result<Entry, EntryError> {
        let head = EntryHead { path: checked(path)?, stamp: self.stamp };
        Ok(match self.kind {
            DIRECTORY => Entry::Directory(head),
            SYMLINK => Entry::Symlink(head, content),
            FILE => Entry::File(head, content),
            DESCRIPTOR => Entry::Descriptor(head),
            BEGIN => Entry::Begin(head),
            DATA => Entry::Data(content),
            END => Entry::End,
            // `read` let no other kind through.
            _ => Entry::Finish,
        })
    }
}

/// A path as it is handed on: clean, as a part's name in an upload is.
fn checked(path: Vec<u8>) -> Result<String, EntryError> {
    let path = String::from_utf8(path)
        .map_err(|error| EntryError::Name(String::from_utf8_lossy(error.as_bytes()).into_owned()))?;
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => return Err(EntryError::Name(path)),
            _ if name.contains('\0') => return Err(EntryError::Name(path)),
            _ => names.push(name),
        }
    }
    Ok(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Result<Vec<Entry>, EntryError> {
        let mut decoder = EntryDecoder::default();
        let mut found = Vec::new();
        for bytes in bytes.chunks(piece.max(1)) {
            decoder.feed(bytes);
            while let Some(entry) = decoder.next()? {
                found.push(entry);
            }
        }
        Ok(found)
    }

    #[test]
    fn what_is_written_is_read() {
        let head = |path: &str, mode, mtime| EntryHead { path: path.into(), stamp: Stamp { mode, mtime } };
        let entries = [
            Entry::Directory(head("d", Some(0o755), None)),
            Entry::Symlink(head("d/l", None, Some((-5, 7))), b"../x".to_vec()),
            Entry::File(head("d/grün", Some(0o4644), Some((1 << 40, 999_999_999))), vec![1, 2, 3]),
            Entry::Descriptor(head("d/big", None, None)),
            Entry::Begin(head("", None, None)),
            Entry::Data(vec![7; 5000]),
            Entry::End,
            Entry::Finish,
        ];
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| entry.write(&mut bytes));
        for piece in [1, 2, 23, 24, 25, 1000, bytes.len()] {
            assert_eq!(all(&bytes, piece).unwrap(), entries);
        }
    }

    #[test]
    fn what_no_client_sends_is_refused() {
        let frame = |kind: u8, flags: u8, path: &[u8], content: u32, nanoseconds: u32| {
            let mut bytes = vec![kind, flags];
            bytes.extend_from_slice(&(path.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&content.to_le_bytes());
            bytes.extend_from_slice(&[0; 12]);
            bytes.extend_from_slice(&nanoseconds.to_le_bytes());
            bytes.extend_from_slice(path);
            all(&bytes, bytes.len()).unwrap_err()
        };
        assert_eq!(frame(0, 0, b"", 0, 0), EntryError::Kind(0));
        assert_eq!(frame(1, 4, b"", 0, 0), EntryError::Flags(4));
        assert_eq!(frame(DATA, 1, b"", 0, 0), EntryError::Flags(1));
        assert_eq!(frame(DIRECTORY, 0, b"d", 1, 0), EntryError::Content(1));
        // The content is refused before it is there.
        assert_eq!(frame(FILE, 0, b"f", u32::MAX, 0), EntryError::Content(u32::MAX));
        assert_eq!(frame(FILE, 2, b"f", 0, 1_000_000_000), EntryError::Nanoseconds(1_000_000_000));
        for path in [&b"../x"[..], b"a/..", b"a\0b", b"\xff", b".."] {
            assert!(matches!(frame(FILE, 0, path, 0, 0), EntryError::Name(_)), "{path:?}");
        }
    }

    #[test]
    fn hostile_bytes_never_panic_and_names_stay_inside() {
        bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(piece, bytes)| {
            for entry in all(bytes, usize::from(*piece)).unwrap_or_default() {
                if let Entry::Directory(head) | Entry::File(head, _) | Entry::Begin(head) = entry {
                    assert!(head.path.split('/').all(|name| name != ".." && !name.contains('\0')));
                }
            }
        });
    }

    #[test]
    fn frames_do_not_depend_on_how_they_came() {
        bolero::check!().with_type::<(u8, Vec<(bool, String, Vec<u8>)>)>().for_each(|(piece, files)| {
            let entries: Vec<Entry> = files
                .iter()
                .filter(|(_, path, _)| checked(path.clone().into_bytes()).as_ref() == Ok(path))
                .map(|(whole, path, content)| match whole {
                    true => {
                        let head = EntryHead { path: path.clone(), stamp: Stamp::default() };
                        Entry::File(head, content.clone())
                    }
                    false => Entry::Data(content.clone()),
                })
                .collect();
            let mut bytes = Vec::new();
            entries.iter().for_each(|entry| entry.write(&mut bytes));
            assert_eq!(all(&bytes, usize::from(*piece)).unwrap(), entries);
        });
    }
}
