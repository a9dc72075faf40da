//! Update: what a node sends goes into the folder.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ipse_api::{
    BackupEnd, BackupFrame, BackupSegment, FileEntry, Held, Manifest, Marker, PIECE_BYTES, Piece,
    SegmentEntry,
};
use ipse_base::{HashCode, Hasher};

use super::folder::create;
use super::read::check_piece;
use super::{Folder, FolderError};
use crate::error::FileError;

/// A folder on its way to a new backup.
pub(crate) struct Update {
    folder: Folder,
    /// What was in the folder before and still is, and what came since.
    segments: HashMap<(u32, Marker), SegmentEntry>,
    open: Option<Growing>,
    copied: u64,
}

/// A segment that grows.
struct Growing {
    number: u32,
    marker: Marker,
    path: PathBuf,
    file: File,
    length: u64,
    pieces: Vec<Piece>,
    /// Over what of the last piece is there.
    hasher: Hasher,
}

impl Update {
    /// Takes the folder for a backup of this node.
    pub(crate) fn begin(folder: Folder, peer: &str) -> Result<Self, FolderError> {
        let before = folder.manifest()?;
        if let Some(other) = before.as_ref().filter(|manifest| manifest.peer != peer) {
            return Err(FolderError::Other { path: folder.root().to_owned(), peer: other.peer.clone() });
        }
        let mut segments = HashMap::new();
        for segment in before.into_iter().flat_map(|manifest| manifest.segments) {
            let held = segment.held();
            // A file that is gone or cut is sent again as a whole.
            let length = std::fs::metadata(folder.segment(&held)).map_or(0, |found| found.len());
            if length >= held.length {
                segments.insert((held.number, held.marker), segment);
            }
        }
        Ok(Self { folder, segments, open: None, copied: 0 })
    }

    /// What the node need not send.
    pub(crate) fn have(&self) -> Vec<Held> {
        let mut have: Vec<Held> = self.segments.values().map(SegmentEntry::held).collect();
        have.sort_unstable_by_key(|held| (held.number, held.marker));
        have
    }

    /// Bytes that came.
    pub(crate) const fn copied(&self) -> u64 {
        self.copied
    }

    /// Takes a frame; answers the last one's content.
    pub(crate) fn frame(&mut self, frame: BackupFrame) -> Result<Option<BackupEnd>, FolderError> {
        match frame {
            BackupFrame::Begin(_) => {}
            BackupFrame::Segment(segment) => self.segment(&segment)?,
            BackupFrame::Data(data) => self.bytes(&data, true)?,
            BackupFrame::Zeros(mut left) => {
                let zeros = vec![0; 64 * 1024];
                while left > 0 {
                    let some = left.min(zeros.len() as u64);
                    self.bytes(&zeros[..some as usize], false)?;
                    left -= some;
                }
            }
            BackupFrame::End(end) => {
                self.end_segment()?;
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn segment(&mut self, segment: &BackupSegment) -> Result<(), FolderError> {
        self.end_segment()?;
        let &BackupSegment { number, marker, from } = segment;
        let before = self.segments.remove(&(number, marker));
        let length = before.as_ref().map_or(0, |before| before.held().length);
        if length != from {
            return Err(FolderError::Incomplete(number));
        }
        let path = self.folder.segment(&Held { number, marker, length });
        let file = create(&path)?;
        // What an interrupted backup wrote behind it is written again.
        file.set_len(length).map_err(FileError::at("write", &path))?;
        let mut pieces = before.map(|before| before.pieces).unwrap_or_default();
        let mut hasher = hasher()?;
        if !length.is_multiple_of(PIECE_BYTES)
            && let Some(last) = pieces.pop()
        {
            // The last piece goes on; what is there of it must still be what it was.
            let start = length / PIECE_BYTES * PIECE_BYTES;
            check_piece(&file, &path, start, length - start, &last, &mut |bytes| hasher.update(bytes))?;
        }
        self.open = Some(Growing { number, marker, path, file, length, pieces, hasher });
        Ok(())
    }

    /// Zeros are left to the file system: a hole reads as zeros.
    fn bytes(&mut self, mut bytes: &[u8], write: bool) -> Result<(), FolderError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if write {
            open.file.write_all_at(bytes, open.length).map_err(FileError::at("write", &open.path))?;
        }
        self.copied += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PIECE_BYTES - open.length % PIECE_BYTES;
            let some = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            open.hasher.update(&bytes[..some]);
            open.length += some as u64;
            bytes = &bytes[some..];
            if open.length.is_multiple_of(PIECE_BYTES) {
                let done = std::mem::replace(&mut open.hasher, hasher()?);
                open.pieces.push(Piece::of_hash(&done.finish()).ok_or(FolderError::Hash)?);
            }
        }
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), FolderError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let ended = open.file.set_len(open.length).and_then(|()| open.file.sync_all());
        ended.map_err(FileError::at("write", &open.path))?;
        if !open.length.is_multiple_of(PIECE_BYTES) {
            open.pieces.push(Piece::of_hash(&open.hasher.finish()).ok_or(FolderError::Hash)?);
        }
        let held = Held { number: open.number, marker: open.marker, length: open.length };
        self.segments.insert((held.number, held.marker), SegmentEntry::new(&held, open.pieces));
        Ok(())
    }

    /// Makes it the folder's backup.
    pub(crate) fn commit(
        mut self,
        peer: String,
        end: BackupEnd,
        small: Vec<(String, Vec<u8>)>,
    ) -> Result<Manifest, FolderError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut manifest = Manifest::new(peer, now);
        manifest.blocks = end.blocks;
        for held in end.segments {
            let segment = self.segments.remove(&(held.number, held.marker));
            let segment = segment.filter(|segment| segment.held() == held);
            manifest.segments.push(segment.ok_or(FolderError::Incomplete(held.number))?);
        }
        for (name, bytes) in small {
            let hash = Piece::of(&bytes).ok_or(FolderError::Hash)?;
            self.folder.keep(&hash, &bytes)?;
            manifest.files.push(FileEntry { name, length: bytes.len() as u64, hash });
        }
        self.folder.commit(&manifest)?;
        self.folder.sweep(&manifest)?;
        Ok(manifest)
    }
}

fn hasher() -> Result<Hasher, FolderError> {
    Hasher::new(HashCode::SHA2_256).map_err(|_| FolderError::Hash)
}
