//! ImportOptions: everything that decides which Cid a file or folder gets. Two nodes with equal options give
//! equal content equal names, so each default here is part of the format.

use bytes::Bytes;
use ipse_base::limits::{BLOCK_BYTES_MAX, FILE_LINKS_MAX, HAMT_FANOUT_MAX, IDENTITY_BYTES_MAX};
use ipse_base::{Block, BlockError, Cid, Codec, ErrorKind, HashCode, Kind, Version};

use crate::Mtime;
use crate::metadata::Metadata;

/// Bytes of a block that framing may take around a chunk.
const CHUNK_OVERHEAD_BYTES: usize = 256;

/// Largest chunk, in bytes: a chunk and its framing fit in a block.
pub const CHUNK_BYTES_MAX: usize = BLOCK_BYTES_MAX - CHUNK_OVERHEAD_BYTES;

/// How the size of a directory is estimated when it is decided whether to shard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeEstimation {
    /// Bytes of all names and Cids, as nodes of the first decade count.
    Links,
    /// Bytes of the block that the directory would be.
    Block,
    /// Size does not matter; only the number of links does.
    Disabled,
}

/// How content is cut, laid out and named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Version of the Cids of dag-pb blocks. Raw leaves are always named by version 1.
    pub cid_version: Version,
    /// The hash function. Version 0 knows only SHA-256.
    pub hash: HashCode,
    /// Whether chunks are stored as they are, or each in a UnixFS message.
    pub raw_leaves: bool,
    /// Bytes of a chunk, at most [`CHUNK_BYTES_MAX`]. Larger chunks make fewer blocks and coarser
    /// deduplication.
    pub chunk_bytes: usize,
    /// Links of one node of a file, from 2 to 8,192.
    pub file_links_max: usize,
    /// Entries from which on a directory is sharded whatever its size; 0 for no such bound.
    pub directory_links_max: usize,
    /// Children of one shard: a power of two from 8 to 1,024.
    pub hamt_fanout: u64,
    /// Estimated bytes above which a directory is sharded; 0 never shards.
    pub hamt_threshold_bytes: u64,
    /// What is compared with `hamt_threshold_bytes`.
    pub size_estimation: SizeEstimation,
    /// Blocks of up to this many bytes (at most 128) live inside their Cid instead of the store.
    pub inline_limit: Option<usize>,
    /// Permission bits that the root of a file or folder carries; symlinks have none.
    pub mode: Option<u32>,
    /// Time of the last change that the root of a file, folder or symlink carries.
    pub mtime: Option<Mtime>,
}

/// Why options can't be used. Texts are those of the reference node where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Version 0 of Cids knows one hash function.
    #[error("CIDv0 only supports sha2-256")]
    HashNeedsVersion1,
    /// This node does not compute the function.
    #[error("hash function {0} is not supported")]
    Hash(HashCode),
    /// A chunk has at least one byte.
    #[error("chunker size must be greater than 0")]
    ChunkEmpty,
    /// The chunk would not fit in a block.
    #[error("chunker parameters may not exceed the maximum chunk size of {CHUNK_BYTES_MAX}")]
    ChunkTooLarge,
    /// A tree needs two children a node, and a node has to fit in a block.
    #[error("max-file-links {0} is not between 2 and {FILE_LINKS_MAX}")]
    FileLinks(usize),
    /// Shards are addressed by whole bits of a hash and have bit fields of whole bytes.
    #[error("HAMT fanout must be a power of 2, between 8 and {HAMT_FANOUT_MAX} (got {0})")]
    Fanout(u64),
    /// More than a Cid may carry.
    #[error("inline-limit {0} exceeds maximum allowed size of {IDENTITY_BYTES_MAX} bytes")]
    InlineLimit(usize),
    /// Mode and time of a file need a UnixFS message to stand in.
    #[error("raw-leaves can't be used with UnixFS metadata like mode or modification time")]
    MetadataNeedsMessage,
}

impl ErrorKind for OptionsError {
    fn kind(&self) -> Kind {
        match self {
            Self::Hash(_) => Kind::Unsupported,
            _ => Kind::Invalid,
        }
    }
}

/// What a person asked for about names; what they left open follows from the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Naming {
    /// Version of the Cids.
    pub cid_version: Option<Version>,
    /// The hash function.
    pub hash: Option<HashCode>,
    /// Whether chunks are stored as they are.
    pub raw_leaves: Option<bool>,
    /// Whether files and folders are given with mode or time.
    pub metadata: bool,
}

impl ImportOptions {
    /// The profile `unixfs-v0-2015`: what nodes did from the beginning.
    pub const fn unixfs_v0_2015() -> Self {
        Self {
            cid_version: Version::V0,
            hash: HashCode::SHA2_256,
            raw_leaves: false,
            chunk_bytes: 256 * 1024,
            file_links_max: 174,
            directory_links_max: 0,
            hamt_fanout: 256,
            hamt_threshold_bytes: 256 * 1024,
            size_estimation: SizeEstimation::Links,
            inline_limit: None,
            mode: None,
            mtime: None,
        }
    }

    /// The profile `unixfs-v1-2025`: larger chunks, stored as they are.
    pub const fn unixfs_v1_2025() -> Self {
        Self {
            cid_version: Version::V1,
            raw_leaves: true,
            chunk_bytes: 1024 * 1024,
            file_links_max: 1024,
            size_estimation: SizeEstimation::Block,
            ..Self::unixfs_v0_2015()
        }
    }

