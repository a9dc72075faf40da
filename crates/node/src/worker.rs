//! Worker: one unit of background work, listed with its state and last error. `ipse diag workers` prints them.
//!
//! A worker is asked to work, says how long it wants to rest, and is asked again; after a failure it rests
//! longer and longer. It ends with the node. What it does in one turn should be short, so that the end of the
//! node waits for nobody: a turn that is under way is dropped at an `await`.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The first rest after a failure. It doubles with each further one.
const FAILURE_REST_MIN: Duration = Duration::from_secs(1);
/// The longest rest after a failure.
const FAILURE_REST_MAX: Duration = Duration::from_secs(600);

/// What a failed turn says. It is logged, and listed until a turn goes well.
pub(crate) type WorkError = Box<dyn std::error::Error + Send + Sync>;

/// Background work that is done in turns.
pub(crate) trait Work: Send + 'static {
    /// What the list calls it; one for each worker of a node.
    fn name(&self) -> String;

    /// One turn. Answers how long to rest before the next one; `doing` tells the list what it is at.
    fn turn(&mut self, doing: &Doing) -> impl Future<Output = Result<Duration, WorkError>> + Send;
}

/// Where a turn says what it is doing.
pub(crate) struct Doing(Arc<Entry>);

impl Doing {
    /// Shows this text in the list until the turn ends or says something else.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.state().doing = text.into();
    }
}

/// What the list tells of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its name.
    pub name: String,
    /// Whether a turn is under way.
    pub working: bool,
    /// What the turn said last; what the last one said, if it rests.
    pub doing: String,
    /// Turns that ended.
    pub turns: u64,
    /// Those that failed.
    pub failures: u64,
    /// Why the last turn failed; `None` if it did not.
    pub last_error: Option<String>,
}

struct Entry {
    state: Mutex<WorkerInfo>,
    wake: Notify,
}

impl Entry {
    fn state(&self) -> MutexGuard<'_, WorkerInfo> {
        // What it guards is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The workers of one node. Started while the node is assembled, so there are as many as the configuration
/// makes, and none is ever removed.
pub(crate) struct Workers {
    entries: Mutex<Vec<Arc<Entry>>>,
    stop: CancellationToken,
}

impl Workers {
    /// None yet; all end when `stop` is cancelled.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { entries: Mutex::default(), stop }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a worker; must be called inside of the runtime. Its first turn is now.
    pub(crate) fn start(&self, mut work: impl Work) -> Waker {
        let info = WorkerInfo {
            name: work.name(),
            working: false,
            doing: String::new(),
            turns: 0,
            failures: 0,
            last_error: None,
        };
        let entry = Arc::new(Entry { state: Mutex::new(info), wake: Notify::new() });
        self.entries().push(Arc::clone(&entry));
        let (stop, waker) = (self.stop.clone(), Waker(Arc::clone(&entry)));
        tokio::spawn(async move {
            let turns = take_turns(&mut work, &entry);
            tokio::select! {
                () = stop.cancelled() => {}
                () = turns => {}
            }
            entry.state().working = false;
        });
        waker
    }

    /// What each is at, in the order in which they were started.
    pub(crate) fn list(&self) -> Vec<WorkerInfo> {
        self.entries().iter().map(|entry| entry.state().clone()).collect()
    }
}

/// Ends the rest of a worker.
#[derive(Clone)]
pub(crate) struct Waker(Arc<Entry>);

impl Waker {
    /// The worker takes its next turn now; if it is at one, another follows at once.
    pub(crate) fn wake(&self) {
        self.0.wake.notify_one();
    }
}

async fn take_turns(work: &mut impl Work, entry: &Arc<Entry>) {
    let mut failures = 0;
    loop {
        entry.state().working = true;
        let result = work.turn(&Doing(Arc::clone(entry))).await;
        failures = if result.is_ok() { 0 } else { failures + 1 };
        let rest = result.as_ref().map_or_else(|_| rest_after(failures), |rest| *rest);
        {
            let mut state = entry.state();
            state.working = false;
            state.turns += 1;
            state.failures += u64::from(failures > 0);
            state.last_error = result.err().map(|error| error.to_string());
            if let Some(error) = &state.last_error {
                tracing::warn!(worker = state.name, error, "background work failed");
            }
        }
        // A rest that runs out and a call that ends it early are the same.
        let _ = tokio::time::timeout(rest, entry.wake.notified()).await;
    }
}

/// The rest after so many failures in a row.
fn rest_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FAILURE_REST_MIN * 2_u32.pow(doublings)).min(FAILURE_REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    /// Tells each turn and fails those that it is told to.
    struct Scripted(Vec<bool>, mpsc::Sender<usize>);

    impl Work for Scripted {
        fn name(&self) -> String {
            "scripted".into()
        }

        async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
            let fails = self.0.pop().unwrap_or(false);
            doing.say(format!("{} left", self.0.len()));
            self.1.send(self.0.len()).await?;
            if fails { Err("no".into()) } else { Ok(Duration::from_secs(3600)) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn turns_follow_rests_failures_and_wakes() {
        let stop = CancellationToken::new();
        let workers = Workers::new(stop.clone());
        let (told, mut turns) = mpsc::channel(1);
        let waker = workers.start(Scripted(vec![false, true, false], told));
        assert_eq!(turns.recv().await, Some(2));
        waker.wake();
        assert_eq!(turns.recv().await, Some(1));
        // Its failure ends in a turn by itself.
        assert_eq!(turns.recv().await, Some(0));
        tokio::task::yield_now().await;
        let info = workers.list().remove(0);
        assert_eq!((info.failures, info.doing.as_str()), (1, "0 left"));
        stop.cancel();
        assert_eq!(turns.recv().await, None);
    }

    #[test]
    fn rests_after_failures_grow_to_a_bound() {
        assert_eq!(rest_after(1), FAILURE_REST_MIN);
        assert_eq!(rest_after(2), 2 * FAILURE_REST_MIN);
        assert_eq!(rest_after(u32::MAX), FAILURE_REST_MAX);
    }
}
