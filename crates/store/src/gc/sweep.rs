//! Sweep: a tombstone for every block that does not stay.

use std::collections::BTreeSet;

use ipse_base::{Cid, Multihash};

use super::{CollectError, Collected};
use crate::core::Core;
use crate::list::Places;
use crate::log::{Appender, NewRecord};
use crate::place::Position;
use crate::record::RecordKind;

/// Tombstones written at once.
const BATCH: usize = 256;

/// Deletes what does not stay; returns the segments in which something was deleted.
pub(super) fn sweep(
    core: &Core,
    appender: &mut Appender,
    stays: &dyn Fn(&Multihash, Position) -> bool,
    removed: &mut dyn FnMut(&Cid),
    collected: &mut Collected,
) -> Result<BTreeSet<u32>, CollectError> {
    let mut touched = BTreeSet::new();
    let mut batch: Vec<Cid> = Vec::with_capacity(BATCH);
    let mut places = Places::new(core);
    while let Some((hash, place)) = places.next()? {
        if stays(&hash, place.position) {
            continue;
        }
        touched.insert(place.position.segment);
        collected.blocks += 1;
        collected.bytes += u64::from(place.length);
        batch.push(place.cid(hash));
        if batch.len() == BATCH {
            bury(core, appender, &mut batch, removed)?;
        }
    }
    bury(core, appender, &mut batch, removed)?;
    Ok(touched)
}

fn bury(
    core: &Core,
    appender: &mut Appender,
    batch: &mut Vec<Cid>,
    removed: &mut dyn FnMut(&Cid),
) -> Result<(), CollectError> {
    core.make_room()?;
    let records: Vec<_> =
        batch.iter().map(|cid| NewRecord::new(RecordKind::Tombstone, Some(cid), &[])).collect();
    core.write(appender, &records)?;
    for cid in batch.drain(..) {
        removed(&cid);
    }
    Ok(())
}
