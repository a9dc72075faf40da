//! Automatic collection: a worker that looks at the repository's size from time to time, and lets go what was used
//! longest ago.
//!
//! Between its turns the store keeps the bound by itself: a put that would go over it collects first. Most of the
//! worker's looks cost nothing, so that it is there before a put has to.

use std::time::Duration;

use ipse_store::{CollectError, Store};
use tokio::time::Instant;

use crate::worker::{Doing, Work, WorkError};

/// Between two looks at what the store reckons.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait where somebody else collects.
const BUSY_REST: Duration = Duration::from_secs(60);
/// Percentage of the bound that a collection frees below the mark at which it began.
const ROOM_PERCENT: u64 = 10;

/// See the module.
pub(crate) struct Collector {
    store: Store,
    /// Bytes from which on it collects.
    begin_bytes: u64,
    /// Bytes that it leaves.
    end_bytes: u64,
    /// The longest time between two looks at the disk.
    period: Duration,
    look_at: Option<Instant>,
}

/// What a turn came to.
enum Turn {
    Quiet(u64),
    /// Blocks removed, bytes returned, bytes that the repository takes now.
    Collected(u64, u64, u64),
}

impl Collector {
    /// Collects from `watermark_percent` of `bytes_max` on.
    pub(crate) fn new(store: Store, bytes_max: u64, watermark_percent: u64, period: Duration) -> Self {
        let part =
            |percent| u64::try_from(u128::from(bytes_max) * u128::from(percent) / 100).unwrap_or(u64::MAX);
        let (begin_bytes, end_bytes) =
            (part(watermark_percent), part(watermark_percent.saturating_sub(ROOM_PERCENT)));
        Self { store, begin_bytes, end_bytes, period, look_at: None }
    }

    /// Whether the disk need not be asked.
    fn is_early(&self) -> bool {
        let reckoned = self.store.reckoned_bytes().unwrap_or(u64::MAX);
        reckoned < self.begin_bytes && self.look_at.is_some_and(|at| Instant::now() < at)
    }
}

fn collect(store: &Store, begin_bytes: u64, end_bytes: u64) -> Result<Turn, WorkError> {
    let size = store.stats()?.disk_bytes;
    if size < begin_bytes {
        return Ok(Turn::Quiet(size));
    }
    let plan = store.plan_leaving(size.saturating_sub(end_bytes))?;
    let collected = store.collect(&plan, &mut |_| {})?;
    tracing::info!(blocks = collected.blocks, bytes = collected.bytes, "collected garbage");
    Ok(Turn::Collected(collected.blocks, collected.freed_bytes, store.stats()?.disk_bytes))
}

impl Work for Collector {
    fn name(&self) -> String {
        "collector".into()
    }

    async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
        if self.is_early() {
            return Ok(LOOK);
        }
        let (store, begin, end) = (self.store.clone(), self.begin_bytes, self.end_bytes);
        doing.say("looking");
        let turn = tokio::task::spawn_blocking(move || collect(&store, begin, end)).await?;
        self.look_at = Some(Instant::now() + self.period);
        match turn {
            Ok(Turn::Quiet(size)) => {
                doing.say(format!("{size} of {begin} bytes, nothing to do"));
                Ok(LOOK.min(self.period))
            }
            Ok(Turn::Collected(blocks, freed, size)) => {
                doing.say(format!("removed {blocks} blocks, {freed} bytes returned"));
                // Where pins fill it, trying again at once would be in vain.
                Ok(if size < begin { LOOK.min(self.period) } else { self.period })
            }
            Err(error) if error.downcast_ref::<CollectError>().is_some_and(is_busy) => Ok(BUSY_REST),
            Err(error) => Err(error),
        }
    }
}

const fn is_busy(error: &CollectError) -> bool {
    matches!(error, CollectError::Busy)
}

#[cfg(test)]
mod tests {
    use ipse_base::{Block, Codec, HashCode};
    use ipse_store::{PinMode, Repo, StoreOptions};

    use super::*;
    use crate::worker::Workers;

    fn block(number: u64) -> Block {
        let mut data = vec![0; 20_000];
        data[..8].copy_from_slice(&number.to_le_bytes());
        Block::hash(Codec::RAW, HashCode::SHA2_256, data.into()).unwrap()
    }

    /// A store with a megabyte that nothing keeps and one that is pinned.
    fn store(folder: &std::path::Path) -> Store {
        let repo = Repo::init(&folder.join("repo"), b"{}", b"{}").unwrap();
        let store = Store::open_in(repo, StoreOptions::new(|_, _| Ok(Vec::new()))).unwrap();
        let blocks: Vec<Block> = (0..100).map(block).collect();
        store.put_blocks(&blocks).unwrap();
        for block in &blocks[..50] {
            store.pin(block.cid(), PinMode::Direct, None).unwrap();
        }
        store
    }

    async fn turn(store: &Store, bytes_max: u64) -> String {
        let workers = Workers::new(tokio_util::sync::CancellationToken::new());
        workers.start(Collector::new(store.clone(), bytes_max, 90, Duration::from_secs(3600)));
        loop {
            let info = workers.list().remove(0);
            if info.turns > 0 {
                assert_eq!((info.failures, info.last_error), (0, None));
                return info.doing;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn it_collects_above_the_mark_and_spares_pins() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let said = turn(&store, 1 << 40).await;
        assert!(said.ends_with("nothing to do"), "{said}");
        assert_eq!(store.stats().unwrap().blocks, 100);
        let said = turn(&store, store.stats().unwrap().disk_bytes).await;
        assert!(said.starts_with("removed 50 blocks"), "{said}");
        assert!((0..50).all(|number| store.has(block(number).cid()).unwrap()));
        // Pins fill it: nothing more to be had, and that is no failure.
        let said = turn(&store, 1000).await;
        assert!(said.starts_with("removed 0 blocks"), "{said}");
        assert_eq!(store.stats().unwrap().blocks, 50);
    }
}
