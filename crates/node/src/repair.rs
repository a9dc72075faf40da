//! Repair: the worker that fetches what was found damaged.
//!
//! Path: any read of the store, a verification or the scrub finds damage → the store notes it, bounded, and wakes
//! this worker → a peer's copy takes the place of the damaged one. Readers that meet the damage meanwhile ask peers
//! themselves; whoever gets the block first mends it.

use std::time::Duration;

use ipse_net::Net;
use ipse_store::Store;

use crate::heal::heal;
use crate::worker::{Doing, Work, WorkError};

/// How long peers are waited for, for each block.
const WAIT: Duration = Duration::from_secs(30);
/// The rest while nothing is damaged; what is found ends it.
const REST: Duration = Duration::from_secs(24 * 3600);

/// Fetches damaged blocks from peers, one after the other.
pub(crate) struct Repair {
    pub(crate) net: Net,
    pub(crate) store: Store,
    pub(crate) healed: u64,
}

impl Work for Repair {
    fn name(&self) -> String {
        "repair".into()
    }

    /// Tries each damaged block once. Where one could not be had the turn fails, and the worker comes back, later
    /// each time.
    async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
        let damaged = self.store.damaged();
        let mut failure = None;
        for (done, cid) in damaged.iter().enumerate() {
            doing.say(format!("fetching {cid}, {} more are damaged", damaged.len() - done - 1));
            match heal(&self.net, &self.store, cid, WAIT).await {
                Ok(()) => self.healed += 1,
                Err(error) => failure = Some(format!("{cid} could not be healed: {error}")),
            }
        }
        doing.say(format!("{} blocks damaged, {} healed", self.store.damaged().len(), self.healed));
        failure.map_or(Ok(REST), |failure| Err(failure.into()))
    }
}
