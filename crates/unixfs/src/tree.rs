//! Tree: the planner that reads a whole folder, for `get` and for archives. Depth first, in the order of the
//! folders, with one frontier over all files: while one is being written, the next ones are on their way.
//!
//! Paths that come out are safe to write: no entry is called `..`, holds a slash or a NUL, and none is longer
//! than the limit of paths.

use std::sync::Arc;

use bytes::Bytes;
use ipse_base::limits::{DAG_DEPTH_MAX, PATH_BYTES_MAX};
use ipse_base::{AbsentReason, Block, Cid, Want};
use ipse_dag::{Budget, Planner};

use crate::content::{Content, Part, Piece};
use crate::folder::{Member, members, shard_members};
use crate::frontier::{Child, Frontier, Step, Steps, Visitor};
use crate::shard::Position;
use crate::{Mtime, NodeKind, ReadError, UnixfsNode};

/// What a tree yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeEvent {
    /// A folder; what is in it follows.
    Directory {
        /// Its path from the root on, which comes first in it.
        path: String,
        /// Unix permission bits.
        mode: Option<u32>,
        /// Time of the last change.
        mtime: Option<Mtime>,
    },
    /// A file; its bytes follow, up to [`TreeEvent::FileEnd`].
    File {
        /// Its path.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// Unix permission bits.
        mode: Option<u32>,
        /// Time of the last change.
        mtime: Option<Mtime>,
    },
    /// Bytes of the file that began last.
    Bytes(Bytes),
    /// The file that began last is whole.
    FileEnd,
    /// A symbolic link.
    Symlink {
        /// Its path.
        path: String,
        /// Where it points, as it was written; it may leave the folder.
        target: String,
        /// Time of the last change.
        mtime: Option<Mtime>,
    },
}

/// Reads a folder, file or symlink and all below it.
pub struct Tree {
    frontier: Frontier<Reading>,
}

struct Reading;

/// What a block is in the tree.
enum Task {
    /// A file, folder or symlink.
    Root { path: Arc<str>, depth: usize },
    /// More of a folder.
    Shard { path: Arc<str>, depth: usize, position: Position },
    /// A part of a file.
    Part(Part),
}

impl Tree {
    /// Reads all below `root`, which has the given path; nothing for a root without a name.
    pub fn new(root: Cid, path: impl Into<String>) -> Self {
        let path: Arc<str> = path.into().into();
        let task = Task::Root { path, depth: 0 };
        Self { frontier: Frontier::new(Reading, Child::root(root, task)) }
    }
}

type TreeStep = Step<Task, TreeEvent>;

impl Visitor for Reading {
    type Task = Task;
    type Item = TreeEvent;
    type Error = ReadError;

    fn visit(&mut self, task: Task, block: &Block) -> Result<Steps<Task, TreeEvent>, ReadError> {
        let cid = block.cid();
        match task {
            Task::Root { path, depth } => {
                if depth >= DAG_DEPTH_MAX {
                    return Err(ReadError::TooDeep(cid.clone()));
                }
                root(cid, UnixfsNode::decode(cid, block.data())?, &path, depth)
            }
            Task::Shard { path, depth, position } => {
                let node = UnixfsNode::decode(cid, block.data())?;
                let members = shard_members(cid, node, position)?;
                Ok(Box::new(below(cid, members, &path, depth)?))
            }
            Task::Part(part) => Ok(Box::new(Content::read(block, part)?.0.map(file_step))),
        }
    }

    fn weight(event: &TreeEvent) -> u64 {
        match event {
            TreeEvent::Bytes(bytes) => bytes.len() as u64,
            TreeEvent::FileEnd => 0,
            TreeEvent::Directory { path, .. } | TreeEvent::File { path, .. } => path.len() as u64,
            TreeEvent::Symlink { path, target, .. } => (path.len() + target.len()) as u64,
        }
    }
}

fn root(
    cid: &Cid,
    node: UnixfsNode,
    path: &Arc<str>,
    depth: usize,
) -> Result<Steps<Task, TreeEvent>, ReadError> {
    let (mode, mtime) = (node.mode(), node.mtime());
    let name = path.to_string();
    match node.kind() {
        NodeKind::Directory | NodeKind::Shard => {
            let members = members(cid, node)?;
            let directory = Step::Yield(TreeEvent::Directory { path: name, mode, mtime });
            Ok(Box::new(std::iter::once(directory).chain(below(cid, members, path, depth)?)))
        }
        NodeKind::Symlink => {
            let target = node.target().unwrap_or_default();
            Ok(Box::new(std::iter::once(Step::Yield(TreeEvent::Symlink { path: name, target, mtime }))))
        }
        NodeKind::File | NodeKind::Raw | NodeKind::Metadata => {
            let (content, size) = Content::of(cid, node, Part::whole(depth))?;
            let file = Step::Yield(TreeEvent::File { path: name, size, mode, mtime });
            let end = Step::Yield(TreeEvent::FileEnd);
            Ok(Box::new(std::iter::once(file).chain(content.map(file_step)).chain(std::iter::once(end))))
        }
    }
}

fn file_step(piece: Piece) -> TreeStep {
    match piece {
        Piece::Bytes(bytes) => Step::Yield(TreeEvent::Bytes(bytes)),
        Piece::Child(Child { cid, size_hint, below, task }) => {
            Step::Visit(Child { cid, size_hint, below, task: Task::Part(task) })
        }
    }
}

/// The steps into what is in a folder. Names are checked before the first is taken.
fn below(
    cid: &Cid,
    members: Vec<Member>,
    path: &Arc<str>,
    depth: usize,
) -> Result<impl Iterator<Item = TreeStep> + Send + use<>, ReadError> {
    for member in &members {
        if let Member::Entry { name, .. } = member
            && !(is_name(name) && path.len() + 1 + name.len() <= PATH_BYTES_MAX)
        {
            let name = String::from_utf8_lossy(name).chars().take(80).collect();
            return Err(ReadError::Name { cid: cid.clone(), name });
        }
    }
    let path = Arc::clone(path);
    Ok(members.into_iter().map(move |member| match member {
        Member::Entry { name, cid, tsize } => {
            let path = join(&path, &name);
            Step::Visit(Child::linked(cid, tsize, Task::Root { path, depth: depth + 1 }))
        }
        Member::Shard { cid, tsize, position } => {
            let path = Arc::clone(&path);
            Step::Visit(Child::linked(cid, tsize, Task::Shard { path, depth, position }))
        }
    }))
}

/// Whether an entry of this name stays in its folder when it is written to a disk.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | b'\0'))
}

fn join(path: &str, name: &[u8]) -> Arc<str> {
    let name = String::from_utf8_lossy(name);
    if path.is_empty() { name.into() } else { format!("{path}/{name}").into() }
}

impl Planner for Tree {
    type Item = TreeEvent;
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

    fn poll_out(&mut self) -> Option<TreeEvent> {
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
