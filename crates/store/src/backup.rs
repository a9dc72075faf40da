//! Backup: what of the segments somebody does not have yet, as they are at one moment.
//!
//! Segments only grow, so what was handed over once needs no second look. The moment is the last look at the end
//! of the log, taken when nearly everything is handed over. A collection that runs meanwhile takes bytes away only
//! after their deletion is durable: if it took something during the last round, another round follows, whose
//! end stands behind those deletions. So nothing is held back for a backup, however slow its reader.

use std::collections::HashMap;
use std::time::Duration;

use ipse_base::{ErrorKind, Kind};

use crate::core::{Core, WriteError};
use crate::disk::DiskError;
use crate::place::Position;
use crate::segment::{self, SegmentError};
use crate::store::Store;

/// Bytes read at once.
const READ_BYTES: u64 = 1024 * 1024;
/// Zeros of this length, at a multiple of it, are handed over as a number.
const ZEROS_BYTES: usize = 64 * 1024;
/// How long to wait for a collection that goes on taking things away, before the next round.
const ROUND_REST: Duration = Duration::from_millis(200);

/// How much of which segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldSegment {
    /// Its number.
    pub number: u32,
    /// Its marker, which no other segment has.
    pub marker: u64,
    /// Bytes from its start.
    pub length: u64,
}

/// What a backup hands over, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupPart {
    /// First: about so many bytes are to come.
    Begin {
        /// Bytes.
        bytes: u64,
    },
    /// What follows stands in this segment, from there on.
    Segment {
        /// Its number.
        number: u32,
        /// Its marker.
        marker: u64,
        /// Where it begins.
        from: u64,
    },
    /// Bytes of it.
    Data(Vec<u8>),
    /// So many zeros of it.
    Zeros(u64),
    /// Last: all that belongs to the backup.
    End {
        /// The segments.
        segments: Vec<HeldSegment>,
        /// Blocks in them, by the index.
        blocks: u64,
    },
}

/// Why a backup was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackupError {
    /// The log could not be made durable, or the index not read.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A segment could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The reader has more of a segment than there is.
    #[error("the backup has more of segment {0:08} than the repository")]
    Ahead(u32),
    /// Nobody takes what is handed over.
    #[error("the backup was broken off")]
    Gone,
}

impl ErrorKind for BackupError {
    fn kind(&self) -> Kind {
        match self {
            Self::Write(error) => error.kind(),
            Self::Disk(error) => error.kind(),
            Self::Ahead(_) => Kind::Conflict,
            Self::Gone => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write(error) => error.hint(),
            Self::Disk(error) => error.hint(),
            Self::Ahead(_) => Some(
                "it was made later, or from another copy of this repository: back up into another folder"
                    .into(),
            ),
            Self::Gone => None,
        }
    }
}

/// Takes a part; false where nobody wants more.
type Take<'a> = &'a mut dyn FnMut(BackupPart) -> bool;

struct Running<'a> {
    core: &'a Core,
    /// How much of each segment was handed over, or was there before.
    has: HashMap<(u32, u64), u64>,
    take: Take<'a>,
}

impl Store {
    /// Hands over what is not in `have`, on the calling thread. Everything that was acknowledged before the call
    /// is in it. Runs beside readers, writers and collection.
    ///
    /// # Errors
    /// [`BackupError`]; what was handed over is then no backup.
    pub fn backup(&self, have: &[HeldSegment], take: Take<'_>) -> Result<(), BackupError> {
        let core = self.core();
        let has = have.iter().map(|held| ((held.number, held.marker), held.length)).collect();
        let mut running = Running { core, has, take };
        let (mut begun, mut rest) = (false, Duration::ZERO);
        loop {
            std::thread::sleep(rest);
            let taken = core.log.segments.taken();
            let end = core.log.written();
            core.log.sync(end).map_err(WriteError::from)?;
            let Some(segments) = running.listed(end)? else {
                rest = ROUND_REST;
                continue;
            };
            if !begun {
                let bytes = segments.iter().map(|held| held.length - running.known(held)).sum();
                running.give(BackupPart::Begin { bytes })?;
                begun = true;
            }
            let mut copied = 0;
            for held in &segments {
                copied += running.segment(held)?;
            }
            if core.log.segments.taken() == taken {
                core.checkpoint()?;
                let blocks = core.index.totals().map_err(WriteError::from)?.blocks;
                return running.give(BackupPart::End { segments, blocks });
            }
            rest = if copied == 0 { ROUND_REST } else { Duration::ZERO };
        }
    }
}

impl Running<'_> {
    fn give(&mut self, part: BackupPart) -> Result<(), BackupError> {
        if (self.take)(part) { Ok(()) } else { Err(BackupError::Gone) }
    }

    fn known(&self, held: &HeldSegment) -> u64 {
        self.has.get(&(held.number, held.marker)).copied().unwrap_or(0)
    }

    /// The segments up to `end`; `None` where one went away in this moment.
    fn listed(&self, end: Position) -> Result<Option<Vec<HeldSegment>>, BackupError> {
        let log = &self.core.log;
        let mut listed = Vec::new();
        for number in log.segments.ids()?.into_iter().filter(|&id| id <= end.segment) {
            let path = segment::path(&log.dir, number);
            let segment = match log.segments.get(number) {
                Ok(segment) => segment,
                Err(SegmentError::Disk(error)) if error.kind() == Kind::NotFound => return Ok(None),
                Err(SegmentError::Disk(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::error!(%error, "a segment without a header is not in the backup");
                    continue;
                }
            };
            let length = match number == end.segment {
                true => end.offset,
                false => segment.file.len().map_err(DiskError::of("measure", &path))?,
            };
            let held = HeldSegment { number, marker: segment.marker, length };
            if self.known(&held) > length {
                return Err(BackupError::Ahead(number));
            }
            listed.push(held);
        }
        Ok(Some(listed))
    }

    /// Hands over the rest of a segment; answers its bytes. One that went away is none of the next round.
    fn segment(&mut self, held: &HeldSegment) -> Result<u64, BackupError> {
        let &HeldSegment { number, marker, length } = held;
        let from = self.known(held);
        if from == length {
            return Ok(0);
        }
        let Ok(segment) = self.core.log.segments.get(number) else { return Ok(0) };
        self.give(BackupPart::Segment { number, marker, from })?;
        let path = segment::path(&self.core.log.dir, number);
        let mut at = from;
        while at < length {
            // Up to a multiple of what is read at once, so that holes are met as a whole.
            let next = length.min((at + 1).next_multiple_of(READ_BYTES));
            let bytes =
                segment.file.read_vec(at, (next - at) as usize).map_err(DiskError::of("read", &path))?;
            self.bytes(bytes)?;
            at = next;
        }
        self.has.insert((number, marker), length);
        Ok(length - from)
    }

    /// Hands over bytes, runs of zeros as their length.
    fn bytes(&mut self, bytes: Vec<u8>) -> Result<(), BackupError> {
        let is_hole = |piece: &[u8]| piece.len() == ZEROS_BYTES && piece.iter().all(|&byte| byte == 0);
        if !bytes.chunks(ZEROS_BYTES).any(is_hole) {
            return self.give(BackupPart::Data(bytes));
        }
        for run in bytes.chunks(ZEROS_BYTES).collect::<Vec<_>>().chunk_by(|a, b| is_hole(a) == is_hole(b)) {
            let part = match is_hole(run[0]) {
                true => BackupPart::Zeros((run.len() * ZEROS_BYTES) as u64),
                false => BackupPart::Data(run.concat()),
            };
            self.give(part)?;
        }
        Ok(())
    }
}
