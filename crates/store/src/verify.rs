//! Verify: every block read, checked and hashed again, and every record's header looked at.

use std::collections::HashSet;

use ipse_base::{Cid, ErrorKind, Kind};

use crate::blocks::ReadError;
use crate::core::WriteError;
use crate::disk::DiskError;
use crate::list::Places;
use crate::log::LogError;
use crate::place::{Place, Position};
use crate::record::{RecordError, RecordKind};
use crate::recover::read_payload;
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment};
use crate::store::Store;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The block, or what was pinned; `None` where the record's own header is gone.
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

struct Verification<'a> {
    store: &'a Store,
    summary: VerifySummary,
    reported: HashSet<Position>,
    report: &'a mut dyn FnMut(&VerifySummary, Checked),
}

impl Store {
    /// Reads and hashes every block and looks at every record; tells the result of each as it goes, with the
    /// sums so far. Runs beside readers and writers and holds no lock.
    ///
    /// # Errors
    /// [`VerifyError`] where the disk or the index fails; damage is reported instead.
    pub fn verify(
        &self,
        report: &mut dyn FnMut(&VerifySummary, Checked),
    ) -> Result<VerifySummary, VerifyError> {
        self.core().checkpoint()?;
        let end = self.core().log.written();
        let mut verification =
            Verification { store: self, summary: VerifySummary::default(), reported: HashSet::new(), report };
        verification.blocks()?;
        verification.records(end)?;
        Ok(verification.summary)
    }
}

impl Verification<'_> {
    fn blocks(&mut self) -> Result<(), VerifyError> {
        let core = self.store.core();
        let mut places = Places::new(core);
        loop {
            let page = places.next_page_by_place().map_err(ReadError::from)?;
            if page.is_empty() {
                return Ok(());
            }
            for (hash, place) in page {
                self.block(&place.cid(hash), &place)?;
            }
        }
    }

    fn block(&mut self, cid: &Cid, place: &Place) -> Result<(), VerifyError> {
        let data = match self.store.core().read(cid) {
            // Deleted meanwhile.
            Ok(None) => return Ok(()),
            Ok(Some(data)) => data,
            Err(ReadError::Damaged { position, reason, .. }) => {
                self.damaged(Some(cid.clone()), position, reason);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.summary.blocks += 1;
        self.summary.bytes += data.len() as u64;
        // A hash that this node can't compute is beyond checking; its checksum was right.
        if cid.hash().matches(&data).unwrap_or(true) {
            (self.report)(&self.summary, Checked::Sound(cid.clone()));
        } else {
            self.store.core().note_damage(cid.hash());
            self.damaged(Some(cid.clone()), place.position, RecordError::Hash);
        }
        Ok(())
    }

    fn damaged(&mut self, cid: Option<Cid>, position: Position, reason: RecordError) {
        let fresh = self.reported.len() >= REPORTED_MAX || self.reported.insert(position);
        if fresh {
            self.summary.damages += 1;
            (self.report)(&self.summary, Checked::Damaged(Damage { cid, position, reason }));
        }
    }

    /// The headers of all records, and the payloads of pins.
    fn records(&mut self, end: Position) -> Result<(), VerifyError> {
        let log = &self.store.core().log;
        let ids = log.segments.ids().map_err(LogError::from).map_err(WriteError::from)?;
        for id in ids.into_iter().filter(|&id| id <= end.segment) {
            let path = segment::path(&log.dir, id);
            let failed = |error| ReadError::Disk(DiskError::of("read", &path)(error));
            let position = Position { segment: id, offset: 0 };
            let segment = match log.segments.get(id) {
                Ok(segment) => segment,
                Err(segment::SegmentError::Disk(error)) if error.kind() == Kind::NotFound => continue,
                Err(segment::SegmentError::Disk(error)) => return Err(ReadError::Disk(error).into()),
                Err(_) => {
                    self.damaged(None, position, RecordError::Marker);
                    continue;
                }
            };
            let length = segment.file.len().map_err(failed)?;
            let until = if id == end.segment { end.offset.min(length) } else { length };
            self.segment(&segment, until).map_err(failed)?;
        }
        Ok(())
    }

    fn segment(&mut self, segment: &Segment, end: u64) -> std::io::Result<()> {
        let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, end);
        while let Some(found) = scan.next()? {
            match found {
                Scanned::Damage { offset, .. } => {
                    let position = Position { segment: segment.id, offset };
                    self.damaged(None, position, RecordError::HeaderChecksum);
                }
                Scanned::Record { offset, header } if header.kind == RecordKind::Pin => {
                    let payload = read_payload(segment, offset, &header)?;
                    if let Err(reason) = header.check_payload(&payload) {
                        let position = Position { segment: segment.id, offset };
                        self.damaged(header.name.clone(), position, reason);
                    }
                }
                Scanned::Record { .. } => {}
            }
        }
        Ok(())
    }
}
