//! Versions of the protocol, by the name under which libp2p negotiates them.

/// What a peer speaks.
///
/// 1.0.0 has only version 0 Cids and blocks without a prefix; 1.1.0 adds the prefix and with it every Cid;
/// 1.2.0 adds want-have, HAVE and DONT_HAVE. A peer of the older two that lacks a block says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// `/ipfs/bitswap/1.0.0`.
    V1_0,
    /// `/ipfs/bitswap/1.1.0`.
    V1_1,
    /// `/ipfs/bitswap/1.2.0`.
    V1_2,
}

impl ProtocolVersion {
    /// Every version, the one to be offered first in front.
    pub const PREFERRED: [Self; 3] = [Self::V1_2, Self::V1_1, Self::V1_0];

    /// The name for protocol negotiation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "/ipfs/bitswap/1.0.0",
            Self::V1_1 => "/ipfs/bitswap/1.1.0",
            Self::V1_2 => "/ipfs/bitswap/1.2.0",
        }
    }

    /// The version negotiated under this name. The name without a number is what the very first peers said.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::PREFERRED
            .into_iter()
            .find(|version| version.name() == name)
            .or((name == "/ipfs/bitswap").then_some(Self::V1_0))
    }

    /// Whether the peer answers want-have, and says so when it lacks a block.
    pub const fn has_presences(self) -> bool {
        matches!(self, Self::V1_2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for version in ProtocolVersion::PREFERRED {
            assert_eq!(ProtocolVersion::from_name(version.name()), Some(version));
        }
        assert_eq!(ProtocolVersion::from_name("/ipfs/bitswap"), Some(ProtocolVersion::V1_0));
        assert_eq!(ProtocolVersion::from_name("/ipfs/bitswap/2.0.0"), None);
    }
}
