//! Planner: a walk as a value without input or output. It says which blocks it wishes to have, takes them in
//! any order, and gives its results in read order. Whoever drives it (`node`) does all waiting.

use ipse_base::{AbsentReason, Block, Cid, ErrorKind, Want};

/// How far ahead of its reader a planner may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Blocks that may be asked for and not yet here.
    pub wants: usize,
    /// Bytes that may be asked for, or here and not yet taken out by [`Planner::poll_out`].
    pub bytes: u64,
}

/// A walk without I/O.
///
/// The driver's loop: take everything out, ask for what is wanted, give what arrives; until done.
///
/// Wants come in read order: a child that arrives goes before later siblings, inner nodes before leaves, never
/// breadth first. The first block in read order is always asked for, however small the budget, so that a walk
/// never stands still.
pub trait Planner: Send {
    /// What the walk yields, in read order.
    type Item;
    /// How it fails.
    type Error: ErrorKind + Send + Sync + 'static;

    /// Wants not handed out before, within the budget counted over all that are open. Each is handed out
    /// once; the driver sees that it is answered by `give` or `absent`.
    fn wants(&mut self, budget: Budget) -> Vec<Want>;

    /// Takes a block that was wanted. One that was not is ignored.
    ///
    /// # Errors
    /// The walk's error where the block is malformed or breaks a limit; the walk is over then.
    fn give(&mut self, block: Block) -> Result<(), Self::Error>;

    /// Learns that a wanted block can't be had.
    ///
    /// # Errors
    /// The walk's error, unless it can go on without the block.
    fn absent(&mut self, cid: &Cid, reason: AbsentReason) -> Result<(), Self::Error>;

    /// The next result, if the blocks that it needs are here.
    fn poll_out(&mut self) -> Option<Self::Item>;

    /// Whether everything was yielded. False while `poll_out` has more.
    fn is_done(&self) -> bool;

    /// Bytes of blocks that are here and not yet taken out. A driver that finds them too many gives only what
    /// is [awaited](Planner::awaited) until they are fewer. A planner that keeps no content has none.
    fn held(&self) -> u64 {
        0
    }

    /// The open want that stands in the way of the next result, where the planner can tell.
    fn awaited(&self) -> Option<&Cid> {
        None
    }
}
