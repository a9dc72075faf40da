//! Recent: blocks that are no longer wanted, so that an answer that crossed our cancel is known for what it
//! is.

use std::collections::{HashMap, VecDeque};

use ipse_base::Cid;

use super::SessionId;
use crate::limits::RECENT_MAX;

/// The last blocks that stopped being wanted, with the sessions that had wanted them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    sessions: HashMap<Cid, Vec<SessionId>>,
    order: VecDeque<Cid>,
}

impl Recent {
    pub(super) fn add(&mut self, cid: Cid, sessions: Vec<SessionId>) {
        if self.sessions.insert(cid.clone(), sessions).is_some() {
            return;
        }
        self.order.push_back(cid);
        if self.order.len() > RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.sessions.remove(&oldest);
        }
    }

    /// The sessions that wanted the block, if it was wanted lately.
    pub(super) fn get(&self, cid: &Cid) -> Option<&[SessionId]> {
        self.sessions.get(cid).map(Vec::as_slice)
    }
}
