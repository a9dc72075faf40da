//! Sync: group commit. Callers that wait at the same time share one `fdatasync` of a leader.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::{Log, LogError};
use crate::disk::{DiskError, DiskFile};
use crate::lock;
use crate::place::Position;
use crate::segment;

/// How far the log is written, and how far durable.
pub(crate) struct Progress {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

pub(super) struct State {
    written: Position,
    /// Everything before is on its way to the medium, or there.
    asked: Position,
    pub(super) durable: Position,
    file: Arc<dyn DiskFile>,
    pub(super) syncing: bool,
    /// A failed write was cut off and the cut is not durable yet. Until it is, what was cut could come back, so
    /// no sync is saved for want of new records.
    pub(super) cut: bool,
    /// A failed sync may have dropped data that a later one would call durable, so there is no later one before all
    /// of it was written again ([`Log::resume`]).
    pub(super) broken: Option<DiskError>,
}

impl Progress {
    pub(super) fn new(end: Position, file: Arc<dyn DiskFile>) -> Self {
        let state =
            State { written: end, asked: end, durable: end, file, syncing: false, cut: false, broken: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        lock(&self.state).broken.clone().map_or(Ok(()), |error| Err(LogError::Broken(error)))
    }

    /// Bytes of this segment that are durable.
    pub(super) fn durable_in(&self, segment: u32) -> u64 {
        let durable = lock(&self.state).durable;
        if durable.segment == segment { durable.offset } else { 0 }
    }

    /// Bytes of this segment that a sync was asked to write so far.
    pub(super) fn asked_in(&self, segment: u32) -> u64 {
        let asked = lock(&self.state).asked;
        if asked.segment == segment { asked.offset } else { 0 }
    }

    pub(super) fn wrote(&self, end: Position) {
        lock(&self.state).written = end;
    }

    pub(super) fn cut(&self) {
        lock(&self.state).cut = true;
    }

    /// A new segment begins, everything before being durable.
    pub(super) fn advance(&self, start: Position, file: &Arc<dyn DiskFile>) {
        let mut state = lock(&self.state);
        state.written = start;
        state.asked = start;
        state.durable = start;
        state.file = Arc::clone(file);
    }

    pub(super) fn break_off(&self, error: &DiskError) {
        lock(&self.state).broken = Some(error.clone());
        self.changed.notify_all();
    }
}

impl Log {
    /// Returns when everything before `target` is durable.
    pub(crate) fn sync(&self, target: Position) -> Result<(), LogError> {
        let progress = &self.progress;
        let mut state = lock(&progress.state);
        loop {
            if let Some(error) = &state.broken {
                return Err(LogError::Broken(error.clone()));
            }
            if state.durable >= target && !state.cut {
                return Ok(());
            }
            if state.syncing {
                state = progress.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.syncing = true;
            state.cut = false;
            state.asked = state.written;
            let (file, written) = (Arc::clone(&state.file), state.written);
            drop(state);
            self.counters.syncs.one();
            let result = file.sync_data();
            state = lock(&progress.state);
            state.syncing = false;
            match result {
                Ok(()) => state.durable = state.durable.max(written),
                Err(error) => {
                    let path = segment::path(&self.dir, written.segment);
                    state.broken = Some(DiskError::of("sync", &path)(error));
                }
            }
            progress.changed.notify_all();
        }
    }

    /// The end of what was written.
    pub(crate) fn written(&self) -> Position {
        lock(&self.progress.state).written
    }
}
