//! Leaf: one chunk made into a block. Pure, so that a write may make leaves on every core at once.

use bytes::Bytes;
use ipse_base::{Block, BlockError, Codec};
use ipse_dag::protobuf::write_bytes_prefix;

use crate::data::Data;
use crate::metadata::Metadata;
use crate::{ImportOptions, LeafLink, NodeKind};

/// The number of the field of a dag-pb node that holds the message.
const NODE_DATA: u32 = 1;

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
    LeafFrame::new(options, chunk.len(), false).leaf(chunk)
}

/// As [`leaf`], for a file that is this one chunk: it carries the mode and time of the options, unless it is
/// raw.
///
/// # Errors
/// As [`leaf`].
pub fn sole_leaf(options: &ImportOptions, chunk: Bytes) -> Result<Leaf, BlockError> {
    LeafFrame::new(options, chunk.len(), true).leaf(chunk)
}

/// What stands around a chunk in its block. It depends on the chunk's length alone, so that a file can be read
/// to the very place where its block is hashed.
#[derive(Debug)]
pub struct LeafFrame<'a> {
    options: &'a ImportOptions,
    content_bytes: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl<'a> LeafFrame<'a> {
    /// The frame of a chunk of so many bytes; `sole` where it is all of its file.
    pub fn new(options: &'a ImportOptions, content_bytes: usize, sole: bool) -> Self {
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        if !options.raw_leaves {
            let metadata = if sole { options.metadata() } else { Metadata::default() };
            let filesize = Some(content_bytes as u64);
            let message = Data { filesize, metadata, ..Data::new(NodeKind::File) };
            let (before, after) = message.encode_around((content_bytes > 0).then_some(content_bytes));
            write_bytes_prefix(NODE_DATA, before.len() + content_bytes + after.len(), &mut head);
            head.extend_from_slice(&before);
            tail = after;
        }
        Self { options, content_bytes, head, tail }
    }

    /// What stands before the chunk.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// What stands behind it.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Bytes of the whole block.
    pub const fn block_bytes(&self) -> usize {
        self.head.len() + self.content_bytes + self.tail.len()
    }

    /// The leaf whose block is `bytes`: head, chunk and tail.
    ///
    /// # Errors
    /// [`BlockError`] where they are too many, or the hash can't be computed.
    pub fn framed(&self, bytes: Bytes) -> Result<Leaf, BlockError> {
        debug_assert_eq!(bytes.len(), self.block_bytes());
        let codec = if self.options.raw_leaves { Codec::RAW } else { Codec::DAG_PB };
        Ok(Leaf { block: self.options.block(codec, bytes)?, content_bytes: self.content_bytes as u64 })
    }

    fn leaf(&self, chunk: Bytes) -> Result<Leaf, BlockError> {
        if self.options.raw_leaves {
            return self.framed(chunk);
        }
        self.framed([&self.head[..], &chunk[..], &self.tail[..]].concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipse_dag::PbNode;

    #[test]
    fn frames_are_what_the_codecs_write() {
        for (length, sole) in [(0, true), (1, true), (5, false), (127, true), (128, false), (20_000, true)] {
            let options =
                ImportOptions { mode: Some(0o644), mtime: Some((-1, 7)), ..ImportOptions::unixfs_v0_2015() };
            let chunk = Bytes::from(vec![7; length]);
            let metadata = if sole { options.metadata() } else { Metadata::default() };
            let message = Data {
                data: (length > 0).then(|| chunk.clone()),
                filesize: Some(length as u64),
                metadata,
                ..Data::new(NodeKind::File)
            };
            let node = PbNode { data: Some(message.encode()), links: Vec::new() }.encode();
            let made = if sole { sole_leaf(&options, chunk) } else { leaf(&options, chunk) }.unwrap();
            assert_eq!((made.block.data(), made.content_bytes), (&node, length as u64));
        }
    }
}
