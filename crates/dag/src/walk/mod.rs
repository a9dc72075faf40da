//! Walk: every block below some roots, in read order (depth first, a node before its links), whatever order the
//! blocks come in. What pin, refs, stat, export and collection drive.
//!
//! Two places move over the Dag. The *reader* ([`Walk::poll_out`]) goes in read order and alone decides what is
//! visited. The *scout* ([`Walk::wants`]) runs ahead of it over all that is here and says what will be needed: a
//! child that has arrived goes before later siblings. Whatever the scout overlooks, the reader asks for when it
//! gets there, so the scout may be bounded without any result depending on it.
//!
//! Memory: [`Fingerprints`](crate::Fingerprints) of what was visited, some 22 bytes a block where each is visited
//! once, 28 where depth is bounded too, none otherwise: a walk over 10⁸ blocks takes 2.1 GiB for them. Beside
//! that the links of the nodes between a root and the reader, some 100 bytes each, and what the budget allows.
//!
//! A walk asks for identity Cids as for any other; whoever drives it answers with
//! [`Block::implied_by`](ipse_base::Block::implied_by).

mod asked;
mod error;
mod frontier;
mod held;
mod seen;

pub use error::WalkError;

use std::sync::Arc;

use ipse_base::limits::DAG_DEPTH_MAX;
use ipse_base::{AbsentReason, Block, Cid, Codec, Want};

use crate::{Absent, Budget, Link, Planner, links};
use asked::{Asked, Place};
use frontier::{BranchId, Frontier};
use held::{Held, Hold};
use seen::{Novelty, Seen};

/// Places that the scout may be ahead of the reader. Matters only where blocks repeat and each repetition is
/// visited: there what is here already can be scouted without end and without asking for anything.
const PLACES_AHEAD_MAX: usize = 8192;

/// Links of nodes in view, read or not, over a whole walk.
const LINKS_IN_VIEW_MAX: usize = 1 << 20;

/// Whether leaves are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Every block is asked for and handed out.
    Read,
    /// Blocks that can't have links below them in this walk (raw ones, and those at the greatest depth) are
    /// visited by name and never asked for.
    Name,
}

/// How a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkOptions {
    /// Whether leaves are read.
    pub leaves: Leaves,
    /// Whether each block is visited once, at its first place in read order, rather than once for each link to it.
    pub unique: bool,
    /// Links to follow down from the roots at the most.
    pub depth_max: Option<usize>,
    /// Whether the walk goes on around blocks that can't be had.
    pub tolerate_absent: bool,
}

impl Default for WalkOptions {
    /// Everything is read, each block once, and every block must be there.
    fn default() -> Self {
        Self { leaves: Leaves::Read, unique: true, depth_max: None, tolerate_absent: false }
    }
}

/// One visited block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The block's name.
    pub cid: Cid,
    /// The block whose link led here; none for a root.
    pub parent: Option<Cid>,
    /// The name of that link; empty for a root.
    pub name: String,
    /// Bytes of the Dag below, as that link says.
    pub tsize: Option<u64>,
    /// Links followed from a root.
    pub depth: usize,
    /// The block, unless it is visited by name only or absent.
    pub block: Option<Block>,
    /// Whether it could not be had.
    pub absent: bool,
}

/// A walk over all blocks below some roots.
///
/// ```
/// use ipse_base::{Block, Codec, HashCode};
/// use ipse_dag::{Budget, Planner, Walk, WalkOptions};
///
/// let block = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into())?;
/// let mut walk = Walk::new(vec![block.cid().clone()], WalkOptions::default());
/// let wants = walk.wants(Budget { wants: 16, bytes: 1 << 20 });
/// assert_eq!(&wants[0].cid, block.cid());
/// walk.give(block.clone())?;
/// assert_eq!(walk.poll_out().and_then(|visit| visit.block), Some(block));
/// assert!(walk.poll_out().is_none() && walk.is_done());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Walk {
    options: WalkOptions,
    seen: Seen,
    frontier: Frontier,
    /// The branches that the reader is inside of, outermost first.
    reader: Vec<BranchId>,
    asked: Asked,
    held: Held,
}

