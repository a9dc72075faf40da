//! Peer names at the border: ours inside, libp2p's toward the swarm. Both are the multihash of a public key.

use ipse_base::PeerId;

/// Our name for a peer that libp2p names; nothing where its hash is not one that we read.
pub(crate) fn from_libp2p(peer: &libp2p::PeerId) -> Option<PeerId> {
    PeerId::from_bytes(&peer.to_bytes()).ok()
}

/// libp2p's name for a peer; nothing where the hash can't be that of a key.
pub(crate) fn to_libp2p(peer: &PeerId) -> Option<libp2p::PeerId> {
    libp2p::PeerId::from_bytes(&peer.to_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_are_the_same_bytes_and_text() {
        for _ in 0..20 {
            let theirs = libp2p::PeerId::random();
            let ours = from_libp2p(&theirs).unwrap();
            assert_eq!(ours.to_string(), theirs.to_string());
            assert_eq!(to_libp2p(&ours), Some(theirs));
        }
    }
}
