//! Verify: every record of the log looked at, every block read and hashed, and log and index held against each
//! other.
//!
//! First the log from its start to its end, as it stands on the disk, so that reading is one way (`log`). What
//! it says is kept short in a `ledger`. Then the index, entry by entry, against the headers in the log
//! (`index`): it names the blocks whose own headers are gone, and what one of the two knows and the other does
//! not. Runs beside readers, writers and collection and holds no lock of theirs.

pub(crate) mod index;
mod ledger;
pub(crate) mod log;

use std::collections::HashSet;

use ipse_base::{Cid, ErrorKind, Kind};

use crate::blocks::ReadError;
use crate::core::WriteError;
use crate::index::IndexError;
use crate::place::Position;
use crate::record::RecordError;
use crate::store::Store;

pub(crate) use ledger::Ledger;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The block, or what was pinned; `None` where the record's own header is gone and the index names nothing
    /// there.
    pub cid: Option<Cid>,
    /// Where it stands.
    pub position: Position,
    /// What is wrong.
    pub reason: RecordError,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.cid {
            Some(cid) => write!(f, "{cid} at {}: {}", self.position, self.reason),
            None => write!(f, "record at {}: {}", self.position, self.reason),
        }
    }
}

impl Damage {
    /// The block whose bytes are lost here, so that only a copy from elsewhere mends it. What else is damaged
    /// is known from other places of the repository; [`Store::mend`] writes it anew.
    pub fn block(&self) -> Option<&Cid> {
        let own = matches!(
            self.reason,
            RecordError::Record | RecordError::Pin | RecordError::Padding | RecordError::Index
        );
        self.cid.as_ref().filter(|_| !own)
    }
}

/// One step of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// A block is as it should be.
    Sound(Cid),
    /// Something is not.
    Damaged(Damage),
}

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifySummary {
    /// Blocks read and hashed.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Things that are not as they were written.
    pub damages: u64,
}

/// Why a verification could not go on. Damage does not end one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerifyError {
    /// The index could not be brought up to date.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A block could not be read, for a reason other than damage.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<IndexError> for VerifyError {
    fn from(error: IndexError) -> Self {
        Self::Read(error.into())
    }
}

impl ErrorKind for VerifyError {
    fn kind(&self) -> Kind {
        match self {
            Self::Write(error) => error.kind(),
            Self::Read(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write(error) => error.hint(),
            Self::Read(error) => error.hint(),
        }
    }
}

/// Places of damage that are remembered to report each once.
const REPORTED_MAX: usize = 65_536;

/// What a verification is told, and what it tells.
pub(crate) struct Report<'a> {
    pub(crate) summary: VerifySummary,
    reported: HashSet<Position>,
    tell: &'a mut dyn FnMut(&VerifySummary, Checked),
}

impl<'a> Report<'a> {
    pub(crate) fn new(tell: &'a mut dyn FnMut(&VerifySummary, Checked)) -> Self {
        Self { summary: VerifySummary::default(), reported: HashSet::new(), tell }
    }

    pub(crate) fn sound(&mut self, cid: Cid, bytes: u64) {
        self.summary.blocks += 1;
        self.summary.bytes += bytes;
        (self.tell)(&self.summary, Checked::Sound(cid));
    }

    pub(crate) fn damaged(&mut self, cid: Option<Cid>, position: Position, reason: RecordError) {
        let fresh = self.reported.len() >= REPORTED_MAX || self.reported.insert(position);
        if fresh {
            self.summary.damages += 1;
            (self.tell)(&self.summary, Checked::Damaged(Damage { cid, position, reason }));
        }
    }
}

impl Store {
    /// Reads and hashes every block, looks at every record, and compares log and index; tells the result of
    /// each as it goes, with the sums so far. Changes nothing.
    ///
    /// # Errors
    /// [`VerifyError`] where the disk or the index fails; damage is reported instead.
    pub fn verify(
        &self,
        report: &mut dyn FnMut(&VerifySummary, Checked),
    ) -> Result<VerifySummary, VerifyError> {
        let core = self.core();
        core.checkpoint()?;
        let mut report = Report::new(report);
        let mut ledger = Ledger::default();
        log::read(core, log::Depth::Payloads, &mut ledger, &mut report)?;
        index::compare(core, &mut ledger, &mut report)?;
        for range in ledger.unknown() {
            report.damaged(ledger.lost_in(&range), range.position(), RecordError::Record);
        }
        Ok(report.summary)
    }
}
