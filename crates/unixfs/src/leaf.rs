//! Leaf: one chunk made into a block. Pure, so that a write may make leaves on every core at once.

use bytes::Bytes;
use ipse_base::{Block, BlockError, Codec};
use ipse_dag::PbNode;

use crate::data::Data;
use crate::metadata::Metadata;
use crate::{ImportOptions, LeafLink, NodeKind};

/// A chunk as a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The block.
    pub block: Block,
    /// Bytes of the chunk.
    pub content_bytes: u64,
}

impl Leaf {
    /// What the layout needs to know of it.
    pub fn link(&self) -> LeafLink {
        LeafLink {
            cid: self.block.cid().clone(),
            content_bytes: self.content_bytes,
            dag_bytes: self.block.data().len() as u64,
        }
    }
}

/// Makes a chunk into a leaf: the chunk itself, or in a message of the kind File. The specification would
/// have Raw; the balanced layout has written File since its first day, and names depend on it.
///
/// # Errors
/// [`BlockError`] where the chunk is too large or the hash can't be computed.
pub fn leaf(options: &ImportOptions, chunk: Bytes) -> Result<Leaf, BlockError> {
    make(options, chunk, Metadata::default())
}

/// As [`leaf`], for a file that is this one chunk: it carries the mode and time of the options, unless it is
/// raw.
///
/// # Errors
/// As [`leaf`].
pub fn sole_leaf(options: &ImportOptions, chunk: Bytes) -> Result<Leaf, BlockError> {
    make(options, chunk, options.metadata())
}

fn make(options: &ImportOptions, chunk: Bytes, metadata: Metadata) -> Result<Leaf, BlockError> {
    let content_bytes = chunk.len() as u64;
    let block = if options.raw_leaves {
        options.block(Codec::RAW, chunk)?
    } else {
        let message = Data {
            data: (!chunk.is_empty()).then_some(chunk),
            filesize: Some(content_bytes),
            metadata,
            ..Data::new(NodeKind::File)
        };
        let node = PbNode { data: Some(message.encode()), links: Vec::new() };
        options.block(Codec::DAG_PB, node.encode())?
    };
    Ok(Leaf { block, content_bytes })
}
