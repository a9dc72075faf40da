//! Negotiation of our protocols: which name a stream ended up with.

use std::convert::Infallible;
use std::future::{Ready, ready};

use ipse_base::limits::BITSWAP_ROOMY_PROTOCOL;
use ipse_bitswap::ProtocolVersion;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::{Stream, StreamProtocol};

/// The name of the ping protocol; its answers come from libp2p's own behaviour.
pub(crate) const PING: &str = "/ipfs/ping/1.0.0";

/// A set of protocols of which one is agreed on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Upgrade {
    /// What peers may open: any version of bitswap. One name besides says only that many wants are taken; a stream
    /// of it is closed.
    Served,
    /// Any version of bitswap, the newest first.
    Bitswap,
    /// The version that the peer is known to speak. With one name to propose nothing has to be waited for: what
    /// is to be sent leaves with the proposal.
    Known(ProtocolVersion),
    /// Ping, as the side that asks.
    Ping,
}

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        let bitswap = ProtocolVersion::PREFERRED.iter().map(|version| StreamProtocol::new(version.name()));
        match self {
            Self::Served => bitswap.chain([StreamProtocol::new(BITSWAP_ROOMY_PROTOCOL)]).collect(),
            Self::Bitswap => bitswap.collect(),
            Self::Known(version) => vec![StreamProtocol::new(version.name())],
            Self::Ping => vec![StreamProtocol::new(PING)],
        }
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}
