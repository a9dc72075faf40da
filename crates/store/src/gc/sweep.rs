//! Sweep: a tombstone for every block that does not stay.

use std::collections::{BTreeSet, HashMap};

use ipse_base::{Cid, Multihash};

use super::epoch::Epoch;
use super::reclaim::make_room;
use super::{CollectError, Collected};
use crate::core::Core;
use crate::list::Places;
use crate::log::NewRecord;
use crate::place::Place;
use crate::record::RecordKind;

/// Tombstones written at once: so long writers wait.
const BATCH: usize = 64;

/// What a sweep saw.
#[derive(Default)]
pub(super) struct Swept {
    /// Segments in which something was deleted.
    pub(super) touched: BTreeSet<u32>,
    /// Bytes of living records by segment.
    pub(super) alive: HashMap<u32, u64>,
}

/// Deletes what does not stay.
pub(super) fn sweep(
    core: &Core,
    epoch: &Epoch,
    removed: &mut dyn FnMut(&Cid),
    collected: &mut Collected,
) -> Result<Swept, CollectError> {
    let mut swept = Swept::default();
    let mut batch: Vec<(Multihash, Place)> = Vec::with_capacity(BATCH);
    let mut places = Places::new(core);
    loop {
        let next = places.next()?;
        epoch.pace.rest(core);
        let last = next.is_none();
        if let Some((hash, place)) = next {
            // Garbage is taken off again once it is buried.
            *swept.alive.entry(place.position.segment).or_default() += place.record_len(&hash);
            if !epoch.keeps(&hash, place.position) {
                batch.push((hash, place));
            }
        }
        if batch.len() == BATCH || last {
            bury(core, epoch, &mut batch, removed, collected, &mut swept)?;
        }
        if last {
            return Ok(swept);
        }
    }
}

fn bury(
    core: &Core,
    epoch: &Epoch,
    batch: &mut Vec<(Multihash, Place)>,
    removed: &mut dyn FnMut(&Cid),
    collected: &mut Collected,
    swept: &mut Swept,
) -> Result<(), CollectError> {
    make_room(core)?;
    let mut appender = core.log.appender();
    epoch.condemn(batch);
    let cids: Vec<Cid> = batch.iter().map(|(hash, place)| place.cid(hash.clone())).collect();
    let records: Vec<_> =
        cids.iter().map(|cid| NewRecord::new(RecordKind::Tombstone, Some(cid), &[])).collect();
    let written = core.write(&mut appender, &records);
    epoch.bury();
    drop(appender);
    written?;
    for ((hash, place), cid) in batch.drain(..).zip(&cids) {
        let id = place.position.segment;
        swept.touched.insert(id);
        if let Some(alive) = swept.alive.get_mut(&id) {
            *alive = alive.saturating_sub(place.record_len(&hash));
        }
        collected.blocks += 1;
        collected.bytes += u64::from(place.length);
        // Whoever listens may be slow: nobody else waits for him.
        removed(cid);
    }
    Ok(())
}
