//! Mark: what can be reached from the roots goes into the epoch's filter.

use ipse_base::limits::MARKING_NODES_MAX;
use ipse_base::{Block, Cid, Codec};

use super::epoch::Epoch;
use super::walked::Walked;
use super::{CollectError, Root};
use crate::core::Core;
use crate::lock;
use crate::pins::PinMode;
use crate::place::Place;

struct Marking<'a> {
    core: &'a Core,
    epoch: &'a Epoch,
    walked: Walked,
    /// Inner nodes to be read, each with its place if it is here.
    stack: Vec<(Cid, Option<Place>)>,
}

/// Marks everything that is to be kept.
pub(super) fn mark(core: &Core, epoch: &Epoch) -> Result<(), CollectError> {
    let mut marking = Marking { core, epoch, walked: Walked::new(MARKING_NODES_MAX), stack: Vec::new() };
    // Temporary pins first: one that is replaced by a pin meanwhile is seen in one of both.
    for cid in &epoch.roots {
        marking.root(Root { cid: cid.clone(), mode: PinMode::Recursive, may_be_partial: true })?;
    }
    let mut after = None;
    loop {
        let (pins, next) = core.pins_page(after.as_ref())?;
        for pin in pins {
            marking.pin(Root { cid: pin.cid, mode: pin.mode, may_be_partial: false })?;
        }
        after = match next {
            Some(next) => Some(next),
            None => break,
        };
    }
    let registered: Vec<Root> = lock(&core.roots).iter().flat_map(|party| party()).collect();
    for root in registered {
        marking.root(root)?;
    }
    Ok(())
}

impl Marking<'_> {
    /// Marks what a pin keeps. One that was taken away meanwhile may have lost blocks.
    fn pin(&mut self, pin: Root) -> Result<(), CollectError> {
        let cid = pin.cid.clone();
        match self.root(pin) {
            Err(CollectError::Missing { .. }) if self.core.pin_of(&cid)?.is_none() => {
                self.stack.clear();
                Ok(())
            }
            result => result,
        }
    }

    fn root(&mut self, root: Root) -> Result<(), CollectError> {
        if root.mode == PinMode::Direct {
            self.epoch.kept.insert(root.cid.hash());
            return Ok(());
        }
        self.reach(vec![root.cid.clone()])?;
        while let Some((cid, place)) = self.stack.pop() {
            let data = match Block::implied_by(&cid) {
                Some(block) => Some(block.data().clone()),
                None => {
                    let data = self.core.read(&cid)?;
                    self.epoch.pace.was_us();
                    data
                }
            };
            self.epoch.pace.rest(self.core);
            let Some(data) = data else {
                if root.may_be_partial {
                    // Once it has arrived, a pin above it may lead here again.
                    if let Some(place) = place {
                        self.walked.remove(&cid, &place);
                    }
                    continue;
                }
                return Err(CollectError::Missing { cid, root: root.cid });
            };
            let links = (self.core.options.links)(&cid, &data);
            self.reach(links.map_err(|source| CollectError::Links { cid, source })?)?;
        }
        Ok(())
    }

    /// Marks blocks, and leaves those to be read that may have links. Leaves never get onto the stack, so the
    /// stack holds inner nodes only.
    fn reach(&mut self, cids: Vec<Cid>) -> Result<(), CollectError> {
        let mut inner = Vec::new();
        for cid in cids {
            self.epoch.kept.insert(cid.hash());
            if cid.codec() != Codec::RAW {
                inner.push(cid);
            }
        }
        let places = self.core.places_quiet(&inner.iter().map(Cid::hash).collect::<Vec<_>>())?;
        for (cid, place) in inner.into_iter().zip(places) {
            let leaf = place.and_then(|place| place.leaf_under(cid.codec())) == Some(true);
            // What has no place is in its Cid, or missing; it is not walked for long.
            if !leaf && place.is_none_or(|place| self.walked.insert(&cid, &place)) {
                self.stack.push((cid, place));
            }
        }
        Ok(())
    }
}
