//! Cid: the name of a block, made of a codec and the hash of its bytes (CID specification, versions 0 and 1).

use std::str::FromStr;

use crate::base_encoding::BaseError;
use crate::varint::{self, VarintError};
use crate::{Base, Codec, ErrorKind, HashCode, Kind, Multihash, MultihashError};

/// How a Cid is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// A bare SHA-256 multihash; always dag-pb, always printed in base58btc.
    V0,
    /// Version, codec and multihash, printed in any base.
    V1,
}

/// Why something is not a Cid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// Shorter than any Cid.
    #[error("invalid cid: cid too short")]
    TooShort,
    /// The base or its prefix is unknown, or a character is outside of it.
    #[error("invalid cid: selected encoding not supported")]
    Base(#[from] BaseError),
    /// A number is malformed.
    #[error("invalid cid: {0}")]
    Varint(#[from] VarintError),
    /// The hash is malformed.
    #[error("invalid cid: {0}")]
    Multihash(#[from] MultihashError),
    /// A version other than 0 and 1.
    #[error("invalid cid: version {0} is not known")]
    Version(u64),
    /// Version 0 is SHA-256 and dag-pb only, and without a multibase prefix.
    #[error("invalid cid: version 0 takes only sha2-256 of dag-pb, in base58btc")]
    NotVersion0,
    /// Bytes follow the Cid.
    #[error("invalid cid: {0} bytes behind the hash")]
    Trailing(usize),
}

impl ErrorKind for CidError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn hint(&self) -> Option<String> {
        Some("a CID looks like bafybei… or Qm…; copy it whole, without spaces or quotes".into())
    }
}

/// The name of a block. Cheap to clone.
///
/// Equality is of the whole name: version, codec and hash. The store keeps blocks by multihash, so the two
/// versions of one block are one block there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cid {
    version: Version,
    codec: Codec,
    hash: Multihash,
}

/// A version 0 Cid in binary: code, length and 32 bytes of SHA-256.
const V0_BYTES: usize = 34;
/// A version 0 Cid as text.
const V0_CHARS: usize = 46;

impl Cid {
    /// A version 1 Cid.
    pub const fn v1(codec: Codec, hash: Multihash) -> Self {
        Self { version: Version::V1, codec, hash }
    }

    /// A version 0 Cid.
    ///
    /// # Errors
    /// [`CidError::NotVersion0`] where the hash is not a whole SHA-256.
    pub fn v0(hash: Multihash) -> Result<Self, CidError> {
        if hash.code() == HashCode::SHA2_256 && hash.digest().len() == 32 {
            Ok(Self { version: Version::V0, codec: Codec::DAG_PB, hash })
        } else {
            Err(CidError::NotVersion0)
        }
    }

    /// The same block's name in another version.
    ///
    /// # Errors
    /// [`CidError::NotVersion0`] where version 0 can't express it.
    pub fn to_version(&self, version: Version) -> Result<Self, CidError> {
        match version {
            Version::V1 => Ok(Self::v1(self.codec, self.hash.clone())),
            Version::V0 if self.codec == Codec::DAG_PB => Self::v0(self.hash.clone()),
            Version::V0 => Err(CidError::NotVersion0),
        }
    }

    /// Version 0 or 1.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How the block's bytes are to be read.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The hash in the name.
    pub const fn hash(&self) -> &Multihash {
        &self.hash
    }

    /// Whether the content is in the Cid itself, so that there is nothing to store or fetch.
    pub fn is_identity(&self) -> bool {
        self.hash.is_identity()
    }

