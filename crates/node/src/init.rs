//! Makes a new repository.

use std::path::Path;

use ipse_base::{ErrorKind, Kind};
use ipse_net::{Identity, KeyError, KeyKind};
use ipse_store::{AddressFile, Repo, RepoError, RepoState};
use serde_json::json;

use crate::config::{Config, ConfigError, Settings};
use crate::{Node, identity};

/// How to make a repository.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    /// Profiles to apply, joined by commas.
    pub profiles: String,
    /// The kind of key.
    pub key: KeyKind,
    /// A configuration to start from instead of the defaults. Its identity, if it has one, is kept.
    pub config: Option<Vec<u8>>,
    /// Addresses instead of the usual ones: for peers, for the RPC, for the gateway.
    pub addresses: Option<(Vec<String>, String, String)>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialized {
    /// The node's name.
    pub peer_id: String,
}

/// Why a repository could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one already.
    #[error("ipfs configuration file already exists!")]
    Exists,
    /// The configuration or a profile is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The given configuration's key can't be used.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// No key can be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The disk refuses.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

impl ErrorKind for InitError {
    fn kind(&self) -> Kind {
        match self {
            Self::Exists => Kind::Conflict,
            Self::Config(error) => error.kind(),
            Self::Identity(error) => error.kind(),
            Self::Key(error) => error.kind(),
            Self::Repo(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists => Some("the repository is ready: start it with `ipse daemon`".into()),
            Self::Config(error) => error.hint(),
            Self::Identity(error) => error.hint(),
            Self::Key(error) => error.hint(),
            Self::Repo(error) => error.hint(),
        }
    }
}

impl Node {
    /// Whether a folder holds a repository; opens and locks nothing.
    pub fn is_initialized(root: &Path) -> bool {
        // A folder that can't be looked at is opened, which says why it can't.
        !matches!(Repo::state(root), Ok(RepoState::Absent))
    }

    /// The address that a running node of this repository wrote down, if it did.
    /// A file that can't be read tells no address; whoever then opens the repository hears why.
    pub fn api_address(root: &Path) -> Option<String> {
        Repo::published(root, AddressFile::Api).ok().flatten()
    }

    /// Where a running daemon of this repository listens for programs on the same machine; `None` where the path
    /// is too long for a socket. Whether somebody listens, only connecting tells.
    pub fn local_socket(root: &Path) -> Option<std::path::PathBuf> {
        Repo::socket_path(root)
    }

    /// Makes a repository with a key and a configuration.
    ///
    /// # Errors
    /// [`InitError::Exists`] where there is one already, which is left untouched; others of configuration or
    /// disk.
    pub fn init(root: &Path, options: InitOptions) -> Result<Initialized, InitError> {
        match Repo::state(root)? {
            RepoState::Absent => {}
            RepoState::Ready | RepoState::Newer(_) => return Err(InitError::Exists),
            RepoState::Kubo => return Err(RepoError::Kubo(root.to_path_buf()).into()),
        }
        let mut config = match &options.config {
            Some(bytes) => Config::parse(bytes)?,
            None => Config::defaults()?,
        };
        let given =
            config.value().pointer("/Identity/PrivKey").and_then(|key| key.as_str()).unwrap_or_default();
        let key = match given {
            "" => Identity::generate(options.key)?,
            text => identity::from_text(text)?,
        };
        let peer_id = key.peer_id().to_string();
        config.set_identity(&peer_id, &identity::to_text(&key));
        if let Some((swarm, api, gateway)) = options.addresses {
            config.put(&["Addresses", "Swarm"], json!(swarm));
            config.put(&["Addresses", "API"], json!(api));
            config.put(&["Addresses", "Gateway"], json!(gateway));
        }
        config.apply_profiles(&options.profiles)?;
        Settings::read(&config)?;
        Repo::init(root, config.to_text().as_bytes(), b"{}")?;
        Ok(Initialized { peer_id })
    }
}
