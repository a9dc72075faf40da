//! Reclaim: space back to the file system.
//!
//! Large dead payloads become holes where they are. A segment of which less than half is alive is copied to
//! the end of the log and removed. What goes over with it beside living blocks: pins as they stand, and
//! tombstones and unpins that older segments still need, for without them a rebuilt index would bring back
//! what was deleted.

use std::collections::{BTreeSet, HashMap};

use ipse_base::Cid;

use super::{CollectError, Collected};
use crate::blocks::ReadError;
use crate::core::Core;
use crate::disk::DiskError;
use crate::index::{IndexError, value};
use crate::list::Places;
use crate::log::{Appender, NewRecord};
use crate::place::Position;
use crate::record::{Header, RecordKind};
use crate::recover::read_payload;
use crate::scan::{Scan, Scanned};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentError};

/// Bytes copied at once when a segment is rewritten.
const COPY_BYTES: usize = 8 * 1024 * 1024;
/// Records copied at once.
const COPY_RECORDS: usize = 256;
/// File systems give back whole pages.
const PAGE_BYTES: u64 = 4096;

pub(super) fn reclaim(
    core: &Core,
    appender: &mut Appender,
    touched: &BTreeSet<u32>,
    collected: &mut Collected,
) -> Result<(), CollectError> {
    // Holes first: they need no space, and the disk may be full.
    for &id in touched {
        if let Some(segment) = sound(core, id)? {
            let punched = punch(core, &segment, appender.tail());
            collected.punched_bytes += disk_result(core, id, "punch", punched)??;
        }
    }
    let alive = alive_bytes(core)?;
    let half_dead = |id, length: u64| {
        let used = length.saturating_sub(SEGMENT_HEADER_BYTES);
        let alive = alive.get(&id).copied().unwrap_or(0);
        alive * 2 < used && used - alive >= u64::from(core.options.punch_bytes)
    };
    let tail = appender.tail();
    if half_dead(tail.segment, tail.offset) {
        core.log.roll(appender)?;
    }
    let active = appender.tail().segment;
    let ids = core.log.segments.ids().map_err(ReadError::from)?;
    let mut oldest = true;
    for id in ids.into_iter().filter(|&id| id < active) {
        let mut stays = true;
        if let Some(segment) = sound(core, id)? {
            let length = disk_result(core, id, "measure", segment.file.len())?;
            let rewrite = Rewrite { core, segment: &segment, length, oldest };
            if half_dead(id, length) && rewrite.run(appender)? {
                collected.segments += 1;
                stays = false;
            }
        }
        oldest &= !stays;
    }
    Ok(())
}

fn disk_result<T>(
    core: &Core,
    id: u32,
    action: &'static str,
    result: std::io::Result<T>,
) -> Result<T, CollectError> {
    let path = segment::path(&core.log.dir, id);
    result.map_err(|error| ReadError::Disk(DiskError::of(action, &path)(error)).into())
}

/// A segment, unless its header is lost: then it stays as it is, for repair.
fn sound(core: &Core, id: u32) -> Result<Option<Segment>, CollectError> {
    match core.log.segments.get(id) {
        Ok(segment) => Ok(Some(segment)),
        Err(SegmentError::Disk(error)) => Err(ReadError::Disk(error).into()),
        Err(_) => Ok(None),
    }
}

/// Bytes of living blocks by segment.
fn alive_bytes(core: &Core) -> Result<HashMap<u32, u64>, IndexError> {
    let mut alive = HashMap::new();
    let mut places = Places::new(core);
    while let Some((hash, place)) = places.next()? {
        *alive.entry(place.position.segment).or_default() += place.record_len(&hash);
    }
    Ok(alive)
}

fn is_here(core: &Core, segment: &Segment, offset: u64, name: &Cid) -> Result<bool, IndexError> {
    let position = Position { segment: segment.id, offset };
    Ok(core.place(name.hash())?.is_some_and(|place| place.position == position))
}

/// Makes holes of the dead payloads of a segment; returns their bytes.
fn punch(core: &Core, segment: &Segment, tail: Position) -> std::io::Result<Result<u64, IndexError>> {
    let end = if segment.id == tail.segment { tail.offset } else { segment.file.len()? };
    let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, end);
    let mut punched = 0;
    while let Some(found) = scan.next()? {
        let Scanned::Record { offset, header } = found else { continue };
        let (RecordKind::Block, Some(name)) = (header.kind, &header.name) else { continue };
        if header.payload_len < core.options.punch_bytes {
            continue;
        }
        match is_here(core, segment, offset, name) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
        let payload = offset + header.header_len() as u64;
        let from = payload.next_multiple_of(PAGE_BYTES);
        let to = (payload + u64::from(header.payload_len)) / PAGE_BYTES * PAGE_BYTES;
        if from < to {
            core.log.segments.taking();
            if !segment.file.punch(from, to - from)? {
                break;
            }
            punched += to - from;
        }
    }
    Ok(Ok(punched))
}

