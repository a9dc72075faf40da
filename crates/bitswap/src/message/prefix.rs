//! CidPrefix: all of a Cid but the digest, as it stands beside a block on the wire. The digest is left out so
//! that the receiver has to compute it: a sender can't claim a name, only send bytes.

use bytes::Bytes;
use ipse_base::limits::BLOCK_BYTES_MAX;
use ipse_base::varint;
use ipse_base::{Block, BlockError, Cid, CidError, Codec, HashCode, Multihash, Version};

/// Version, codec, hash function and length of the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CidPrefix {
    version: Version,
    codec: Codec,
    hash: HashCode,
    digest_bytes: usize,
}

/// Bytes of a whole SHA-256.
const SHA2_256_BYTES: usize = 32;

impl CidPrefix {
    /// What protocol 1.0.0 means by a block without a prefix.
    pub const V0: Self = Self {
        version: Version::V0,
        codec: Codec::DAG_PB,
        hash: HashCode::SHA2_256,
        digest_bytes: SHA2_256_BYTES,
    };

    /// The prefix of a Cid.
    pub fn of(cid: &Cid) -> Self {
        let hash = cid.hash();
        Self {
            version: cid.version(),
            codec: cid.codec(),
            hash: hash.code(),
            digest_bytes: hash.digest().len(),
        }
    }

    /// Reads the four numbers of a prefix.
    ///
    /// # Errors
    /// [`CidError`] where a number is malformed, one is missing or left over, or the version is unknown.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let (version, rest) = varint::read(bytes)?;
        let (codec, rest) = varint::read(rest)?;
        let (hash, rest) = varint::read(rest)?;
        let (digest_bytes, rest) = varint::read(rest)?;
        if !rest.is_empty() {
            return Err(CidError::Trailing(rest.len()));
        }
        let version = match version {
            0 => Version::V0,
            1 => Version::V1,
            other => return Err(CidError::Version(other)),
        };
        let digest_bytes = usize::try_from(digest_bytes).unwrap_or(usize::MAX);
        let prefix = Self { version, codec: Codec(codec), hash: HashCode(hash), digest_bytes };
        if version == Version::V0 && prefix != Self::V0 { Err(CidError::NotVersion0) } else { Ok(prefix) }
    }

    /// Appends the four numbers.
    pub fn write(&self, out: &mut Vec<u8>) {
        varint::write(u64::from(self.version == Version::V1), out);
        varint::write(self.codec.0, out);
        varint::write(self.hash.0, out);
        varint::write(self.digest_bytes as u64, out);
    }

    /// Bytes that [`CidPrefix::write`] appends.
    pub(super) fn encoded_len(&self) -> usize {
        1 + varint::len(self.codec.0) + varint::len(self.hash.0) + varint::len(self.digest_bytes as u64)
    }

    /// Hashes the bytes that came with the prefix into the Cid that they have.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`] over the limit of a block, [`BlockError::Hash`] for a function that is not
    /// computed here or a digest longer than the function's.
    pub fn cid_of(&self, data: &[u8]) -> Result<Cid, BlockError> {
        if data.len() > BLOCK_BYTES_MAX {
            return Err(BlockError::TooLarge { length: data.len(), limit: BLOCK_BYTES_MAX });
        }
        self.name(Multihash::digest_of(self.hash, data)?)
    }

    /// Hashes the bytes that came with the prefix into the block that they are, hashing once.
    ///
    /// # Errors
    /// As [`CidPrefix::cid_of`].
    pub fn block_of(&self, data: Bytes) -> Result<Block, BlockError> {
        let whole = Block::hash(self.codec, self.hash, data)?;
        let cid = self.name(whole.cid().hash().clone())?;
        match whole.renamed(cid.clone()) {
            Ok(block) => Ok(block),
            // A digest that was cut short is another hash, so this name has to be checked by itself.
            Err(_) => Block::verify(cid, whole.into_parts().1),
        }
    }

    fn name(&self, hash: Multihash) -> Result<Cid, BlockError> {
        let whole = hash.digest();
        let cut = whole.get(..self.digest_bytes).ok_or(ipse_base::MultihashError::Length {
            declared: self.digest_bytes as u64,
            actual: whole.len(),
        })?;
        let hash = if cut.len() == whole.len() { hash } else { Multihash::wrap(self.hash, cut)? };
        match self.version {
            Version::V1 => Ok(Cid::v1(self.codec, hash)),
            // A prefix of version 0 is a whole SHA-256 or was refused, so the other arm is not reached.
            Version::V0 => Ok(Cid::v0(hash.clone()).unwrap_or_else(|_| Cid::v1(self.codec, hash))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(bytes: &[u8]) -> CidPrefix {
        CidPrefix::from_bytes(bytes).unwrap()
    }

    #[test]
    fn both_versions_name_what_they_hash() {
        let block = Block::hash(Codec::DAG_PB, HashCode::SHA2_256, "hello".into()).unwrap();
        let v0 = block.cid().to_version(Version::V0).unwrap();
        for cid in [block.cid().clone(), v0] {
            let prefix = CidPrefix::of(&cid);
            let mut bytes = Vec::new();
            prefix.write(&mut bytes);
            assert_eq!(bytes.len(), prefix.encoded_len());
            assert_eq!(CidPrefix::from_bytes(&bytes).unwrap(), prefix);
            assert_eq!(prefix.cid_of(b"hello").unwrap(), cid);
            assert_eq!(prefix.block_of("hello".into()).unwrap().cid(), &cid);
        }
    }

    #[test]
    fn a_cut_digest_is_checked_as_it_stands() {
        let cut = prefix(&[1, 0x55, 0x12, 20]);
        let cid = cut.cid_of(b"hello").unwrap();
        assert_eq!(cid.hash().digest().len(), 20);
        assert_eq!(cut.block_of("hello".into()).unwrap().cid(), &cid);
        // Too short to prove anything, and longer than the function gives.
        assert!(prefix(&[1, 0x55, 0x12, 4]).block_of("hello".into()).is_err());
        assert!(prefix(&[1, 0x55, 0x12, 64]).cid_of(b"hello").is_err());
    }

    #[test]
    fn what_can_not_be_is_refused() {
        assert!(CidPrefix::from_bytes(&[]).is_err());
        assert!(CidPrefix::from_bytes(&[2, 0x55, 0x12, 32]).is_err());
        assert!(CidPrefix::from_bytes(&[0, 0x55, 0x12, 32]).is_err());
        assert!(CidPrefix::from_bytes(&[1, 0x55, 0x12, 32, 0]).is_err());
        assert!(prefix(&[1, 0x55, 0x16, 32]).cid_of(b"hello").is_err());
        assert!(CidPrefix::V0.cid_of(&vec![0; BLOCK_BYTES_MAX + 1]).is_err());
    }
}
