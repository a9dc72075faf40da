//! Frontier: the nodes in view whose links are not all read, as a tree of branches. A branch is a node at one
//! place in the Dag; its path (the index of a link in each node from the root down) orders it among all others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ipse_base::Cid;

use super::asked::Place;
use crate::Link;

/// Indices of links from the root down.
pub(super) type Path = Box<[usize]>;

/// Names a branch; never used twice in a walk, so an old one leads to nothing rather than to another branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BranchId(u64);

pub(super) struct Branch {
    /// The node; none above the roots.
    node: Option<Cid>,
    /// Its path and [`usize::MAX`], so that what the scout has passed inside of it goes before what is to come.
    order: Path,
    links: Arc<[Link]>,
    /// Links that the reader has passed.
    read: usize,
    /// Links that the scout has passed; never fewer than the reader.
    scouted: usize,
    /// The branches at its links, by index.
    below: HashMap<usize, BranchId>,
}

impl Branch {
    /// Where the reader stands.
    pub(super) fn next_link(&self) -> Option<&Link> {
        self.links.get(self.read)
    }

    /// Whether the reader has not passed a link.
    pub(super) const fn is_ahead(&self, index: usize) -> bool {
        index >= self.read
    }

    /// How deep what it links to lies; roots are at zero.
    pub(super) fn depth(&self) -> usize {
        self.order.len() - 1
    }
}

/// A link that the reader has just passed.
pub(super) struct Step {
    pub(super) link: Link,
    pub(super) parent: Option<Cid>,
    pub(super) index: usize,
    pub(super) depth: usize,
    /// Whether the scout had been here.
    pub(super) scouted: bool,
    /// The branch at it, if its block has been expanded.
    pub(super) below: Option<BranchId>,
}

#[derive(Default)]
pub(super) struct Frontier {
    branches: HashMap<BranchId, Branch>,
    /// The branches that the scout has not come to the end of, in read order.
    unscouted: BTreeMap<Path, BranchId>,
    links: usize,
    grown: u64,
}

impl Frontier {
    /// Links of all branches together.
    pub(super) const fn links(&self) -> usize {
        self.links
    }

    pub(super) fn branch(&self, id: BranchId) -> Option<&Branch> {
        self.branches.get(&id)
    }

    /// The path of a link.
    pub(super) fn path(&self, place: Place) -> Path {
        let above =
            self.branches.get(&place.branch).map_or(&[][..], |branch| &branch.order[..branch.depth()]);
        above.iter().copied().chain([place.index]).collect()
    }

    /// Adds a branch at a link, or above the roots. A link that has a branch keeps it; that at a link which the
    /// reader has passed belongs to the reader.
    pub(super) fn grow(&mut self, at: Option<Place>, node: Option<&Cid>, links: Arc<[Link]>) -> BranchId {
        let id = BranchId(self.grown);
        let path = at.map(|place| self.path(place)).unwrap_or_default();
        let order: Path = path.iter().copied().chain([usize::MAX]).collect();
        if let Some(place) = at
            && let Some(above) = self.branches.get_mut(&place.branch)
            && above.is_ahead(place.index)
        {
            if let Some(&there) = above.below.get(&place.index) {
                return there;
            }
            above.below.insert(place.index, id);
        }
        self.grown += 1;
        self.links += links.len();
        self.unscouted.insert(order.clone(), id);
        let branch = Branch { node: node.cloned(), order, links, read: 0, scouted: 0, below: HashMap::new() };
        self.branches.insert(id, branch);
        id
    }

    /// Drops a branch and all below it.
    pub(super) fn prune(&mut self, id: BranchId) {
        let mut doomed = vec![id];
        while let Some(id) = doomed.pop() {
            if let Some(branch) = self.branches.remove(&id) {
                self.links -= branch.links.len();
                self.unscouted.remove(&branch.order);
                doomed.extend(branch.below.into_values());
            }
        }
    }

    /// Where the reader stands, to ask for it; the scout need not come here any more.
    pub(super) fn head(&mut self, id: BranchId) -> Option<(Place, Link)> {
        let branch = self.branches.get_mut(&id)?;
        let link = branch.next_link()?.clone();
        branch.scouted = branch.scouted.max(branch.read + 1);
        Some((Place { branch: id, index: branch.read }, link))
    }

    /// Moves the reader past a link.
    pub(super) fn read(&mut self, id: BranchId) -> Option<Step> {
        let branch = self.branches.get_mut(&id)?;
        let index = branch.read;
        let link = branch.links.get(index)?.clone();
        let scouted = branch.scouted > index;
        branch.read += 1;
        branch.scouted = branch.scouted.max(branch.read);
        let below = branch.below.remove(&index);
        Some(Step { link, parent: branch.node.clone(), index, depth: branch.depth(), scouted, below })
    }

    /// Moves the reader past a link that is not visited, and drops what was scouted below it.
    pub(super) fn skip(&mut self, id: BranchId) {
        if let Some(below) = self.read(id).and_then(|step| step.below) {
            self.prune(below);
        }
    }

    /// Moves the scout past the first link in read order that it has not passed.
    pub(super) fn scout(&mut self) -> Option<(Place, Link, usize)> {
        loop {
            let first = self.unscouted.first_entry()?;
            let id = *first.get();
            if let Some(branch) = self.branches.get_mut(&id)
                && let Some(link) = branch.links.get(branch.scouted)
            {
                let place = Place { branch: id, index: branch.scouted };
                branch.scouted += 1;
                return Some((place, link.clone(), branch.depth()));
            }
            first.remove();
        }
    }
}
