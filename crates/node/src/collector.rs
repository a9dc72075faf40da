//! Automatic collection: a worker that looks at the repository's size from time to time.
//!
//! Between its turns the store keeps the bound by itself: a put that would go over it collects first.

use std::time::Duration;

use ipse_store::{CollectError, Store};

use crate::worker::{Doing, Work, WorkError};

/// How long to wait where somebody else collects.
const BUSY_REST: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Collector {
    pub(crate) store: Store,
    /// Most bytes that the repository should take.
    pub(crate) bytes_max: u64,
    /// Percentage of them from which on it collects.
    pub(crate) watermark_percent: u64,
    pub(crate) period: Duration,
}

impl Work for Collector {
    fn name(&self) -> String {
        "collector".into()
    }

    async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
        let store = self.store.clone();
        let limit = u128::from(self.bytes_max) * u128::from(self.watermark_percent) / 100;
        doing.say("looking");
        let turn = tokio::task::spawn_blocking(move || -> Result<String, WorkError> {
            let size = store.stats()?.disk_bytes;
            if u128::from(size) < limit {
                return Ok(format!("{size} of {limit} bytes, nothing to do"));
            }
            let plan = store.plan_collection()?;
            let collected = store.collect(&plan, &mut |_| {})?;
            tracing::info!(blocks = collected.blocks, bytes = collected.bytes, "collected garbage");
            Ok(format!("removed {} blocks, {} bytes returned", collected.blocks, collected.freed_bytes))
        });
        match turn.await? {
            Ok(said) => doing.say(said),
            Err(error) if error.downcast_ref::<CollectError>().is_some_and(is_busy) => return Ok(BUSY_REST),
            Err(error) => return Err(error),
        }
        Ok(self.period)
    }
}

const fn is_busy(error: &CollectError) -> bool {
    matches!(error, CollectError::Busy)
}
