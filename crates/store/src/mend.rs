//! Mend: what is damaged becomes whole again, as far as the repository itself knows what stood there, or is
//! given the block.
//!
//! The order matters: first what was lost is written anew at the end of the log and is durable; only then the
//! damaged bytes are covered by a mark, so that a later reading passes over them. A power cut between the two
//! leaves damage that is found again.

use ipse_base::{Block, Cid};

use crate::blocks::ReadError;
use crate::core::{Core, WriteError};
use crate::disk::DiskError;
use crate::index::value;
use crate::log::NewRecord;
use crate::place::Position;
use crate::record::{HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, RecordKind};
use crate::recover::read_payload;
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment};
use crate::store::Store;
use crate::verify::log::{Depth, place_of};
use crate::verify::{Ledger, Report, VerifyError, VerifySummary, index, log};

/// What was made whole beside blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// Pins, deletions and entries of the index that were written anew.
    pub records: u64,
    /// Damaged places that hold nothing any more and are passed over from now on.
    pub places: u64,
    /// Segments without a header, and places of blocks that nobody gave anew: they stay as they are.
    pub left: u64,
}

impl Store {
    /// Writes a block anew though the store has it: for one that was found damaged. Visible on return, durable
    /// after the next commit.
    ///
    /// # Errors
    /// [`WriteError`], as [`Store::put_blocks`].
    pub fn replace(&self, block: &Block) -> Result<(), WriteError> {
        self.core().damaged.expect(block.cid());
        self.put_blocks(std::slice::from_ref(block))
    }

    /// Deletes a block that can't be read, pinned or not; a pin stays and is whole again once the block is put.
    /// Answers false, and deletes nothing, where the block is sound or not here.
    ///
    /// # Errors
    /// [`VerifyError`] where it can't be looked at, or the log takes no record.
    pub fn drop_damaged(&self, cid: &Cid) -> Result<bool, VerifyError> {
        let core = self.core();
        core.make_room()?;
        let mut appender = core.log.appender();
        match core.read(cid) {
            // Both checksums may hold over bytes that are not the block's.
            Ok(Some(data)) if cid.hash().matches(&data).unwrap_or(true) => return Ok(false),
            Ok(None) => return Ok(false),
            Ok(Some(_)) | Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let record = NewRecord::new(RecordKind::Tombstone, Some(cid), &[]);
        core.write(&mut appender, &[record]).map_err(WriteError::from)?;
        core.damaged.healed(cid.hash());
        Ok(true)
    }

    /// Writes anew what damage took and the repository still knows: pins, deletions, entries of the index,
    /// headers of segments. Then damaged places that no block is missing from are covered. To be called after
    /// damaged blocks were replaced or dropped; those that were not keep their places. Everything is durable on
    /// return.
    ///
    /// # Errors
    /// [`VerifyError`]; what was mended until then stays so.
    pub fn mend(&self) -> Result<Mended, VerifyError> {
        let core = self.core();
        core.commit().map_err(WriteError::from)?;
        core.checkpoint()?;
        let mut ledger = Ledger::default();
        let mut nobody = |_: &VerifySummary, _| {};
        let mut report = Report::new(&mut nobody);
        log::read(core, Depth::Headers, &mut ledger, &mut report)?;
        index::compare(core, &mut ledger, &mut report)?;
        let mut mending = Mending { core, ledger, mended: Mended::default() };
        mending.records()?;
        core.commit().map_err(WriteError::from)?;
        core.checkpoint()?;
        mending.places()?;
        mending.mended.left = mending.ledger.left();
        Ok(mending.mended)
    }
}

struct Mending<'a> {
    core: &'a Core,
    ledger: Ledger,
    mended: Mended,
}

