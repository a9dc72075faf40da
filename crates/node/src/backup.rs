//! Backup: the segments as a stream, the small files from the disk, and the way back.

use std::path::Path;

use futures::stream::{BoxStream, StreamExt};
use ipse_base::{ErrorKind, Kind};
use ipse_store::{BackupPart, HeldSegment, Repo, RepoError, Restore};
use tokio::sync::mpsc;

use crate::Node;
use crate::config::{Config, ConfigError};

/// Parts on their way from the store's thread: each up to a MiB.
const PARTS_QUEUED: usize = 4;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store could not hand it over.
    #[error(transparent)]
    Store(#[from] ipse_store::BackupError),
    /// The repository's files could not be read or made.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// Its configuration can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ErrorKind for BackupError {
    fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Repo(error) => error.kind(),
            Self::Config(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Repo(error) => error.hint(),
            Self::Config(error) => error.hint(),
        }
    }
}

/// The small files of a repository, and whose they are.
#[derive(Clone)]
pub struct SmallFiles {
    /// The node.
    pub peer: String,
    /// Bytes by path in the repository; secrets among them.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Node {
    /// What of the segments is not in `have`, as it is at one moment. Ends with [`BackupPart::End`], or is no
    /// backup. Dropping the stream ends the work.
    pub fn backup(&self, have: Vec<HeldSegment>) -> BoxStream<'static, Result<BackupPart, BackupError>> {
        let (sender, mut receiver) = mpsc::channel(PARTS_QUEUED);
        let store = self.store().clone();
        tokio::task::spawn_blocking(move || {
            let made = store.backup(&have, &mut |part| sender.blocking_send(Ok(part)).is_ok());
            if let Err(error) = made {
                // Who asked may be gone; then nobody needs to hear of it.
                let _ = sender.blocking_send(Err(error.into()));
            }
        });
        futures::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed()
    }

    /// Configuration and keys of a repository, which another process may have open. They hold the node's private
    /// key: for a backup that is made where the repository is, never for a door.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn small_files(root: &Path) -> Result<SmallFiles, BackupError> {
        let files = Repo::read_small_files(root)?;
        let config = files.iter().find(|(name, _)| name == "config").map(|(_, bytes)| bytes.as_slice());
        let config = Config::parse(config.unwrap_or_default())?;
        let peer = config.value().pointer("/Identity/PeerID").and_then(|peer| peer.as_str());
        Ok(SmallFiles { peer: peer.unwrap_or_default().to_owned(), files })
    }

    /// Begins a repository that is made from a backup.
    ///
    /// # Errors
    /// [`BackupError`]: conflict where there is anything already.
    pub fn restore(root: &Path) -> Result<Restore, BackupError> {
        Ok(Restore::begin(root)?)
    }
}