/// One segment on its way to the end of the log.
struct Rewrite<'a> {
    core: &'a Core,
    segment: &'a Segment,
    length: u64,
    /// No older segment is left, so nothing before it could come back.
    oldest: bool,
}

/// What of a record goes over.
enum Keep {
    Nothing,
    /// The record as it is.
    Same,
    /// A pin, as it stands now.
    Pin(Vec<u8>),
}

/// A record on its way: header, payload.
type Moving = (Header, Vec<u8>);

impl Rewrite<'_> {
    /// Answers whether the segment is gone. One that has damage stays, for repair.
    fn run(&self, appender: &mut Appender) -> Result<bool, CollectError> {
        if self.kept_bytes()?.is_none_or(|kept| kept * 2 >= self.length) {
            return Ok(false);
        }
        if !self.copy(appender)? {
            return Ok(false);
        }
        self.core.commit()?;
        self.core.checkpoint()?;
        self.core.log.segments.remove(self.segment.id).map_err(ReadError::from)?;
        Ok(true)
    }

    fn disk<T>(&self, result: std::io::Result<T>) -> Result<T, CollectError> {
        disk_result(self.core, self.segment.id, "read", result)
    }

    fn keep(&self, offset: u64, header: &Header) -> Result<Keep, IndexError> {
        let Some(name) = &header.name else { return Ok(Keep::Nothing) };
        let same = |keep| if keep { Keep::Same } else { Keep::Nothing };
        Ok(match header.kind {
            RecordKind::Block => same(is_here(self.core, self.segment, offset, name)?),
            RecordKind::Tombstone => same(!self.oldest && self.core.place(name.hash())?.is_none()),
            RecordKind::Unpin => same(!self.oldest && self.core.pin_of(name)?.is_none()),
            RecordKind::Pin => {
                let pin = self.core.pin_of(name)?;
                pin.map_or(Keep::Nothing, |pin| Keep::Pin(value::encode_pin(pin.mode, pin.name.as_deref())))
            }
            RecordKind::Mark => Keep::Nothing,
        })
    }

    /// Bytes that would go over; `None` where the segment has damage.
    fn kept_bytes(&self) -> Result<Option<u64>, CollectError> {
        let mut scan = Scan::new(self.segment, SEGMENT_HEADER_BYTES, self.length);
        let mut kept = 0;
        while let Some(found) = self.disk(scan.next())? {
            let Scanned::Record { offset, header } = found else { return Ok(None) };
            if !matches!(self.keep(offset, &header)?, Keep::Nothing) {
                kept += header.record_len();
            }
        }
        Ok(Some(kept))
    }

    fn copy(&self, appender: &mut Appender) -> Result<bool, CollectError> {
        let mut scan = Scan::new(self.segment, SEGMENT_HEADER_BYTES, self.length);
        let mut batch: Vec<Moving> = Vec::new();
        let mut bytes = 0;
        while let Some(found) = self.disk(scan.next())? {
            let Scanned::Record { offset, mut header } = found else { return Ok(false) };
            let payload = match self.keep(offset, &header)? {
                Keep::Nothing => continue,
                Keep::Same => self.disk(read_payload(self.segment, offset, &header))?,
                Keep::Pin(value) => {
                    header.payload_crc = crc32c::crc32c(&value);
                    header.payload_len = value.len() as u32;
                    value
                }
            };
            if header.check_payload(&payload).is_err() {
                return Ok(false);
            }
            bytes += payload.len();
            batch.push((header, payload));
            if bytes >= COPY_BYTES || batch.len() >= COPY_RECORDS {
                self.append(appender, &mut batch)?;
                bytes = 0;
            }
        }
        self.append(appender, &mut batch)?;
        Ok(true)
    }

    fn append(&self, appender: &mut Appender, batch: &mut Vec<Moving>) -> Result<(), CollectError> {
        self.core.make_room()?;
        let records: Vec<_> = batch
            .iter()
            .map(|(header, payload)| NewRecord {
                kind: header.kind,
                leaf: header.leaf,
                name: header.name.as_ref(),
                payload,
                payload_crc: header.payload_crc,
            })
            .collect();
        self.core.write(appender, &records)?;
        batch.clear();
        Ok(())
    }
}
