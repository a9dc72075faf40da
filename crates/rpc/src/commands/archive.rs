//! A TAR archive, piece by piece: headers are made here, file content passes through untouched (POSIX ustar with
//! pax records for what does not fit).

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ipse_base::Kind;
use ipse_node::TreeEvent;
use tar::{EntryType, Header};

use crate::Failure;

/// The unit of an archive.
const BLOCK_BYTES: usize = 512;
/// The longest name that fits into a header.
const NAME_BYTES_MAX: usize = 100;
/// Permissions of what has none.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// A running archive.
pub(super) struct Archive {
    /// The time of what has none, in seconds since 1970.
    now: i64,
    /// Bytes that the open file still owes to its header.
    left: u64,
    /// Bytes of zeros behind the open file.
    padding: usize,
}

/// One entry's header in words.
struct Entry<'a> {
    path: &'a str,
    kind: EntryType,
    size: u64,
    mode: u32,
    mtime: Option<(i64, u32)>,
    target: &'a str,
}

impl Archive {
    /// An archive in which entries without a time have the present one.
    pub(super) fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { now: i64::try_from(now).unwrap_or(0), left: 0, padding: 0 }
    }

    /// The pieces that an event adds.
    pub(super) fn event(&mut self, event: TreeEvent) -> Result<Vec<Bytes>, Failure> {
        match event {
            TreeEvent::Directory { path, mode, mtime } => {
                let path = checked(&path)?;
                let mode = mode.unwrap_or(DIRECTORY_MODE);
                Ok(self.header(&Entry { path, kind: EntryType::Directory, size: 0, mode, mtime, target: "" }))
            }
            TreeEvent::Symlink { path, target, mtime } => {
                let path = checked(&path)?;
                let (kind, mode) = (EntryType::Symlink, 0o777);
                Ok(self.header(&Entry { path, kind, size: 0, mode, mtime, target: &target }))
            }
            TreeEvent::File { path, size, mode, mtime } => {
                let path = checked(&path)?;
                self.left = size;
                self.padding = padding(size);
                let mode = mode.unwrap_or(FILE_MODE);
                Ok(self.header(&Entry { path, kind: EntryType::Regular, size, mode, mtime, target: "" }))
            }
            TreeEvent::Bytes(bytes) => {
                // A file that says a wrong size would shift everything behind it.
                self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(wrong_size)?;
                Ok(vec![bytes])
            }
            TreeEvent::FileEnd if self.left > 0 => Err(wrong_size()),
            TreeEvent::FileEnd => Ok(vec![Bytes::from_static(&ZEROS[..self.padding])]),
        }
    }

    /// What closes an archive: two blocks of zeros.
    pub(super) fn end() -> Bytes {
        Bytes::from_static(&[0; 2 * BLOCK_BYTES])
    }

    fn header(&self, entry: &Entry<'_>) -> Vec<Bytes> {
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        let mut records = Vec::new();
        if entry.path.len() > NAME_BYTES_MAX {
            records.extend(record("path", entry.path));
        }
        if entry.target.len() > NAME_BYTES_MAX {
            records.extend(record("linkpath", entry.target));
        }
        let time = entry.mtime.map_or(self.now, |(seconds, _)| seconds);
        if time < 0 {
            // A header has no sign.
            records.extend(record("mtime", &time.to_string()));
        }
        if !records.is_empty() {
            let size = records.len() as u64;
            let extended = Entry {
                path: "pax",
                kind: EntryType::XHeader,
                size,
                mode: FILE_MODE,
                mtime: None,
                target: "",
            };
            out.extend_from_slice(block(&extended, self.now).as_bytes());
            let zeros = padding(size);
            out.append(&mut records);
            out.extend_from_slice(&ZEROS[..zeros]);
        }
        out.extend_from_slice(block(entry, time).as_bytes());
        vec![Bytes::from(out)]
    }
}

static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// Zeros behind content of that size.
fn padding(size: u64) -> usize {
    let over = (size % BLOCK_BYTES as u64) as usize;
    if over == 0 { 0 } else { BLOCK_BYTES - over }
}

