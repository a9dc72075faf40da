//! Resolve: the planner that follows a path, name by name: through folders, through the one branch of a
//! sharded folder that a name's hash leads to, and through dag-cbor and dag-json. Each block depends on the
//! one before, so there is nothing to run ahead to.

use ipse_base::{AbsentReason, Block, Cid, Codec, ErrorKind, Kind, Want};
use ipse_dag::{Absent, Budget, Planner, Step, StepError, follow};

use crate::folder::Member;
use crate::shard::{Position, Shard};
use crate::{NodeError, NodeKind, ShardError, UnixfsNode};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The last block on the way. It was not looked into, unless there is a remainder.
    pub cid: Cid,
    /// Names left for the inside of that block, which is dag-cbor or dag-json then.
    pub remainder: Vec<String>,
    /// The last name of the path.
    pub name: Option<String>,
}

/// Why a path leads nowhere. Texts are those of the reference node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A folder has no such entry, or what should have it is no folder.
    #[error("no link named {name:?} under {cid}")]
    NoLink {
        /// The name.
        name: String,
        /// Where it was looked for.
        cid: Cid,
    },
    /// A block on the way can't be had.
    #[error(transparent)]
    Absent(#[from] Absent),
    /// A block on the way is malformed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A node of a sharded folder is malformed.
    #[error("{cid}: {source}")]
    Shard {
        /// The shard.
        cid: Cid,
        /// What is wrong with it.
        source: ShardError,
    },
}

impl ErrorKind for ResolveError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoLink { .. } => Kind::NotFound,
            Self::Absent(error) => error.kind(),
            Self::Node(error) => error.kind(),
            Self::Shard { .. } => Kind::Corrupt,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoLink { cid, .. } => Some(format!("`ipse ls {cid}` shows the names there are")),
            Self::Absent(error) => error.hint(),
            Self::Node(_) | Self::Shard { .. } => None,
        }
    }
}

/// Follows a path.
pub struct Resolve {
    segments: Vec<String>,
    /// Segments that are behind us.
    followed: usize,
    /// What the segments so far led to.
    folder: Cid,
    /// The block that is looked into: the folder's root, or a shard of it.
    block: Cid,
    /// Where that shard lies.
    position: Position,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The block is to be asked for.
    Wanting,
    /// It was asked for.
    Waiting,
    /// The path is followed to its end and was not taken out.
    Found,
    Done,
    Failed,
}

impl Resolve {
    /// Follows `segments` from `root`. Without segments that is the root itself, and no block is wanted.
    pub fn new(root: Cid, segments: Vec<String>) -> Self {
        let state = if segments.is_empty() { State::Found } else { State::Wanting };
        Self { segments, followed: 0, folder: root.clone(), block: root, position: Position::ROOT, state }
    }

    fn look(&mut self, block: &Block) -> Result<(), ResolveError> {
        let cid = block.cid();
        match cid.codec() {
            Codec::DAG_PB => self.look_into_folder(block),
            Codec::RAW => Err(self.no_link()),
            _ => match follow(cid, block.data(), &self.segments[self.followed..]) {
                Ok((Step::Link(target), count)) => {
                    self.arrive(target, count);
                    Ok(())
                }
                Ok((Step::Inside(_), _)) => {
                    self.state = State::Found;
                    Ok(())
                }
                Err(StepError::NoLink { name, cid }) => Err(ResolveError::NoLink { name, cid }),
                Err(StepError::Decode(source)) => Err(NodeError::Block { cid: cid.clone(), source }.into()),
            },
        }
    }

    fn look_into_folder(&mut self, block: &Block) -> Result<(), ResolveError> {
        let name = self.segments[self.followed].as_bytes();
        let node = match UnixfsNode::decode(block.cid(), block.data()) {
            // A node that is dag-pb and not UnixFS has links with names all the same.
            Err(NodeError::Data { .. }) if self.position == Position::ROOT => {
                return self.look_into_links(block);
            }
            other => other?,
        };
        match node.kind() {
            NodeKind::File | NodeKind::Raw if self.position == Position::ROOT => return Err(self.no_link()),
            NodeKind::Shard => {}
            _ if self.position == Position::ROOT => return self.look_into_links(block),
            _ => {}
        }
        let shard = Shard::read(node, self.position)
            .map_err(|source| ResolveError::Shard { cid: block.cid().clone(), source })?;
        match shard.find(name) {
            Some(Member::Entry { name: found, cid, .. }) if found == name => {
                let cid = cid.clone();
                self.arrive(cid, 1);
                Ok(())
            }
            Some(Member::Shard { cid, position, .. }) => {
                self.position = *position;
                self.block = cid.clone();
                self.state = State::Wanting;
                Ok(())
            }
            _ => Err(self.no_link()),
        }
    }

    /// By the names of a dag-pb node's links.
    fn look_into_links(&mut self, block: &Block) -> Result<(), ResolveError> {
        let name = self.segments[self.followed].as_bytes();
        let node = ipse_dag::PbNode::decode(block.data())
            .map_err(|source| NodeError::Block { cid: block.cid().clone(), source })?;
        match node.links.into_iter().find(|link| link.name_bytes() == name) {
            Some(link) => {
                self.arrive(link.cid, 1);
                Ok(())
            }
            None => Err(self.no_link()),
        }
    }

    /// Goes to a block that the next `count` segments lead to.
    fn arrive(&mut self, cid: Cid, count: usize) {
        self.followed += count;
        self.folder = cid.clone();
        self.block = cid;
        self.position = Position::ROOT;
        self.state = if self.followed == self.segments.len() { State::Found } else { State::Wanting };
    }

    fn no_link(&self) -> ResolveError {
        ResolveError::NoLink { name: self.segments[self.followed].clone(), cid: self.folder.clone() }
    }
}

impl Planner for Resolve {
    type Item = Resolved;
    type Error = ResolveError;

    fn wants(&mut self, _budget: Budget) -> Vec<Want> {
        if self.state != State::Wanting {
            return Vec::new();
        }
        self.state = State::Waiting;
        vec![Want::new(self.block.clone(), i32::MAX)]
    }

    fn give(&mut self, block: Block) -> Result<(), ResolveError> {
        if self.state != State::Waiting || *block.cid() != self.block {
            return Ok(());
        }
        let looked = self.look(&block);
        if looked.is_err() {
            self.state = State::Failed;
        }
        looked
    }

    fn absent(&mut self, cid: &Cid, reason: AbsentReason) -> Result<(), ResolveError> {
        if self.state != State::Waiting || *cid != self.block {
            return Ok(());
        }
        self.state = State::Failed;
        Err(Absent { cid: cid.clone(), reason }.into())
    }

    fn poll_out(&mut self) -> Option<Resolved> {
        if self.state != State::Found {
            return None;
        }
        self.state = State::Done;
        let remainder = self.segments.split_off(self.followed);
        let name = remainder.last().or(self.segments.last()).cloned();
        Some(Resolved { cid: self.folder.clone(), remainder, name })
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }
}
