//! Reclaim: space back to the file system.
//!
//! Large dead payloads become holes where they are. A segment of which a fifth or more is dead then is copied to
//! the end of the log and removed. What goes over with it beside living blocks: pins as they stand, and
//! tombstones and unpins that older segments still need, for without them a rebuilt index would bring back
//! what was deleted.
//!
//! Writers go on: a batch of records is judged and copied under the appender's lock, so that what is deleted, put
//! or pinned meanwhile stands either before or behind it.

use ipse_base::Multihash;

use super::sweep::Swept;
use super::{CollectError, Collected};
use crate::blocks::ReadError;
use crate::core::Core;
use crate::disk::DiskError;
use crate::index::{IndexError, value};
use crate::log::NewRecord;
use crate::place::Position;
use crate::record::{Header, RecordKind};
use crate::recover::read_payload;
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentError};

/// Bytes copied at once when a segment is rewritten: so long writers wait.
const COPY_BYTES: usize = 1024 * 1024;
/// Records copied at once.
const COPY_RECORDS: usize = 256;
/// Bytes copied before they are made durable and their sources removed.
const DURABLE_BYTES: u64 = 64 * 1024 * 1024;
/// File systems give back whole pages.
const PAGE_BYTES: u64 = 4096;
/// A segment is copied when at least one part of so many is dead: each byte that returns costs at most four copied
/// ones. Below that the cost of copying grows without bound, and the garbage waits until there is more.
const DEAD_PARTS: u64 = 5;

/// Whether a segment that occupies so many bytes is worth copying.
pub(super) fn is_worth_copying(core: &Core, allocated: u64, alive: u64) -> bool {
    let used = allocated.saturating_sub(SEGMENT_HEADER_BYTES);
    let dead = used.saturating_sub(alive);
    dead * DEAD_PARTS >= used && dead >= u64::from(core.options.punch_bytes)
}

/// The whole pages inside of a payload.
pub(super) fn hole(payload: u64, length: u32) -> (u64, u64) {
    let from = payload.next_multiple_of(PAGE_BYTES);
    (from, (payload + u64::from(length)) / PAGE_BYTES * PAGE_BYTES)
}

pub(super) fn reclaim(core: &Core, swept: &Swept, collected: &mut Collected) -> Result<(), CollectError> {
    // Holes first: they need no space, and the disk may be full.
    for &id in &swept.touched {
        if let Some(segment) = sound(core, id)? {
            collected.punched_bytes += punch(core, &segment)?;
        }
    }
    let alive = |id| swept.alive.get(&id).copied().unwrap_or(0);
    {
        let mut appender = core.log.appender();
        let tail = appender.tail();
        let file = core.log.segments.get(tail.segment).ok().map(|segment| segment.file);
        let allocated = file.map_or(Ok(tail.offset), |file| file.allocated());
        let allocated = disk_result(core, tail.segment, "measure", allocated)?.min(tail.offset);
        if is_worth_copying(core, allocated, alive(tail.segment)) {
            core.roll(&mut appender)?;
        }
    }
    let active = core.log.written().segment;
    let ids = core.log.segments.ids().map_err(ReadError::from)?;
    let mut copying = Copying { core, copied: Vec::new(), bytes: 0, settled: 0, freed: 0, oldest: true };
    for id in ids.into_iter().filter(|&id| id < active) {
        let Some(segment) = sound(core, id)? else {
            copying.oldest = false;
            continue;
        };
        let length = disk_result(core, id, "measure", segment.file.len())?;
        let allocated = disk_result(core, id, "measure", segment.file.allocated())?.min(length);
        let gone =
            is_worth_copying(core, allocated, alive(id)) && copying.segment(&segment, length, allocated)?;
        copying.oldest &= gone;
        collected.segments += u64::from(gone);
    }
    copying.settle()?;
    collected.copied_bytes += copying.bytes;
    collected.freed_bytes = collected.punched_bytes + copying.freed.saturating_sub(copying.bytes);
    Ok(())
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
fn punch(core: &Core, segment: &Segment) -> Result<u64, CollectError> {
    let failed = |result: std::io::Result<u64>| disk_result(core, segment.id, "punch", result);
    let end = core.log.written();
    let end = if segment.id == end.segment { end.offset } else { failed(segment.file.len())? };
    let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, end);
    let mut holes = Vec::new();
    while let Some(found) = disk_result(core, segment.id, "read", scan.next())? {
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
    // Some may be dead only since a moment ago: what made them so must be durable before they are holes.
    core.commit()?;
    let mut punched = 0;
    for (from, length) in holes {
        let before = failed(segment.file.allocated())?;
        core.log.segments.taking();
        if !disk_result(core, segment.id, "punch", segment.file.punch(from, length))? {
            break;
        }
        punched += before.saturating_sub(failed(segment.file.allocated())?);
    }
    Ok(punched)
}

/// What of a record goes over.
enum Keep {
    Nothing,
    /// The record as it is.
    Same,
    /// A pin, as it stands now.
    Pin(Vec<u8>),
}

/// A record on its way: where it stands, header, payload.
type Moving = (u64, Header, Vec<u8>);

/// Segments on their way to the end of the log, oldest first.
struct Copying<'a> {
    core: &'a Core,
    /// Those that are copied and not yet removed.
    copied: Vec<u32>,
    bytes: u64,
    /// How many of these were copied when the last were removed.
    settled: u64,
    /// Bytes that the removed ones took.
    freed: u64,
    /// No older segment is left, so nothing before it could come back.
    oldest: bool,
}

