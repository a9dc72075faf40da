//! The only wiring: which part gets what, in the order in which they start and stop.
//!
//! Order: configuration → lock → store (checkpoint, no scan) → peers. Listeners and the address files follow
//! in the program, once they accept.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ipse_base::{Cid, ErrorKind, Kind};
use ipse_net::{Identity, Net, NetOptions, StartError};
use ipse_store::{
    AddressFile, LinksError, OpenError as StoreOpenError, Repo, RepoError, Store, StoreOptions, WriteError,
};
use tokio_util::sync::CancellationToken;

use crate::collector::Collector;
use crate::config::{Config, ConfigError, OwnSettings, Settings};
use crate::denied::{Denied, DenylistReadError, DenylistSource, DenylistWatch};
use crate::diag::Parts;
use crate::node::Inner;
use crate::peering::Peering;
use crate::quiet::{Keepers, Quiet};
use crate::repair::Repair;
use crate::scrub::Scrub;
use crate::source::Served;
use crate::steady::Readers;
use crate::worker::Workers;
use crate::{Node, VERSION, identity};

/// How to open a repository.
#[derive(Clone, Default)]
pub struct OpenOptions {
    /// Whether to go online: listen for peers and ask them.
    ///
    /// Default: no. A command that runs by itself next to no daemon stays offline, as the reference node does.
    pub online: bool,
    /// Whether garbage is collected by itself, and the bound of the repository's size kept.
    ///
    /// Default: no, as in the reference node.
    pub collect: bool,
    /// Text behind the version in what peers are told of this node.
    pub agent_suffix: String,
    /// Where the lists of what is not to be provided come from; they are read before anything is, and looked at
    /// every few seconds from then on.
    ///
    /// Default: from nowhere, and nothing is denied.
    pub denylists: Option<Arc<dyn DenylistSource>>,
}

