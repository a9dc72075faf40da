//! Heal: a damaged block is fetched from a peer and put anew.
//!
//! The damaged record stays until the block is there: a peer that does not answer makes nothing worse.

use std::future::poll_fn;
use std::time::Duration;

use ipse_base::{Cid, Delivery, ErrorKind, Kind, Want};
use ipse_net::Net;
use ipse_store::{LogError, ReadError, Store, WriteError};
use tokio::task::JoinError;

use crate::Node;

/// Why a damaged block was not made whole. The texts are the reference node's where it has them.
#[derive(Debug, thiserror::Error)]
pub enum HealError {
    /// There is no network to fetch from.
    #[error("this command must be run in online mode. Try running 'ipfs daemon' first")]
    Offline,
    /// Nobody who was asked has it.
    #[error("ipld: could not find {0}")]
    NotFound(Cid),
    /// Nobody sent it in time.
    #[error("context deadline exceeded")]
    Timeout(Cid),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It could not be made durable.
    #[error(transparent)]
    Commit(#[from] LogError),
    /// What was written could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The node is going down.
    #[error("the node is shutting down")]
    Stopping,
}

impl ErrorKind for HealError {
    fn kind(&self) -> Kind {
        match self {
            Self::Offline | Self::Stopping => Kind::Unavailable,
            Self::NotFound(_) => Kind::NotFound,
            Self::Timeout(_) => Kind::Timeout,
            Self::Write(error) => error.kind(),
            Self::Commit(error) => error.kind(),
            Self::Read(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Offline => {
                Some("start the node with `ipse daemon`, and connect to peers that have the data".into())
            }
            Self::NotFound(_) | Self::Timeout(_) => {
                Some("connect to a peer that has it: `ipse swarm connect ADDRESS`".into())
            }
            Self::Write(error) => error.hint(),
            Self::Commit(error) => error.hint(),
            Self::Read(error) => error.hint(),
            Self::Stopping => None,
        }
    }
}

impl From<JoinError> for HealError {
    fn from(_: JoinError) -> Self {
        Self::Stopping
    }
}

impl Node {
    /// Fetches a damaged block from a peer and puts it anew, durably. One that is whole already is left alone.
    /// `longest` bounds the wait for peers; zero means none.
    ///
    /// # Errors
    /// [`HealError`]; the damaged block is then still what it was.
    pub async fn heal(&self, cid: &Cid, longest: Duration) -> Result<(), HealError> {
        heal(self.online_net().ok_or(HealError::Offline)?, self.store(), cid, longest).await
    }
}

/// See [`Node::heal`].
pub(crate) async fn heal(net: &Net, store: &Store, cid: &Cid, longest: Duration) -> Result<(), HealError> {
    let mut session = net.session();
    session.want(vec![Want::new(cid.clone(), 1)]);
    let arrival = poll_fn(|context| session.poll_next(context));
    let delivery = match longest {
        Duration::ZERO => arrival.await,
        longest => {
            tokio::time::timeout(longest, arrival).await.map_err(|_| HealError::Timeout(cid.clone()))?
        }
    };
    let Some(Delivery::Block(block)) = delivery else { return Err(HealError::NotFound(cid.clone())) };
    let store = store.clone();
    let written = tokio::task::spawn_blocking(move || -> Result<(), HealError> {
        // What peers send is stored on its way; only where that took it for a duplicate it is written here.
        if store.get(block.cid()).ok().flatten().as_ref() != Some(&block) {
            store.replace(&block)?;
            store.get(block.cid())?;
        }
        Ok(store.commit_blocks()?)
    });
    written.await?
}
