//! Single blocks: get, put, stat, rm.

use bytes::Bytes;
use ipse_base::{
    Block, BlockError, BlockSink, Cid, Codec, ErrorKind, HashCode, Kind, LocalBlocks, SinkError, Version,
};
use ipse_store::{PinError, PinMode, WriteError};

use crate::{Node, PinState, ReadError, fetch};

/// How to put a block.
#[derive(Debug, Clone)]
pub struct BlockPutOptions {
    /// The codec in its name.
    pub codec: Codec,
    /// The hash in its name.
    pub hash: HashCode,
    /// The version of its name; 0 only for dag-pb with SHA-256.
    pub version: Version,
    /// Whether to pin it, itself and what it links.
    pub pin: bool,
    /// Whether it may be larger than peers take.
    pub allow_big: bool,
}

/// Why a block could not be put.
#[derive(Debug, thiserror::Error)]
pub enum BlockPutError {
    /// Too large, or its hash can't be made here.
    #[error(transparent)]
    Block(BlockError),
    /// Larger than peers take, and nobody said that this is meant.
    #[error(
        "produced block is over 2MiB: big blocks can't be exchanged with other peers. consider using UnixFS for automatic chunking of bigger files, or pass --allow-big-block to override"
    )]
    TooBig,
    /// The name can't have that version.
    #[error(transparent)]
    Cid(#[from] ipse_base::CidError),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] SinkError),
    /// The pin can't be made.
    #[error("pin: {0}")]
    Pin(#[from] PinError),
    /// The node is going down.
    #[error("the node is shutting down")]
    Stopping,
}

impl ErrorKind for BlockPutError {
    fn kind(&self) -> Kind {
        match self {
            Self::Block(error) => error.kind(),
            Self::TooBig | Self::Cid(_) => Kind::Invalid,
            Self::Store(error) => error.kind(),
            Self::Pin(error) => error.kind(),
            Self::Stopping => Kind::Unavailable,
        }
    }
}

/// Why one block was not removed. The texts are the reference node's.
#[derive(Debug, thiserror::Error)]
pub enum BlockRemoveError {
    /// A pin keeps it.
    #[error("pinned: {0}")]
    Pinned(String),
    /// It is not here.
    #[error("ipld: could not find {0}")]
    NotFound(Cid),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] WriteError),
    /// The pins could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl ErrorKind for BlockRemoveError {
    fn kind(&self) -> Kind {
        match self {
            Self::Pinned(_) => Kind::Conflict,
            Self::NotFound(_) => Kind::NotFound,
            Self::Store(error) => error.kind(),
            Self::Read(error) => error.kind(),
        }
    }
}

impl Node {
    /// One block, from here or from peers.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn block_get(&self, cid: &Cid) -> Result<Block, ReadError> {
        fetch::block(self.source(), cid).await
    }

    /// A block's size in bytes; it is fetched if it is not here.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn block_size(&self, cid: &Cid) -> Result<u64, ReadError> {
        match self.source().local_size(cid)? {
            Some(size) => Ok(size),
            None => Ok(fetch::block(self.source(), cid).await?.data().len() as u64),
        }
    }

    /// Puts one block; durable on return.
    ///
    /// # Errors
    /// [`BlockPutError`].
    pub async fn block_put(&self, data: Bytes, options: BlockPutOptions) -> Result<Cid, BlockPutError> {
        let made = match options.allow_big {
            true => Block::hash_of_any_size(options.codec, options.hash, data),
            false => Block::hash(options.codec, options.hash, data),
        };
        let block = made.map_err(|error| match error {
            BlockError::TooLarge { .. } => BlockPutError::TooBig,
            other => BlockPutError::Block(other),
        })?;
        let cid = block.cid().to_version(options.version)?;
        let (node, named) = (self.clone(), cid.clone());
        let put = tokio::task::spawn_blocking(move || -> Result<(), BlockPutError> {
            let store = node.store();
            let blocks = [block];
            store.put(&blocks)?;
            node.announce_local(&blocks);
            match options.pin {
                true => Ok(store.pin(&named, PinMode::Recursive, None)?),
                false => Ok(store.commit()?),
            }
        });
        put.await.map_err(|_| BlockPutError::Stopping)??;
        Ok(cid)
    }

    /// Removes blocks that no pin keeps; one answer for each, in order. With `force`, what is not here is
    /// passed over.
    ///
    /// # Errors
    /// [`ReadError`] where the pins could not be read; nothing was removed then.
    pub async fn block_remove(
        &self,
        cids: Vec<Cid>,
        force: bool,
    ) -> Result<Vec<(Cid, Result<(), BlockRemoveError>)>, ReadError> {
        let pinned = self.pins_of(&cids).await?;
        let node = self.clone();
        tokio::task::spawn_blocking(move || node.remove_all(cids.into_iter().zip(pinned), force))
            .await
            .map_err(|_| ReadError::Stopping)
    }

    fn remove_all(
        &self,
        blocks: impl Iterator<Item = (Cid, Option<PinState>)>,
        force: bool,
    ) -> Vec<(Cid, Result<(), BlockRemoveError>)> {
        let remove = |(cid, pin): (Cid, Option<PinState>)| {
            let answer = match pin {
                Some(pin) => Err(BlockRemoveError::Pinned(pin.to_string())),
                None => self.remove_one(&cid, force),
            };
            (cid, answer)
        };
        let mut answers: Vec<_> = blocks.map(remove).collect();
        if let Err(error) = self.store().commit_blocks() {
            // What may be back after a power cut was not removed.
            for (_, answer) in answers.iter_mut().filter(|(_, answer)| answer.is_ok()) {
                *answer = Err(WriteError::from(error.clone()).into());
            }
        }
        answers
    }

    fn remove_one(&self, cid: &Cid, force: bool) -> Result<(), BlockRemoveError> {
        let here = self.store().local_size(cid).map_err(ReadError::from)?.is_some();
        match (here, force) {
            (true, _) => Ok(self.store().delete(std::slice::from_ref(cid)).map(|_| ())?),
            (false, true) => Ok(()),
            (false, false) => Err(BlockRemoveError::NotFound(cid.clone())),
        }
    }
}
