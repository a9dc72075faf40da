//! What can fail toward peers, one type for each operation.

use ipse_base::{ErrorKind, Kind, PeerId, PeerIdError};

/// Why the net did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listen address is malformed.
    #[error("failed to parse multiaddr {address:?}: {source}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        source: libp2p::multiaddr::Error,
    },
    /// The operating system or the transport refuses a listen address.
    #[error("failed to listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// The text of the transport's error.
        reason: String,
    },
    /// A transport could not be set up.
    #[error("failed to set up {part}: {reason}")]
    Setup {
        /// Which part.
        part: &'static str,
        /// The text of its error.
        reason: String,
    },
}

impl ErrorKind for StartError {
    fn kind(&self) -> Kind {
        match self {
            Self::Address { .. } => Kind::Invalid,
            Self::Listen { .. } => Kind::Conflict,
            Self::Setup { .. } => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } => "addresses look like /ip4/0.0.0.0/tcp/4001 or /ip4/0.0.0.0/udp/4001/quic-v1".into(),
            Self::Listen { .. } => "stop the program that has that port, or choose another one in Addresses.Swarm of the config (0: any free one)".into(),
            Self::Setup { .. } => return None,
        })
    }
}

/// Why a peer could not be connected to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The address is not a multiaddr.
    #[error("failed to parse multiaddr {address:?}: {reason}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address does not say which peer it is of.
    #[error("invalid p2p multiaddr")]
    NoPeer,
    /// The peer ID in the address is malformed.
    #[error("invalid peer address: {0}")]
    PeerId(#[from] PeerIdError),
    /// The peer is this node.
    #[error("failed to dial: dial to self attempted")]
    Myself(PeerId),
    /// No address of the peer is known.
    #[error("failed to find any peer in table")]
    NoAddresses(PeerId),
    /// Every address was tried.
    #[error("failed to dial: failed to dial {peer}: all dials failed{}", list(attempts))]
    AllFailed {
        /// The peer.
        peer: PeerId,
        /// Each address and what came of it.
        attempts: Vec<(String, String)>,
    },
    /// Somebody else answers at that address.
    #[error(
        "failed to dial: failed to dial {peer}: all dials failed\n  * [{address}] peer id mismatch: expected {peer}, but remote key matches {found}"
    )]
    OtherPeer {
        /// The peer that was expected.
        peer: PeerId,
        /// The address that was dialed.
        address: String,
        /// The peer that answered.
        found: String,
    },
    /// A limit on connections is reached.
    #[error("failed to dial: failed to dial {peer}: {reason}")]
    Limit {
        /// The peer.
        peer: PeerId,
        /// Which limit.
        reason: String,
    },
    /// The dial was cut short.
    #[error("failed to dial: failed to dial {0}: dial aborted")]
    Aborted(PeerId),
    /// The net has been shut down.
    #[error("the network is shut down")]
    Closed,
}

fn list(attempts: &[(String, String)]) -> String {
    attempts.iter().map(|(address, reason)| format!("\n  * [{address}] {reason}")).collect()
}

impl ConnectError {
    /// The peer that there is no connection to; nothing where none was named that can be read.
    pub const fn peer(&self) -> Option<&PeerId> {
        match self {
            Self::Myself(peer) | Self::NoAddresses(peer) | Self::Aborted(peer) => Some(peer),
            Self::AllFailed { peer, .. } | Self::OtherPeer { peer, .. } | Self::Limit { peer, .. } => {
                Some(peer)
            }
            Self::Address { .. } | Self::NoPeer | Self::PeerId(_) | Self::Closed => None,
        }
    }
}

impl ErrorKind for ConnectError {
    fn kind(&self) -> Kind {
        match self {
            Self::Address { .. } | Self::NoPeer | Self::PeerId(_) | Self::Myself(_) => Kind::Invalid,
            Self::NoAddresses(_) => Kind::NotFound,
            Self::AllFailed { .. } | Self::Aborted(_) | Self::Closed => Kind::Unavailable,
            Self::OtherPeer { .. } => Kind::Denied,
            Self::Limit { .. } => Kind::Busy,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } | Self::NoPeer | Self::PeerId(_) => {
                "an address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…; `ipse id` on the other machine prints its own".into()
            }
            Self::Myself(_) => "this is the peer ID of this very node".into(),
            Self::NoAddresses(_) => "give the full address: /ip4/…/tcp/…/p2p/… (`ipse id` on the other machine prints it)".into(),
            Self::AllFailed { .. } => {
                "check that the other node runs, that the port is the one it listens on, and that no firewall is in between".into()
            }
            Self::OtherPeer { .. } => "the other node has a new identity, or the address belongs to somebody else: ask it for `ipse id`".into(),
            Self::Limit { .. } => "disconnect a peer (`ipse swarm disconnect`) or raise the limit of connections".into(),
            Self::Aborted(_) | Self::Closed => return None,
        })
    }
}

/// Why a request about a connected peer failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PeerError {
    /// The peer was not named by an address that can be read.
    #[error(transparent)]
    Address(#[from] ConnectError),
    /// There is no connection to the peer.
    #[error("not connected")]
    NotConnected(PeerId),
    /// The peer does not speak the protocol that is needed.
    #[error("peer {peer} does not support {protocol}")]
    Unsupported {
        /// The peer.
        peer: PeerId,
        /// The protocol's name.
        protocol: &'static str,
    },
    /// The peer did not answer in time.
    #[error("peer {0} did not answer in time")]
    Timeout(PeerId),
    /// The peer answered something else than was asked for.
    #[error("peer {0} sent a wrong answer")]
    WrongAnswer(PeerId),
    /// The net has been shut down.
    #[error("the network is shut down")]
    Closed,
}

impl ErrorKind for PeerError {
    fn kind(&self) -> Kind {
        match self {
            Self::Address(error) => error.kind(),
            Self::NotConnected(_) => Kind::NotFound,
            Self::Unsupported { .. } => Kind::Unsupported,
            Self::Timeout(_) => Kind::Timeout,
            Self::WrongAnswer(_) => Kind::Corrupt,
            Self::Closed => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Address(error) => error.hint(),
            Self::NotConnected(peer) => Some(format!(
                "`ipse swarm peers` lists who is connected; `ipse swarm connect /p2p/{peer}` connects"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_dial_reads_as_the_reference_prints_it() {
        let text = "12D3KooWLQzUv2FHWGVPXTXSZpdHs7oHbXub2G5WC8Tx4NQhyd2d";
        let error = ConnectError::AllFailed {
            peer: text.parse().unwrap(),
            attempts: vec![(
                "/ip4/127.0.0.1/tcp/1".into(),
                "dial tcp4 127.0.0.1:1: connect: connection refused".into(),
            )],
        };
        assert_eq!(
            error.to_string(),
            format!(
                "failed to dial: failed to dial {text}: all dials failed\n  * [/ip4/127.0.0.1/tcp/1] dial tcp4 127.0.0.1:1: connect: connection refused"
            )
        );
        assert_eq!(error.kind(), Kind::Unavailable);
    }
}
