//! Layout: links leaves into the balanced tree that is a file. Takes leaves in order, gives inner nodes as
//! soon as they are full, so a write of any length holds one row of links per level.
//!
//! The tree is the reference node's: all leaves equally deep, nodes filled from the left, a new root only
//! when there is more than the old one holds. A file of one chunk is its leaf.

use ipse_base::{Block, Cid, Codec};
use ipse_dag::{PbLink, PbNode};

use bytes::Bytes;

use crate::data::Data;
use crate::metadata::Metadata;
use crate::{ImportOptions, NodeKind, WriteError};

/// A leaf as its parent sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafLink {
    /// Its name.
    pub cid: Cid,
    /// Bytes of the file in it.
    pub content_bytes: u64,
    /// Bytes of its block.
    pub dag_bytes: u64,
}

/// Something that was written: a file, folder or symlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The root.
    pub cid: Cid,
    /// Bytes of content: of the file, or of all files below a folder.
    pub content_bytes: u64,
    /// Bytes of all blocks, each as often as it is linked; what the reference node prints as size.
    pub dag_bytes: u64,
}

/// Links leaves into a file.
#[derive(Debug)]
pub struct Layout {
    options: ImportOptions,
    /// The node being filled on each level, lowest first. None is empty but the lowest before the first leaf,
    /// and none holds more than `file_links_max`.
    levels: Vec<Vec<LeafLink>>,
}

impl Layout {
    /// Starts a file. The mode and time of the options go into the inner node at the top; the leaf of a file
    /// of one chunk has to have them already, see [`sole_leaf`](crate::sole_leaf).
    ///
    /// # Errors
    /// [`WriteError::Options`] where the options are out of bounds.
    pub fn new(options: ImportOptions) -> Result<Self, WriteError> {
        options.check()?;
        Ok(Self { options, levels: vec![Vec::new()] })
    }

    /// Takes the next leaf; returns the inner nodes that are full with it.
    ///
    /// # Errors
    /// [`WriteError::Block`] where a node can't be named.
    pub fn push(&mut self, leaf: LeafLink) -> Result<Vec<Block>, WriteError> {
        let mut blocks = Vec::new();
        self.push_at(0, leaf, &mut blocks)?;
        Ok(blocks)
    }

    /// Ends the file; returns its root and the inner nodes that were not full.
    ///
    /// # Errors
    /// [`WriteError::Empty`] where there was no leaf (an empty file has one), [`WriteError::Block`] where a
    /// node can't be named.
    pub fn finish(mut self) -> Result<(Added, Vec<Block>), WriteError> {
        let mut blocks = Vec::new();
        let mut level = 0;
        let root = loop {
            let links = std::mem::take(&mut self.levels[level]);
            let is_top = level + 1 == self.levels.len();
            if links.is_empty() {
                return Err(WriteError::Empty);
            }
            if let ([only], true) = (&links[..], is_top) {
                break only.clone();
            }
            if is_top {
                break self.node(links, self.options.metadata(), &mut blocks)?;
            }
            let node = self.node(links, Metadata::default(), &mut blocks)?;
            level += 1;
            self.push_at(level, node, &mut blocks)?;
        };
        let LeafLink { cid, content_bytes, dag_bytes } = root;
        Ok((Added { cid, content_bytes, dag_bytes }, blocks))
    }

    /// Puts a link on a level. A full level becomes a node of the level above first: there is more to come,
    /// so it is not the root.
    fn push_at(&mut self, level: usize, link: LeafLink, blocks: &mut Vec<Block>) -> Result<(), WriteError> {
        let mut level = level;
        let mut carried = link;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            if self.levels[level].len() < self.options.file_links_max {
                self.levels[level].push(carried);
                return Ok(());
            }
            let full = std::mem::replace(&mut self.levels[level], vec![carried]);
            carried = self.node(full, Metadata::default(), blocks)?;
            level += 1;
        }
    }

    fn node(
        &self,
        links: Vec<LeafLink>,
        metadata: Metadata,
        blocks: &mut Vec<Block>,
    ) -> Result<LeafLink, WriteError> {
        let content_bytes = links.iter().map(|link| link.content_bytes).sum();
        let linked_bytes: u64 = links.iter().map(|link| link.dag_bytes).sum();
        let message = Data {
            filesize: Some(content_bytes),
            block_sizes: links.iter().map(|link| link.content_bytes).collect(),
            metadata,
            ..Data::new(NodeKind::File)
        };
        let links = links.into_iter().map(|link| PbLink {
            cid: link.cid,
            name: Some(Bytes::new()),
            tsize: Some(link.dag_bytes),
        });
        let node = PbNode { data: Some(message.encode()), links: links.collect() };
        let block = self.options.block(Codec::DAG_PB, node.encode())?;
        let link = LeafLink {
            cid: block.cid().clone(),
            content_bytes,
            dag_bytes: linked_bytes + block.data().len() as u64,
        };
        keep(block, blocks);
        Ok(link)
    }
}

/// Hands a block out for storing, unless its Cid carries it.
pub(crate) fn keep(block: Block, blocks: &mut Vec<Block>) {
    if !block.cid().is_identity() {
        blocks.push(block);
    }
}