/// Why a repository could not be opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder, its lock or its files.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// The blocks.
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    /// The last bytes could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What is to be denied.
    #[error(transparent)]
    Denylist(#[from] DenylistReadError),
    /// The network.
    #[error(transparent)]
    Net(#[from] StartError),
    /// The runtime is going down.
    #[error("the node is shutting down")]
    Stopping,
}

impl ErrorKind for OpenError {
    fn kind(&self) -> Kind {
        match self {
            Self::Repo(error) => error.kind(),
            Self::Config(error) => error.kind(),
            Self::Identity(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Write(error) => error.kind(),
            Self::Denylist(error) => error.kind,
            Self::Net(error) => error.kind(),
            Self::Stopping => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Repo(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Identity(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::Denylist(_) => Some(
                "correct the list or move it away; with IPFS_CONTENT_BLOCKING_DISABLE=true nothing is denied"
                    .into(),
            ),
            Self::Net(error) => error.hint(),
            Self::Stopping => None,
        }
    }
}

pub(crate) async fn assemble(root: &Path, options: OpenOptions) -> Result<Node, OpenError> {
    let root = root.to_path_buf();
    let opened = tokio::task::spawn_blocking(move || open_repository(&root));
    let (config, settings, own, store) = opened.await.map_err(|_| OpenError::Stopping)??;
    let key = identity::from_text(&settings.private_key)?;
    let agent = agent(&options.agent_suffix);
    let (denied, watch) = deny(options.denylists).await?;
    let net = if options.online {
        let net_options = net_options(&settings, key.clone(), agent.clone());
        let served = Served { store: store.clone(), denied: denied.clone() };
        Some(Net::start(net_options, Arc::new(served), Arc::new(store.clone())).await?)
    } else {
        None
    };
    let stop = CancellationToken::new();
    let workers = Workers::new(stop.clone());
    if let Some(net) = &net {
        for (peer, addresses) in settings.peering.clone() {
            workers.start(Peering { net: net.clone(), peer, addresses });
        }
        let repair = workers.start(Repair { net: net.clone(), store: store.clone(), healed: 0 });
        store.on_damage(move |_| repair.wake());
        if own.scrub_days > 0 && !store.is_read_only() {
            workers.start(Scrub::new(store.clone(), own.scrub_days));
        }
    }
    if store.is_read_only() {
        tracing::warn!("the repository's disk takes no writes: serving what is there, and nothing else");
    } else if options.collect {
        store.keep_below(settings.storage_bytes_max)?;
        let (bytes_max, percent) = (settings.storage_bytes_max, settings.collect_percent);
        workers.start(Collector::new(store.clone(), bytes_max, percent, settings.collect_period));
    }
    let keepers = Keepers::default();
    if options.online {
        // The start itself counts as work.
        let (done, is_rested) = (u64::MAX, false);
        workers.start(Quiet { store: store.clone(), keepers: keepers.clone(), done, is_rested });
    }
    if let Some(watch) = watch {
        workers.start(watch);
    }
    let config = config.into();
    let (parts, adds, collecting) = (Parts::default(), Arc::default(), std::sync::Mutex::default());
    let node = Node::new(Inner {
        store,
        net,
        config,
        settings,
        key,
        agent,
        stop,
        parts,
        keepers,
        adds,
        workers,
        denied,
        readers: Readers::default(),
        collecting,
    });
    node.register_counters(node.inner.adds.clone());
    node.register_counters(node.store().counters());
    if let Some(net) = node.online_net() {
        node.register_counters(net.counters());
    }
    Ok(node)
}

fn net_options(settings: &Settings, key: Identity, agent: String) -> NetOptions {
    NetOptions {
        listen: settings.swarm_addresses.clone(),
        mdns: settings.mdns,
        agent,
        serve: settings.bitswap_server,
        // What can't be read is told by the worker that keeps the connection.
        protected: settings.peering.iter().filter_map(|(peer, _)| peer.parse().ok()).collect(),
        ..NetOptions::new(key)
    }
}

/// Reads the denylists for the first time.
async fn deny(
    source: Option<Arc<dyn DenylistSource>>,
) -> Result<(Arc<Denied>, Option<DenylistWatch>), OpenError> {
    let denied = Arc::new(Denied::default());
    let Some(source) = source else { return Ok((denied, None)) };
    let reader = source.clone();
    let read =
        tokio::task::spawn_blocking(move || Ok::<_, DenylistReadError>((reader.state(), reader.read()?)));
    let (state, list) = read.await.map_err(|_| OpenError::Stopping)??;
    denied.set(list);
    Ok((denied.clone(), Some(DenylistWatch { source, denied, state })))
}

fn agent(suffix: &str) -> String {
    match suffix {
        "" => format!("ipse/{VERSION}"),
        _ => format!("ipse/{VERSION}/{suffix}"),
    }
}

fn open_repository(root: &Path) -> Result<(Config, Settings, OwnSettings, Store), OpenError> {
    let repo = Repo::open(root)?;
    let config = Config::parse(&repo.config()?)?;
    let settings = Settings::read(&config)?;
    let own = OwnSettings::parse(&repo.settings()?)?;
    let store = Store::open_in(repo, StoreOptions::new(links))?;
    Ok((config, settings, own, store))
}

/// What the store needs to know of formats: the links of a block.
fn links(cid: &Cid, data: &Bytes) -> Result<Vec<Cid>, LinksError> {
    Ok(ipse_dag::links(cid, data)?.into_iter().map(|link| link.cid).collect())
}

pub(crate) async fn take_down(node: &Node) -> Result<(), OpenError> {
    node.request_stop();
    if let Some(net) = node.online_net() {
        net.shutdown().await;
    }
    let node = node.clone();
    let closed = tokio::task::spawn_blocking(move || -> Result<(), OpenError> {
        node.store().close()?;
        let repo = node.store().repo();
        repo.unpublish(AddressFile::Api)?;
        Ok(repo.unpublish(AddressFile::Gateway)?)
    });
    closed.await.map_err(|_| OpenError::Stopping)?
}
