//! Append: records to the end of the log, many in one system call.

use std::io::IoSlice;
use std::sync::atomic::Ordering;

use ipse_base::Cid;

use super::{Log, LogError};
use crate::disk::DiskError;
use crate::index::Checkpoint;
use crate::place::Position;
use crate::record::{ALIGNMENT, Header, RecordKind, align};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment};

/// Bytes written by one system call at the most; a single larger record goes alone.
const WRITE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Records written by one system call at the most: up to three slices each, and the kernel takes 1,024.
const WRITE_RECORDS_MAX: usize = 340;
/// Bytes after which the medium begins to write, while the next ones are still being hashed.
const WRITEBACK_BYTES: u64 = 8 * 1024 * 1024;
const PADDING: [u8; ALIGNMENT as usize] = [0; ALIGNMENT as usize];

/// A record that is to be written. Its payload's checksum is computed outside of any lock.
pub(crate) struct NewRecord<'a> {
    pub(crate) kind: RecordKind,
    pub(crate) leaf: bool,
    pub(crate) name: Option<&'a Cid>,
    pub(crate) payload: &'a [u8],
    pub(crate) payload_crc: u32,
}

impl<'a> NewRecord<'a> {
    pub(crate) fn new(kind: RecordKind, name: Option<&'a Cid>, payload: &'a [u8]) -> Self {
        Self { kind, leaf: false, name, payload, payload_crc: crc32c::crc32c(payload) }
    }

    /// One that is there for what it says of the records before it.
    pub(crate) fn mark() -> Self {
        Self::new(RecordKind::Mark, None, &[])
    }

    /// The block that this record removes.
    pub(crate) fn removed(&self) -> Option<&'a Cid> {
        self.name.filter(|_| self.kind == RecordKind::Tombstone)
    }

    fn header(&self, durable: u64) -> Header {
        Header {
            kind: self.kind,
            leaf: self.leaf,
            name: self.name.cloned(),
            // The store refuses longer payloads before they come here.
            payload_len: self.payload.len() as u32,
            payload_crc: self.payload_crc,
            durable,
        }
    }
}

/// The end of the log.
pub(crate) struct Appender {
    segment: Segment,
    tail: u64,
    /// The medium has been asked to write everything before this.
    handed_over: u64,
    /// Whether the last record is a mark that proves all before it, so that another one would say nothing new.
    marked: bool,
    headers: Vec<u8>,
}

impl Appender {
    pub(super) fn new(segment: Segment, tail: u64, marked: bool) -> Self {
        Self { segment, tail, handed_over: tail, marked, headers: Vec::new() }
    }

    /// Where the next record will stand, unless a new segment begins.
    pub(crate) fn tail(&self) -> Position {
        Position { segment: self.segment.id, offset: self.tail }
    }

    /// The same as a checkpoint.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { position: self.tail(), marker: self.segment.marker }
    }

    /// The segment that it is in.
    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Whether a mark would say nothing new.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked
    }
}

