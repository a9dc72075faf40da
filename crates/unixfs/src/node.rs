//! UnixfsNode: one block read as a part of a file or folder. Every reader starts from it.
//!
//! Invariant: what is in a node was in its block. Sizes are what the block says about itself; the readers
//! hold them against what arrives.

use bytes::Bytes;
use ipse_base::{Cid, Codec, ErrorKind, Kind};
use ipse_dag::{DecodeError, PbLink, PbNode};

use crate::data::Data;
use crate::{DataError, Mtime, NodeKind};

/// Why a block is not a part of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// Not dag-pb, although its name says so; or a codec that has no files.
    #[error("{cid}: {source}")]
    Block {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The UnixFS message in it is malformed or missing.
    #[error("{cid}: {source}")]
    Data {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: DataError,
    },
    /// Links without sizes, or sizes that contradict each other or overflow.
    #[error("{cid}: malformed data in file format: its sizes contradict each other")]
    Sizes {
        /// The block.
        cid: Cid,
    },
}

impl ErrorKind for NodeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Block { source, .. } => source.kind(),
            Self::Data { .. } | Self::Sizes { .. } => Kind::Corrupt,
        }
    }
}

/// A block read as a part of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixfsNode {
    pub(crate) message: Data,
    pub(crate) links: Vec<PbLink>,
}

impl UnixfsNode {
    /// Reads a block.
    ///
    /// # Errors
    /// [`NodeError::Block`] for other codecs than raw and dag-pb and for malformed dag-pb,
    /// [`NodeError::Data`] where there is no UnixFS message inside.
    pub fn decode(cid: &Cid, block: &Bytes) -> Result<Self, NodeError> {
        match cid.codec() {
            Codec::RAW => Ok(Self::raw(block.clone())),
            Codec::DAG_PB => {
                let node =
                    PbNode::decode(block).map_err(|source| NodeError::Block { cid: cid.clone(), source })?;
                Self::from_pb(node).map_err(|source| NodeError::Data { cid: cid.clone(), source })
            }
            other => {
                let source = DecodeError::UnknownCodec(other);
                Err(NodeError::Block { cid: cid.clone(), source })
            }
        }
    }

    /// Reads the message in a dag-pb node.
    pub(crate) fn from_pb(node: PbNode) -> Result<Self, DataError> {
        let PbNode { data, links } = node;
        let message = Data::decode(&data.ok_or(DataError::NoType)?, links.len())?;
        Ok(Self { message, links })
    }

    fn raw(data: Bytes) -> Self {
        let filesize = Some(data.len() as u64);
        Self { message: Data { data: Some(data), filesize, ..Data::new(NodeKind::Raw) }, links: Vec::new() }
    }

    /// What it is.
    pub const fn kind(&self) -> NodeKind {
        self.message.kind
    }

    /// Its own content: a file's bytes, a symlink's target, a shard's bit field. A slice of the block.
    pub const fn data(&self) -> Option<&Bytes> {
        self.message.data.as_ref()
    }

    /// The links: parts of a file, entries of a folder, entries and shards of a sharded one.
    pub fn links(&self) -> &[PbLink] {
        &self.links
    }

    /// Unix permission bits.
    pub const fn mode(&self) -> Option<u32> {
        self.message.metadata.mode
    }

    /// Time of the last change.
    pub const fn mtime(&self) -> Option<Mtime> {
        self.message.metadata.mtime
    }

    /// Bytes of the file that starts here, as the node says; of a symlink those of its target, of others
    /// none.
    pub fn file_size(&self) -> u64 {
        match self.kind() {
            NodeKind::Symlink => self.data().map_or(0, |target| target.len() as u64),
            _ => self.content_bytes().unwrap_or_default(),
        }
    }

    /// Bytes of the file that starts here: its own and those of its children, as it says. Nothing where its
    /// sizes contradict each other, or it is no file.
    pub fn content_bytes(&self) -> Option<u64> {
        let Data { kind, filesize, ref block_sizes, .. } = self.message;
        if !matches!(kind, NodeKind::File | NodeKind::Raw) || block_sizes.len() != self.links.len() {
            return None;
        }
        let own = self.data().map_or(0, |data| data.len() as u64);
        let total = block_sizes.iter().try_fold(own, |sum, &size| sum.checked_add(size))?;
        (filesize.unwrap_or(total) == total).then_some(total)
    }

    /// The target of a symlink, with a replacement character for what is not UTF-8.
    pub fn target(&self) -> Option<String> {
        let target = self.data().map(|target| String::from_utf8_lossy(target).into_owned());
        (self.kind() == NodeKind::Symlink).then(|| target.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use ipse_base::{HashCode, Multihash};

    use super::*;

    fn cid(codec: Codec) -> Cid {
        Cid::v1(codec, Multihash::digest_of(HashCode::SHA2_256, b"x").unwrap())
    }

    #[test]
    fn raw_blocks_are_files_and_other_codecs_are_none() {
        let node = UnixfsNode::decode(&cid(Codec::RAW), &"hello".into()).unwrap();
        assert_eq!(
            (node.kind(), node.content_bytes(), node.data()),
            (NodeKind::Raw, Some(5), Some(&"hello".into()))
        );
        let error = UnixfsNode::decode(&cid(Codec::DAG_CBOR), &"hello".into()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
    }

    #[test]
    fn sizes_that_contradict_each_other_are_no_size() {
        let link = PbLink { cid: cid(Codec::RAW), name: None, tsize: None };
        let file = |filesize, block_sizes: Vec<u64>| {
            let data = Data { filesize, block_sizes, ..Data::new(NodeKind::File) }.encode();
            let node = PbNode { data: Some(data), links: vec![link.clone(), link.clone()] };
            UnixfsNode::decode(&cid(Codec::DAG_PB), &node.encode()).unwrap().content_bytes()
        };
        assert_eq!(file(Some(3), vec![1, 2]), Some(3));
        assert_eq!(file(None, vec![1, 2]), Some(3));
        assert_eq!(file(Some(4), vec![1, 2]), None);
        assert_eq!(file(Some(1), vec![1]), None);
        assert_eq!(file(None, vec![1, u64::MAX]), None);
    }

    #[test]
    fn fuzz_node() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            if let Ok(node) = UnixfsNode::decode(&cid(Codec::DAG_PB), &bytes.clone().into()) {
                assert!(node.message.block_sizes.len() <= node.links().len());
                let _ = (node.content_bytes(), node.target());
            }
        });
    }
}
