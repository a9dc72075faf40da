//! Copy: what is alive of a segment goes to the end of the log, and the segment goes away.
//!
//! What goes over beside living blocks: pins as they stand, and tombstones and unpins that older segments still need,
//! for without them a rebuilt index would bring back what was deleted.
//!
//! Writers go on: a batch of records is judged and copied under the appender's lock, so that what is deleted, put or
//! pinned meanwhile stands either before or behind it. They wait for one small write and not for the index, which is
//! asked before; and the collection syncs what it copied by itself, so that nobody's commit has much of it to write.

use std::collections::{BTreeMap, BTreeSet};

use ipse_base::Multihash;

use super::epoch::Epoch;
use super::reclaim::{disk_result, make_room, sound};
use super::worth::Weight;
use super::{CollectError, Collected};
use crate::blocks::ReadError;
use crate::core::Core;
use crate::index::{IndexError, value};
use crate::log::NewRecord;
use crate::place::{Place, Position};
use crate::record::{Header, RecordKind};
use crate::recover::read_payload;
use crate::scan::{Scan, Scanned};
use crate::segment::{SEGMENT_HEADER_BYTES, Segment};

/// Bytes copied at once when a segment is rewritten: so long writers wait.
const COPY_BYTES: usize = 256 * 1024;
/// Records copied at once.
const COPY_RECORDS: usize = 256;
/// Bytes copied before the log is synced: so much a commit of somebody else may have to write beside its own.
const SYNC_BYTES: u64 = 1024 * 1024;
/// Bytes copied before they are made durable and their sources removed; fewer where the repository has a bound.
const DURABLE_BYTES: u64 = 64 * 1024 * 1024;

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
pub(super) struct Copying<'a> {
    core: &'a Core,
    epoch: &'a Epoch,
    /// Those that are copied and not yet removed.
    copied: Vec<u32>,
    pub(super) bytes: u64,
    /// How many of these were copied when the last were removed, and when the log was synced for the last.
    settled: u64,
    synced: u64,
    /// Bytes that the removed ones took.
    pub(super) freed: u64,
    /// No older segment is left, so nothing before it could come back.
    oldest: bool,
}

/// Where blocks are, and how many generations had gone over to the index before it was asked.
struct Looked {
    places: Vec<Option<Place>>,
    gone_over: u64,
}

fn hashes(records: &[(u64, Header)]) -> Vec<&Multihash> {
    let names = records.iter().filter(|(_, header)| is_about_a_block(header.kind));
    names.filter_map(|(_, header)| header.name.as_ref()).map(|name| name.hash()).collect()
}

impl<'a> Copying<'a> {
    pub(super) fn new(core: &'a Core, epoch: &'a Epoch) -> Self {
        Self { core, epoch, copied: Vec::new(), bytes: 0, settled: 0, synced: 0, freed: 0, oldest: true }
    }
}

