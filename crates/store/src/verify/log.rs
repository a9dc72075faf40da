//! The log from its start to its end, one segment after the other.

use ipse_base::{Cid, ErrorKind, Kind, Multihash};

use super::{Ledger, Report, VerifyError, VerifySummary};
use crate::blocks::ReadError;
use crate::core::{Core, WriteError};
use crate::disk::DiskError;
use crate::log::LogError;
use crate::place::{Place, Position};
use crate::record::{Header, RecordError, RecordKind};
use crate::recover::read_payload;
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentError};

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Headers and pins, and what blocks hold.
    Payloads,
    /// Headers and pins.
    Headers,
}

/// Reads everything that was written up to now.
pub(crate) fn read(
    core: &Core,
    depth: Depth,
    ledger: &mut Ledger,
    report: &mut Report<'_>,
) -> Result<(), VerifyError> {
    Reader { core, depth, ledger, report, budget: u64::MAX }.run(Position::default()).map(drop)
}

/// Reads payloads from a place on, until so many bytes of blocks were read; answers where to go on, `None` at the
/// end.
pub(crate) fn read_some(
    core: &Core,
    from: Position,
    bytes: u64,
    ledger: &mut Ledger,
    report: &mut Report<'_>,
) -> Result<Option<Position>, VerifyError> {
    Reader { core, depth: Depth::Payloads, ledger, report, budget: bytes }.run(from)
}

/// Takes note of what was written since.
pub(crate) fn catch_up(core: &Core, ledger: &mut Ledger) -> Result<(), VerifyError> {
    let from = ledger.end;
    let mut nobody = |_: &VerifySummary, _| {};
    let mut report = Report::new(&mut nobody);
    Reader { core, depth: Depth::Headers, ledger, report: &mut report, budget: u64::MAX }.run(from).map(drop)
}

struct Reader<'a, 'b> {
    core: &'a Core,
    depth: Depth,
    ledger: &'a mut Ledger,
    report: &'a mut Report<'b>,
    /// Bytes of blocks after which it stops. Looking at a header counts too, so that a log of other records has a
    /// step's end.
    budget: u64,
}

impl Reader<'_, '_> {
    /// Answers where it stopped; `None` at the end.
    fn run(&mut self, from: Position) -> Result<Option<Position>, VerifyError> {
        let log = &self.core.log;
        let end = log.written();
        let ids = log.segments.ids().map_err(LogError::from).map_err(WriteError::from)?;
        for id in ids.into_iter().filter(|id| (from.segment..=end.segment).contains(id)) {
            let path = segment::path(&log.dir, id);
            let failed = |error| ReadError::Disk(DiskError::of("read", &path)(error));
            let segment = match log.segments.get(id) {
                Ok(segment) => segment,
                // A collection removed it meanwhile.
                Err(SegmentError::Disk(error)) if error.kind() == Kind::NotFound => continue,
                Err(SegmentError::Disk(error)) => return Err(ReadError::Disk(error).into()),
                Err(_) => {
                    self.ledger.headless += 1;
                    let position = Position { segment: id, offset: 0 };
                    self.report.damaged(None, position, RecordError::SegmentHeader);
                    continue;
                }
            };
            let start = if id == from.segment { from.offset } else { 0 };
            let length = segment.file.len().map_err(failed)?;
            let until = if id == end.segment { end.offset.min(length) } else { length };
            if let Some(offset) = self.segment(&segment, start, until)? {
                return Ok(Some(Position { segment: id, offset }));
            }
        }
        self.ledger.end = end;
        Ok(None)
    }

    fn segment(&mut self, segment: &Segment, start: u64, end: u64) -> Result<Option<u64>, VerifyError> {
        let path = segment::path(&self.core.log.dir, segment.id);
        let failed = |error| ReadError::Disk(DiskError::of("read", &path)(error));
        if start == 0 && !segment.header_is_whole().map_err(failed)? {
            self.ledger.headers.push(segment.id);
            let position = Position { segment: segment.id, offset: 0 };
            self.report.damaged(None, position, RecordError::SegmentHeader);
        }
        let mut scan = Scan::new(segment, start.max(SEGMENT_HEADER_BYTES), end);
        while let Some(found) = scan.next().map_err(failed)? {
            match found {
                Scanned::Damage { offset, end } => self.ledger.damage(segment.id, offset, end),
                Scanned::Record { offset, header } => {
                    self.record(segment, offset, &header)?;
                    if !scan.is_padded(offset, &header).map_err(failed)? {
                        self.padding(segment, offset, &header);
                    }
                    if self.budget == 0 {
                        return Ok(Some(offset + header.record_len()));
                    }
                }
            }
        }
        Ok(None)
    }

