//! Identity: the node's private key, which decides its peer ID.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa;
use ipse_base::{ErrorKind, Kind, PeerId, varint};
use libp2p::identity::{DecodingError, Keypair};

use crate::peer;

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// Small, fast, and what almost every peer has.
    #[default]
    Ed25519,
    /// 2048 bits; for networks that ask for it.
    Rsa,
    /// The curve of some blockchains.
    Secp256k1,
}

impl KeyKind {
    /// The kind with this name, as `init` takes it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ed25519" => Some(Self::Ed25519),
            "rsa" => Some(Self::Rsa),
            "secp256k1" => Some(Self::Secp256k1),
            _ => None,
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not a private key.
    #[error("not a libp2p private key: {0}")]
    Malformed(#[from] DecodingError),
    /// The key's peer ID is not one that we can name.
    #[error("the key has no peer ID that this node reads")]
    PeerId,
    /// The key could not be made.
    #[error("a key could not be generated")]
    Generate,
}

impl ErrorKind for KeyError {
    fn kind(&self) -> Kind {
        match self {
            Self::Malformed(_) | Self::PeerId => Kind::Invalid,
            Self::Generate => Kind::Internal,
        }
    }
}

/// A private key and the peer ID that follows from it. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    key: Keypair,
    peer: PeerId,
    /// As it was read or made: libp2p writes no RSA keys.
    protobuf: Vec<u8>,
}

impl Identity {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`KeyError::Generate`] where the system gives no randomness.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let key = match kind {
            KeyKind::Ed25519 => Keypair::generate_ed25519(),
            KeyKind::Secp256k1 => Keypair::generate_secp256k1(),
            KeyKind::Rsa => return Self::from_protobuf(&generate_rsa()?),
        };
        Self::from_protobuf(&key.to_protobuf_encoding()?)
    }

    /// Reads libp2p's protobuf form, which is what a repository's configuration keeps in base64.
    ///
    /// # Errors
    /// [`KeyError::Malformed`], [`KeyError::PeerId`].
    pub fn from_protobuf(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = Keypair::from_protobuf_encoding(bytes)?;
        let peer = peer::from_libp2p(&key.public().to_peer_id()).ok_or(KeyError::PeerId)?;
        Ok(Self { key, peer, protobuf: bytes.to_vec() })
    }

    /// libp2p's protobuf form. It is secret.
    pub fn to_protobuf(&self) -> Vec<u8> {
        self.protobuf.clone()
    }

    /// The peer ID.
    pub const fn peer_id(&self) -> &PeerId {
        &self.peer
    }

    /// The public key in libp2p's protobuf form.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public().encode_protobuf()
    }

    pub(crate) fn keypair(&self) -> &Keypair {
        &self.key
    }
}

impl std::fmt::Debug for Identity {
    /// The peer ID and never the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.peer)
    }
}

/// A new RSA key in libp2p's protobuf form: type 0, then the key in PKCS #1.
fn generate_rsa() -> Result<Vec<u8>, KeyError> {
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
    let pkcs8 = key.as_der().map_err(|_| KeyError::Generate)?;
    let pkcs1 = inner_key(pkcs8.as_ref()).ok_or(KeyError::Generate)?;
    let mut out = vec![0x08, 0, 0x12];
    varint::write(pkcs1.len() as u64, &mut out);
    out.extend_from_slice(pkcs1);
    Ok(out)
}

/// The key inside of a PKCS #8 envelope: version, algorithm, then the key as an octet string.
fn inner_key(pkcs8: &[u8]) -> Option<&[u8]> {
    let (envelope, _) = der_value(0x30, pkcs8)?;
    let (_, rest) = der_value(0x02, envelope)?;
    let (_, rest) = der_value(0x30, rest)?;
    der_value(0x04, rest).map(|(key, _)| key)
}

/// Splits a DER value with this tag off the front.
fn der_value(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), rest.get(2..)?),
        short if short < 0x80 => (usize::from(short), rest),
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_its_bytes() {
        for (kind, start) in
            [(KeyKind::Ed25519, "12D3KooW"), (KeyKind::Rsa, "Qm"), (KeyKind::Secp256k1, "16Uiu2")]
        {
            let made = Identity::generate(kind).unwrap();
            let read = Identity::from_protobuf(&made.to_protobuf()).unwrap();
            assert_eq!(read.peer_id(), made.peer_id());
            assert!(made.peer_id().to_string().starts_with(start), "{made:?}");
        }
    }

    #[test]
    fn hostile_bytes_are_refused() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let _ = Identity::from_protobuf(bytes);
            let _ = inner_key(bytes);
        });
    }
}
