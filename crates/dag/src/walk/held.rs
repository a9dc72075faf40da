//! Held: the blocks that are here and that the reader has not reached.

use std::collections::HashMap;
use std::sync::Arc;

use ipse_base::{Block, Cid};

use crate::Link;

/// What a link takes beside the block it was read from, in bytes, roughly.
const LINK_BYTES: usize = 128;

/// A block that is here, or is known to be absent.
#[derive(Clone)]
pub(super) struct Hold {
    pub(super) block: Option<Block>,
    pub(super) absent: bool,
    pub(super) links: Arc<[Link]>,
}

impl Default for Hold {
    fn default() -> Self {
        Self { block: None, absent: false, links: Arc::new([]) }
    }
}

impl Hold {
    pub(super) fn bytes(&self) -> u64 {
        let block = self.block.as_ref().map_or(0, |block| block.data().len());
        (block + self.links.len() * LINK_BYTES) as u64
    }
}

#[derive(Default)]
pub(super) struct Held {
    /// Each with the places at which the scout has said that the reader will need it.
    holds: HashMap<Cid, (Hold, usize)>,
    bytes: u64,
    places: usize,
}

impl Held {
    /// Bytes that are here, links counted.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Places at which the reader will need what is here.
    pub(super) const fn places(&self) -> usize {
        self.places
    }

    pub(super) fn contains(&self, cid: &Cid) -> bool {
        self.holds.contains_key(cid)
    }

    pub(super) fn put(&mut self, cid: &Cid, hold: Hold, places: usize) {
        self.bytes += hold.bytes();
        self.places += places;
        self.holds.insert(cid.clone(), (hold, places));
    }

    /// Counts one more place at which a block that is here will be needed; gives its links.
    pub(super) fn expect(&mut self, cid: &Cid) -> Option<Arc<[Link]>> {
        let (hold, places) = self.holds.get_mut(cid)?;
        *places += 1;
        self.places += 1;
        Some(Arc::clone(&hold.links))
    }

    /// What the reader needs, at a place that the scout has been to or has not. It stays for the other places,
    /// unless each block is needed once only.
    pub(super) fn take(&mut self, cid: &Cid, once: bool, scouted: bool) -> Hold {
        let Some((hold, places)) = self.holds.get_mut(cid) else { return Hold::default() };
        let done = if once { *places } else { usize::from(scouted).min(*places) };
        *places -= done;
        self.places -= done;
        if *places > 0 {
            return hold.clone();
        }
        self.bytes -= hold.bytes();
        self.holds.remove(cid).map(|(hold, _)| hold).unwrap_or_default()
    }
}
