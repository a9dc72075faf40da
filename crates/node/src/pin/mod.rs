//! Pins: promises to keep a block, or a block and everything below it.

mod below;
mod change;
mod error;
mod list;
mod verify;

pub use change::PinProgress;
pub use error::PinError;

use ipse_base::Cid;
use ipse_dag::{Leaves, Walk, WalkOptions};
use ipse_store::{Pin as PinRecord, PinMode};

use crate::fetch::{Driver, Stream};
use crate::source::NodeSource;

/// How a block is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinState {
    /// It and everything below it.
    Recursive,
    /// It alone.
    Direct,
    /// It is below a recursive pin.
    Indirect(Cid),
}

impl std::fmt::Display for PinState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recursive => f.write_str("recursive"),
            Self::Direct => f.write_str("direct"),
            Self::Indirect(root) => write!(f, "indirect through {root}"),
        }
    }
}

/// A line of `pin ls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The block.
    pub cid: Cid,
    /// How it is kept.
    pub state: PinState,
    /// The pin's name.
    pub name: Option<String>,
}

/// Which pins to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinFilter {
    /// Everything, blocks below recursive pins included.
    All,
    /// Recursive pins.
    Recursive,
    /// Direct pins.
    Direct,
    /// Blocks below recursive pins that are not pinned themselves.
    Indirect,
}

/// Every block below the roots, each once, leaves named and not read.
fn walk(source: &NodeSource, roots: Vec<Cid>, tolerate_absent: bool) -> Stream<ipse_dag::Visit> {
    let options =
        WalkOptions { leaves: Leaves::Name, unique: true, tolerate_absent, ..WalkOptions::default() };
    Driver::new(Walk::new(roots, options), source.clone()).into_stream()
}

impl From<PinRecord> for Pin {
    fn from(record: PinRecord) -> Self {
        let state = match record.mode {
            PinMode::Recursive => PinState::Recursive,
            PinMode::Direct => PinState::Direct,
        };
        Self { cid: record.cid, state, name: record.name }
    }
}
