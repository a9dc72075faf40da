//! Resume: the log goes on after a sync that failed, or after a failed write that could not be cut off.
//!
//! What the system could not write it may have dropped, while readers still see it and no later sync speaks of it:
//! a second sync that goes well proves nothing. So what is not durable is read back, checked, and written once
//! more to where it stands; then a sync means something again. No state of the disk comes of this that an ordinary
//! append could not leave: the same bytes at the same place, none of them acknowledged, and a power loss tears them
//! like any others.
//!
//! What can't be read back was not acknowledged either, but whoever put it may still build on it. Nothing more is
//! written then; the next opening cuts it off.

use std::io::{self, IoSlice};
use std::sync::PoisonError;

use super::append::Appender;
use super::sync::Progress;
use super::{Log, LogError};
use crate::disk::DiskError;
use crate::lock;
use crate::place::Position;
use crate::recover::read_payload;
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment};

/// Bytes written again by one call, at about.
const BATCH_BYTES: usize = 1024 * 1024;

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
        match write_anew(segment, from, end.offset) {
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

/// The end of a segment made durable, whatever became of earlier attempts; false where it can't be read back.
fn write_anew(segment: &Segment, from: u64, end: u64) -> io::Result<bool> {
    // What a failed write left behind the end goes first.
    segment.file.set_len(end)?;
    if !write_again(segment, from, end)? {
        return Ok(false);
    }
    segment.file.sync_data()?;
    Ok(true)
}

/// Writes the records between two places once more to where they stand. False where one of them is not as it was
/// written; those before it are written again then.
pub(crate) fn write_again(segment: &Segment, from: u64, end: u64) -> io::Result<bool> {
    let mut scan = Scan::new(segment, from, end);
    let (mut start, mut batch) = (from, Vec::new());
    while let Some(found) = scan.next()? {
        let Scanned::Record { offset, header } = found else { return Ok(false) };
        let payload = read_payload(segment, offset, &header)?;
        if header.check_payload(&payload).is_err() {
            return Ok(false);
        }
        header.write(segment.marker, offset, &mut batch);
        batch.extend_from_slice(&payload);
        let behind = offset + header.record_len();
        batch.resize((behind - start) as usize, 0);
        if batch.len() >= BATCH_BYTES {
            segment.file.write_at(start, &mut [IoSlice::new(&batch)])?;
            batch.clear();
            start = behind;
        }
    }
    if !batch.is_empty() {
        segment.file.write_at(start, &mut [IoSlice::new(&batch)])?;
    }
    Ok(true)
}
