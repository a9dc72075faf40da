//! Where a node's walks get their blocks: the store first, then the peers.
//!
//! A block that the store holds damaged counts as absent where peers can be asked: what they send answers the
//! read, and takes the place of the damaged copy on its way through the store.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ipse_base::{
    AbsentReason, Block, BlockSession, BlockSource, Cid, Delivery, ErrorKind, Kind, LocalBlocks, Path,
    SourceError, Want,
};
use ipse_net::Net;
use ipse_store::{AtHand, Reuse, Store};
use tokio::time::Sleep;

use crate::ReadError;
use crate::denied::Denied;

/// The composed source. Cheap to clone.
#[derive(Clone)]
pub(crate) struct NodeSource {
    store: Store,
    net: Option<Net>,
    denied: Option<Arc<Denied>>,
}

impl NodeSource {
    /// Store and, for a node that is online, its peers; less what is denied.
    pub(crate) const fn new(store: Store, net: Option<Net>, denied: Arc<Denied>) -> Self {
        Self { store, net, denied: Some(denied) }
    }

    /// The same store, and nobody is asked.
    pub(crate) fn offline(&self) -> Self {
        Self { store: self.store.clone(), net: None, denied: self.denied.clone() }
    }

    /// What is here, for the node's own books: nobody is asked, and nothing is denied. A pin keeps what a denylist
    /// names, until the operator takes it away.
    pub(crate) fn own(&self) -> Self {
        Self { store: self.store.clone(), net: None, denied: None }
    }

    /// Refuses a path that is denied as it stands, before it is followed.
    pub(crate) fn check_path(&self, path: &Path) -> Result<(), ReadError> {
        self.denied.as_ref().map_or(Ok(()), |denied| denied.check_path(path))
    }

    fn check(&self, cid: &Cid) -> Result<(), SourceError> {
        self.denied.as_ref().map_or(Ok(()), |denied| denied.check_block(cid))
    }
}

impl NodeSource {
    /// What is at hand without waiting for the disk.
    pub(crate) fn now(&self, cid: &Cid, reuse: Reuse) -> Result<AtHand, SourceError> {
        if let Some(block) = cid.is_identity().then(|| Block::implied_by(cid)).flatten() {
            return Ok(AtHand::Block(block));
        }
        self.check(cid)?;
        self.unless_damaged(cid, self.store.read_now(cid, reuse), AtHand::Absent)
    }

    /// What is at hand, waiting for the disk if need be.
    pub(crate) fn wait(&self, cid: &Cid, reuse: Reuse) -> Result<Option<Block>, SourceError> {
        self.check(cid)?;
        self.unless_damaged(cid, self.store.read(cid, reuse), None)
    }

    fn unless_damaged<T>(
        &self,
        cid: &Cid,
        read: Result<T, ipse_store::ReadError>,
        absent: T,
    ) -> Result<T, SourceError> {
        match read {
            Err(error) if self.net.is_some() && error.kind() == Kind::Corrupt => Ok(absent),
            Err(error) => {
                Err(SourceError { cid: cid.clone(), message: error.to_string(), kind: error.kind() })
            }
            Ok(found) => Ok(found),
        }
    }
}

impl LocalBlocks for NodeSource {
    fn local(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        self.check(cid)?;
        match Block::implied_by(cid) {
            Some(block) => Ok(Some(block)),
            None => match self.store.local(cid) {
                Err(error) if self.net.is_some() && error.kind == Kind::Corrupt => Ok(None),
                found => found,
            },
        }
    }

    fn local_size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        self.check(cid)?;
        match Block::implied_by(cid) {
            Some(block) => Ok(Some(block.data().len() as u64)),
            None => self.store.local_size(cid),
        }
    }
}

impl BlockSource for NodeSource {
    fn session(&self) -> Box<dyn BlockSession> {
        match &self.net {
            Some(net) => Box::new(MendingSession::new(net.session(), self.store.clone())),
            None => Box::new(OfflineSession::default()),
        }
    }
}

/// What is served to peers, and what sessions take for being here: the store, less what is damaged or denied.
pub(crate) struct Served {
    pub(crate) store: Store,
    pub(crate) denied: Arc<Denied>,
}

impl LocalBlocks for Served {
    fn local(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        if self.denied.is_denied(cid) {
            return Ok(None);
        }
        match self.store.local(cid) {
            Err(error) if error.kind == Kind::Corrupt => Ok(None),
            found => found,
        }
    }

    fn local_size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        if self.denied.is_denied(cid) || self.store.is_damaged(cid) {
            return Ok(None);
        }
        self.store.local_size(cid)
    }
}

/// How long a read waits for peers to send what is damaged here. A block that is simply absent is waited for as
/// long as the reader likes; here the reader should hear of the damage.
const DAMAGED_WAIT: Duration = Duration::from_secs(30);

/// A session that gives up on damaged blocks after a while.
struct MendingSession {
    inner: Box<dyn BlockSession>,
    store: Store,
    damaged: Vec<Cid>,
    patience: Option<Pin<Box<Sleep>>>,
    given_up: Vec<Cid>,
}

impl MendingSession {
    fn new(inner: Box<dyn BlockSession>, store: Store) -> Self {
        Self { inner, store, damaged: Vec::new(), patience: None, given_up: Vec::new() }
    }
}

impl BlockSession for MendingSession {
    fn want(&mut self, wants: Vec<Want>) {
        let damaged = wants.iter().filter(|want| self.store.is_damaged(&want.cid));
        let known = self.damaged.len();
        self.damaged.extend(damaged.map(|want| want.cid.clone()));
        if self.damaged.len() > known {
            self.patience = Some(Box::pin(tokio::time::sleep(DAMAGED_WAIT)));
        }
        self.inner.want(wants);
    }

    fn cancel(&mut self, cids: &[Cid]) {
        self.damaged.retain(|cid| !cids.contains(cid));
        self.inner.cancel(cids);
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        if let Some(cid) = self.given_up.pop() {
            return Poll::Ready(Some(Delivery::Absent(cid, AbsentReason::Damaged)));
        }
        let next = self.inner.poll_next(context);
        if self.damaged.is_empty() {
            return next;
        }
        if let Poll::Ready(Some(Delivery::Block(block))) = &next {
            self.damaged.retain(|cid| cid != block.cid());
        }
        if let Poll::Ready(Some(Delivery::Absent(cid, _))) = &next
            && self.damaged.contains(cid)
        {
            let cid = cid.clone();
            self.damaged.retain(|other| *other != cid);
            return Poll::Ready(Some(Delivery::Absent(cid, AbsentReason::Damaged)));
        }
        let over = |sleep: &mut Pin<Box<Sleep>>| sleep.as_mut().poll(context).is_ready();
        if next.is_pending() && self.patience.as_mut().is_some_and(over) {
            self.given_up = std::mem::take(&mut self.damaged);
            self.inner.cancel(&self.given_up);
            return self.poll_next(context);
        }
        next
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
