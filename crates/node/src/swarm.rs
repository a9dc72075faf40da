//! Peers: connections, addresses, and what the exchange does.

use std::time::Duration;

use ipse_base::{Block, Cid, ErrorKind, Kind, PeerId};
use ipse_net::{Bandwidth, ConnectError, Ledger, Net, PeerError, PeerIdentity, PeerInfo, Stat};

use crate::Node;

/// Why something that needs peers failed.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// The node is offline.
    #[error("this action must be run in online mode, try running 'ipfs daemon' first")]
    Offline,
    /// A peer could not be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A connected peer did not do what was asked, or is not connected.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

impl SwarmError {
    /// The peer that was named and could not be connected to.
    pub const fn unreached(&self) -> Option<&PeerId> {
        match self {
            Self::Connect(error) => error.peer(),
            Self::Offline | Self::Peer(_) => None,
        }
    }
}

impl ErrorKind for SwarmError {
    fn kind(&self) -> Kind {
        match self {
            Self::Offline => Kind::Unavailable,
            Self::Connect(error) => error.kind(),
            Self::Peer(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Offline => Some("start the node in another terminal: `ipse daemon`".into()),
            Self::Connect(error) => error.hint(),
            Self::Peer(error) => error.hint(),
        }
    }
}

impl Node {
    fn net(&self) -> Result<&Net, SwarmError> {
        self.online_net().ok_or(SwarmError::Offline)
    }

    /// Connects to a peer by its multiaddr, which ends in `/p2p/PEER`.
    ///
    /// # Errors
    /// [`SwarmError`].
    pub async fn connect(&self, address: &str) -> Result<PeerId, SwarmError> {
        Ok(self.net()?.connect(address).await?)
    }

    /// Closes the connections with a peer, given as multiaddr or `/p2p/PEER`.
    ///
    /// # Errors
    /// [`SwarmError`]; not found where there is no connection.
    pub async fn disconnect(&self, address: &str) -> Result<PeerId, SwarmError> {
        Ok(self.net()?.disconnect(address).await?)
    }

    /// The peers with an open connection.
    ///
    /// # Errors
    /// [`SwarmError::Offline`].
    pub fn peers(&self) -> Result<Vec<PeerInfo>, SwarmError> {
        Ok(self.net()?.peers())
    }

    /// The addresses known of each peer, and those that this node listens on.
    ///
    /// # Errors
    /// [`SwarmError::Offline`].
    pub fn known_addresses(&self) -> Result<Vec<(PeerId, Vec<String>)>, SwarmError> {
        Ok(self.net()?.addresses())
    }

    /// The addresses that this node listens on, wildcards resolved.
    ///
    /// # Errors
    /// [`SwarmError::Offline`].
    pub fn listen_addresses(&self) -> Result<Vec<String>, SwarmError> {
        Ok(self.net()?.listen_addresses())
    }

    /// Returns when [`Node::listen_addresses`] is complete, some milliseconds after the start; at once where this
    /// node is offline. Dropping it has no effect.
    pub async fn listeners_settled(&self) {
        if let Ok(net) = self.net() {
            net.listeners_settled().await;
        }
    }

    /// What a connected peer says of itself.
    ///
    /// # Errors
    /// [`SwarmError`]; not found where it is not connected or has not said it yet.
    pub fn identify(&self, peer: &PeerId) -> Result<PeerIdentity, SwarmError> {
        Ok(self.net()?.identify(peer)?)
    }

    /// What this node says of itself to peers; offline, without addresses and protocols.
    pub fn identity(&self) -> PeerIdentity {
        match self.online_net() {
            Some(net) => net.own_identity(),
            None => PeerIdentity {
                peer: self.peer_id().clone(),
                public_key: self.inner.key.public_key(),
                addresses: Vec::new(),
                agent: self.inner.agent.clone(),
                protocol_version: String::new(),
                protocols: Vec::new(),
            },
        }
    }

    /// One round trip to a peer.
    ///
    /// # Errors
    /// [`SwarmError`].
    pub async fn ping(&self, peer: &PeerId) -> Result<Duration, SwarmError> {
        Ok(self.net()?.ping(peer).await?)
    }

    /// What the exchange did since the start.
    ///
    /// # Errors
    /// [`SwarmError::Offline`].
    pub async fn bitswap_stat(&self) -> Result<Stat, SwarmError> {
        Ok(self.net()?.bitswap_stat().await)
    }

    /// What this node wants, or what a peer wants of it.
    ///
    /// # Errors
    /// [`SwarmError::Offline`].
    pub async fn bitswap_wantlist(&self, peer: Option<&PeerId>) -> Result<Vec<Cid>, SwarmError> {
        Ok(self.net()?.bitswap_wantlist(peer).await)
    }

    /// What was exchanged with a peer.
    ///
    /// # Errors
    /// [`SwarmError::Offline`].
    pub async fn bitswap_ledger(&self, peer: &PeerId) -> Result<Ledger, SwarmError> {
        Ok(self.net()?.bitswap_ledger(peer).await)
    }

    /// Bytes received from and sent to peers since the start.
    ///
    /// # Errors
    /// [`SwarmError::Offline`].
    pub fn bandwidth(&self) -> Result<Bandwidth, SwarmError> {
        Ok(self.net()?.bandwidth())
    }

    /// Tells peers that wait for them that blocks are here now.
    pub(crate) fn announce_local<'a>(&self, blocks: impl IntoIterator<Item = &'a Block>) {
        let Some(net) = self.online_net() else { return };
        let named: Vec<_> =
            blocks.into_iter().map(|block| (block.cid().clone(), block.data().len() as u64)).collect();
        net.notify_blocks(&named);
    }
}
