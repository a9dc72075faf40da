//! Content: one node of a file, cut to the range that is read. Shared by all that read files.

use bytes::Bytes;
use ipse_base::limits::DAG_DEPTH_MAX;
use ipse_base::{Block, Cid};

use crate::frontier::{Child, is_leaf};
use crate::{NodeError, NodeKind, ReadError, UnixfsNode};

/// What is to be read of one node of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Bytes of the file below the node, as its parent says; unknown for a root.
    pub(crate) expected: Option<u64>,
    /// Bytes to leave out at its start.
    pub(crate) skip: u64,
    /// Bytes to read after those, if there are as many.
    pub(crate) take: u64,
    pub(crate) depth: usize,
}

impl Part {
    pub(crate) const fn whole(depth: usize) -> Self {
        Self { expected: None, skip: 0, take: u64::MAX, depth }
    }
}

/// A node of a file, checked: own bytes first, then those of its children.
pub(crate) struct Content {
    own: Bytes,
    children: std::vec::IntoIter<Child<Part>>,
}

/// What comes next in a file.
pub(crate) enum Piece {
    Bytes(Bytes),
    Child(Child<Part>),
}

impl Content {
    /// Reads a node; also tells how many bytes the whole file below it has.
    pub(crate) fn read(block: &Block, part: Part) -> Result<(Self, u64), ReadError> {
        let node = UnixfsNode::decode(block.cid(), block.data())?;
        Self::of(block.cid(), node, part)
    }

    /// As [`Content::read`], of a node that is decoded already.
    pub(crate) fn of(cid: &Cid, node: UnixfsNode, part: Part) -> Result<(Self, u64), ReadError> {
        match node.kind() {
            NodeKind::File | NodeKind::Raw => {}
            NodeKind::Directory | NodeKind::Shard if part.expected.is_none() => {
                return Err(ReadError::IsDirectory(cid.clone()));
            }
            NodeKind::Symlink if part.expected.is_none() => return Err(ReadError::IsSymlink(cid.clone())),
            kind => return Err(ReadError::Unexpected { cid: cid.clone(), kind: kind.name() }),
        }
        if part.depth >= DAG_DEPTH_MAX {
            return Err(ReadError::TooDeep(cid.clone()));
        }
        let actual = node.content_bytes().ok_or_else(|| NodeError::Sizes { cid: cid.clone() })?;
        match part.expected {
            Some(expected) if expected != actual => {
                Err(ReadError::Size { cid: cid.clone(), expected, actual })
            }
            _ => Ok((Self::cut(node, part), actual)),
        }
    }

    fn cut(node: UnixfsNode, part: Part) -> Self {
        let end = part.skip.saturating_add(part.take);
        let own = node.message.data.unwrap_or_default();
        let mut at = own.len() as u64;
        let own = own.slice(part.skip.min(at) as usize..end.min(at) as usize);
        let mut children = Vec::new();
        for (link, size) in node.links.into_iter().zip(node.message.block_sizes) {
            let start = at;
            // The sizes were added up before, without overflow.
            at += size;
            let skip = part.skip.max(start) - start;
            let take = (end.min(at).max(start) - start).saturating_sub(skip);
            // A part that has none of the bytes is not looked at. This also bounds hostile trees: every node
            // that is visited stands for bytes that will come.
            if take == 0 {
                continue;
            }
            let task = Part { expected: Some(size), skip, take, depth: part.depth + 1 };
            let block_bytes = if is_leaf(&link.cid) { size } else { link.tsize.unwrap_or_default() };
            children.push(Child { below: take, ..Child::linked(link.cid, block_bytes, task) });
        }
        Self { own, children: children.into_iter() }
    }
}

impl Iterator for Content {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if !self.own.is_empty() {
            return Some(Piece::Bytes(std::mem::take(&mut self.own)));
        }
        self.children.next().map(Piece::Child)
    }
}
