//! ListDirectory: the planner that lists a folder, plain or sharded. Entries come in the order in which the
//! folder has them: by name, or by the hash of the name.

use std::collections::VecDeque;

use ipse_base::{AbsentReason, Block, Cid, Want};
use ipse_dag::{Budget, Planner};

use crate::folder::{Member, members, shard_members};
use crate::frontier::{Child, Frontier, Step, Steps, Visitor};
use crate::shard::Position;
use crate::{ReadError, UnixfsNode};

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, with a replacement character for what is not UTF-8.
    pub name: String,
    /// Its root.
    pub cid: Cid,
    /// Bytes of all its blocks, as the folder says.
    pub tsize: u64,
}

/// Lists a folder. What is no folder has its links as entries, so a file lists its parts, as in the reference
/// node.
pub struct ListDirectory {
    frontier: Frontier<Listing>,
    /// The run of entries that is being given out.
    run: VecDeque<Entry>,
}

struct Listing;

impl ListDirectory {
    /// Lists the folder at `root`.
    pub fn new(root: Cid) -> Self {
        let root = Child::root(root, Position::ROOT);
        Self { frontier: Frontier::new(Listing, root), run: VecDeque::new() }
    }
}

impl Visitor for Listing {
    type Task = Position;
    /// Entries with no shard between them.
    type Item = VecDeque<Entry>;
    type Error = ReadError;

    fn visit(
        &mut self,
        position: Position,
        block: &Block,
    ) -> Result<Steps<Position, VecDeque<Entry>>, ReadError> {
        let node = UnixfsNode::decode(block.cid(), block.data())?;
        let members = match position {
            Position::ROOT => members(block.cid(), node)?,
            _ => shard_members(block.cid(), node, position)?,
        };
        let mut steps = Vec::new();
        let mut run = VecDeque::new();
        for member in members {
            match member {
                Member::Entry { name, cid, tsize } => {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    run.push_back(Entry { name, cid, tsize });
                }
                Member::Shard { cid, tsize, position } => {
                    if !run.is_empty() {
                        steps.push(Step::Yield(std::mem::take(&mut run)));
                    }
                    steps.push(Step::Visit(Child::linked(cid, tsize, position)));
                }
            }
        }
        if !run.is_empty() {
            steps.push(Step::Yield(run));
        }
        Ok(Box::new(steps.into_iter()))
    }

    fn weight(run: &VecDeque<Entry>) -> u64 {
        run.iter().map(|entry| (entry.name.len() + size_of::<Entry>()) as u64).sum()
    }
}

impl Planner for ListDirectory {
    type Item = Entry;
    type Error = ReadError;

    fn wants(&mut self, budget: Budget) -> Vec<Want> {
        self.frontier.wants(budget)
    }

    fn give(&mut self, block: Block) -> Result<(), ReadError> {
        self.frontier.give(&block)
    }

    fn absent(&mut self, cid: &Cid, reason: AbsentReason) -> Result<(), ReadError> {
        self.frontier.absent(cid, reason)
    }

    fn poll_out(&mut self) -> Option<Entry> {
        if self.run.is_empty() {
            self.run = self.frontier.poll_out()?;
        }
        self.run.pop_front()
    }

    fn is_done(&self) -> bool {
        self.run.is_empty() && self.frontier.is_done()
    }
}
