//! The index against what the log said.

use ipse_base::{Cid, ErrorKind, Kind, Multihash};

use super::ledger::{Ledger, entry};
use super::log::{catch_up, place_of};
use super::{Report, VerifyError};
use crate::blocks::ReadError;
use crate::core::Core;
use crate::disk::DiskError;
use crate::index::{IndexError, value};
use crate::list::Places;
use crate::place::{Place, Position};
use crate::record::{HEADER_BYTES, Header, NAME_BYTES_MAX, RecordError, RecordKind};
use crate::segment::{self, SegmentError};

/// How often what differs is looked at again, since pins come and go meanwhile.
const LOOKS: usize = 3;
/// Pins that are in one of log and index only.
const SUSPECTS_MAX: usize = 4096;

/// Finds what only one of the two knows, and names what stood in damaged places.
pub(crate) fn compare(core: &Core, ledger: &mut Ledger, report: &mut Report<'_>) -> Result<(), VerifyError> {
    let start = ledger.end;
    let mut sum = 0_u64;
    let mut places = Places::new(core);
    while let Some((hash, place)) = places.next()? {
        if place.position >= start {
            continue;
        }
        if ledger.index_names(place.position) {
            let cid = place.cid(hash);
            core.damaged.note(&cid);
            report.damaged(Some(cid), place.position, RecordError::HeaderChecksum);
        } else {
            sum = sum.wrapping_add(entry(&hash, place.position));
        }
    }
    if !ledger.all_matched(sum) {
        places_one_by_one(core, ledger, start, report)?;
    }
    catch_up(core, ledger)?;
    unindexed_blocks(core, ledger)?;
    pins(core, ledger)?;
    for (cid, position) in ledger.unindexed.iter().chain(&ledger.unindexed_pins) {
        // Where a record behind it is lost, that one was its deletion.
        if !ledger.may_be_lost_behind(*position) {
            report.damaged(Some(cid.clone()), *position, RecordError::Index);
        }
    }
    Ok(())
}

/// Names the blocks of damaged places, and, where that is asked for, those of segments that are gone. Without any
/// damage nothing is looked at.
pub(crate) fn name_lost(
    core: &Core,
    ledger: &mut Ledger,
    segments_too: bool,
    report: &mut Report<'_>,
) -> Result<(), VerifyError> {
    if !segments_too && ledger.unknown().is_empty() {
        return Ok(());
    }
    let ids = core.log.segments.ids().map_err(ReadError::from)?;
    let mut places = Places::new(core);
    while let Some((hash, place)) = places.next()? {
        let gone = segments_too && ids.binary_search(&place.position.segment).is_err();
        let reason = match ledger.index_names(place.position) {
            true => RecordError::HeaderChecksum,
            false if gone => RecordError::NoSegment,
            false => continue,
        };
        // One that a collection moved meanwhile is elsewhere by now.
        if core.place(&hash)? == Some(place) {
            let cid = place.cid(hash);
            core.damaged.note(&cid);
            report.damaged(Some(cid), place.position, reason);
        }
    }
    Ok(())
}

/// Some entries of the index name places where the log has something else: the headers there are read. It is
/// so too where a collection moved blocks meanwhile.
fn places_one_by_one(
    core: &Core,
    ledger: &mut Ledger,
    end: Position,
    report: &mut Report<'_>,
) -> Result<(), VerifyError> {
    let mut places = Places::new(core);
    loop {
        let page = places.next_page_by_place()?;
        if page.is_empty() {
            return Ok(());
        }
        for (hash, place) in page.into_iter().filter(|(_, place)| place.position < end) {
            if ledger.index_names(place.position) {
                continue;
            }
            let Err(reason) = header_at(core, &hash, &place)? else { continue };
            if core.place_quiet(&hash)? == Some(place) {
                let cid = place.cid(hash);
                core.damaged.note(&cid);
                report.damaged(Some(cid), place.position, reason);
            }
        }
    }
}

/// Whether the block's header stands where the index says.
fn header_at(core: &Core, hash: &Multihash, place: &Place) -> Result<Result<(), RecordError>, VerifyError> {
    let header = match read_header(core, place.position)? {
        Ok(header) => header,
        Err(reason) => return Ok(Err(reason)),
    };
    let is_it = header.kind == RecordKind::Block
        && header.name.as_ref().is_some_and(|name| name.hash() == hash)
        && place_of(&header, place.position) == Some(*place);
    Ok(if is_it { Ok(()) } else { Err(RecordError::Other) })
}

fn read_header(core: &Core, position: Position) -> Result<Result<Header, RecordError>, VerifyError> {
    let Position { segment: id, offset } = position;
    let path = segment::path(&core.log.dir, id);
    let failed = |error| ReadError::Disk(DiskError::of("read", &path)(error));
    let segment = match core.log.segments.get(id) {
        Ok(segment) => segment,
        Err(SegmentError::Disk(error)) if error.kind() != Kind::NotFound => {
            return Err(ReadError::Disk(error).into());
        }
        Err(_) => return Ok(Err(RecordError::NoSegment)),
    };
    let length = segment.file.len().map_err(failed)?;
    let wanted = length.saturating_sub(offset).min((HEADER_BYTES + NAME_BYTES_MAX) as u64);
    let front = segment.file.read_vec(offset, wanted as usize).map_err(failed)?;
    Ok(Header::read(&front, segment.marker, offset))
}

/// Blocks that the log has, that nothing deleted, and that the index does not know.
fn unindexed_blocks(core: &Core, ledger: &mut Ledger) -> Result<(), VerifyError> {
    for position in ledger.awaited() {
        let Some(cid) = name_at(core, position)? else { continue };
        if core.place_quiet(cid.hash())?.is_none() {
            ledger.unindexed.push((cid, position));
        }
    }
    Ok(())
}

/// The name of the record at a place; none where a collection took the segment away.
fn name_at(core: &Core, position: Position) -> Result<Option<Cid>, VerifyError> {
    Ok(read_header(core, position)?.ok().and_then(|header| header.name))
}

fn pins(core: &Core, ledger: &mut Ledger) -> Result<(), VerifyError> {
    let mut suspects: Vec<Cid> = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = core.pins_page(after.as_ref())?;
        for pin in page {
            let value = value::encode_pin(pin.mode, pin.name.as_deref());
            if !ledger.has_pin(&pin.cid, &value) && suspects.len() < SUSPECTS_MAX {
                suspects.push(pin.cid);
            }
        }
        after = match next {
            Some(next) => Some(next),
            None => break,
        };
    }
    for position in ledger.unseen_pins() {
        suspects.extend(name_at(core, position)?);
    }
    for _ in 0..LOOKS {
        if suspects.is_empty() {
            return Ok(());
        }
        catch_up(core, ledger)?;
        let mut left = Vec::new();
        for cid in suspects {
            if !agrees(core, ledger, &cid)? {
                left.push(cid);
            }
        }
        suspects = left;
    }
    for cid in suspects {
        match core.pin_of(&cid)? {
            Some(_) => ledger.lost_pins.push(cid),
            None => ledger.unindexed_pins.extend(ledger.pin_position(&cid).map(|position| (cid, position))),
        }
    }
    Ok(())
}

/// Whether log and index now say the same of a pin.
fn agrees(core: &Core, ledger: &mut Ledger, cid: &Cid) -> Result<bool, IndexError> {
    Ok(match core.pin_of(cid)? {
        Some(pin) => ledger.has_pin(cid, &value::encode_pin(pin.mode, pin.name.as_deref())),
        None => ledger.pin_position(cid).is_none(),
    })
}
