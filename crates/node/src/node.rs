//! Node: what a door holds. Its use cases are in the files named after them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipse_base::PeerId;
use ipse_net::{Identity, Net};
use ipse_store::{AddressFile, Store};
use tokio_util::sync::CancellationToken;

use crate::add::AddCounters;
use crate::config::{Config, ConfigError, Settings};
use crate::denied::Denied;
use crate::diag::Parts;
use crate::quiet::Keepers;
use crate::source::NodeSource;
use crate::steady::Readers;
use crate::worker::Workers;
use crate::{OpenError, OpenOptions};

/// One running node. Cheap to clone; all clones are the same node.
#[derive(Clone)]
pub struct Node {
    pub(crate) inner: Arc<Inner>,
    source: NodeSource,
}

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) net: Option<Net>,
    pub(crate) config: std::sync::RwLock<Config>,
    pub(crate) settings: Settings,
    pub(crate) key: Identity,
    pub(crate) agent: String,
    pub(crate) stop: CancellationToken,
    pub(crate) parts: Parts,
    pub(crate) keepers: Keepers,
    pub(crate) adds: Arc<AddCounters>,
    pub(crate) workers: Workers,
    pub(crate) denied: Arc<Denied>,
    pub(crate) readers: Readers,
    /// Held by a collection that was asked for; taken on threads that may wait.
    pub(crate) collecting: std::sync::Mutex<()>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("peer", self.peer_id()).field("online", &self.is_online()).finish()
    }
}

impl Node {
    /// Opens a repository and, if asked, goes online. See [`OpenOptions`].
    ///
    /// # Errors
    /// [`OpenError`]; busy where another process holds the repository.
    pub async fn open(root: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        crate::assemble::assemble(root, options).await
    }

    pub(crate) fn new(inner: Inner) -> Self {
        let source = NodeSource::new(inner.store.clone(), inner.net.clone(), inner.denied.clone());
        Self { inner: Arc::new(inner), source }
    }

    /// The same node, as seen by a request that must not ask peers.
    #[must_use]
    pub fn offline(&self) -> Self {
        Self { inner: self.inner.clone(), source: self.source.offline() }
    }

    /// Whether the node has a network.
    pub fn is_online(&self) -> bool {
        self.inner.net.is_some()
    }

    /// The node's own name.
    pub fn peer_id(&self) -> &PeerId {
        self.inner.key.peer_id()
    }

    /// The folder that the node keeps everything in.
    pub fn root(&self) -> PathBuf {
        self.store().repo().root().to_path_buf()
    }

    /// What the configuration said at the start.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The configuration as it stands in the file.
    pub fn config(&self) -> Config {
        // A poisoned lock still holds a whole configuration: it is only ever replaced as one value.
        self.inner.config.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Changes the configuration and writes the file; what runs keeps the settings it started with.
    ///
    /// # Errors
    /// [`ConfigError`] of the change, or the disk's.
    pub fn change_config(
        &self,
        change: impl FnOnce(&mut Config) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let mut held = self.inner.config.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut changed = held.clone();
        change(&mut changed)?;
        self.store().repo().write_config(changed.to_text().as_bytes()).map_err(ConfigError::Write)?;
        *held = changed;
        Ok(())
    }

    /// Asks the node to stop; whoever runs it waits in [`Node::stop_requested`].
    pub fn request_stop(&self) {
        self.inner.stop.cancel();
    }

    /// Returns when somebody asked the node to stop.
    pub async fn stop_requested(&self) {
        self.inner.stop.cancelled().await;
    }

    /// Closes connections, makes everything durable, and removes the address files.
    ///
    /// # Errors
    /// [`OpenError`] where the last bytes could not be made durable.
    pub async fn shutdown(&self) -> Result<(), OpenError> {
        crate::assemble::take_down(self).await
    }

    /// Writes the file that tells other processes where the RPC listens.
    ///
    /// # Errors
    /// [`OpenError`] where the disk refuses.
    pub fn write_api_file(&self, address: &str) -> Result<(), OpenError> {
        Ok(self.store().publish(AddressFile::Api, address)?)
    }

    /// Writes the file that tells other processes where the gateway listens.
    ///
    /// # Errors
    /// [`OpenError`] where the disk refuses.
    pub fn write_gateway_file(&self, address: &str) -> Result<(), OpenError> {
        Ok(self.store().publish(AddressFile::Gateway, address)?)
    }

    /// Listens on the repository's local socket, for as long as the node runs; `None` where the repository's path
    /// is too long for one or the repository can only be read.
    ///
    /// # Errors
    /// [`OpenError`] where the disk refuses.
    pub fn listen_locally(&self) -> Result<Option<std::os::unix::net::UnixListener>, OpenError> {
        Ok(self.store().repo().listen()?)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn source(&self) -> &NodeSource {
        &self.source
    }

    pub(crate) fn online_net(&self) -> Option<&Net> {
        self.inner.net.as_ref()
    }
}
