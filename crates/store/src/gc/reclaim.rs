//! Reclaim: space back to the file system.
//!
//! A segment of which little is alive is copied to the end of the log and removed ([`copy`](super::copy)). Of the
//! others large dead payloads become holes where they are, and what is left dead then is weighed
//! ([`worth`](super::worth)).

use std::collections::{BTreeMap, HashMap};

use ipse_base::{ErrorKind, Kind};

use super::copy::Copying;
use super::epoch::Epoch;
use super::sweep::Swept;
use super::worth::{Effort, Weight, worth_copying};
use super::{CollectError, Collected};
use crate::blocks::ReadError;
use crate::core::Core;
use crate::disk::DiskError;
use crate::pending::GENERATION_BYTES_MAX;
use crate::place::Position;
use crate::record::RecordKind;
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentError};

/// File systems give back whole pages.
const PAGE_BYTES: u64 = 4096;
/// With so many parts dead for each one that is alive, a segment is copied at once: holes would be work for nothing.
const WHOLESALE_PARTS: u64 = 4;

/// Whether so little is alive that no holes are made.
pub(super) fn is_wholesale(weight: Weight) -> bool {
    weight.alive.saturating_mul(WHOLESALE_PARTS) <= weight.dead()
}

/// What each segment weighs, those without a header left out: they stay as they are, for repair.
pub(super) fn weigh(core: &Core, alive: &HashMap<u32, u64>) -> Result<BTreeMap<u32, Weight>, CollectError> {
    let mut weights = BTreeMap::new();
    for id in core.log.segments.ids().map_err(ReadError::from)? {
        if let Some(segment) = sound(core, id)? {
            let alive = alive.get(&id).copied().unwrap_or(0);
            weights.insert(id, Weight { allocated: occupied(core, &segment)?, alive });
        }
    }
    Ok(weights)
}

/// Bytes that the records of a segment take on the disk.
fn occupied(core: &Core, segment: &Segment) -> Result<u64, CollectError> {
    let allocated = disk_result(core, segment.id, "measure", segment.file.allocated())?;
    Ok(allocated.min(end_of(core, segment)?))
}

/// Where the records of a segment end.
fn end_of(core: &Core, segment: &Segment) -> Result<u64, CollectError> {
    let end = core.log.written();
    if segment.id == end.segment {
        return Ok(end.offset);
    }
    disk_result(core, segment.id, "measure", segment.file.len())
}

/// The whole pages inside of a payload.
pub(super) fn hole(payload: u64, length: u32) -> (u64, u64) {
    let from = payload.next_multiple_of(PAGE_BYTES);
    (from, (payload + u64::from(length)) / PAGE_BYTES * PAGE_BYTES)
}

pub(super) fn reclaim(
    core: &Core,
    swept: &Swept,
    epoch: &Epoch,
    effort: Effort,
    collected: &mut Collected,
) -> Result<(), CollectError> {
    let mut weights = weigh(core, &swept.alive)?;
    let wholesale = |id: u32| weights.get(&id).is_some_and(|weight| is_wholesale(*weight));
    let (whole, holed): (Vec<u32>, Vec<u32>) = swept.touched.iter().partition(|&&id| wholesale(id));
    for id in holed {
        if let Some(segment) = sound(core, id)? {
            collected.punched_bytes += punch(core, epoch, &segment)?;
            if let Some(weight) = weights.get_mut(&id) {
                weight.allocated = occupied(core, &segment)?;
            }
        }
    }
    let bytes_min = u64::from(core.options.punch_bytes);
    let chosen = worth_copying(&weights, collected.punched_bytes, effort, bytes_min);
    {
        // Before, so that writers don't wait for all of it.
        core.commit()?;
        let mut appender = core.log.appender();
        if chosen.contains(&appender.tail().segment) {
            core.roll(&mut appender)?;
        }
    }
    let mut copying = Copying::new(core, epoch);
    let copied = copying.all(&chosen, &weights, collected);
    collected.copied_bytes += copying.bytes;
    collected.freed_bytes = collected.punched_bytes + copying.freed.saturating_sub(copying.bytes);
    match copied {
        // No room for copies. Holes need none.
        Err(error) if error.kind() == Kind::Full => {
            let before = collected.freed_bytes;
            for id in whole {
                if let Ok(Some(segment)) = sound(core, id) {
                    let punched = punch(core, epoch, &segment)?;
                    collected.punched_bytes += punched;
                    collected.freed_bytes += punched;
                }
            }
            // There is room now, and the next collection copies.
            if collected.freed_bytes > before { Ok(()) } else { Err(error) }
        }
        copied => copied,
    }
}

pub(super) fn disk_result<T>(
    core: &Core,
    id: u32,
    action: &'static str,
    result: std::io::Result<T>,
) -> Result<T, CollectError> {
    let path = segment::path(&core.log.dir, id);
    result.map_err(|error| ReadError::Disk(DiskError::of(action, &path)(error)).into())
}

/// A segment, unless its header is lost: then it stays as it is, for repair.
pub(super) fn sound(core: &Core, id: u32) -> Result<Option<Segment>, CollectError> {
    match core.log.segments.get(id) {
        Ok(segment) => Ok(Some(segment)),
        Err(SegmentError::Disk(error)) => Err(ReadError::Disk(error).into()),
        Err(_) => Ok(None),
    }
}

/// Makes holes of the dead payloads of a segment; returns their bytes.
fn punch(core: &Core, epoch: &Epoch, segment: &Segment) -> Result<u64, CollectError> {
    let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, end_of(core, segment)?);
    let mut holes = Vec::new();
    while let Some(found) = disk_result(core, segment.id, "read", scan.next())? {
        epoch.pace.rest(core);
        let Scanned::Record { offset, header } = found else { continue };
        let (RecordKind::Block, Some(name)) = (header.kind, &header.name) else { continue };
        if header.payload_len < core.options.punch_bytes {
            continue;
        }
        let place = core.place_quiet(name.hash())?;
        if place.is_some_and(|place| place.position == Position { segment: segment.id, offset }) {
            continue;
        }
        let (from, to) = hole(offset + header.header_len() as u64, header.payload_len);
        if from < to {
            holes.push((from, to - from));
        }
    }
    if holes.is_empty() {
        return Ok(0);
    }
    // Some may be dead only since a moment ago: what made them so must be durable before they are holes. And an
    // opening must know a hole from a torn write, or it would cut off what stands behind it.
    core.prove(segment.id)?;
    let measure = || disk_result(core, segment.id, "measure", segment.file.allocated());
    let before = measure()?;
    for (from, length) in holes {
        epoch.pace.rest(core);
        core.log.segments.taking();
        if !disk_result(core, segment.id, "punch", segment.file.punch(from, length))? {
            break;
        }
    }
    Ok(before.saturating_sub(measure()?))
}

/// Brings the index up to date before others would have to wait until that is done.
pub(super) fn make_room(core: &Core) -> Result<(), CollectError> {
    if core.pending().active.bytes() > GENERATION_BYTES_MAX / 4 * 3 {
        core.checkpoint()?;
    }
    Ok(())
}
