//! Quiet: once nothing was read or written for a minute, memory that is kept for speed goes back to the system.
//!
//! A node that served a busy hour would otherwise hold its caches full through the night. They fill again with the
//! first reads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipse_store::Store;

use crate::Node;
use crate::worker::{Doing, Work, WorkError};

/// How long it must be quiet.
const PERIOD: Duration = Duration::from_secs(60);

/// Forgets what one part keeps for speed, and can make again.
type Forget = Box<dyn Fn() + Send + Sync>;

/// The parts that keep something. Each registers once, when it is made.
#[derive(Clone, Default)]
pub(crate) struct Keepers(Arc<Mutex<Vec<Forget>>>);

impl Keepers {
    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|forget| forget());
    }
}

/// See the module.
pub(crate) struct Quiet {
    pub(crate) store: Store,
    pub(crate) keepers: Keepers,
    /// What the store had done at the last turn.
    pub(crate) done: u64,
    /// Whether memory was given back since.
    pub(crate) is_rested: bool,
}

impl Work for Quiet {
    fn name(&self) -> String {
        "quiet".into()
    }

    async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
        let done = self.store.work_done();
        let was_busy = std::mem::replace(&mut self.done, done) != done;
        if was_busy {
            self.is_rested = false;
            doing.say("the node is busy");
        } else if !std::mem::replace(&mut self.is_rested, true) {
            let (store, keepers) = (self.store.clone(), self.keepers.clone());
            let forget = move || {
                let bytes = store.forget_cached();
                keepers.forget();
                crate::memory::give_back();
                bytes
            };
            let bytes = tokio::task::spawn_blocking(forget).await?;
            doing.say(format!("it is quiet: forgot {bytes} bytes of blocks, and what the doors remembered"));
        }
        Ok(PERIOD)
    }
}

impl Node {
    /// Adds a part, such as a door, that can forget what it keeps for speed. Called when it has been quiet for a
    /// while. Once for each part.
    pub fn when_quiet(&self, forget: impl Fn() + Send + Sync + 'static) {
        let keepers = &self.inner.keepers;
        keepers.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(forget));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use ipse_base::{Block, BlockSink, Codec, HashCode};
    use ipse_store::{Repo, Reuse, StoreOptions};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::worker::Workers;

    #[tokio::test(start_paused = true)]
    async fn a_quiet_node_forgets_once_and_again_after_work() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::init(&folder.path().join("repository"), b"{}", b"{}").unwrap();
        let store = Store::open_in(repo, StoreOptions::new(|_, _| Ok(Vec::new()))).unwrap();
        let block = Block::hash(Codec::RAW, HashCode::SHA2_256, vec![7; 100_000].into()).unwrap();
        store.put(std::slice::from_ref(&block)).unwrap();
        store.read(block.cid(), Reuse::Likely).unwrap().unwrap();
        let (keepers, forgot) = (Keepers::default(), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&forgot);
        keepers.0.lock().unwrap().push(Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let workers = Workers::new(CancellationToken::new());
        let done = store.work_done();
        let waker = workers.start(Quiet { store: store.clone(), keepers, done, is_rested: false });
        let turns = async |count| {
            while workers.list()[0].turns < count {
                tokio::task::yield_now().await;
            }
        };
        turns(1).await;
        assert!(workers.list()[0].doing.contains("forgot 100"), "{:?}", workers.list());
        assert_eq!((store.forget_cached(), forgot.load(Ordering::SeqCst)), (0, 1));
        // Nothing new happened, then something did.
        waker.wake();
        turns(2).await;
        assert_eq!(forgot.load(Ordering::SeqCst), 1);
        store.read(block.cid(), Reuse::Likely).unwrap().unwrap();
        waker.wake();
        turns(3).await;
        assert_eq!(forgot.load(Ordering::SeqCst), 1);
        waker.wake();
        turns(4).await;
        assert_eq!((store.forget_cached(), forgot.load(Ordering::SeqCst)), (0, 2));
    }
}
