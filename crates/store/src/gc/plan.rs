//! Plan: what would go, and how its space would return.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::epoch::Epoch;
use super::reclaim::{hole, is_wholesale, weigh};
use super::worth::{Effort, worth_copying};
use super::{CollectError, CollectionPlan};
use crate::core::Core;
use crate::list::Places;
use crate::segment::SEGMENT_HEADER_BYTES;

/// What the index says of a segment. Lengths in the log are those of whole records.
#[derive(Default)]
struct Tally {
    kept_blocks: u64,
    kept_bytes: u64,
    kept_in_log: u64,
    blocks: u64,
    bytes: u64,
    in_log: u64,
    holes: u64,
    hole_bytes: u64,
}

impl Tally {
    /// Nothing of it goes.
    fn spare(&mut self) {
        self.kept_blocks += self.blocks;
        self.kept_bytes += self.bytes;
        self.kept_in_log += self.in_log;
        (self.blocks, self.bytes, self.in_log, self.holes, self.hole_bytes) = (0, 0, 0, 0, 0);
    }
}

/// Counts, by one pass over the index. With `enough`, garbage goes out of those segments that were used longest ago,
/// until so many bytes would return.
pub(super) fn plan(
    core: &Core,
    mut epoch: Epoch,
    effort: Effort,
    enough: Option<u64>,
) -> Result<CollectionPlan, CollectError> {
    let mut tallies = tally(core, &epoch)?;
    if let Some(enough) = enough {
        let leaving = leaving(core, &tallies, enough);
        let stay = tallies.iter_mut().filter(|(id, _)| !leaving.contains(id));
        stay.for_each(|(_, tally)| tally.spare());
        epoch.leaving = Some(leaving);
    }
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
        effort,
        epoch,
    };
    let alive: HashMap<u32, u64> = tallies.iter().map(|(&id, tally)| (id, tally.kept_in_log)).collect();
    let mut weights = weigh(core, &alive)?;
    for (id, tally) in &tallies {
        plan.blocks += tally.blocks;
        plan.bytes += tally.bytes;
        plan.kept_blocks += tally.kept_blocks;
        plan.kept_bytes += tally.kept_bytes;
        if let Some(weight) = weights.get_mut(id).filter(|weight| !is_wholesale(**weight)) {
            plan.holes += tally.holes;
            plan.hole_bytes += tally.hole_bytes;
            weight.allocated = weight.allocated.saturating_sub(tally.hole_bytes);
        }
    }
    plan.freed_bytes = plan.hole_bytes;
    for id in worth_copying(&weights, plan.hole_bytes, effort, u64::from(core.options.punch_bytes)) {
        let Some(weight) = weights.get(&id) else { continue };
        plan.segments += 1;
        plan.copied_bytes += weight.alive;
        plan.freed_bytes += weight.allocated.saturating_sub(weight.alive + SEGMENT_HEADER_BYTES);
    }
    Ok(plan)
}

fn tally(core: &Core, epoch: &Epoch) -> Result<BTreeMap<u32, Tally>, CollectError> {
    let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
    let mut places = Places::new(core);
    while let Some((hash, place)) = places.next()? {
        epoch.pace.rest(core);
        let tally = tallies.entry(place.position.segment).or_default();
        if epoch.keeps(&hash, place.position) {
            tally.kept_blocks += 1;
            tally.kept_bytes += u64::from(place.length);
            tally.kept_in_log += place.record_len(&hash);
            continue;
        }
        tally.blocks += 1;
        tally.bytes += u64::from(place.length);
        tally.in_log += place.record_len(&hash);
        if place.length >= core.options.punch_bytes {
            let (from, to) = hole(place.position.offset + place.header_len(&hash) as u64, place.length);
            tally.holes += u64::from(from < to);
            tally.hole_bytes += to.saturating_sub(from);
        }
    }
    Ok(tallies)
}

/// The segments that were used longest ago and hold enough garbage between them.
fn leaving(core: &Core, tallies: &BTreeMap<u32, Tally>, enough: u64) -> HashSet<u32> {
    let mut order: Vec<(u64, u32, u64)> =
        tallies.iter().map(|(&id, tally)| (core.uses.of(id), id, tally.in_log)).collect();
    order.sort_unstable();
    let (mut leaving, mut bytes) = (HashSet::new(), 0);
    for (_, id, garbage) in order {
        if bytes >= enough {
            break;
        }
        leaving.insert(id);
        bytes += garbage;
    }
    leaving
}
