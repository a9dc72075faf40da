//! Rebuild: a damaged index is built anew from the log while the store is in use.
//!
//! Nobody is stopped by it: what is pending is found in memory, what the damaged index still knows is found there, and
//! what stood on a damaged page is an error until this is done. Puts go on as long as the pending changes have room.
//!
//! The log may change below the scan. What a collection copies stands behind the scan's end and is pending; what it
//! copies from is removed only after a checkpoint, which waits for this. A segment that is gone all the same was
//! replaced by copies further on.

use std::sync::Arc;

use ipse_base::{ErrorKind, Kind};

use crate::core::{Core, WriteError};
use crate::disk::DiskError;
use crate::index::{Checkpoint, Index};
use crate::log::LogError;
use crate::options::Access;
use crate::recover::{RecoverError, Replay};
use crate::segment::{self, SEGMENT_HEADER_BYTES, SegmentError};

impl Core {
    /// Has the index thread told when the index is lost.
    pub(crate) fn watch_index(self: &Arc<Self>) {
        let core = Arc::downgrade(self);
        self.index.when_lost(Box::new(move || {
            if let Some(core) = core.upgrade() {
                core.wake_background(true);
            }
        }));
    }

    /// Builds the index anew if it is lost. The caller holds what lets one checkpoint run at a time.
    pub(crate) fn rebuild_if_lost(&self) -> Result<(), WriteError> {
        if !self.index.is_lost() {
            return Ok(());
        }
        tracing::warn!("the index is damaged and is built anew from the segments");
        let end = self.pending().tail;
        // The index must never know of what the log could still lose.
        self.resume()?;
        self.log.sync(end.position)?;
        self.index.build_anew(&mut |index| self.replay(index, end)).map_err(write_error)?;
        self.uses.forget_noted();
        self.log.counters.rebuilds.one();
        tracing::info!("the index is whole again");
        Ok(())
    }

    /// Puts everything into an index that stands in the log before `end`.
    fn replay(&self, index: &dyn Index, end: Checkpoint) -> Result<(), RecoverError> {
        let mut replay = Replay::new(&self.log.dir, index, Access::Write);
        for id in self.log.segments.ids()?.into_iter().filter(|&id| id <= end.position.segment) {
            let segment = match self.log.segments.get(id) {
                Ok(segment) => segment,
                Err(SegmentError::Disk(error)) if error.kind() != Kind::NotFound => return Err(error.into()),
                // Removed in this moment, or lost with all that it held.
                Err(_) => continue,
            };
            let length = segment.file.len();
            let length = length.map_err(DiskError::of("measure", &segment::path(&self.log.dir, id)))?;
            let to = if id == end.position.segment { end.position.offset } else { length };
            replay.segment(&segment, SEGMENT_HEADER_BYTES, to)?;
        }
        Ok(index.apply(&replay.pending, end, &Vec::new())?)
    }
}

fn write_error(error: RecoverError) -> WriteError {
    match error {
        RecoverError::Index(error) => error.into(),
        RecoverError::Disk(error) => LogError::from(error).into(),
        // Neither happens to a store that is open for writing.
        RecoverError::Unindexed(path) | RecoverError::Newer { path, .. } => LogError::ReadOnly(path).into(),
    }
}
