//! Segment: one file of the log, its name and its header. Layout: `docs/formats/segment.md`.
//!
//! The header holds the segment's marker, a random number that stands at the front of each of its records.
//! Nobody outside knows it, so no block's content can pass for a record where a scan has lost its place.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskError, DiskFile, OpenMode};
use crate::record::{HEADER_BYTES, Header, NAME_BYTES_MAX};

/// Bytes of a segment before its first record: the header twice, so that one flipped bit harms nothing.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 64;
const COPY_BYTES: usize = 32;
const MAGIC: [u8; 8] = *b"ipse-seg";
const FORMAT: u32 = 1;

/// An open segment. Cheap to clone; a clone goes on reading after the file was removed.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) id: u32,
    pub(crate) marker: u64,
    pub(crate) file: Arc<dyn DiskFile>,
}

/// The path of a segment.
pub(crate) fn path(dir: &Path, id: u32) -> PathBuf {
    dir.join(format!("{id:08}.seg"))
}

/// The number in a segment's file name.
pub(crate) fn id_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    let id = digits.parse().ok()?;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

/// Why a segment can't be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Nothing says what its marker is, and there is nothing behind the header.
    #[error("{} has no header", .0.display())]
    Torn(PathBuf),
    /// Nothing says what its marker is, though records follow.
    #[error("the header of {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// Written by a newer version.
    #[error("{} has format {format}, newer than this version reads", path.display())]
    Newer { path: PathBuf, format: u32 },
}

impl Segment {
    /// Makes a segment; it and its name are durable on return.
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, id: u32) -> Result<Self, DiskError> {
        let path = path(dir, id);
        let marker = disk.random();
        let file = create_file(disk, &path).map_err(DiskError::of("create", &path))?;
        let copy = encode(id, marker);
        let made = file
            .write_at(0, &mut [IoSlice::new(&copy), IoSlice::new(&copy)])
            .and_then(|()| file.sync_data())
            .map_err(DiskError::of("write", &path))
            .and_then(|()| disk.sync_dir(dir).map_err(DiskError::of("sync", dir)));
        if let Err(error) = made {
            // Without this the number could not be tried again once the disk works.
            let _ = disk.remove(&path);
            return Err(error);
        }
        Ok(Self { id, marker, file })
    }

    /// Opens a segment that is there.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, id: u32) -> Result<Self, SegmentError> {
        let path = path(dir, id);
        let file = disk.open(&path, OpenMode::Existing).map_err(DiskError::of("open", &path))?;
        let marker = read_marker(file.as_ref(), &path, id)?;
        Ok(Self { id, marker, file })
    }
}

impl Segment {
    /// Whether both copies of the header are as they were written.
    pub(crate) fn header_is_whole(&self) -> io::Result<bool> {
        let front = self.file.read_vec(0, SEGMENT_HEADER_BYTES as usize)?;
        let copy = encode(self.id, self.marker);
        Ok(front.chunks_exact(COPY_BYTES).all(|found| found == copy))
    }

    /// Writes both copies of the header anew, one after the other, so that one is whole at any moment.
    pub(crate) fn write_header(&self) -> io::Result<()> {
        let copy = encode(self.id, self.marker);
        for at in [0, COPY_BYTES as u64] {
            self.file.write_at(at, &mut [IoSlice::new(&copy)])?;
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// A new file. One without records may stand in its place: it was begun, and the disk that refused it did not let
/// it be removed either.
fn create_file(disk: &dyn Disk, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
    match disk.open(path, OpenMode::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if disk.open(path, OpenMode::Existing)?.len()? > SEGMENT_HEADER_BYTES {
                return Err(error);
            }
            disk.remove(path)?;
            disk.open(path, OpenMode::CreateNew)
        }
        created => created,
    }
}

fn encode(id: u32, marker: u64) -> [u8; COPY_BYTES] {
    let mut copy = [0; COPY_BYTES];
    copy[..8].copy_from_slice(&MAGIC);
    copy[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    copy[12..16].copy_from_slice(&id.to_le_bytes());
    copy[16..24].copy_from_slice(&marker.to_le_bytes());
    let crc = crc32c::crc32c(&copy[..24]);
    copy[24..28].copy_from_slice(&crc.to_le_bytes());
    copy
}

/// The format and marker in one copy of the header, if it is sound.
fn decode(copy: &[u8], id: u32) -> Option<(u32, u64)> {
    let copy: &[u8; COPY_BYTES] = copy.try_into().ok()?;
    let word = |at: usize| u32::from_le_bytes([copy[at], copy[at + 1], copy[at + 2], copy[at + 3]]);
    let sound = copy[..8] == MAGIC && word(12) == id && word(24) == crc32c::crc32c(&copy[..24]);
    sound.then(|| (word(8), u64::from(word(16)) | u64::from(word(20)) << 32))
}

fn read_marker(file: &dyn DiskFile, path: &Path, id: u32) -> Result<u64, SegmentError> {
    let length = file.len().map_err(DiskError::of("measure", path))?;
    let wanted = length.min(SEGMENT_HEADER_BYTES + (HEADER_BYTES + NAME_BYTES_MAX) as u64);
    let front = match file.read_vec(0, wanted as usize) {
        Ok(front) => front,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Vec::new(),
        Err(error) => return Err(DiskError::of("read", path)(error).into()),
    };
    for copy in front.chunks_exact(COPY_BYTES).take(2) {
        match decode(copy, id) {
            Some((FORMAT, marker)) => return Ok(marker),
            Some((format, _)) if format > FORMAT => {
                return Err(SegmentError::Newer { path: path.to_path_buf(), format });
            }
            _ => {}
        }
    }
    // Both copies are gone. Records are written only once the header is durable, so a file without any is one
    // whose making was interrupted; otherwise the first record still shows the marker.
    let records = front.get(SEGMENT_HEADER_BYTES as usize..).filter(|records| !records.is_empty());
    let records = records.ok_or_else(|| SegmentError::Torn(path.to_path_buf()))?;
    let marker = records.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    marker
        .filter(|&marker| Header::read(records, marker, SEGMENT_HEADER_BYTES).is_ok())
        .ok_or_else(|| SegmentError::Damaged(path.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers() {
        assert_eq!(id_of("00000001.seg"), Some(1));
        assert_eq!(id_of("123456789.seg"), Some(123_456_789));
        for other in ["1.seg", "00000001.seg.new", "+0000001.seg", "index.redb", "99999999999.seg"] {
            assert_eq!(id_of(other), None, "{other}");
        }
        assert_eq!(path(Path::new("b"), 7), Path::new("b/00000007.seg"));
    }

    #[test]
    fn one_copy_of_the_header_is_enough() {
        let copy = encode(7, 99);
        assert_eq!(decode(&copy, 7), Some((FORMAT, 99)));
        assert_eq!(decode(&copy, 8), None);
        for bit in 0..28 * 8 {
            let mut damaged = copy;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged, 7), None, "bit {bit}");
        }
    }
}
