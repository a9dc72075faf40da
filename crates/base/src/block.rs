//! Block: bytes that are known to match their name. Bytes become a block by being hashed where they enter the
//! node, or by coming back from our own store with their checksum checked; nothing downstream hashes again.

use bytes::Bytes;

use crate::limits::BLOCK_BYTES_MAX;
use crate::{Cid, Codec, ErrorKind, HashCode, Kind, Multihash, MultihashError};

/// Why bytes did not become a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The bytes do not have the hash that the name says.
    #[error("bytes do not match {0}")]
    Mismatch(Cid),
    /// More bytes than a block may have.
    #[error("block of {length} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The hash can't be made or checked here.
    #[error(transparent)]
    Hash(#[from] MultihashError),
}

impl ErrorKind for BlockError {
    fn kind(&self) -> Kind {
        match self {
            Self::Mismatch(_) => Kind::Corrupt,
            Self::TooLarge { .. } => Kind::Invalid,
            Self::Hash(MultihashError::Unsupported(_)) => Kind::Unsupported,
            Self::Hash(_) => Kind::Invalid,
        }
    }
}

/// Bytes and the name that they are known to have. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    data: Bytes,
}

impl Block {
    /// Names bytes by hashing them; the name is a version 1 Cid.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`] over 2 MiB, [`BlockError::Hash`] for a hash function not computed here.
    pub fn hash(codec: Codec, hash: HashCode, data: Bytes) -> Result<Self, BlockError> {
        check_size(&data)?;
        Ok(Self { cid: Cid::v1(codec, Multihash::digest_of(hash, &data)?), data })
    }

    /// As [`Block::hash`] without the limit of 2 MiB, for people who ask for larger blocks and know that
    /// peers refuse them.
    ///
    /// # Errors
    /// [`BlockError::Hash`] for a hash function not computed here.
    pub fn hash_of_any_size(codec: Codec, hash: HashCode, data: Bytes) -> Result<Self, BlockError> {
        Ok(Self { cid: Cid::v1(codec, Multihash::digest_of(hash, &data)?), data })
    }

    /// Takes bytes that somebody says have this name, and checks it.
    ///
    /// # Errors
    /// [`BlockError::Mismatch`] where they do not, [`BlockError::TooLarge`] over 2 MiB, [`BlockError::Hash`]
    /// where it can't be checked.
    pub fn verify(cid: Cid, data: Bytes) -> Result<Self, BlockError> {
        check_size(&data)?;
        Self::verify_any_size(cid, data)
    }

    /// As [`Block::verify`] without the limit of 2 MiB.
    ///
    /// # Errors
    /// [`BlockError::Mismatch`] and [`BlockError::Hash`], as there.
    pub fn verify_any_size(cid: Cid, data: Bytes) -> Result<Self, BlockError> {
        if cid.hash().matches(&data)? { Ok(Self { cid, data }) } else { Err(BlockError::Mismatch(cid)) }
    }

    /// The block that follows from its name alone: identity Cids carry their content, and the empty block is
    /// known by its hash.
    pub fn implied_by(cid: &Cid) -> Option<Self> {
        if cid.is_identity() {
            return Some(Self { data: Bytes::copy_from_slice(cid.hash().digest()), cid: cid.clone() });
        }
        let empty = cid.hash().matches(&[]).unwrap_or(false);
        empty.then(|| Self { cid: cid.clone(), data: Bytes::new() })
    }

    /// A block out of our own store, whose checksum was checked on the way. Only `store` may say this.
    pub fn attested(cid: Cid, data: Bytes) -> Self {
        Self { cid, data }
    }

    /// The same bytes under another name with the same hash (the other version, or another codec).
    ///
    /// # Errors
    /// [`BlockError::Mismatch`] where the hashes differ.
    pub fn renamed(&self, cid: Cid) -> Result<Self, BlockError> {
        if cid.hash() == self.cid.hash() {
            Ok(Self { cid, data: self.data.clone() })
        } else {
            Err(BlockError::Mismatch(cid))
        }
    }

    /// The name.
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The bytes.
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    /// Name and bytes.
    pub fn into_parts(self) -> (Cid, Bytes) {
        (self.cid, self.data)
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({}, {} bytes)", self.cid, self.data.len())
    }
}

fn check_size(data: &Bytes) -> Result<(), BlockError> {
    if data.len() > BLOCK_BYTES_MAX {
        return Err(BlockError::TooLarge { length: data.len(), limit: BLOCK_BYTES_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_matching_bytes_become_a_block() {
        let block = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into()).unwrap();
        let cid = block.cid().clone();
        assert_eq!(Block::verify(cid.clone(), "hello".into()).unwrap(), block);
        assert_eq!(Block::verify(cid.clone(), "hellO".into()), Err(BlockError::Mismatch(cid)));
    }

    #[test]
    fn size_limit_is_exact() {
        let sized = |length: usize| Block::hash(Codec::RAW, HashCode::SHA2_256, vec![0; length].into());
        assert!(sized(BLOCK_BYTES_MAX).is_ok());
        assert!(matches!(sized(BLOCK_BYTES_MAX + 1), Err(BlockError::TooLarge { .. })));
    }

    #[test]
    fn identity_and_empty_blocks_follow_from_their_names() {
        for code in [HashCode::IDENTITY, HashCode::SHA2_256, HashCode::SHA2_512, HashCode::BLAKE3] {
            let empty = Block::hash(Codec::RAW, code, Bytes::new()).unwrap();
            assert_eq!(Block::implied_by(empty.cid()), Some(empty));
        }
        let inline = Block::hash(Codec::RAW, HashCode::IDENTITY, "abc".into()).unwrap();
        assert_eq!(Block::implied_by(inline.cid()).unwrap().data(), "abc");
        let other = Block::hash(Codec::RAW, HashCode::SHA2_256, "abc".into()).unwrap();
        assert_eq!(Block::implied_by(other.cid()), None);
    }
}
