//! Mark: what can be reached from the roots.

use std::collections::HashSet;

use ipse_base::{Block, Cid, Codec, Multihash};

use super::{CollectError, Root};
use crate::core::Core;
use crate::guard::Protected;
use crate::lock;
use crate::pins::PinMode;

/// The hashes that were reached, in short: half of a digest is far beyond chance and beyond forging.
#[derive(Debug, Default)]
pub(super) struct Live(HashSet<u128>);

impl Live {
    pub(super) fn contains(&self, hash: &Multihash) -> bool {
        self.0.contains(&short(hash))
    }
}

fn short(hash: &Multihash) -> u128 {
    let mut bytes = [0; 16];
    let length = hash.digest().len().min(16);
    bytes[..length].copy_from_slice(&hash.digest()[..length]);
    u128::from_le_bytes(bytes)
}

struct Marking<'a> {
    core: &'a Core,
    live: Live,
    /// Inner nodes whose links were followed, by hash and codec: the same bytes lead elsewhere, or nowhere,
    /// under another codec.
    walked: HashSet<(u128, Codec)>,
    stack: Vec<Cid>,
}

/// Marks everything that is to be kept. The caller has shut the gate.
pub(super) fn mark(core: &Core, protected: &Protected) -> Result<Live, CollectError> {
    let mut marking = Marking { core, live: Live::default(), walked: HashSet::new(), stack: Vec::new() };
    let mut after = None;
    loop {
        let (pins, next) = core.pins_page(after.as_ref())?;
        for pin in pins {
            marking.root(Root { cid: pin.cid, mode: pin.mode, may_be_partial: false })?;
        }
        after = match next {
            Some(next) => Some(next),
            None => break,
        };
    }
    for party in lock(&core.roots).iter() {
        for root in party() {
            marking.root(root)?;
        }
    }
    for cid in &protected.roots {
        marking.root(Root { cid: cid.clone(), mode: PinMode::Recursive, may_be_partial: true })?;
    }
    Ok(marking.live)
}

impl Marking<'_> {
    fn root(&mut self, root: Root) -> Result<(), CollectError> {
        if root.mode == PinMode::Direct {
            self.live.0.insert(short(root.cid.hash()));
            return Ok(());
        }
        self.reach(root.cid.clone())?;
        while let Some(cid) = self.stack.pop() {
            let data = match Block::implied_by(&cid) {
                Some(block) => Some(block.data().clone()),
                None => self.core.read(&cid)?,
            };
            let Some(data) = data else {
                if root.may_be_partial {
                    continue;
                }
                return Err(CollectError::Missing { cid, root: root.cid });
            };
            let links = (self.core.options.links)(&cid, &data);
            for link in links.map_err(|source| CollectError::Links { cid, source })? {
                self.reach(link)?;
            }
        }
        Ok(())
    }

    /// Marks a block, and leaves it to be read if it may have links. Leaves never get onto the stack, so the
    /// stack holds inner nodes only.
    fn reach(&mut self, cid: Cid) -> Result<(), CollectError> {
        self.live.0.insert(short(cid.hash()));
        if cid.codec() == Codec::RAW || self.walked.contains(&(short(cid.hash()), cid.codec())) {
            return Ok(());
        }
        let place = self.core.place(cid.hash())?;
        if place.and_then(|place| place.leaf_under(cid.codec())) != Some(true) {
            self.walked.insert((short(cid.hash()), cid.codec()));
            self.stack.push(cid);
        }
        Ok(())
    }
}