impl Copying<'_> {
    /// Copies and removes the chosen ones.
    pub(super) fn all(
        &mut self,
        chosen: &BTreeSet<u32>,
        weights: &BTreeMap<u32, Weight>,
        collected: &mut Collected,
    ) -> Result<(), CollectError> {
        let active = self.core.log.written().segment;
        for id in self.core.log.segments.ids().map_err(ReadError::from)?.into_iter().filter(|&id| id < active)
        {
            let weight = weights.get(&id).filter(|_| chosen.contains(&id)).copied();
            let gone = match (weight, sound(self.core, id)?) {
                (Some(weight), Some(segment)) => self.segment(&segment, weight)?,
                _ => false,
            };
            self.oldest &= gone;
            collected.segments += u64::from(gone);
        }
        self.settle()
    }

    /// Answers whether the segment goes. One that has damage stays, for repair.
    fn segment(&mut self, segment: &Segment, weight: Weight) -> Result<bool, CollectError> {
        let length = disk_result(self.core, segment.id, "measure", segment.file.len())?;
        if !self.is_lighter(segment, length, weight)? || !self.copy(segment, length)? {
            return Ok(false);
        }
        self.copied.push(segment.id);
        self.freed += weight.allocated;
        if self.bytes - self.settled >= self.core.quota.copied_bytes_max().min(DURABLE_BYTES) {
            self.settle()?;
        }
        Ok(true)
    }

    /// Removes what was copied, once the copies are durable and known.
    fn settle(&mut self) -> Result<(), CollectError> {
        let Some(&last) = self.copied.last() else { return Ok(()) };
        // Where nothing was alive there may be no record behind them, which proves what stays before them.
        self.core.prove(last)?;
        self.core.checkpoint()?;
        self.settled = self.bytes;
        // Oldest first, each durably: a block must not outlive the tombstone that stands in a younger one.
        for id in self.copied.drain(..) {
            self.core.log.segments.remove(id).map_err(ReadError::from)?;
        }
        Ok(())
    }

    /// Where the index has the blocks that these records are about.
    fn look(&self, records: &[(u64, Header)]) -> Result<Looked, IndexError> {
        let gone_over = self.core.pending().gone_over;
        Ok(Looked { gone_over, places: self.core.places_quiet(&hashes(records))? })
    }

    /// The same a moment later, out of memory: unless a generation went over to the index since, what changed is
    /// there.
    fn look_again(&self, records: &[(u64, Header)], looked: Looked) -> Result<Looked, IndexError> {
        let pending = self.core.pending();
        if pending.gone_over != looked.gone_over {
            drop(pending);
            return self.look(records);
        }
        let hashes = hashes(records);
        let known = hashes.iter().zip(looked.places);
        let places = known.map(|(hash, place)| pending.place_quiet(hash).unwrap_or(place)).collect();
        Ok(Looked { places, ..looked })
    }

    /// What of these records goes over, by where their blocks are.
    fn judge(&self, id: u32, records: &[(u64, Header)], looked: &Looked) -> Result<Vec<Keep>, IndexError> {
        let mut places = looked.places.iter();
        let same = |keep| if keep { Keep::Same } else { Keep::Nothing };
        let mut kept = Vec::with_capacity(records.len());
        for (offset, header) in records {
            let position = Position { segment: id, offset: *offset };
            let Some(name) = &header.name else {
                kept.push(Keep::Nothing);
                continue;
            };
            let place = if is_about_a_block(header.kind) { places.next().copied().flatten() } else { None };
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

    /// Whether at least half of what was expected returns, now that tombstones and pins are counted; false where
    /// the segment has damage.
    fn is_lighter(&self, segment: &Segment, length: u64, weight: Weight) -> Result<bool, CollectError> {
        let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, length);
        let mut kept = 0;
        loop {
            self.epoch.pace.rest(self.core);
            let Some((records, more)) = next_records(self.core, segment, &mut scan)? else {
                return Ok(false);
            };
            for (keep, (_, header)) in
                self.judge(segment.id, &records, &self.look(&records)?)?.iter().zip(&records)
            {
                if !matches!(keep, Keep::Nothing) {
                    kept += header.record_len();
                }
            }
            if !more {
                return Ok(Weight { alive: kept, ..weight }.dead() * 2 >= weight.dead().max(1));
            }
        }
    }

    fn copy(&mut self, segment: &Segment, length: u64) -> Result<bool, CollectError> {
        let mut scan = Scan::new(segment, SEGMENT_HEADER_BYTES, length);
        loop {
            self.epoch.pace.rest(self.core);
            let Some((records, more)) = next_records(self.core, segment, &mut scan)? else {
                return Ok(false);
            };
            let keeps = self.judge(segment.id, &records, &self.look(&records)?)?;
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
        make_room(self.core)?;
        let mut payloads = Vec::with_capacity(batch.len());
        let mut records = Vec::with_capacity(batch.len());
        for (offset, header, payload) in batch {
            records.push((offset, header));
            payloads.push(payload);
        }
        // The index is asked before others have to wait for this.
        let looked = self.look(&records)?;
        let mut appender = self.core.log.appender();
        let looked = self.look_again(&records, looked)?;
        let keeps = self.judge(id, &records, &looked)?;
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
        drop(appender);
        self.bytes +=
            if before.segment == after.segment { after.offset - before.offset } else { after.offset };
        // Now, so that it is not the next commit of somebody else that writes all this.
        if self.bytes - self.synced >= SYNC_BYTES {
            self.synced = self.bytes;
            self.core.commit()?;
        }
        self.epoch.pace.rest(self.core);
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
