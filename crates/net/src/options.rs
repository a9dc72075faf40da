//! What a net is started with.

use ipse_base::PeerId;
use ipse_base::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_IP_MAX, CONNECTIONS_PER_PEER_MAX, INBOUND_STREAMS_PER_CONNECTION_MAX,
};

use crate::identity::Identity;

/// How a [`Net`](crate::Net) is to run. [`NetOptions::new`] has the defaults; change fields from there.
#[derive(Debug, Clone)]
pub struct NetOptions {
    /// The node's private key, which decides its peer ID.
    pub identity: Identity,
    /// Multiaddrs to listen on. `/ip4/0.0.0.0/…` and `/ip6/::/…` listen on every interface, port 0 picks a
    /// free port. Empty: the node dials and is not reachable. Default: TCP and QUIC on port 4001, both
    /// families.
    pub listen: Vec<String>,
    /// Whether to find and dial peers in the local network by multicast DNS. It sends a multicast packet every
    /// five minutes and on each change of interfaces; turn it off where the network forbids that. Default: on.
    pub mdns: bool,
    /// What identify tells peers that we are, as `name/version`. Visible to everyone. Default: `ipse/` and the
    /// version.
    pub agent: String,
    /// Whether peers are given blocks. Off, their wants are ignored and the node only takes. Default: on.
    pub serve: bool,
    /// Connections at the most, both directions together, of which peers may open three quarters. Each costs
    /// some 100 KiB. A peer beyond that gets the place of one that is of less use. Default: 512.
    pub connections_max: u32,
    /// Peers that always keep their place, since the node was told to stay connected with them. Default: none.
    pub protected: Vec<PeerId>,
    /// Connections from and to one peer at the most. Two peers that dial each other at once have two for a
    /// while, so 1 makes connecting flaky. Default: 4.
    pub connections_per_peer_max: u32,
    /// Connections that one IP address (of IPv6: one /64) may have open toward us, those under way included; for
    /// 127.0.0.1 and ::1 there is no such limit. Many peers behind one address translator share it. Default: 64.
    pub connections_per_ip_max: usize,
    /// Streams that a peer may have open toward us on one connection. A peer's message beyond that is lost.
    /// Each may hold 256 KiB that we have not read. Default: 64.
    pub inbound_streams_max: usize,
    /// Threads that hash what peers send. 0 means one for each core, which is right unless other work must not
    /// be disturbed. Default: 0.
    pub hash_threads: usize,
}

impl NetOptions {
    /// The defaults, with the node's private key.
    pub fn new(identity: Identity) -> Self {
        let listen = [
            "/ip4/0.0.0.0/tcp/4001",
            "/ip6/::/tcp/4001",
            "/ip4/0.0.0.0/udp/4001/quic-v1",
            "/ip6/::/udp/4001/quic-v1",
        ];
        Self {
            identity,
            listen: listen.map(str::to_owned).to_vec(),
            mdns: true,
            agent: concat!("ipse/", env!("CARGO_PKG_VERSION")).to_owned(),
            serve: true,
            connections_max: CONNECTIONS_MAX,
            protected: Vec::new(),
            connections_per_peer_max: CONNECTIONS_PER_PEER_MAX,
            connections_per_ip_max: CONNECTIONS_PER_IP_MAX,
            inbound_streams_max: INBOUND_STREAMS_PER_CONNECTION_MAX,
            hash_threads: 0,
        }
    }
}
