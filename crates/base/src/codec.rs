//! Codes of the multicodec table that say how a block's bytes are to be read.

/// The multicodec of a block's content.
///
/// Any code is allowed in a [`Cid`](crate::Cid): a node stores and serves blocks it cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Codec(pub u64);

impl Codec {
    /// Plain bytes; a leaf by itself.
    pub const RAW: Self = Self(0x55);
    /// MerkleDAG protobuf, the codec of UnixFS.
    pub const DAG_PB: Self = Self(0x70);
    /// Deterministic CBOR with links.
    pub const DAG_CBOR: Self = Self(0x71);
    /// JSON with links.
    pub const DAG_JSON: Self = Self(0x0129);
    /// Plain CBOR.
    pub const CBOR: Self = Self(0x51);
    /// Plain JSON.
    pub const JSON: Self = Self(0x0200);
    /// A public key as a peer's or an IPNS name.
    pub const LIBP2P_KEY: Self = Self(0x72);

    /// The name in the multicodec table, for the codecs this node prints by name.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::RAW => "raw",
            Self::DAG_PB => "dag-pb",
            Self::DAG_CBOR => "dag-cbor",
            Self::DAG_JSON => "dag-json",
            Self::CBOR => "cbor",
            Self::JSON => "json",
            Self::LIBP2P_KEY => "libp2p-key",
            Self(0x78) => "git-raw",
            Self(0x7b) => "torrent-info",
            Self(0x7c) => "torrent-file",
            Self(0xb201) => "blake3-hashseq",
            Self(0x81) => "leofcoin-block",
            Self(0x90) => "eth-block",
            Self(0x91) => "eth-block-list",
            Self(0x92) => "eth-tx-trie",
            Self(0x93) => "eth-tx",
            Self(0x94) => "eth-tx-receipt-trie",
            Self(0x95) => "eth-tx-receipt",
            Self(0x96) => "eth-state-trie",
            Self(0x97) => "eth-account-snapshot",
            Self(0x98) => "eth-storage-trie",
            Self(0xb0) => "bitcoin-block",
            Self(0xb1) => "bitcoin-tx",
            Self(0xc0) => "zcash-block",
            Self(0xc1) => "zcash-tx",
            Self(0xd0) => "stellar-block",
            Self(0xd1) => "stellar-tx",
            Self(0xe0) => "decred-block",
            Self(0xe1) => "decred-tx",
            Self(0xf0) => "dash-block",
            Self(0xf1) => "dash-tx",
            Self(0xfa) => "swarm-manifest",
            Self(0xfb) => "swarm-feed",
            Self(0xb202) => "beeson",
            Self(0x0301) => "dag-cose",
            Self(0x85) => "dag-jose",
            _ => return None,
        })
    }

    /// The codec with the given name in the multicodec table, if this node knows it by name.
    pub fn from_name(name: &str) -> Option<Self> {
        const NAMED: &[u64] = &[
            0x55, 0x70, 0x71, 0x0129, 0x51, 0x0200, 0x72, 0x78, 0x7b, 0x7c, 0xb201, 0x81, 0x90, 0x91, 0x92,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0xb0, 0xb1, 0xc0, 0xc1, 0xd0, 0xd1, 0xe0, 0xe1, 0xf0, 0xf1,
            0xfa, 0xfb, 0xb202, 0x0301, 0x85,
        ];
        NAMED.iter().map(|&code| Self(code)).find(|codec| codec.name() == Some(name))
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Codec({})", self.0),
        }
    }
}
