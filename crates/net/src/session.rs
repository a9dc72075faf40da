//! NetSession: wants of one walk, toward the connected peers.
//!
//! Calls never wait: wants go into a queue that the exchange empties, deliveries come out of the session's
//! inbox, where the hash threads put them. Dropping the session cancels what it still wants.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ipse_base::limits::BITSWAP_CID_BYTES_MAX;
use ipse_base::{AbsentReason, Block, BlockSession, Cid, Delivery, LocalBlocks, Want};
use ipse_bitswap::SessionOptions;
use tokio::sync::Notify;

use crate::counters::NetCounters;
use crate::inbox::{Inbox, Ready, Unconsumed};
use crate::registry::Registry;

/// What the exchange is asked for without waiting, most of it under a session's number.
pub(crate) enum Request {
    Open(Arc<Inbox>, SessionOptions),
    Want(u64, Vec<Want>),
    Cancel(u64, Vec<Cid>),
    /// The session's walk lags no longer.
    CaughtUp(u64),
    Close(u64),
    /// Blocks became visible without the exchange's doing.
    Added(Vec<(Cid, u64)>),
}

/// What sessions share with each other and with the exchange.
pub(crate) struct Sessions {
    pub(crate) registry: Arc<Registry>,
    pub(crate) local: Arc<dyn LocalBlocks>,
    pub(crate) unconsumed: Arc<Unconsumed>,
    pub(crate) counters: Arc<NetCounters>,
    /// Bounded by the walks, which want no more than their own frontier; the exchange takes all at once.
    requests: Mutex<VecDeque<Request>>,
    arrived: Notify,
    next: AtomicU64,
}

impl Sessions {
    pub(crate) fn new(
        registry: Arc<Registry>,
        local: Arc<dyn LocalBlocks>,
        counters: Arc<NetCounters>,
    ) -> Self {
        Self {
            registry,
            counters,
            local,
            unconsumed: Arc::default(),
            requests: Mutex::default(),
            arrived: Notify::new(),
            next: AtomicU64::new(0),
        }
    }

    /// Waits until something is asked for. One call of [`Sessions::take_requests`] answers it.
    pub(crate) async fn requested(&self) {
        self.arrived.notified().await;
    }

    /// Everything asked for since the last call.
    pub(crate) fn take_requests(&self) -> VecDeque<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn open(self: &Arc<Self>, options: SessionOptions) -> NetSession {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let inbox = Arc::new(Inbox::new(number, self.unconsumed.clone()));
        self.send(Request::Open(inbox.clone(), options));
        NetSession { inbox, sessions: self.clone(), wanted: HashSet::new() }
    }

    /// Hands blocks that became visible by another way to the sessions that want them, and has peers told.
    pub(crate) fn added(&self, blocks: &[(Cid, u64)]) {
        for (cid, _) in blocks {
            self.registry.stored(cid.hash());
        }
        self.send(Request::Added(blocks.to_vec()));
    }

    fn read_back(&self, cid: &Cid) -> Result<Option<Block>, ipse_base::SourceError> {
        self.counters.deliveries_stored.one();
        self.local.local(cid)
    }

    fn send(&self, request: Request) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push_back(request);
        self.arrived.notify_one();
    }
}

/// See the module.
pub struct NetSession {
    inbox: Arc<Inbox>,
    sessions: Arc<Sessions>,
    wanted: HashSet<Cid>,
}

impl NetSession {
    /// Answers what needs no peer; true where the want is to go on to the exchange.
    fn begin(&self, cid: &Cid) -> bool {
        if let Some(block) = Block::implied_by(cid) {
            self.inbox.put(block);
            return false;
        }
        if cid.hash().to_bytes().len() > BITSWAP_CID_BYTES_MAX {
            // Peers close the connection over such a want.
            self.inbox.put_absent(cid.clone(), AbsentReason::NobodyHasIt);
            return false;
        }
        self.sessions.registry.add(cid, &self.inbox);
        // The block may have become visible between the walk's own look and the line above; whoever stores it
        // from now on finds the want in the registry.
        let here = matches!(self.sessions.local.local_size(cid), Ok(Some(_)));
        if here && self.sessions.registry.remove(cid, self.inbox.session()) {
            self.inbox.put_stored(cid.clone());
        }
        !here
    }

    fn delivery(&self, ready: Ready) -> Delivery {
        self.sessions.counters.deliveries.one();
        match ready {
            Ready::Block(block) => Delivery::Block(block),
            Ready::Absent(cid, reason) => Delivery::Absent(cid, reason),
            Ready::Stored(cid) => match self.sessions.read_back(&cid) {
                Ok(Some(block)) => Delivery::Block(block),
                Ok(None) => Delivery::Absent(cid, AbsentReason::Failed),
                Err(error) => {
                    tracing::error!(%cid, %error, "a received block could not be read back");
                    Delivery::Absent(cid, AbsentReason::Failed)
                }
            },
        }
    }
}

impl BlockSession for NetSession {
    fn want(&mut self, wants: Vec<Want>) {
        let mut open = Vec::with_capacity(wants.len());
        for want in wants {
            let is_new = self.wanted.insert(want.cid.clone());
            if !is_new || self.begin(&want.cid) {
                open.push(want);
            }
        }
        if !open.is_empty() {
            self.sessions.send(Request::Want(self.inbox.session(), open));
        }
    }

    fn cancel(&mut self, cids: &[Cid]) {
        let mut cancelled = Vec::new();
        for cid in cids.iter().filter(|cid| self.wanted.remove(*cid)) {
            self.sessions.registry.remove(cid, self.inbox.session());
            cancelled.push(cid.clone());
        }
        if !cancelled.is_empty() {
            self.sessions.send(Request::Cancel(self.inbox.session(), cancelled));
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.inbox.register(context);
        loop {
            if self.wanted.is_empty() {
                // What is still there was cancelled; its share of the bound is needed elsewhere.
                while self.inbox.take().is_some() {}
                return Poll::Ready(None);
            }
            let Some(ready) = self.inbox.take() else { return Poll::Pending };
            if self.inbox.catches_up() {
                self.sessions.send(Request::CaughtUp(self.inbox.session()));
            }
            let cid = match &ready {
                Ready::Block(block) => block.cid(),
                Ready::Stored(cid) | Ready::Absent(cid, _) => cid,
            };
            // What was cancelled while it was on its way is not wanted any more.
            if self.wanted.remove(cid) {
                return Poll::Ready(Some(self.delivery(ready)));
            }
        }
    }
}

impl Drop for NetSession {
    fn drop(&mut self) {
        for cid in &self.wanted {
            self.sessions.registry.remove(cid, self.inbox.session());
        }
        self.inbox.close();
        self.sessions.send(Request::Close(self.inbox.session()));
    }
}
