//! Where a node's walks get their blocks: the store first, then the peers.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use ipse_base::{
    AbsentReason, Block, BlockSession, BlockSource, Cid, Delivery, LocalBlocks, SourceError, Want,
};
use ipse_net::Net;
use ipse_store::Store;

/// The composed source. Cheap to clone.
#[derive(Clone)]
pub(crate) struct NodeSource {
    store: Store,
    net: Option<Net>,
}

impl NodeSource {
    /// Store and, for a node that is online, its peers.
    pub(crate) const fn new(store: Store, net: Option<Net>) -> Self {
        Self { store, net }
    }

    /// The same store, and nobody is asked.
    pub(crate) fn offline(&self) -> Self {
        Self { store: self.store.clone(), net: None }
    }
}

impl LocalBlocks for NodeSource {
    fn local(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        match Block::implied_by(cid) {
            Some(block) => Ok(Some(block)),
            None => self.store.local(cid),
        }
    }

    fn local_size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        match Block::implied_by(cid) {
            Some(block) => Ok(Some(block.data().len() as u64)),
            None => self.store.local_size(cid),
        }
    }
}

impl BlockSource for NodeSource {
    fn session(&self) -> Box<dyn BlockSession> {
        match &self.net {
            Some(net) => net.session(),
            None => Box::new(OfflineSession::default()),
        }
    }
}

/// A session that answers every want with "offline".
#[derive(Default)]
struct OfflineSession {
    wanted: VecDeque<Cid>,
}

impl BlockSession for OfflineSession {
    fn want(&mut self, wants: Vec<Want>) {
        self.wanted.extend(wants.into_iter().map(|want| want.cid));
    }

    fn cancel(&mut self, cids: &[Cid]) {
        self.wanted.retain(|cid| !cids.contains(cid));
    }

    fn poll_next(&mut self, _context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        Poll::Ready(self.wanted.pop_front().map(|cid| Delivery::Absent(cid, AbsentReason::Offline)))
    }
}