    /// Reads one binary Cid from the front; returns it and the bytes behind it.
    ///
    /// # Errors
    /// [`CidError`] for anything malformed.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), CidError> {
        if bytes.starts_with(&[0x12, 0x20]) {
            let (hash, rest) = Multihash::read(bytes)?;
            return Ok((Self::v0(hash)?, rest));
        }
        let (version, rest) = varint::read(bytes)?;
        if version != 1 {
            return Err(CidError::Version(version));
        }
        let (codec, rest) = varint::read(rest)?;
        let (hash, rest) = Multihash::read(rest)?;
        Ok((Self::v1(Codec(codec), hash), rest))
    }

    /// Reads a binary Cid that takes all of `bytes`.
    ///
    /// # Errors
    /// [`CidError`] for anything malformed or left over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        if bytes.len() < 2 {
            return Err(CidError::TooShort);
        }
        let (cid, rest) = Self::read(bytes)?;
        if rest.is_empty() { Ok(cid) } else { Err(CidError::Trailing(rest.len())) }
    }

    /// Appends the binary form.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.version == Version::V1 {
            out.push(1);
            varint::write(self.codec.0, out);
        }
        self.hash.write(out);
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(V0_BYTES + 4);
        self.write(&mut out);
        out
    }

    /// Appends the text in the given base, as [`Cid::to_base`] gives it.
    pub fn write_text(&self, base: Base, out: &mut String) {
        if self.version == Version::V0 {
            out.push_str(&self.to_base(base));
        } else {
            base.encode_into(&self.to_bytes(), out);
        }
    }

    /// The base that this Cid is printed in where nobody asks for another.
    pub const fn usual_base(&self) -> Base {
        match self.version {
            Version::V0 => Base::BASE58BTC,
            Version::V1 => Base::BASE32,
        }
    }

    /// Text in the given base. Version 0 has only base58btc, so another base shows version 1.
    pub fn to_base(&self, base: Base) -> String {
        match self.version {
            Version::V0 if base == Base::BASE58BTC => base.encode_bare(&self.to_bytes()),
            Version::V0 => base.encode(&Self::v1(self.codec, self.hash.clone()).to_bytes()),
            Version::V1 => base.encode(&self.to_bytes()),
        }
    }

    /// Reads text and tells the base it was in.
    ///
    /// # Errors
    /// [`CidError`] for anything malformed.
    pub fn parse_with_base(text: &str) -> Result<(Self, Base), CidError> {
        if text.len() < 2 {
            return Err(CidError::TooShort);
        }
        if text.len() == V0_CHARS && text.starts_with("Qm") {
            let bytes = Base::BASE58BTC.decode_bare(text)?;
            return Ok((Self::from_bytes(&bytes)?, Base::BASE58BTC));
        }
        let (base, bytes) = Base::decode(text)?;
        let cid = Self::from_bytes(&bytes)?;
        if cid.version == Version::V0 { Err(CidError::NotVersion0) } else { Ok((cid, base)) }
    }
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        Self::parse_with_base(text).map(|(cid, _)| cid)
    }
}

impl std::fmt::Display for Cid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write_text(self.usual_base(), &mut text);
        f.write_str(&text)
    }
}

impl std::fmt::Debug for Cid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V0: &str = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";

    #[test]
    fn both_versions_of_one_block() {
        let cid: Cid = V0.parse().unwrap();
        assert_eq!((cid.version(), cid.codec()), (Version::V0, Codec::DAG_PB));
        assert_eq!(cid.to_string(), V0);
        let v1 = cid.to_version(Version::V1).unwrap();
        assert!(v1.to_string().starts_with("bafybei"));
        assert_eq!(v1.to_version(Version::V0).unwrap(), cid);
        assert_eq!(cid.to_base(Base::BASE32), v1.to_string());
    }

    #[test]
    fn reads_its_own_text_in_every_base() {
        let cid: Cid = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4".parse().unwrap();
        for base in &Base::ALL[1..] {
            assert_eq!(Cid::parse_with_base(&cid.to_base(*base)).unwrap(), (cid.clone(), *base));
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_read_back_the_same() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            if let Ok(cid) = Cid::from_bytes(bytes) {
                assert_eq!(&cid.to_bytes(), bytes);
                assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
            }
        });
    }

    #[test]
    fn hostile_text_never_panics() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = text.parse::<Cid>();
        });
    }

    #[test]
    fn malformed_names_are_refused() {
        for bad in
            ["", "Q", "notacid", "QmXX", "bafk", "zQmT78", "Qm0OIl78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5"]
        {
            assert!(bad.parse::<Cid>().is_err(), "{bad}");
        }
        // A version 0 Cid never wears a prefix.
        assert!(format!("z{V0}").parse::<Cid>().is_err());
    }
}
