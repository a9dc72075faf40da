//! `id`: who this node or a peer is.

use ipse_api::Identity;
use ipse_base::{Base, Kind, PeerId};
use ipse_node::PeerIdentity;

use crate::Failure;
use crate::context::{Context, base_named};
use crate::reply::Reply;

pub(super) async fn id(context: Context) -> Result<Reply, Failure> {
    let base = match context.invocation.string("peerid-base").as_deref() {
        None | Some("b58mh") => None,
        Some(name) => Some(base_named(name)?),
    };
    let node = context.node()?;
    let asked = match context.optional_argument(0) {
        None => None,
        Some(text) => Some(text.parse::<PeerId>().map_err(|_| Failure::invalid("invalid peer id"))?),
    };
    let identity = match asked.filter(|peer| peer != node.peer_id()) {
        None => node.identity(),
        Some(_) if !node.is_online() => {
            let text = "'ipfs id' cannot query information on remote peers without a running daemon";
            return Err(Failure::new(Kind::Unavailable, text));
        }
        Some(peer) => node.identify(&peer)?,
    };
    Reply::value(&shown(identity, base))
}

/// An identity as replies show it: addresses with the peer at their end, the key in base64.
pub(super) fn shown(identity: PeerIdentity, base: Option<Base>) -> Identity {
    let peer = &identity.peer;
    let mut protocols = identity.protocols;
    protocols.sort_unstable();
    Identity {
        id: base.map_or_else(|| peer.to_string(), |base| peer.to_cid().to_base(base)),
        public_key: Base::BASE64PAD.encode_bare(&identity.public_key),
        addresses: identity.addresses.iter().map(|address| with_peer(address, peer)).collect(),
        agent_version: identity.agent,
        protocols,
    }
}

/// An address with the peer at its end, where it does not stand there already.
pub(super) fn with_peer(address: &str, peer: &PeerId) -> String {
    let tail = format!("/p2p/{peer}");
    if address.ends_with(&tail) { address.to_owned() } else { format!("{address}{tail}") }
}
