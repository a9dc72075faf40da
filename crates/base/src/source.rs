//! The seam that blocks come through. It is plural: a walk hands many wants to a session at once and takes
//! what arrives in any order, so that no walk ever waits for one block at a time.

use std::task::{Context, Poll};

use crate::{Block, Cid, ErrorKind, Kind};

/// One block that a walk wishes to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The block's name.
    pub cid: Cid,
    /// Higher is needed sooner. Walks give read order: the first want has the highest number.
    pub priority: i32,
    /// The block's size in bytes, where its parent tells; a hint that nobody may trust for allocation.
    pub size_hint: Option<u64>,
}

impl Want {
    /// A want without a size hint.
    pub fn new(cid: Cid, priority: i32) -> Self {
        Self { cid, priority, size_hint: None }
    }
}

/// Why a session gave up on a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentReason {
    /// The node is offline and does not hold it.
    Offline,
    /// Everyone who could be asked said no, or there is nobody to ask.
    NobodyHasIt,
    /// A source failed; see the session's log.
    Failed,
    /// The node holds it damaged, and no peer sent it in time.
    Damaged,
}

/// What a session answers to a want.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// The block, verified.
    Block(Block),
    /// The block can't be had here. The walk decides whether that ends it.
    Absent(Cid, AbsentReason),
}

/// A failure of a source itself, as opposed to a block that is not there.
#[derive(Debug, Clone, thiserror::Error)]
#[error("block {cid} could not be read: {message}")]
pub struct SourceError {
    /// The block that was being read.
    pub cid: Cid,
    /// What went wrong: the text of the underlying error.
    pub message: String,
    /// The kind of the underlying error.
    pub kind: Kind,
}

impl ErrorKind for SourceError {
    fn kind(&self) -> Kind {
        self.kind
    }
}

/// Blocks that are at hand, without asking the network. Calls may read the disk.
pub trait LocalBlocks: Send + Sync {
    /// The block, if it is at hand.
    ///
    /// # Errors
    /// [`SourceError`] where the block is there but could not be read (a failing disk, a wrong checksum).
    fn local(&self, cid: &Cid) -> Result<Option<Block>, SourceError>;

    /// The block's size in bytes if it is at hand, without reading its content.
    ///
    /// # Errors
    /// [`SourceError`] where the index could not be read.
    fn local_size(&self, cid: &Cid) -> Result<Option<u64>, SourceError>;
}

/// Something that blocks can be had from, at hand or not.
pub trait BlockSource: LocalBlocks {
    /// Opens a session: wants that belong together, such as those of one file.
    fn session(&self) -> Box<dyn BlockSession>;
}

/// A running exchange for wants that belong together.
///
/// Dropping the session cancels everything it still wants.
pub trait BlockSession: Send {
    /// Adds wants. A Cid that is wanted already keeps its place and takes the higher priority.
    fn want(&mut self, wants: Vec<Want>);

    /// Takes wants back; unknown Cids are ignored.
    fn cancel(&mut self, cids: &[Cid]);

    /// The next delivery, in whatever order they come; `Ready(None)` when nothing is wanted any more.
    /// Cancellation safe: a delivery is either returned or still in the session.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivery>>;
}