/// The path, unless it would be written outside of the folder that the archive is unpacked in.
fn checked(path: &str) -> Result<&str, Failure> {
    let leaves = path.split('/').any(|name| matches!(name, "" | "." | ".."));
    if leaves || path.contains('\0') {
        return Err(Failure::new(Kind::Corrupt, format!("the folder holds a name that leaves it: {path:?}")));
    }
    Ok(path)
}

fn wrong_size() -> Failure {
    Failure::new(Kind::Corrupt, "a file is not as long as it says")
}

/// A header block. Names and targets that are too long are cut: a pax record in front has all of them.
fn block(entry: &Entry<'_>, time: i64) -> Header {
    let mut header = Header::new_ustar();
    fill(&mut header.as_old_mut().name, entry.path);
    fill(&mut header.as_old_mut().linkname, entry.target);
    header.set_entry_type(entry.kind);
    header.set_size(entry.size);
    header.set_mode(entry.mode & 0o7777);
    header.set_mtime(u64::try_from(time).unwrap_or(0));
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    header
}

fn fill(field: &mut [u8; NAME_BYTES_MAX], text: &str) {
    let length = text.len().min(NAME_BYTES_MAX);
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}

/// A pax record: its own length in decimal, a key, a value.
fn record(key: &str, value: &str) -> Vec<u8> {
    // Length digits, blank, equals sign and line end.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    format!("{length} {key}={value}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn file(path: &str, size: u64) -> TreeEvent {
        TreeEvent::File { path: path.into(), size, mode: Some(0o600), mtime: Some((5, 0)) }
    }

    fn pack(events: Vec<TreeEvent>) -> Result<Vec<u8>, Failure> {
        let mut archive = Archive { now: 7, left: 0, padding: 0 };
        let mut out = Vec::new();
        for event in events {
            archive.event(event)?.iter().for_each(|piece| out.extend_from_slice(piece));
        }
        out.extend_from_slice(&Archive::end());
        Ok(out)
    }

    #[test]
    fn other_programs_read_it() {
        let long = format!("d/{}", "n".repeat(300));
        let packed = pack(vec![
            TreeEvent::Directory { path: "d".into(), mode: None, mtime: Some((-9, 0)) },
            file("d/f", 600),
            TreeEvent::Bytes(Bytes::from(vec![1; 400])),
            TreeEvent::Bytes(Bytes::from(vec![2; 200])),
            TreeEvent::FileEnd,
            file(&long, 0),
            TreeEvent::FileEnd,
            TreeEvent::Symlink { path: "d/l".into(), target: "t".repeat(150), mtime: None },
        ])
        .unwrap();
        assert_eq!(packed.len() % BLOCK_BYTES, 0);
        let mut archive = tar::Archive::new(packed.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let target = entry.link_name().unwrap().map(|target| target.to_str().unwrap().len());
            seen.push((path, entry.header().entry_type(), content.len(), target));
        }
        assert_eq!(
            seen,
            [
                ("d".to_owned(), EntryType::Directory, 0, None),
                ("d/f".to_owned(), EntryType::Regular, 600, None),
                (long, EntryType::Regular, 0, None),
                ("d/l".to_owned(), EntryType::Symlink, 0, Some(150)),
            ]
        );
    }

    #[test]
    fn names_that_leave_the_folder_and_wrong_sizes_are_refused() {
        for path in ["..", "d/../../x", "/x", "d//x", "d/\0", ""] {
            assert_eq!(
                pack(vec![file(path, 0)]).unwrap_err().message.split(':').next(),
                Some("the folder holds a name that leaves it"),
                "{path:?}"
            );
        }
        let bytes = || TreeEvent::Bytes(Bytes::from_static(b"abc"));
        assert!(pack(vec![file("f", 2), bytes()]).is_err());
        assert!(pack(vec![file("f", 4), bytes(), TreeEvent::FileEnd]).is_err());
    }

    #[test]
    fn records_say_their_own_length() {
        for length in 0..2000 {
            let record = record("path", &"x".repeat(length));
            let said: usize =
                std::str::from_utf8(&record).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said, record.len());
        }
    }
}
