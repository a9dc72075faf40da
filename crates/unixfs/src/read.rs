//! FileReader: the planner that reads a file, or a range of it. Verified slices of blocks come out in order;
//! nothing is copied.
//!
//! Sizes in a file's nodes say where a range lies, and are never believed beyond that: a child that holds
//! more or fewer bytes than its parent says ends the read with an error that names it.

use std::ops::Range;

use bytes::Bytes;
use ipse_base::{AbsentReason, Block, Cid, Want};
use ipse_dag::{Budget, Planner};

use crate::content::{Content, Part, Piece};
use crate::frontier::{Child, Frontier, Step, Steps, Visitor};
use crate::{Mtime, ReadError, UnixfsNode};

/// Reads a file, or a range of it.
pub struct FileReader {
    root: Cid,
    frontier: Frontier<Reading>,
    /// Kept so that a seek needs no second fetch.
    root_block: Option<Block>,
}

#[derive(Default)]
struct Reading {
    about: Option<About>,
}

/// What the root says about the file.
#[derive(Debug, Clone, Copy)]
struct About {
    size: u64,
    mode: Option<u32>,
    mtime: Option<Mtime>,
}

impl FileReader {
    /// Reads the bytes of `range`, or those of them that the file has.
    pub fn new(root: Cid, range: Range<u64>) -> Self {
        Self { frontier: frontier(&root, range), root, root_block: None }
    }

    /// Reads the whole file.
    pub fn whole(root: Cid) -> Self {
        Self::new(root, 0..u64::MAX)
    }

    /// The size of the whole file, as soon as the root is here.
    pub fn file_size(&self) -> Option<u64> {
        self.frontier.visitor().about.map(|about| about.size)
    }

    /// Unix permission bits of the file, if it has some and the root is here.
    pub fn mode(&self) -> Option<u32> {
        self.frontier.visitor().about?.mode
    }

    /// Time of the last change, if the file has one and the root is here.
    pub fn mtime(&self) -> Option<Mtime> {
        self.frontier.visitor().about?.mtime
    }

    /// Goes on at another range; what was not taken out is dropped. Returns the blocks that are no longer
    /// wanted.
    ///
    /// # Errors
    /// Those of [`Planner::give`], for the root, which is read again.
    pub fn seek(&mut self, range: Range<u64>) -> Result<Vec<Cid>, ReadError> {
        let open = self.frontier.open().cloned().collect();
        self.frontier = frontier(&self.root, range);
        if let Some(block) = self.root_block.take() {
            let only = Budget { wants: 1, bytes: 1 };
            self.frontier.wants(only);
            self.give(block)?;
        }
        Ok(open)
    }
}

fn frontier(root: &Cid, range: Range<u64>) -> Frontier<Reading> {
    let take = range.end.saturating_sub(range.start);
    let part = Part { skip: range.start, take, ..Part::whole(0) };
    Frontier::new(Reading::default(), Child::root(root.clone(), part))
}

impl Visitor for Reading {
    type Task = Part;
    type Item = Bytes;
    type Error = ReadError;

    fn visit(&mut self, part: Part, block: &Block) -> Result<Steps<Part, Bytes>, ReadError> {
        let node = UnixfsNode::decode(block.cid(), block.data())?;
        let (mode, mtime) = (node.mode(), node.mtime());
        let (content, size) = Content::of(block.cid(), node, part)?;
        if part.expected.is_none() {
            self.about = Some(About { size, mode, mtime });
        }
        Ok(Box::new(content.map(|piece| match piece {
            Piece::Bytes(bytes) => Step::Yield(bytes),
            Piece::Child(child) => Step::Visit(child),
        })))
    }

    fn weight(item: &Bytes) -> u64 {
        item.len() as u64
    }
}

impl Planner for FileReader {
    type Item = Bytes;
    type Error = ReadError;

    fn wants(&mut self, budget: Budget) -> Vec<Want> {
        self.frontier.wants(budget)
    }

    fn give(&mut self, block: Block) -> Result<(), ReadError> {
        self.frontier.give(&block)?;
        if self.root_block.is_none() && *block.cid() == self.root {
            self.root_block = Some(block);
        }
        Ok(())
    }

    fn absent(&mut self, cid: &Cid, reason: AbsentReason) -> Result<(), ReadError> {
        self.frontier.absent(cid, reason)
    }

    fn poll_out(&mut self) -> Option<Bytes> {
        self.frontier.poll_out()
    }

    fn is_done(&self) -> bool {
        self.frontier.is_done()
    }

    fn held(&self) -> u64 {
        self.frontier.held()
    }

    fn awaited(&self) -> Option<&Cid> {
        self.frontier.awaited()
    }
}
