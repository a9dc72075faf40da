//! PeerId: the name of a node, the multihash of its public key (libp2p peer-id specification).

use std::str::FromStr;

use crate::{Base, Cid, CidError, Codec, ErrorKind, Kind, Multihash, MultihashError};

/// The name of a node.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(Multihash);

/// Why text or bytes do not name a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerIdError {
    /// Not base58btc, nor a Cid.
    #[error("failed to parse peer ID: {0}")]
    Text(#[from] CidError),
    /// The multihash is malformed.
    #[error("failed to parse peer ID: {0}")]
    Multihash(#[from] MultihashError),
    /// A Cid, and not one of a key.
    #[error("can't convert CID of type {0} to a peer ID")]
    Codec(Codec),
}

impl ErrorKind for PeerIdError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn hint(&self) -> Option<String> {
        Some("a peer ID looks like 12D3KooW… or Qm… or k51…; `ipse id` prints your own".into())
    }
}

impl PeerId {
    /// Takes the multihash of a public key.
    pub const fn new(hash: Multihash) -> Self {
        Self(hash)
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// [`PeerIdError::Multihash`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PeerIdError> {
        Ok(Self(Multihash::from_bytes(bytes)?))
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The multihash of the public key.
    pub const fn hash(&self) -> &Multihash {
        &self.0
    }

    /// The peer as a Cid of a key, for IPNS names and for other bases than base58btc.
    pub fn to_cid(&self) -> Cid {
        Cid::v1(Codec::LIBP2P_KEY, self.0.clone())
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        if text.starts_with("Qm") || text.starts_with('1') {
            let bytes = Base::BASE58BTC.decode_bare(text).map_err(CidError::from)?;
            return Self::from_bytes(&bytes);
        }
        let cid: Cid = text.parse()?;
        if cid.codec() == Codec::LIBP2P_KEY {
            Ok(Self(cid.hash().clone()))
        } else {
            Err(PeerIdError::Codec(cid.codec()))
        }
    }
}

impl std::fmt::Display for PeerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&Base::BASE58BTC.encode_bare(&self.to_bytes()))
    }
}

impl std::fmt::Debug for PeerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_one_peer() {
        let text = "12D3KooWLQzUv2FHWGVPXTXSZpdHs7oHbXub2G5WC8Tx4NQhyd2d";
        let peer: PeerId = text.parse().unwrap();
        assert_eq!(peer.to_string(), text);
        assert_eq!(peer.to_cid().to_base(Base::BASE36).parse::<PeerId>().unwrap(), peer);
        assert_eq!(PeerId::from_bytes(&peer.to_bytes()).unwrap(), peer);
    }

    #[test]
    fn hostile_text_never_panics() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = text.parse::<PeerId>();
        });
    }
}
