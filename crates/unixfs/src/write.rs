//! FileWriter: bytes in, blocks out. Chunker, leaf and layout in a row, for whoever does not spread leaves
//! over cores.

use bytes::Bytes;
use ipse_base::{Block, BlockError, Codec, ErrorKind, Kind};
use ipse_dag::PbNode;

use crate::data::Data;
use crate::layout::keep;
use crate::metadata::Metadata;
use crate::{Added, ImportOptions, Layout, Leaf, NodeKind, OptionsError, Splitter, leaf, sole_leaf};

/// Why something could not be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The options are out of bounds.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A block could not be named.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A layout ended without a leaf.
    #[error("a file has at least one leaf")]
    Empty,
    /// A name that no folder can have.
    #[error("{name:?} can't be the name of an entry: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two names with the same hash of 64 bits.
    #[error("sharded directory too deep at {0:?}")]
    TooDeep(String),
}

impl ErrorKind for WriteError {
    fn kind(&self) -> Kind {
        match self {
            Self::Options(error) => error.kind(),
            Self::Block(error) => error.kind(),
            Self::Empty => Kind::Internal,
            Self::Name { .. } | Self::TooDeep(_) => Kind::Invalid,
        }
    }
}

/// Writes one file.
#[derive(Debug)]
pub struct FileWriter {
    options: ImportOptions,
    splitter: Splitter,
    layout: Layout,
    /// The first chunk, until it is known whether it is the only one: then it is the root and carries the
    /// metadata.
    first: First,
}

#[derive(Debug)]
enum First {
    Expected,
    Held(Bytes),
    Written,
}

impl FileWriter {
    /// Starts a file. Its root carries the mode and time of the options; a file of one raw leaf can't, see
    /// [`ImportOptions::with_naming`].
    ///
    /// # Errors
    /// [`WriteError::Options`] where the options are out of bounds.
    pub fn new(options: ImportOptions) -> Result<Self, WriteError> {
        let layout = Layout::new(options.clone())?;
        let splitter = Splitter::new(options.chunk_bytes);
        Ok(Self { options, splitter, layout, first: First::Expected })
    }

    /// Takes more of the file; returns the blocks that are done.
    ///
    /// # Errors
    /// [`WriteError::Block`] where a block can't be named.
    pub fn write(&mut self, input: impl Into<Bytes>) -> Result<Vec<Block>, WriteError> {
        let mut blocks = Vec::new();
        for chunk in self.splitter.push(input.into()) {
            self.push(chunk, &mut blocks)?;
        }
        Ok(blocks)
    }

    /// Ends the file; returns its root and the blocks that are left.
    ///
    /// # Errors
    /// [`WriteError::Block`] where a block can't be named.
    pub fn finish(mut self) -> Result<(Added, Vec<Block>), WriteError> {
        let mut blocks = Vec::new();
        if let Some(chunk) = self.splitter.finish() {
            self.push(chunk, &mut blocks)?;
        }
        match std::mem::replace(&mut self.first, First::Written) {
            First::Written => {}
            First::Held(only) => self.link(sole_leaf(&self.options, only)?, &mut blocks)?,
            First::Expected => self.link(sole_leaf(&self.options, Bytes::new())?, &mut blocks)?,
        }
        let (added, rest) = self.layout.finish()?;
        blocks.extend(rest);
        Ok((added, blocks))
    }

    fn push(&mut self, chunk: Bytes, blocks: &mut Vec<Block>) -> Result<(), WriteError> {
        match std::mem::replace(&mut self.first, First::Written) {
            First::Expected => {
                self.first = First::Held(chunk);
                return Ok(());
            }
            First::Held(first) => self.link(leaf(&self.options, first)?, blocks)?,
            First::Written => {}
        }
        self.link(leaf(&self.options, chunk)?, blocks)
    }

    fn link(&mut self, leaf: Leaf, blocks: &mut Vec<Block>) -> Result<(), WriteError> {
        let link = leaf.link();
        keep(leaf.block, blocks);
        blocks.extend(self.layout.push(link)?);
        Ok(())
    }
}

/// A symbolic link as a block. It carries the time of the options; a mode has no meaning for it.
///
/// # Errors
/// [`WriteError::Options`] where the options are out of bounds, [`WriteError::Block`] where the target is too
/// long.
pub fn symlink(options: &ImportOptions, target: &str) -> Result<(Added, Block), WriteError> {
    options.check()?;
    let message = Data {
        data: Some(Bytes::copy_from_slice(target.as_bytes())),
        metadata: Metadata { mode: None, ..options.metadata() },
        ..Data::new(NodeKind::Symlink)
    };
    let node = PbNode { data: Some(message.encode()), links: Vec::new() };
    let block = options.block(Codec::DAG_PB, node.encode())?;
    let dag_bytes = block.data().len() as u64;
    Ok((Added { cid: block.cid().clone(), content_bytes: target.len() as u64, dag_bytes }, block))
}