/// What the reader stands in front of.
enum Head {
    /// Something to visit.
    Ready(Novelty),
    /// A block that has to come first.
    Blocked,
    /// The end.
    End,
}

impl Walk {
    /// A walk from these roots.
    pub fn new(roots: Vec<Cid>, options: WalkOptions) -> Self {
        let mut frontier = Frontier::default();
        let of_root = |cid| Link { cid, name: String::new(), tsize: None };
        let root = frontier.grow(None, None, roots.into_iter().map(of_root).collect());
        Self {
            options,
            seen: Seen::new(options.unique, options.depth_max.is_some()),
            frontier,
            reader: vec![root],
            asked: Asked::default(),
            held: Held::default(),
        }
    }

    /// Moves the reader over all that is not to be visited, and says what it stands in front of then.
    fn advance(&mut self) -> Head {
        while let Some(&top) = self.reader.last() {
            let branch = self.frontier.branch(top);
            let Some(link) = branch.and_then(|branch| branch.next_link()) else {
                self.reader.pop();
                self.frontier.prune(top);
                continue;
            };
            let depth = branch.map_or(0, |branch| branch.depth());
            let by_name = self.is_by_name(&link.cid, depth);
            match self.seen.look(&link.cid, depth) {
                Novelty::Known => self.frontier.skip(top),
                // Nothing is below, and it was visited already.
                Novelty::Shallower if by_name => self.frontier.skip(top),
                novelty if by_name => return Head::Ready(novelty),
                // Too deep is not taken from what is here: it is asked for, and refused when it comes.
                novelty if depth <= DAG_DEPTH_MAX && self.held.contains(&link.cid) => {
                    return Head::Ready(novelty);
                }
                _ => return Head::Blocked,
            }
        }
        Head::End
    }

    fn is_by_name(&self, cid: &Cid, depth: usize) -> bool {
        self.options.leaves == Leaves::Name && (cid.codec() == Codec::RAW || self.is_bottom(depth))
    }

    fn is_bottom(&self, depth: usize) -> bool {
        self.options.depth_max.is_some_and(|max| depth >= max)
    }

    /// Takes what the reader stands in front of, and steps inside.
    fn visit(&mut self) -> Option<Visit> {
        let top = *self.reader.last()?;
        let step = self.frontier.read(top)?;
        let hold = if self.is_by_name(&step.link.cid, step.depth) {
            Hold::default()
        } else {
            self.held.take(&step.link.cid, self.options.unique, step.scouted)
        };
        self.seen.insert(&step.link.cid, step.depth);
        if hold.links.is_empty() || self.is_bottom(step.depth) {
            step.below.into_iter().for_each(|id| self.frontier.prune(id));
        } else {
            let place = Place { branch: top, index: step.index };
            let below = step
                .below
                .unwrap_or_else(|| self.frontier.grow(Some(place), Some(&step.link.cid), hold.links));
            self.reader.push(below);
        }
        Some(Visit {
            cid: step.link.cid,
            parent: step.parent,
            name: step.link.name,
            tsize: step.link.tsize,
            depth: step.depth,
            block: hold.block,
            absent: hold.absent,
        })
    }

    /// Looks at one place ahead of the reader; gives a want if it needs a block that nobody has asked for.
    fn scout(&mut self, place: Place, link: &Link, depth: usize) -> Option<Want> {
        if self.is_by_name(&link.cid, depth) || depth > DAG_DEPTH_MAX {
            return None;
        }
        let known = self.options.unique && self.seen.look(&link.cid, depth) == Novelty::Known;
        let claimed = self.asked.contains(&link.cid) || self.held.contains(&link.cid);
        if known || (self.options.unique && claimed) {
            return None;
        }
        if self.asked.again(&link.cid, place) {
            return None;
        }
        if let Some(links) = self.held.expect(&link.cid) {
            self.expand(place, &link.cid, links);
            return None;
        }
        Some(self.ask(place, link))
    }

    fn ask(&mut self, place: Place, link: &Link) -> Want {
        self.asked.ask(self.frontier.path(place), place, link)
    }