impl Copying<'_> {
    /// Answers whether the segment goes. One that has damage stays, for repair.
    fn segment(&mut self, segment: &Segment, length: u64, allocated: u64) -> Result<bool, CollectError> {
        if !self.is_lighter(segment, length, allocated)? {
            return Ok(false);
        }
        if !self.copy(segment, length)? {
            return Ok(false);
        }
        self.copied.push(segment.id);
        self.freed += allocated;
        if self.bytes - self.settled >= DURABLE_BYTES {
            self.settle()?;
        }
        Ok(true)
    }

    /// Removes what was copied, once the copies are durable and known.
    fn settle(&mut self) -> Result<(), CollectError> {
        if self.copied.is_empty() {
            return Ok(());
        }
        self.core.commit()?;
        self.core.checkpoint()?;
        self.settled = self.bytes;
        // Oldest first, each durably: a block must not outlive the tombstone that stands in a younger one.
        for id in self.copied.drain(..) {
            self.core.log.segments.remove(id).map_err(ReadError::from)?;
        }
        Ok(())
    }

    /// What of these records goes over, as things stand now.
    fn judge(&self, id: u32, records: &[(u64, Header)]) -> Result<Vec<Keep>, IndexError> {
        let names = records.iter().filter(|(_, header)| is_about_a_block(header.kind));
        let hashes: Vec<&Multihash> =
            names.filter_map(|(_, header)| header.name.as_ref()).map(|name| name.hash()).collect();
        let mut places = self.core.places_quiet(&hashes)?.into_iter();
        let same = |keep| if keep { Keep::Same } else { Keep::Nothing };
        let mut kept = Vec::with_capacity(records.len());
        for (offset, header) in records {
            let position = Position { segment: id, offset: *offset };
            let Some(name) = &header.name else {
                kept.push(Keep::Nothing);
                continue;
            };
            let place = if is_about_a_block(header.kind) { places.next().flatten() } else { None };
            kept.push(match header.kind {
                RecordKind::Block => same(place.is_some_and(|place| place.position == position)),
                RecordKind::Tombstone => same(!self.oldest && place.is_none()),
                RecordKind::Unpin => same(!self.oldest && self.core.pin_of(name)?.is_none()),
                RecordKind::Pin => {
                    let pin = self.core.pin_of(name)?;
                    pin.map_or(Keep::Nothing, |pin| {
                        Keep::Pin(value::encode_pin(pin.mode, pin.name.as_deref()))
                    })
                }
                RecordKind::Mark => Keep::Nothing,
            });
        }
        Ok(kept)
    }

    /// Whether the copy would be smaller by what makes it worth it, tombstones and pins counted; false where the
    /// segment has damage.
    fn is_lighter(&self, segment: &Segment, length: u64, allocated: u64) -> Result<bool, CollectError> {
        let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, length);
        let mut kept = 0;
        loop {
            let Some((records, more)) = next_records(self.core, segment, &mut scan)? else {
                return Ok(false);
            };
            for (keep, (_, header)) in self.judge(segment.id, &records)?.iter().zip(&records) {
                if !matches!(keep, Keep::Nothing) {
                    kept += header.record_len();
                }
            }
            if !more {
                return Ok(is_worth_copying(self.core, allocated, kept));
            }
        }
    }

    fn copy(&mut self, segment: &Segment, length: u64) -> Result<bool, CollectError> {
        let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, length);
        loop {
            let Some((records, more)) = next_records(self.core, segment, &mut scan)? else {
                return Ok(false);
            };
            let keeps = self.judge(segment.id, &records)?;
            let mut batch: Vec<Moving> = Vec::new();
            let mut bytes = 0;
            for ((offset, header), keep) in records.into_iter().zip(keeps) {
                let payload = match keep {
                    Keep::Nothing => continue,
                    Keep::Pin(_) => Vec::new(),
                    Keep::Same => {
                        let payload = read_payload(segment, offset, &header);
                        let payload = disk_result(self.core, segment.id, "read", payload)?;
                        if header.check_payload(&payload).is_err() {
                            return Ok(false);
                        }
                        payload
                    }
                };
                bytes += payload.len();
                batch.push((offset, header, payload));
                if bytes >= COPY_BYTES {
                    self.append(segment.id, std::mem::take(&mut batch))?;
                    bytes = 0;
                }
            }
            self.append(segment.id, batch)?;
            if !more {
                return Ok(true);
            }
        }
    }

    /// Judges again, now that nothing else can be written, and appends.
    fn append(&mut self, id: u32, batch: Vec<Moving>) -> Result<(), CollectError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.core.make_room()?;
        let mut payloads = Vec::with_capacity(batch.len());
        let mut records = Vec::with_capacity(batch.len());
        for (offset, header, payload) in batch {
            records.push((offset, header));
            payloads.push(payload);
        }
        let mut appender = self.core.log.appender();
        let keeps = self.judge(id, &records)?;
        for ((keep, payload), (_, header)) in keeps.iter().zip(&mut payloads).zip(&mut records) {
            if let Keep::Pin(value) = keep {
                header.payload_crc = crc32c::crc32c(value);
                payload.clone_from(value);
            }
        }
        let records: Vec<_> = keeps
            .iter()
            .zip(&records)
            .zip(&payloads)
            .filter(|((keep, _), _)| !matches!(keep, Keep::Nothing))
            .map(|((_, (_, header)), payload)| NewRecord {
                kind: header.kind,
                leaf: header.leaf,
                name: header.name.as_ref(),
                payload,
                payload_crc: header.payload_crc,
            })
            .collect();
        let before = appender.tail();
        self.core.write(&mut appender, &records)?;
        let after = appender.tail();
        self.bytes +=
            if before.segment == after.segment { after.offset - before.offset } else { after.offset };
        Ok(())
    }
}

const fn is_about_a_block(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Block | RecordKind::Tombstone)
}

/// Records with their offsets, and whether more follow.
type Records = (Vec<(u64, Header)>, bool);

/// The next records of a segment; `None` where there is damage.
fn next_records(
    core: &Core,
    segment: &Segment,
    scan: &mut Scan<'_>,
) -> Result<Option<Records>, CollectError> {
    let mut records = Vec::with_capacity(COPY_RECORDS);
    while records.len() < COPY_RECORDS {
        match disk_result(core, segment.id, "read", scan.next())? {
            None => return Ok(Some((records, false))),
            Some(Scanned::Damage { .. }) => return Ok(None),
            Some(Scanned::Record { offset, header }) => records.push((offset, header)),
        }
    }
    Ok(Some((records, true)))
}
