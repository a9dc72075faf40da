//! The sessions that the client knows, and their inboxes.

use std::collections::HashMap;
use std::sync::Arc;

use ipse_base::{AbsentReason, Cid};
use ipse_bitswap::SessionId;

use crate::inbox::Inbox;
use crate::registry::Registry;

/// See the module.
#[derive(Default)]
pub(super) struct OpenSessions {
    ids: HashMap<u64, SessionId>,
    inboxes: HashMap<SessionId, Arc<Inbox>>,
}

impl OpenSessions {
    pub(super) fn insert(&mut self, session: SessionId, inbox: Arc<Inbox>) {
        self.ids.insert(inbox.session(), session);
        self.inboxes.insert(session, inbox);
    }

    pub(super) fn id(&self, number: u64) -> Option<SessionId> {
        self.ids.get(&number).copied()
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<SessionId> {
        let session = self.ids.remove(&number)?;
        self.inboxes.remove(&session);
        Some(session)
    }

    /// The sessions that have just begun to lag.
    pub(super) fn lagging(&self) -> Vec<SessionId> {
        self.inboxes.iter().filter(|(_, inbox)| inbox.begins_to_lag()).map(|(id, _)| *id).collect()
    }

    /// Tells a session that a block is visible, if it still waits for it.
    pub(super) fn stored(&self, session: SessionId, cid: Cid, registry: &Registry) {
        if let Some(inbox) = self.inboxes.get(&session)
            && registry.remove(&cid, inbox.session())
        {
            inbox.put_stored(cid);
        }
    }

    /// Tells a session that a block can't be had, if it still waits for it.
    pub(super) fn absent(&self, session: SessionId, cid: Cid, reason: AbsentReason, registry: &Registry) {
        if let Some(inbox) = self.inboxes.get(&session)
            && registry.remove(&cid, inbox.session())
        {
            inbox.put_absent(cid, reason);
        }
    }
}
