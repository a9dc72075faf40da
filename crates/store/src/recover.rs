//! Recover: from the files as they are to the end of the log and what the index does not know yet.
//!
//! Runs once, on open, and reads only what is behind the index's checkpoint; without an index, everything's
//! headers. A bad record at the end is a torn write and is cut off; a bad record before data that was proven
//! durable is damage, and is skipped and reported, so that nothing acknowledged behind it is lost.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskError};
use crate::index::{Checkpoint, Index, IndexError};
use crate::log::segments;
use crate::options::Access;
use crate::pending::{GENERATION_BYTES_MAX, Generation};
use crate::place::Position;
use crate::record::{Header, RecordKind, align};
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentError};

/// What the log and the pending part start from.
pub(crate) struct Recovered {
    pub(crate) last: Segment,
    pub(crate) end: u64,
    /// Whether the log ends in a mark.
    pub(crate) marked: bool,
    pub(crate) pending: Generation,
}

/// Why the store's files can't be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecoverError {
    /// A file could not be handled.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index could not be handled.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Most of it is not in the index, and a disk that takes no writes has no room for that.
    #[error("the index of {} has to be built anew, and its disk takes no writes", .0.display())]
    Unindexed(PathBuf),
    /// A segment was written by a newer version.
    #[error("{} has format {format}, newer than this version reads", path.display())]
    Newer {
        /// The segment.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

pub(crate) fn recover(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    index: &dyn Index,
    access: Access,
) -> Result<Recovered, RecoverError> {
    let checkpoint = index.checkpoint()?;
    let mut ids = segments::list(disk.as_ref(), dir)?;
    let highest = ids.last().copied().unwrap_or(0);
    let Ends { last, unproven } = find_ends(disk.as_ref(), dir, &mut ids, checkpoint, access)?;
    let checkpoint = believable(disk.as_ref(), dir, &ids, checkpoint)?;
    let start = match checkpoint {
        Some(checkpoint) => checkpoint.position,
        None => {
            if index.checkpoint()?.is_some() {
                tracing::warn!("the index belongs to other segments and is built anew");
                index.begin_anew()?;
            }
            Position { segment: ids.first().copied().unwrap_or(1), offset: SEGMENT_HEADER_BYTES }
        }
    };
    let mut replay = Replay::new(dir, index, access);
    let mut last_end = SEGMENT_HEADER_BYTES;
    for &id in ids.iter().filter(|&&id| id >= start.segment) {
        let from = if id == start.segment { start.offset } else { SEGMENT_HEADER_BYTES };
        let Some(segment) = open_sound(disk.as_ref(), dir, id)? else { continue };
        let path = segment::path(dir, id);
        let end = if id >= unproven {
            settle_tail(&segment, from, access).map_err(DiskError::of("recover", &path))?
        } else {
            segment.file.len().map_err(DiskError::of("measure", &path))?
        };
        replay.segment(&segment, from, end)?;
        last_end = end;
    }
    let last = match last {
        Some(last) => last,
        None => Segment::create(disk.as_ref(), dir, highest + 1)?,
    };
    // What is torn behind the end is cut off by now, or, on a disk that takes no writes, still there.
    let length = last.file.len().map_err(DiskError::of("measure", &segment::path(dir, last.id)))?;
    let end = if access == Access::Read { last_end.min(length) } else { length };
    Ok(Recovered { last, end, marked: replay.marked, pending: replay.pending })
}

/// Where the log ends.
struct Ends {
    /// The segment that it goes on in, if there is one.
    last: Option<Segment>,
    /// The first segment whose end may be torn; those before are proven by a record in a later one.
    unproven: u32,
}

/// A segment without records at the end was perhaps begun and given up, so its existence proves nothing about
/// the ones before it, unless the index knows it.
fn find_ends(
    disk: &dyn Disk,
    dir: &Path,
    ids: &mut Vec<u32>,
    checkpoint: Option<Checkpoint>,
    access: Access,
) -> Result<Ends, RecoverError> {
    let mut ends = Ends { last: None, unproven: u32::MAX };
    for id in ids.clone().into_iter().rev() {
        let path = segment::path(dir, id);
        match open_at_end(disk, dir, id, access) {
            Ok(segment) => {
                let length = segment.file.len().map_err(DiskError::of("measure", &path))?;
                let known = checkpoint.is_some_and(|checkpoint| checkpoint.position.segment == id);
                ends.last.get_or_insert(segment);
                ends.unproven = id;
                if known || length > SEGMENT_HEADER_BYTES {
                    break;
                }
            }
            Err(SegmentError::Torn(_)) => {
                if access == Access::Write {
                    disk.remove(&path).map_err(DiskError::of("remove", &path))?;
                    crate::disk::sync_parent(disk, &path)?;
                }
                ids.retain(|&other| other != id);
            }
            Err(SegmentError::Damaged(_)) => break,
            Err(SegmentError::Disk(error)) => return Err(error.into()),
            Err(SegmentError::Newer { path, format }) => return Err(RecoverError::Newer { path, format }),
        }
    }
    Ok(ends)
}

/// A segment as the medium has it. Where it has no records, a process before this one may have failed to make its
/// header or its name durable, and memory still shows what the medium does not have.
fn open_at_end(disk: &dyn Disk, dir: &Path, id: u32, access: Access) -> Result<Segment, SegmentError> {
    let segment = Segment::open(disk, dir, id)?;
    let path = segment::path(dir, id);
    let length = segment.file.len().map_err(DiskError::of("measure", &path))?;
    if length > SEGMENT_HEADER_BYTES || access == Access::Read {
        return Ok(segment);
    }
    segment.file.sync_data().map_err(DiskError::of("sync", &path))?;
    segment.file.forget_cached(0);
    let segment = Segment::open(disk, dir, id)?;
    finish_header(&segment);
    disk.sync_dir(dir).map_err(DiskError::of("sync", dir))?;
    Ok(segment)
}

/// A segment without records may have been begun when the power went, with one copy of its header on the disk.
fn finish_header(segment: &Segment) {
    let whole = segment.header_is_whole().unwrap_or(false);
    if !whole && let Err(error) = segment.write_header() {
        tracing::warn!(segment = segment.id, %error, "a segment's header could not be completed");
    }
}

/// A segment, or `None` where its header is lost and with it all that it holds.
fn open_sound(disk: &dyn Disk, dir: &Path, id: u32) -> Result<Option<Segment>, RecoverError> {
    match Segment::open(disk, dir, id) {
        Ok(segment) => Ok(Some(segment)),
        Err(SegmentError::Disk(error)) => Err(error.into()),
        Err(SegmentError::Newer { path, format }) => Err(RecoverError::Newer { path, format }),
        Err(error @ (SegmentError::Torn(_) | SegmentError::Damaged(_))) => {
            tracing::error!(%error, "a segment is lost");
            Ok(None)
        }
    }
}

/// The checkpoint, if it speaks of the segments that are here.
fn believable(
    disk: &dyn Disk,
    dir: &Path,
    ids: &[u32],
    checkpoint: Option<Checkpoint>,
) -> Result<Option<Checkpoint>, RecoverError> {
    let Some(checkpoint) = checkpoint else { return Ok(None) };
    let Position { segment: id, offset } = checkpoint.position;
    if !ids.contains(&id) {
        return Ok(None);
    }
    let Some(segment) = open_sound(disk, dir, id)? else { return Ok(None) };
    let length = segment.file.len().map_err(DiskError::of("measure", &segment::path(dir, id)))?;
    Ok((segment.marker == checkpoint.marker && offset <= length).then_some(checkpoint))
}

/// Finds where the log ends in its last segment, cuts off what is torn behind it and makes the rest durable, as far
/// as anything can be written.
fn settle_tail(segment: &Segment, from: u64, access: Access) -> io::Result<u64> {
    if access == Access::Write {
        // A process before this one may have failed to sync it, and memory still shows what the medium does not have.
        segment.file.sync_data()?;
        segment.file.forget_cached(from);
    }
    let length = segment.file.len()?;
    // What the checkpoint covers is durable, and so is what a later record says was so when it was written.
    let mut proven = from;
    let mut scan = Scan::new(segment, from, length);
    while let Some(found) = scan.next()? {
        if let Scanned::Record { header, .. } = found {
            proven = proven.max(header.durable);
        }
    }
    let end = find_end(segment, from, length, proven)?;
    if access == Access::Read {
        return Ok(end.min(length));
    }
    if end != length {
        tracing::info!(segment = segment.id, cut = length.saturating_sub(end), "cutting off a torn write");
        segment.file.set_len(end)?;
    }
    if end > from || end != length {
        segment.file.sync_data()?;
    }
    Ok(end)
}

/// The end of the last record before which nothing unproven is bad.
fn find_end(segment: &Segment, from: u64, length: u64, proven: u64) -> io::Result<u64> {
    let mut scan = Scan::new(segment, from, length);
    let mut end = from;
    while let Some(found) = scan.next()? {
        match found {
            Scanned::Damage { offset, end: behind } if offset < proven => {
                end = behind.min(proven);
                if behind > proven {
                    break;
                }
            }
            Scanned::Damage { .. } => break,
            Scanned::Record { offset, header } => {
                if offset >= proven && !payload_is_sound(segment, offset, &header)? {
                    break;
                }
                end = offset + header.record_len();
            }
        }
    }
    Ok(align(end))
}

fn payload_is_sound(segment: &Segment, offset: u64, header: &Header) -> io::Result<bool> {
    let payload = read_payload(segment, offset, header)?;
    Ok(header.check_payload(&payload).is_ok())
}

pub(crate) fn read_payload(segment: &Segment, offset: u64, header: &Header) -> io::Result<Vec<u8>> {
    segment.file.read_vec(offset + header.header_len() as u64, header.payload_len as usize)
}

/// Records on their way into an index.
pub(crate) struct Replay<'a> {
    dir: &'a Path,
    index: &'a dyn Index,
    access: Access,
    /// What of them is not in the index yet.
    pub(crate) pending: Generation,
    marked: bool,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(dir: &'a Path, index: &'a dyn Index, access: Access) -> Self {
        Self { dir, index, access, pending: Generation::default(), marked: true }
    }

    /// Takes the records of a segment between two places.
    pub(crate) fn segment(&mut self, segment: &Segment, from: u64, end: u64) -> Result<(), RecoverError> {
        let path = segment::path(self.dir, segment.id);
        let mut scan = Scan::new(segment, from, end);
        while let Some(found) = scan.next().map_err(DiskError::of("read", &path))? {
            match found {
                Scanned::Damage { offset, end } => {
                    tracing::error!(segment = segment.id, offset, end, "damaged records are skipped");
                }
                Scanned::Record { offset, header } => {
                    self.record(segment, offset, &header).map_err(DiskError::of("read", &path))?;
                    self.flush_if_large(segment, offset + header.record_len())?;
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, segment: &Segment, offset: u64, header: &Header) -> io::Result<()> {
        let position = Position { segment: segment.id, offset };
        self.marked = header.kind == RecordKind::Mark && header.durable == offset;
        let mut payload = Vec::new();
        if header.kind == RecordKind::Pin {
            payload = read_payload(segment, offset, header)?;
            if header.check_payload(&payload).is_err() {
                tracing::error!(%position, "a damaged pin is skipped");
                return Ok(());
            }
        }
        self.pending.note_found(header, &payload, position);
        self.pending.log_bytes += header.record_len();
        Ok(())
    }

    /// Keeps memory bounded where much is replayed. All of it is durable by now.
    fn flush_if_large(&mut self, segment: &Segment, end: u64) -> Result<(), RecoverError> {
        if self.pending.bytes() > GENERATION_BYTES_MAX {
            if self.access == Access::Read {
                return Err(RecoverError::Unindexed(self.dir.to_path_buf()));
            }
            let position = Position { segment: segment.id, offset: end };
            let checkpoint = Checkpoint { position, marker: segment.marker };
            self.index.apply(&self.pending, checkpoint, &Vec::new())?;
            self.pending = Generation::default();
        }
        Ok(())
    }
}