    /// Takes over what was asked for, and what follows from it: another hash function than SHA-256 means
    /// version 1; version 1 means raw leaves; metadata means none.
    ///
    /// # Errors
    /// [`OptionsError`] where the wishes contradict each other.
    pub fn with_naming(mut self, naming: Naming) -> Result<Self, OptionsError> {
        self.hash = naming.hash.unwrap_or(self.hash);
        self.cid_version = match naming.cid_version {
            Some(version) => version,
            None if self.hash != HashCode::SHA2_256 => Version::V1,
            None => self.cid_version,
        };
        let raised = self.cid_version == Version::V1
            && (naming.cid_version.is_some() || naming.hash.is_some_and(|hash| hash != HashCode::SHA2_256));
        self.raw_leaves = match naming.raw_leaves {
            Some(true) if naming.metadata => return Err(OptionsError::MetadataNeedsMessage),
            _ if naming.metadata => false,
            Some(chosen) => chosen,
            None => self.raw_leaves || raised,
        };
        self.check()?;
        Ok(self)
    }

    /// Whether content can be imported with these options.
    ///
    /// # Errors
    /// [`OptionsError`] for the first setting out of its bounds.
    pub fn check(&self) -> Result<(), OptionsError> {
        if !self.hash.is_computable() || self.hash == HashCode::IDENTITY {
            return Err(OptionsError::Hash(self.hash));
        }
        if self.cid_version == Version::V0 && self.hash != HashCode::SHA2_256 {
            return Err(OptionsError::HashNeedsVersion1);
        }
        if self.chunk_bytes == 0 {
            return Err(OptionsError::ChunkEmpty);
        }
        if self.chunk_bytes > CHUNK_BYTES_MAX {
            return Err(OptionsError::ChunkTooLarge);
        }
        if !(2..=FILE_LINKS_MAX).contains(&self.file_links_max) {
            return Err(OptionsError::FileLinks(self.file_links_max));
        }
        if !is_fanout(self.hamt_fanout) {
            return Err(OptionsError::Fanout(self.hamt_fanout));
        }
        match self.inline_limit {
            Some(limit) if limit > IDENTITY_BYTES_MAX => Err(OptionsError::InlineLimit(limit)),
            _ => Ok(()),
        }
    }

    /// What a root carries.
    pub(crate) fn metadata(&self) -> Metadata {
        Metadata { mode: self.mode, mtime: self.mtime }.normalised()
    }

    /// Names bytes by these options.
    ///
    /// # Errors
    /// [`BlockError`] where they are too many, or the hash can't be computed.
    pub(crate) fn block(&self, codec: Codec, data: Bytes) -> Result<Block, BlockError> {
        if self.inline_limit.is_some_and(|limit| data.len() <= limit) {
            return Block::hash(codec, HashCode::IDENTITY, data);
        }
        let block = Block::hash(codec, self.hash, data)?;
        if self.cid_version == Version::V1 || codec != Codec::DAG_PB {
            return Ok(block);
        }
        match Cid::v0(block.cid().hash().clone()) {
            Ok(name) => block.renamed(name),
            // Only a hash function other than SHA-256 gets here, and `check` refuses it with version 0.
            Err(_) => Ok(block),
        }
    }
}

/// Whether a shard may have so many children.
pub(crate) const fn is_fanout(fanout: u64) -> bool {
    fanout.is_power_of_two() && fanout >= 8 && fanout <= HAMT_FANOUT_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchosen_naming_follows_from_the_chosen() {
        let legacy = ImportOptions::unixfs_v0_2015();
        let named = |naming| legacy.clone().with_naming(naming);
        let plain = named(Naming::default()).unwrap();
        assert_eq!((plain.cid_version, plain.raw_leaves), (Version::V0, false));
        let hashed = named(Naming { hash: Some(HashCode::BLAKE3), ..Naming::default() }).unwrap();
        assert_eq!((hashed.cid_version, hashed.raw_leaves), (Version::V1, true));
        let v1 =
            named(Naming { cid_version: Some(Version::V1), metadata: true, ..Naming::default() }).unwrap();
        assert!(!v1.raw_leaves);
        let contradiction = Naming { raw_leaves: Some(true), metadata: true, ..Naming::default() };
        assert_eq!(named(contradiction), Err(OptionsError::MetadataNeedsMessage));
        let old =
            Naming { cid_version: Some(Version::V0), hash: Some(HashCode::BLAKE3), ..Naming::default() };
        assert_eq!(named(old), Err(OptionsError::HashNeedsVersion1));
    }

    #[test]
    fn bounds_are_exact() {
        let base = ImportOptions::unixfs_v1_2025();
        assert_eq!(base.check(), Ok(()));
        let with = |change: fn(&mut ImportOptions)| {
            let mut options = base.clone();
            change(&mut options);
            options.check()
        };
        assert_eq!(with(|o| o.chunk_bytes = CHUNK_BYTES_MAX), Ok(()));
        assert_eq!(with(|o| o.chunk_bytes = CHUNK_BYTES_MAX + 1), Err(OptionsError::ChunkTooLarge));
        assert_eq!(with(|o| o.chunk_bytes = 0), Err(OptionsError::ChunkEmpty));
        assert_eq!(with(|o| o.file_links_max = 1), Err(OptionsError::FileLinks(1)));
        assert_eq!(with(|o| o.inline_limit = Some(128)), Ok(()));
        assert_eq!(with(|o| o.inline_limit = Some(129)), Err(OptionsError::InlineLimit(129)));
        assert_eq!(with(|o| o.hamt_fanout = 2048), Err(OptionsError::Fanout(2048)));
        assert_eq!(with(|o| o.hamt_fanout = 100), Err(OptionsError::Fanout(100)));
    }
}