impl Mending<'_> {
    /// What one of log and index knows becomes known to both.
    fn records(&mut self) -> Result<(), VerifyError> {
        for cid in std::mem::take(&mut self.ledger.lost_pins) {
            self.append(&cid, RecordKind::Pin, |core| {
                let pin = core.pin_of(&cid)?;
                Ok(pin.map(|pin| value::encode_pin(pin.mode, pin.name.as_deref())))
            })?;
        }
        for (cid, position) in std::mem::take(&mut self.ledger.unindexed) {
            let absent = |core: &Core| Ok(core.place(cid.hash())?.is_none().then(Vec::new));
            if self.ledger.may_be_lost_behind(position) {
                self.append(&cid, RecordKind::Tombstone, absent)?;
            } else {
                self.index_anew(position)?;
            }
        }
        for (cid, position) in std::mem::take(&mut self.ledger.unindexed_pins) {
            let absent = |core: &Core| Ok(core.pin_of(&cid)?.is_none().then(Vec::new));
            if self.ledger.may_be_lost_behind(position) {
                self.append(&cid, RecordKind::Unpin, absent)?;
            } else {
                self.index_anew(position)?;
            }
        }
        for hash in std::mem::take(&mut self.ledger.wrong) {
            if let Some(place) = self.core.place(&hash)? {
                self.index_anew(place.position)?;
            }
        }
        Ok(())
    }

    /// Appends a record, unless by now it would say something else.
    fn append(
        &mut self,
        cid: &Cid,
        kind: RecordKind,
        payload: impl Fn(&Core) -> Result<Option<Vec<u8>>, VerifyError>,
    ) -> Result<(), VerifyError> {
        self.core.make_room()?;
        let mut appender = self.core.log.appender();
        if let Some(payload) = payload(self.core)? {
            let record = NewRecord::new(kind, Some(cid), &payload);
            self.core.write(&mut appender, &[record]).map_err(WriteError::from)?;
            self.mended.records += 1;
        }
        Ok(())
    }

    /// Takes the record at a place over into the index.
    fn index_anew(&mut self, position: Position) -> Result<(), VerifyError> {
        let core = self.core;
        core.make_room()?;
        // Whoever writes holds the appender, so nothing newer about this name comes between.
        let _appender = core.log.appender();
        let Ok(segment) = core.log.segments.get(position.segment) else { return Ok(()) };
        let failed = |error| failed(core, &segment, "read", error);
        let front = segment.file.len().map_err(failed)?.saturating_sub(position.offset).min(300);
        let front = segment.file.read_vec(position.offset, front as usize).map_err(failed)?;
        let Ok(header) = Header::read(&front, segment.marker, position.offset) else { return Ok(()) };
        let Some(name) = &header.name else { return Ok(()) };
        let stands = match header.kind {
            RecordKind::Block => core
                .place(name.hash())?
                .is_none_or(|place| place.position == position && place_of(&header, position) != Some(place)),
            _ => core.pin_of(name)?.is_none(),
        };
        if stands {
            let payload = match header.kind {
                RecordKind::Pin => read_payload(&segment, position.offset, &header).map_err(failed)?,
                _ => Vec::new(),
            };
            core.note_found(&header, &payload, position);
            self.mended.records += 1;
        }
        Ok(())
    }

    /// Covers damaged places of which nothing is missing any more.
    fn places(&mut self) -> Result<(), VerifyError> {
        for range in self.ledger.unknown() {
            self.cover(range.position(), range.to - range.from)?;
        }
        // Blocks that were given anew since have their places elsewhere.
        for (position, length) in std::mem::take(&mut self.ledger.spoilt) {
            self.cover(position, length)?;
        }
        for (position, length) in std::mem::take(&mut self.ledger.padding) {
            if let Ok(segment) = self.core.log.segments.get(position.segment) {
                self.overwrite(&segment, position.offset, &vec![0; length as usize])?;
            }
        }
        for id in std::mem::take(&mut self.ledger.headers) {
            if let Ok(segment) = self.core.log.segments.get(id) {
                segment.write_header().map_err(|error| failed(self.core, &segment, "write", error))?;
                self.mended.places += 1;
            }
        }
        Ok(())
    }

    /// Makes marks of a stretch that holds no sound record.
    fn cover(&mut self, position: Position, length: u64) -> Result<(), VerifyError> {
        let Ok(segment) = self.core.log.segments.get(position.segment) else { return Ok(()) };
        let longest = HEADER_BYTES as u64 + PAYLOAD_BYTES_MAX as u64 / 2;
        let (mut offset, end) = (position.offset, position.offset + length);
        while end - offset > HEADER_BYTES as u64 {
            let rest = end - offset;
            let size = if rest > longest { longest / 8 * 8 } else { rest };
            let payload = segment
                .file
                .read_vec(offset + HEADER_BYTES as u64, size as usize - HEADER_BYTES)
                .map_err(|error| failed(self.core, &segment, "read", error))?;
            let header = Header {
                kind: RecordKind::Mark,
                leaf: false,
                name: None,
                payload_len: payload.len() as u32,
                payload_crc: crc32c::crc32c(&payload),
                durable: SEGMENT_HEADER_BYTES,
            };
            let mut bytes = Vec::with_capacity(HEADER_BYTES);
            header.write(segment.marker, offset, &mut bytes);
            self.overwrite(&segment, offset, &bytes)?;
            offset += size;
        }
        Ok(())
    }

    fn overwrite(&mut self, segment: &Segment, offset: u64, bytes: &[u8]) -> Result<(), VerifyError> {
        let written = segment.file.write_at(offset, &mut [std::io::IoSlice::new(bytes)]);
        let written = written.and_then(|()| segment.file.sync_data());
        written.map_err(|error| failed(self.core, segment, "write", error))?;
        self.mended.places += 1;
        Ok(())
    }
}

fn failed(core: &Core, segment: &Segment, action: &'static str, error: std::io::Error) -> VerifyError {
    let path = segment::path(&core.log.dir, segment.id);
    ReadError::Disk(DiskError::of(action, &path)(error)).into()
}
