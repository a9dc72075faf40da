//! The repository as a whole: what it holds, collection.

use futures::stream::{BoxStream, StreamExt};
use ipse_base::{Cid, ErrorKind, Kind};
use ipse_store::{CollectError, CollectionPlan, IndexError, VerifyError, WriteError};
use tokio::sync::mpsc;

use crate::Node;

/// Events on their way from the store's thread.
const EVENTS_QUEUED: usize = 1024;

/// Why the repository could not be looked at or cleaned.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// The log or the index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The collection stopped.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The verification stopped.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The node is going down.
    #[error("the node is shutting down")]
    Stopping,
}

impl ErrorKind for RepoError {
    fn kind(&self) -> Kind {
        match self {
            Self::Write(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Collect(error) => error.kind(),
            Self::Verify(error) => error.kind(),
            Self::Stopping => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::Collect(error) => error.hint(),
            Self::Verify(error) => error.hint(),
            Self::Stopping => None,
        }
    }
}

/// What the repository holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoStat {
    /// Blocks.
    pub blocks: u64,
    /// Bytes on the disk, index included.
    pub disk_bytes: u64,
    /// Bytes it should not go over.
    pub bytes_max: u64,
    /// Its folder.
    pub path: std::path::PathBuf,
}

impl Node {
    /// What the repository holds.
    ///
    /// # Errors
    /// [`RepoError`].
    pub async fn repo_stat(&self) -> Result<RepoStat, RepoError> {
        let node = self.clone();
        let stats = tokio::task::spawn_blocking(move || node.store().stats());
        let stats = stats.await.map_err(|_| RepoError::Stopping)??;
        Ok(RepoStat {
            blocks: stats.blocks,
            disk_bytes: stats.disk_bytes,
            bytes_max: self.settings().storage_bytes_max,
            path: self.root(),
        })
    }

    /// What a collection would remove now. Nothing is removed.
    ///
    /// # Errors
    /// [`RepoError`].
    pub async fn plan_collection(&self) -> Result<CollectionPlan, RepoError> {
        let node = self.clone();
        let plan = tokio::task::spawn_blocking(move || {
            let one = node.inner.collecting.lock();
            let _one = one.unwrap_or_else(std::sync::PoisonError::into_inner);
            node.store().plan_collection()
        });
        Ok(plan.await.map_err(|_| RepoError::Stopping)??)
    }

    /// Removes every block that no root reaches, and tells each.
    pub fn collect(&self) -> BoxStream<'static, Result<Cid, RepoError>> {
        let node = self.clone();
        from_thread(move |events| {
            // A second one waits for the first, as at the reference node.
            let one = node.inner.collecting.lock();
            let _one = one.unwrap_or_else(std::sync::PoisonError::into_inner);
            let removed = node.store().plan_collection().and_then(|plan| {
                node.store().collect(&plan, &mut |cid| {
                    // Who asked may be gone; the collection goes on.
                    let _ = events.blocking_send(Ok(cid.clone()));
                })
            });
            if let Err(error) = removed {
                let _ = events.blocking_send(Err(error.into()));
            }
        })
    }
}

/// Runs blocking work on a thread of its own and streams what it tells.
pub(crate) fn from_thread<T, F>(work: F) -> BoxStream<'static, Result<T, RepoError>>
where
    T: Send + 'static,
    F: FnOnce(&mpsc::Sender<Result<T, RepoError>>) + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel(EVENTS_QUEUED);
    tokio::task::spawn_blocking(move || work(&sender));
    futures::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed()
}