    /// Puts the links of a block that is here where the scout will find them.
    fn expand(&mut self, place: Place, cid: &Cid, links: Arc<[Link]>) {
        let above = self.frontier.branch(place.branch);
        if !links.is_empty()
            && above.is_some_and(|above| above.is_ahead(place.index) && !self.is_bottom(above.depth()))
        {
            self.frontier.grow(Some(place), Some(cid), links);
        }
    }

    fn has_room(&self, budget: Budget) -> bool {
        self.asked.len() < budget.wants
            && self.asked.bytes() + self.held.bytes() < budget.bytes
            && self.asked.places() + self.held.places() < PLACES_AHEAD_MAX
    }

    fn take_in(&mut self, block: Block) -> Result<(), WalkError> {
        let Some(places) = self.asked.answer(block.cid()) else { return Ok(()) };
        let cid = block.cid().clone();
        let mut depths = places.iter().filter_map(|place| Some(self.frontier.branch(place.branch)?.depth()));
        if depths.any(|depth| depth > DAG_DEPTH_MAX) {
            return Err(WalkError::TooDeep(cid));
        }
        // Where only the roots are visited, what they hold does not matter, nor whether anybody can read it. With
        // more levels it does even at the lowest: the same block may be met again nearer to its root.
        let read = if self.options.depth_max == Some(0) { Ok(Vec::new()) } else { links(&cid, block.data()) };
        let links: Arc<[Link]> = match read {
            Ok(links) => links.into(),
            Err(source) => return Err(WalkError::Decode { cid, source }),
        };
        let hold = Hold { block: Some(block), absent: false, links: Arc::clone(&links) };
        self.asked.learn(&cid, hold.bytes());
        self.held.put(&cid, hold, places.len());
        for place in places {
            self.expand(place, &cid, Arc::clone(&links));
        }
        if self.frontier.links() > LINKS_IN_VIEW_MAX { Err(WalkError::TooWide(cid)) } else { Ok(()) }
    }

    /// Ends the walk where it is.
    fn end(&mut self) {
        self.reader.clear();
        self.frontier = Frontier::default();
        self.asked = Asked::default();
        self.held = Held::default();
    }
}

impl Planner for Walk {
    type Item = Visit;
    type Error = WalkError;

    fn wants(&mut self, budget: Budget) -> Vec<Want> {
        let mut wants = Vec::new();
        if let (Head::Blocked, Some(&top)) = (self.advance(), self.reader.last())
            && let Some((place, link)) = self.frontier.head(top)
            && !self.asked.contains(&link.cid)
        {
            wants.push(self.ask(place, &link));
        }
        while self.has_room(budget)
            && let Some((place, link, depth)) = self.frontier.scout()
        {
            wants.extend(self.scout(place, &link, depth));
        }
        wants
    }

    fn give(&mut self, block: Block) -> Result<(), WalkError> {
        self.take_in(block).inspect_err(|_| self.end())
    }

    fn absent(&mut self, cid: &Cid, reason: AbsentReason) -> Result<(), WalkError> {
        let Some(places) = self.asked.answer(cid) else { return Ok(()) };
        if !self.options.tolerate_absent {
            self.end();
            return Err(Absent { cid: cid.clone(), reason }.into());
        }
        self.held.put(cid, Hold { absent: true, ..Hold::default() }, places.len());
        Ok(())
    }

    fn poll_out(&mut self) -> Option<Visit> {
        while let Head::Ready(novelty) = self.advance() {
            let visit = self.visit()?;
            // A block met again nearer to the root was visited, but more may lie below it now.
            if novelty == Novelty::New {
                return Some(visit);
            }
        }
        None
    }

    fn is_done(&self) -> bool {
        self.reader.is_empty()
    }

    fn held(&self) -> u64 {
        self.held.bytes()
    }

    fn awaited(&self) -> Option<&Cid> {
        let head = self.frontier.branch(*self.reader.last()?)?.next_link()?;
        self.asked.contains(&head.cid).then_some(&head.cid)
    }
}