impl Log {
    /// Appends the records in order and says in `positions` where each stands. They are durable after the next
    /// [`Log::sync`]. On an error the positions are those of the records that are in the log nevertheless, for
    /// several writes may have gone well before one failed; its caller must take note of them, or the index
    /// and a replay of the log would disagree. None is half there.
    pub(crate) fn append(
        &self,
        appender: &mut Appender,
        records: &[NewRecord<'_>],
        positions: &mut Vec<Position>,
    ) -> Result<(), LogError> {
        self.resume(appender)?;
        let mut rest = records;
        while !rest.is_empty() {
            let (count, bytes) = fitting(rest);
            let full = appender.tail + bytes > self.segment_bytes.load(Ordering::Relaxed);
            if appender.tail > SEGMENT_HEADER_BYTES && full {
                self.roll(appender)?;
            }
            self.write(appender, &rest[..count], positions)?;
            rest = &rest[count..];
        }
        Ok(())
    }

    /// Closes the segment and begins the next. All earlier segments are durable whenever a later one exists:
    /// that is what lets a scan trust them.
    pub(crate) fn roll(&self, appender: &mut Appender) -> Result<(), LogError> {
        self.sync(appender.tail())?;
        let next = Segment::create(self.disk.as_ref(), &self.dir, appender.segment.id + 1)?;
        self.segments.made(next.id);
        self.progress.advance(Position { segment: next.id, offset: SEGMENT_HEADER_BYTES }, &next.file);
        appender.segment = next;
        appender.tail = SEGMENT_HEADER_BYTES;
        appender.handed_over = SEGMENT_HEADER_BYTES;
        appender.marked = false;
        Ok(())
    }

    fn write(
        &self,
        appender: &mut Appender,
        records: &[NewRecord<'_>],
        positions: &mut Vec<Position>,
    ) -> Result<(), LogError> {
        let Appender { segment, tail, headers, .. } = appender;
        let durable = self.progress.durable_in(segment.id).max(SEGMENT_HEADER_BYTES);
        headers.clear();
        let mut ends = Vec::with_capacity(records.len());
        let mut offset = *tail;
        for record in records {
            let header = record.header(durable);
            header.write(segment.marker, offset, headers);
            ends.push((headers.len(), (header.record_len() as usize) - header.header_len()));
            positions.push(Position { segment: segment.id, offset });
            offset += header.record_len();
        }
        let mut parts = Vec::with_capacity(records.len() * 3);
        let mut start = 0;
        for (record, &(end, body)) in records.iter().zip(&ends) {
            parts.push(IoSlice::new(&headers[start..end]));
            parts.push(IoSlice::new(record.payload));
            parts.push(IoSlice::new(&PADDING[..body - record.payload.len()]));
            start = end;
        }
        // Padding is at most seven bytes and mostly none; empty slices would count against the kernel's limit.
        parts.retain(|part| !part.is_empty());
        if let Err(error) = segment.file.write_at(*tail, &mut parts) {
            positions.truncate(positions.len() - records.len());
            return Err(self.undo(segment, *tail, error));
        }
        self.counters.log_bytes.add(offset - appender.tail);
        appender.tail = offset;
        self.counters.writes.one();
        self.counters.records_written.add(records.len() as u64);
        self.counters.bytes_written.add(records.iter().map(|record| record.payload.len() as u64).sum());
        let last = records.last().zip(positions.last());
        appender.marked = last
            .is_some_and(|(record, position)| record.kind == RecordKind::Mark && position.offset == durable);
        self.progress.wrote(appender.tail());
        self.write_back(appender);
        Ok(())
    }

    /// Keeps the medium busy during a long write; a short one is left to its sync. What a sync wrote is left out: it is
    /// clean, and would leave memory, so that the next reader had to wait for the medium.
    fn write_back(&self, appender: &mut Appender) {
        let from = appender.handed_over.max(self.progress.asked_in(appender.segment.id));
        let waiting = appender.tail.saturating_sub(from);
        if waiting >= WRITEBACK_BYTES {
            appender.segment.file.begin_writing(from, waiting);
            appender.handed_over = appender.tail;
            self.counters.writebacks.one();
        }
    }

    /// After a failed write part of the records may be in the file. They must not come to life after a
    /// restart: a pin whose blocks were not written would dangle.
    fn undo(&self, segment: &Segment, tail: u64, error: std::io::Error) -> LogError {
        let path = segment::path(&self.dir, segment.id);
        let error = DiskError::of("write", &path)(error);
        match segment.file.set_len(tail) {
            Ok(()) => {
                self.progress.cut();
                LogError::Disk(error)
            }
            Err(_) => {
                self.progress.break_off(&error);
                LogError::Broken(error)
            }
        }
    }
}

/// How many of the records go into one write, and their bytes.
fn fitting(records: &[NewRecord<'_>]) -> (usize, u64) {
    let mut bytes = 0;
    for (count, record) in records.iter().take(WRITE_RECORDS_MAX).enumerate() {
        let name = record.name.map_or(0, crate::record::name_len);
        let more = align((crate::record::HEADER_BYTES + name + record.payload.len()) as u64);
        if count > 0 && bytes + more > WRITE_BYTES_MAX {
            return (count, bytes);
        }
        bytes += more;
    }
    (records.len().min(WRITE_RECORDS_MAX), bytes)
}