    fn record(&mut self, segment: &Segment, offset: u64, header: &Header) -> Result<(), VerifyError> {
        self.budget = self.budget.saturating_sub(header.header_len() as u64);
        let Some(name) = &header.name else { return Ok(()) };
        let position = Position { segment: segment.id, offset };
        match header.kind {
            RecordKind::Block => self.block(name.hash(), position, header)?,
            RecordKind::Tombstone => self.ledger.tombstone(name.hash()),
            RecordKind::Pin => self.pin(segment, name, position, header)?,
            RecordKind::Unpin => self.ledger.unpin(name),
            RecordKind::Mark => {}
        }
        Ok(())
    }

    fn block(&mut self, hash: &Multihash, position: Position, header: &Header) -> Result<(), VerifyError> {
        let Some(place) = self.core.place_quiet(hash)? else {
            self.ledger.block_unknown(hash, position);
            return Ok(());
        };
        // A copy whose place a newer one took is nobody's.
        if place.position != position {
            return Ok(());
        }
        self.ledger.block_matched(hash, position);
        if place_of(header, position) != Some(place) {
            self.ledger.wrong.push(hash.clone());
            self.report.damaged(Some(place.cid(hash.clone())), position, RecordError::Index);
        } else if self.depth == Depth::Payloads {
            self.payload(hash, &place)?;
        }
        Ok(())
    }

    fn payload(&mut self, hash: &Multihash, place: &Place) -> Result<(), VerifyError> {
        let cid = place.cid(hash.clone());
        self.budget = self.budget.saturating_sub(u64::from(place.length));
        let reason = match self.core.read_at(&cid, place) {
            // A hash that this node can't compute is beyond checking; its checksum was right.
            Ok(data) if hash.matches(&data).unwrap_or(true) => {
                self.report.sound(cid, data.len() as u64);
                return Ok(());
            }
            Ok(_) => RecordError::Hash,
            Err(ReadError::Damaged { reason, .. }) => reason,
            Err(error) => return Err(error.into()),
        };
        // A block that was deleted meanwhile may be a hole by now.
        if self.core.place_quiet(hash)? == Some(*place) {
            self.core.damaged.note(&cid);
            self.report.damaged(Some(cid), place.position, reason);
        }
        Ok(())
    }

    fn pin(
        &mut self,
        segment: &Segment,
        cid: &Cid,
        position: Position,
        header: &Header,
    ) -> Result<(), VerifyError> {
        let path = segment::path(&self.core.log.dir, segment.id);
        let payload = read_payload(segment, position.offset, header)
            .map_err(|error| ReadError::Disk(DiskError::of("read", &path)(error)))?;
        if header.check_payload(&payload).is_ok() {
            self.ledger.pin(cid, Some(&payload), position);
        } else {
            self.ledger.pin(cid, None, position);
            self.ledger.spoilt.push((position, header.record_len()));
            self.report.damaged(Some(cid.clone()), position, RecordError::Pin);
        }
        Ok(())
    }

    fn padding(&mut self, segment: &Segment, offset: u64, header: &Header) {
        let position = Position { segment: segment.id, offset };
        let from = offset + header.header_len() as u64 + u64::from(header.payload_len);
        let padding = Position { segment: segment.id, offset: from };
        self.ledger.padding.push((padding, offset + header.record_len() - from));
        self.report.damaged(header.name.clone(), position, RecordError::Padding);
    }
}

/// What the index should say of a block's record.
pub(crate) fn place_of(header: &Header, position: Position) -> Option<Place> {
    let name = header.name.as_ref()?;
    Some(Place {
        position,
        length: header.payload_len,
        version: name.version(),
        codec: name.codec(),
        leaf: header.leaf,
    })
}
