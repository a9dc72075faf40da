//! FileCursor: reads a file by position and keeps nothing of it between two reads but the position. A thousand
//! slow readers cost a thousand positions, where a stream would hold for each what it has read ahead.
//!
//! It serves what is on this node. A block that is not here is named to the caller, who goes on with a stream
//! ([`Node::read_file`]): that one asks peers for many blocks at a time.

use std::sync::Arc;

use bytes::Bytes;
use ipse_base::limits::{CACHED_FILE_BYTES_MAX, DAG_DEPTH_MAX};
use ipse_base::{Block, Cid};
use ipse_store::{AtHand, Reuse};
use ipse_unixfs::{FilePart, FileParts, ReadError as UnixfsReadError, UnixfsNode};

use crate::cat::UnixfsStat;
use crate::{Node, ReadError};

/// A file whose root is known. Shared by all who read it.
#[derive(Debug)]
pub struct File {
    cid: Cid,
    parts: Arc<FileParts>,
}

impl File {
    /// The file that a root block describes.
    ///
    /// # Errors
    /// [`ReadError`] where it is no file, or its sizes contradict each other.
    pub fn of(stat: &UnixfsStat) -> Result<Self, ReadError> {
        let parts = FileParts::of(&stat.cid, &stat.node).map_err(ReadError::plan)?;
        Ok(Self { cid: stat.cid.clone(), parts: Arc::new(parts) })
    }

    /// The root block.
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// Bytes of content.
    pub fn size(&self) -> u64 {
        self.parts.size()
    }

    /// Bytes of memory that this value takes.
    pub fn memory(&self) -> usize {
        self.parts.memory() + size_of::<Self>()
    }
}

/// What a cursor finds at its position.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes, verified: at most to the end of their block.
    Bytes(Bytes),
    /// They are in this block, which has to be read from the disk: see [`FileCursor::supply`].
    OnDisk(Cid),
    /// They are in or below this block, which is not on this node.
    Absent(Cid),
    /// Nothing is left.
    End,
}

/// A position in a file.
#[derive(Debug)]
pub struct FileCursor {
    file: Arc<File>,
    position: u64,
    end: u64,
    reuse: Reuse,
    /// The inner node that was looked into last.
    inner: Option<At>,
    /// A block that somebody waited for.
    supplied: Option<Block>,
}

/// A node of the file, and the position at which it begins.
#[derive(Debug, Clone)]
struct At {
    cid: Cid,
    start: u64,
    parts: Arc<FileParts>,
    depth: usize,
}

impl At {
    fn has(&self, position: u64) -> bool {
        (self.start..self.start + self.parts.size()).contains(&position)
    }
}

impl FileCursor {
    /// Reads from `start` on, and not beyond `end`.
    pub fn new(file: Arc<File>, start: u64, end: u64) -> Self {
        let end = end.min(file.size());
        let reuse = if file.size() > CACHED_FILE_BYTES_MAX { Reuse::Once } else { Reuse::Likely };
        Self { file, position: start.min(end), end, reuse, inner: None, supplied: None }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the next bytes are.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that are left.
    pub const fn left(&self) -> u64 {
        self.end - self.position
    }

    /// Goes back by bytes that were taken out and are not needed yet.
    pub const fn rewind(&mut self, bytes: u64) {
        self.position = self.position.saturating_sub(bytes);
    }

    /// Whether the same blocks are read again soon: by a reader that takes them in small parts, for one. A
    /// large file is otherwise taken for one that is read through once.
    pub fn comes_back(&mut self, again: bool) {
        let large = self.file.size() > CACHED_FILE_BYTES_MAX;
        self.reuse = if large && !again { Reuse::Once } else { Reuse::Likely };
    }

    /// Hands over a block that was named as [`Piece::OnDisk`].
    pub fn supply(&mut self, block: Block) {
        self.supplied = Some(block);
    }

    /// The next bytes, if they are at hand without waiting for the disk. `steps` counts down by the blocks that
    /// were looked into; where it is used up inside of a deep tree, the answer is no bytes and the position stays.
    ///
    /// # Errors
    /// [`ReadError`] where a block is damaged or not what its parent says.
    pub fn next_now(&mut self, node: &Node, steps: &mut usize) -> Result<Piece, ReadError> {
        if self.position >= self.end {
            return Ok(Piece::End);
        }
        let mut at = match &self.inner {
            Some(inner) if inner.has(self.position) => inner.clone(),
            _ => At { cid: self.file.cid.clone(), start: 0, parts: Arc::clone(&self.file.parts), depth: 0 },
        };
        while at.depth < DAG_DEPTH_MAX {
            let Some(part) = at.parts.at(self.position - at.start) else { return Ok(Piece::End) };
            let (cid, start, size) = match part {
                FilePart::Own => (at.cid.clone(), at.start, at.parts.size()),
                FilePart::Child { cid, start, end } => (cid.clone(), at.start + start, end - start),
            };
            *steps = steps.saturating_sub(1);
            let block = match self.take(node, &cid)? {
                AtHand::Block(block) => block,
                AtHand::Absent => return Ok(Piece::Absent(cid)),
                AtHand::OnDisk => return Ok(Piece::OnDisk(cid)),
            };
            let decoded = UnixfsNode::decode(&cid, block.data()).map_err(ReadError::plan)?;
            let parts = FileParts::of(&cid, &decoded).map_err(ReadError::plan)?;
            if parts.size() != size {
                let (expected, actual) = (size, parts.size());
                return Err(ReadError::plan(UnixfsReadError::Size { cid, expected, actual }));
            }
            if let Some(FilePart::Own) = parts.at(self.position - start) {
                return Ok(self.give(start, decoded.data().cloned().unwrap_or_default()));
            }
            at = At { cid, start, parts: Arc::new(parts), depth: at.depth + 1 };
            self.inner = Some(at.clone());
            if *steps == 0 {
                return Ok(Piece::Bytes(Bytes::new()));
            }
        }
        Err(ReadError::plan(UnixfsReadError::TooDeep(at.cid)))
    }

    fn take(&mut self, node: &Node, cid: &Cid) -> Result<AtHand, ReadError> {
        match self.supplied.take() {
            Some(block) if block.cid() == cid => Ok(AtHand::Block(block)),
            _ => node.source().now(cid, self.reuse).map_err(ReadError::from),
        }
    }

    /// The part of a node's own bytes, which begin at `start`, that comes next.
    fn give(&mut self, start: u64, own: Bytes) -> Piece {
        let from = self.position - start;
        let until = (self.end - start).min(own.len() as u64);
        self.position = start + until;
        Piece::Bytes(own.slice(from as usize..until as usize))
    }
}

impl Node {
    /// One block of a file from the disk, away from the caller's thread.
    ///
    /// # Errors
    /// [`ReadError`]; not found where it was removed meanwhile.
    pub async fn load(&self, cid: &Cid) -> Result<Block, ReadError> {
        let (source, wanted) = (self.source().clone(), cid.clone());
        let read = tokio::task::spawn_blocking(move || source.wait(&wanted, Reuse::Once));
        match read.await.map_err(|_| ReadError::Stopping)?? {
            Some(block) => Ok(block),
            None => self.block_get(cid).await,
        }
    }

    /// Counts removals of blocks and changes of what is denied: while the number stays the same, what could be
    /// read can be read.
    pub fn removals(&self) -> u64 {
        self.store().removals().wrapping_add(self.inner.denied.changes())
    }
}
