//! Denied: what the operator refuses to provide, asked before every read and before every answer to a peer.
//!
//! Order: the lists are read before the node is on the network, and again when their files have changed.
//! Invariant: while there are no rules, asking costs one atomic read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ipse_base::{Cid, Kind, Path, SourceError};
use ipse_denylist::Denylist;

use crate::ReadError;
use crate::worker::{Doing, Work, WorkError};

/// How often the lists are looked at. An operator who appends a line expects it to hold soon.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where a node's denylists come from. Both calls may wait for a disk.
pub trait DenylistSource: Send + Sync {
    /// A number that is another one once something has changed.
    fn state(&self) -> u64;

    /// Reads all lists.
    ///
    /// # Errors
    /// Where one of them can't be read or is none: a node that was told to deny something does not run without.
    fn read(&self) -> Result<Denylist, DenylistReadError>;
}

/// Why the denylists can't be read.
#[derive(Debug, thiserror::Error)]
#[error("denylist {list}: {reason}")]
pub struct DenylistReadError {
    /// The file.
    pub list: String,
    /// What is wrong with it, and in which line.
    pub reason: String,
    /// The kind of what is wrong.
    pub kind: Kind,
}

/// What is denied now.
#[derive(Default)]
pub(crate) struct Denied {
    list: RwLock<Arc<Denylist>>,
    any: AtomicBool,
    changes: AtomicU64,
}

impl Denied {
    /// Replaces what was denied before.
    pub(crate) fn set(&self, list: Denylist) {
        self.any.store(!list.is_empty(), Ordering::Release);
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(list);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Counts changes: what was found while the number was another one has to be asked for again.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Refuses a path that a rule denies.
    pub(crate) fn check_path(&self, path: &Path) -> Result<(), ReadError> {
        let Some(list) = self.in_force() else { return Ok(()) };
        match list.find(path) {
            Some(place) => {
                tracing::warn!(%path, rule = %place, "denied");
                Err(ReadError::Denied(path.to_string()))
            }
            None => Ok(()),
        }
    }

    /// Refuses a block that a rule denies.
    pub(crate) fn check_block(&self, cid: &Cid) -> Result<(), SourceError> {
        if !self.is_denied(cid) {
            return Ok(());
        }
        let message = "a denylist names it".to_owned();
        Err(SourceError { cid: cid.clone(), message, kind: Kind::Denied })
    }

    /// Whether a rule denies a block.
    pub(crate) fn is_denied(&self, cid: &Cid) -> bool {
        let Some(list) = self.in_force() else { return false };
        let place = list.find_block(cid);
        if let Some(place) = place {
            tracing::debug!(%cid, rule = %place, "denied");
        }
        place.is_some()
    }

    fn in_force(&self) -> Option<Arc<Denylist>> {
        self.any.load(Ordering::Acquire).then(|| self.list())
    }

    fn list(&self) -> Arc<Denylist> {
        // A poisoned lock still holds a whole list: it is only ever replaced as one value.
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads the lists again once their files have changed.
pub(crate) struct DenylistWatch {
    pub(crate) source: Arc<dyn DenylistSource>,
    pub(crate) denied: Arc<Denied>,
    /// The state that is in force.
    pub(crate) state: u64,
}

impl Work for DenylistWatch {
    fn name(&self) -> String {
        "denylists".into()
    }

    async fn turn(&mut self, doing: &Doing) -> Result<Duration, WorkError> {
        let (source, known) = (self.source.clone(), self.state);
        let look = move || -> Result<Option<(u64, Denylist)>, DenylistReadError> {
            // Taken first: what changes while the lists are read is seen at the next look.
            let state = source.state();
            if state == known { Ok(None) } else { Ok(Some((state, source.read()?))) }
        };
        // What can't be read leaves the lists in force as they are.
        if let Some((state, list)) = tokio::task::spawn_blocking(look).await?? {
            tracing::info!(rules = list.len(), "denylists were read again");
            self.denied.set(list);
            self.state = state;
        }
        doing.say(format!("{} rules in force", self.denied.list().len()));
        Ok(LOOK_EVERY)
    }
}
