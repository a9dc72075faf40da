//! Waiting: which peers want a block that is not known to be here, so that one that arrives is passed on
//! without asking every peer's queue.

use std::collections::HashMap;

use ipse_base::{Cid, PeerId};

/// Peers by the block that they wait for. Bounded by what the queues hold together.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<Cid, Vec<PeerId>>);

impl Waiting {
    pub(super) fn add(&mut self, cid: &Cid, peer: &PeerId) {
        let peers = self.0.entry(cid.clone()).or_default();
        if !peers.contains(peer) {
            peers.push(peer.clone());
        }
    }

    pub(super) fn remove(&mut self, cid: &Cid, peer: &PeerId) {
        if let Some(peers) = self.0.get_mut(cid) {
            peers.retain(|other| other != peer);
            if peers.is_empty() {
                self.0.remove(cid);
            }
        }
    }

    pub(super) fn peers(&self, cid: &Cid) -> Vec<PeerId> {
        self.0.get(cid).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
