//! Resume: the log goes on after a sync that failed, or after a failed write that could not be cut off.
//!
//! What the system could not write it may have dropped, while readers still see it and no later sync speaks of it:
//! a second sync that goes well proves nothing. So what is not durable is read back, checked, and written once
//! more to where it stands, in new space; then a sync means something again. No state of the disk comes of this
//! that an ordinary append could not leave: the same bytes at the same place, none of them acknowledged, and a
//! power loss tears them like any others.
//!
//! What can't be read back was not acknowledged either, but whoever put it may still build on it. Nothing more is
//! written then; the next opening cuts it off.

use std::io::{self, IoSlice};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::append::Appender;
use super::sync::Progress;
use super::{Log, LogError};
use crate::disk::DiskError;
use crate::lock;
use crate::place::Position;
use crate::recover::read_payload;
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment};

/// Bytes written again by one call.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;
/// File systems give back whole pages, of any size up to this.
const PAGE_BYTES: u64 = 64 * 1024;

impl Progress {
    /// What is broken, and from where on nothing is durable; waits for the sync that may be on its way, so that its
    /// failure is not taken for a success of the next.
    fn broken(&self) -> Option<(DiskError, Position)> {
        let mut state = lock(&self.state);
        while state.syncing {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.broken.clone().map(|error| (error, state.durable))
    }

    fn resumed(&self, end: Position) {
        let mut state = lock(&self.state);
        state.broken = None;
        state.cut = false;
        state.durable = end;
        self.changed.notify_all();
    }
}

impl Log {
    /// Nothing, unless an earlier failure left it open what is on the disk; then everything that was appended is made
    /// durable, or it is told why that can't be. The caller holds the appender, so nothing is added meanwhile.
    pub(crate) fn resume(&self, appender: &Appender) -> Result<(), LogError> {
        match self.check() {
            Ok(()) => return Ok(()),
            Err(error @ LogError::ReadOnly(_)) => return Err(error),
            Err(_) => {}
        }
        let Some((before, durable)) = self.progress.broken() else { return Ok(()) };
        let (segment, end) = (appender.segment(), appender.tail());
        let from = durable.offset.max(SEGMENT_HEADER_BYTES);
        self.counters.syncs.one();
        self.rewrites.fetch_add(1, Ordering::SeqCst);
        let written = write_anew(segment, from, end.offset);
        self.rewrites.fetch_add(1, Ordering::SeqCst);
        match written {
            Ok(true) => {
                tracing::info!(%end, "the log goes on: what a failed sync left open is durable");
                self.counters.resumptions.one();
                self.progress.resumed(end);
                Ok(())
            }
            Ok(false) => Err(LogError::Unreadable(before)),
            Err(error) => {
                let path = segment::path(&self.dir, segment.id);
                let error = DiskError::of("write again", &path)(error);
                self.progress.break_off(&error);
                Err(LogError::Broken(error))
            }
        }
    }
}

impl Log {
    /// To be asked before a read that may meet the end of the log while it is written again.
    pub(crate) fn rewrites(&self) -> u64 {
        self.rewrites.load(Ordering::SeqCst)
    }

    /// Whether the end of the log was written again since: then what a read did not find may be there. Waits until
    /// that is over.
    pub(crate) fn rewritten_since(&self, before: u64) -> bool {
        while self.rewrites() % 2 == 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.rewrites() != before
    }
}

/// The end of a segment made durable, whatever became of earlier attempts; false where it can't be read back.
fn write_anew(segment: &Segment, from: u64, end: u64) -> io::Result<bool> {
    // What a failed write left behind the end goes first.
    segment.file.set_len(end)?;
    if !write_again(segment, from, end)? {
        return Ok(false);
    }
    segment.file.sync_data()?;
    // Not what memory shows counts, which a failed sync leaves as it was, but what the medium has.
    segment.file.forget_cached(from);
    is_sound(segment, from, end)
}

/// Writes the records between two places once more to where they stand, in space that is allocated anew. False where
/// one of them is not as it was written.
///
/// The old space must go first: ext4 remembers that blocks were never written, and a page that it failed to write
/// once goes to its blocks later without that mark being taken off. After a restart they would read as zeros.
fn write_again(segment: &Segment, from: u64, end: u64) -> io::Result<bool> {
    if !is_sound(segment, from, end)? {
        return Ok(false);
    }
    let mut start = from;
    while start < end {
        // Pieces end where pages do, for only whole ones are given back.
        let piece_end = (start + 1).next_multiple_of(PIECE_BYTES).min(end);
        let bytes = segment.file.read_vec(start, (piece_end - start) as usize)?;
        segment.file.punch(start, piece_end.next_multiple_of(PAGE_BYTES) - start)?;
        segment.file.write_at(start, &mut [IoSlice::new(&bytes)])?;
        start = piece_end;
    }
    Ok(true)
}

/// Whether all records between two places are as they were written.
fn is_sound(segment: &Segment, from: u64, end: u64) -> io::Result<bool> {
    let mut scan = Scan::new(segment, from, end);
    while let Some(found) = scan.next()? {
        let Scanned::Record { offset, header } = found else { return Ok(false) };
        if header.check_payload(&read_payload(segment, offset, &header)?).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}
