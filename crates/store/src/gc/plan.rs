//! Plan: what would go, and how its space would return.

use std::collections::HashMap;

use super::epoch::Epoch;
use super::reclaim::{disk_result, hole, is_worth_copying, sound};
use super::{CollectError, CollectionPlan};
use crate::blocks::ReadError;
use crate::core::Core;
use crate::list::Places;
use crate::segment::SEGMENT_HEADER_BYTES;

/// Counts, by one pass over the index.
pub(super) fn plan(core: &Core, epoch: Epoch) -> Result<CollectionPlan, CollectError> {
    let mut plan = CollectionPlan {
        blocks: 0,
        bytes: 0,
        kept_blocks: 0,
        kept_bytes: 0,
        holes: 0,
        hole_bytes: 0,
        segments: 0,
        copied_bytes: 0,
        freed_bytes: 0,
        epoch,
    };
    let mut alive: HashMap<u32, u64> = HashMap::new();
    let mut holes: HashMap<u32, (u64, u64)> = HashMap::new();
    let mut places = Places::new(core);
    while let Some((hash, place)) = places.next()? {
        let id = place.position.segment;
        if plan.epoch.keeps(&hash, place.position) {
            plan.kept_blocks += 1;
            plan.kept_bytes += u64::from(place.length);
            *alive.entry(id).or_default() += place.record_len(&hash);
            continue;
        }
        plan.blocks += 1;
        plan.bytes += u64::from(place.length);
        if place.length >= core.options.punch_bytes {
            let (from, to) = hole(place.position.offset + place.header_len(&hash) as u64, place.length);
            let (count, bytes) = holes.entry(id).or_default();
            *count += u64::from(from < to);
            *bytes += to.saturating_sub(from);
        }
    }
    let end = core.log.written();
    for id in core.log.segments.ids().map_err(ReadError::from)? {
        let Some(segment) = sound(core, id)? else { continue };
        let length = if id == end.segment {
            end.offset
        } else {
            disk_result(core, id, "measure", segment.file.len())?
        };
        let allocated = disk_result(core, id, "measure", segment.file.allocated())?.min(length);
        let alive = alive.get(&id).copied().unwrap_or(0);
        let (count, bytes) = holes.get(&id).copied().unwrap_or_default();
        plan.holes += count;
        plan.hole_bytes += bytes;
        plan.freed_bytes += bytes;
        let left = allocated.saturating_sub(bytes);
        if is_worth_copying(core, left, alive) {
            plan.segments += 1;
            plan.copied_bytes += alive;
            plan.freed_bytes += left.saturating_sub(alive + SEGMENT_HEADER_BYTES);
        }
    }
    Ok(plan)
}
