//! Scan: the records of one segment in the order they were written, by their headers alone.
//!
//! Used on open, for collection and for `verify`. Where a header is damaged the scan looks for the next place
//! at which a sound one stands and says which bytes it could not read, so one bad sector does not cost the
//! gigabyte behind it. Memory is one window, whatever the segment holds.

use std::io;

use crate::record::{ALIGNMENT, HEADER_BYTES, Header, NAME_BYTES_MAX, align};
use crate::segment::Segment;

/// What a scan finds next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// A record with a sound header; its payload was not looked at.
    Record { offset: u64, header: Header },
    /// Bytes that are no record, up to the next sound header or the end.
    Damage { offset: u64, end: u64 },
}

/// Bytes read at once, at the most. Small records share a window; large payloads are skipped without being read, and
/// behind one the window is small at first: what follows is likely to be large too.
const WINDOW_BYTES: usize = 64 * 1024;
const WINDOW_BYTES_MIN: usize = 4 * 1024;
const HEADER_BYTES_MAX: usize = HEADER_BYTES + NAME_BYTES_MAX;

pub(crate) struct Scan<'a> {
    segment: &'a Segment,
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_start: u64,
    /// Bytes that were to be read for it.
    size: usize,
}

impl<'a> Scan<'a> {
    /// The records from `start`, which must be the start of one, up to `end`.
    pub(crate) fn new(segment: &'a Segment, start: u64, end: u64) -> Self {
        Self { segment, at: start, end, window: Vec::new(), window_start: start, size: WINDOW_BYTES / 2 }
    }

    /// The next finding; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Scanned>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let offset = self.at;
        if let Some(header) = self.record_at(offset)? {
            self.at = offset + header.record_len();
            return Ok(Some(Scanned::Record { offset, header }));
        }
        let mut next = align(offset + 1);
        while next < self.end && !(self.may_start_at(next)? && self.record_at(next)?.is_some()) {
            next += ALIGNMENT;
        }
        self.at = next.min(self.end);
        Ok(Some(Scanned::Damage { offset, end: self.at }))
    }

    /// Whether the bytes between a record's payload and the next record are zero, as far as they are there.
    /// Whoever asks goes on to the next record, which is in the same window.
    pub(crate) fn is_padded(&mut self, offset: u64, header: &Header) -> io::Result<bool> {
        let from = offset + header.header_len() as u64 + u64::from(header.payload_len);
        let length = (offset + header.record_len() - from) as usize;
        Ok(self.bytes(from, length)?.iter().all(|&byte| byte == 0))
    }

    /// The record at `offset`, if its header is sound and all of it lies before the end. The padding behind
    /// the last record may be cut off.
    fn record_at(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let marker = self.segment.marker;
        let Ok(header) = Header::read(self.bytes(offset, HEADER_BYTES_MAX)?, marker, offset) else {
            return Ok(None);
        };
        let end = offset + header.header_len() as u64 + u64::from(header.payload_len);
        Ok((end <= self.end).then_some(header))
    }

    /// A cheap look before the whole header is read.
    fn may_start_at(&mut self, offset: u64) -> io::Result<bool> {
        let marker = self.segment.marker.to_le_bytes();
        Ok(self.bytes(offset, marker.len())?.starts_with(&marker))
    }

    /// Up to `length` bytes from `offset`, fewer only at the end.
    fn bytes(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = self.end.min(offset + length as u64);
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || end > window_end {
            let goes_on = (self.window_start..=window_end).contains(&offset);
            let size = if goes_on { (self.size * 2).min(WINDOW_BYTES) } else { WINDOW_BYTES_MIN };
            self.size = size.max(length);
            let wanted = (self.end - offset).min(self.size as u64) as usize;
            self.window = self.segment.file.read_vec(offset, wanted)?;
            self.window_start = offset;
        }
        let from = (offset - self.window_start) as usize;
        Ok(&self.window[from..from + (end - offset) as usize])
    }
}
