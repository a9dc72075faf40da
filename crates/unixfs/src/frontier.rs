//! Frontier: the machinery under every planner of this crate. It keeps what a walk knows as one list in read
//! order: results that wait to be taken out, blocks that were asked for, and nodes whose children nobody has
//! looked at yet. Children are pulled out of their node one by one, only as far ahead as the budget allows.
//!
//! Invariants: the list is in read order, and the priorities of wants fall along it whenever each was handed out;
//! a Cid is handed out as a want once while it is open, however many places wait for it; the charge is the sum
//! over the list. Memory is bounded by the budget, plus what blocks that are larger than their parents said take
//! (at most the block limit for each open want).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter::Peekable;

use ipse_base::limits::BLOCK_BYTES_MAX;
use ipse_base::{AbsentReason, Block, Cid, Codec, Want};
use ipse_dag::{Absent, Budget};

/// What a block is taken for whose parent does not tell its size: a node of a large file or folder.
const UNKNOWN_BYTES: u64 = 64 * 1024;

/// What the list itself takes for a result, whatever is in it.
const ITEM_BYTES: u64 = 64;

/// Bytes of a walk that fall into one priority, as a power of two: half a tebibyte can be told apart.
const PRIORITY_SHIFT: u32 = 8;

/// Results without a block between that are taken out of a fresh node at once. Leaves end within them, so
/// that they leave no node behind.
const LEADING_STEPS: usize = 4;

/// A block that a walk leads to.
pub(crate) struct Child<T> {
    pub(crate) cid: Cid,
    /// The block's size, where the parent tells.
    pub(crate) size_hint: Option<u64>,
    /// Bytes to be read below it, as its parent says: what keeps the numbers of places behind it.
    pub(crate) below: u64,
    /// What the walk will do with it.
    pub(crate) task: T,
}

impl<T> Child<T> {
    /// A child by its link. `tsize` counts all that is below it, so it is the block's size only for leaves;
    /// what is larger than any block is certainly no leaf.
    pub(crate) fn linked(cid: Cid, tsize: u64, task: T) -> Self {
        let size_hint = (tsize > 0 && tsize <= BLOCK_BYTES_MAX as u64).then_some(tsize);
        Self { cid, size_hint, below: tsize, task }
    }

    /// The root of a walk, of which nothing is known.
    pub(crate) fn root(cid: Cid, task: T) -> Self {
        Self { cid, size_hint: None, below: 0, task }
    }

    fn charge(&self) -> u64 {
        self.size_hint.unwrap_or(UNKNOWN_BYTES)
    }

    fn width(&self) -> u64 {
        self.below.max(1)
    }
}

/// The next thing in read order below a node.
pub(crate) enum Step<T, I> {
    Yield(I),
    Visit(Child<T>),
}

/// All there is below a node.
pub(crate) type Steps<T, I> = Box<dyn Iterator<Item = Step<T, I>> + Send>;

/// What tells one walk from another: what it makes of a block.
pub(crate) trait Visitor: Send {
    /// What the walk has to remember about a block that it asked for.
    type Task: Send + 'static;
    type Item: Send + 'static;
    type Error: From<Absent>;

    /// Reads a block. What can be wrong with it is found here, not while the steps are taken.
    fn visit(
        &mut self,
        task: Self::Task,
        block: &Block,
    ) -> Result<Steps<Self::Task, Self::Item>, Self::Error>;

    /// Bytes that a result keeps in memory.
    fn weight(item: &Self::Item) -> u64;
}

type Id = usize;
const NONE: Id = Id::MAX;

struct Slot<V: Visitor> {
    state: State<V>,
    /// Counted against the budget.
    charge: u64,
    /// What it takes up in the numbers of places.
    width: u64,
    previous: Id,
    next: Id,
}

impl<V: Visitor> Slot<V> {
    /// Whether it waits for a node with more below it than any block holds.
    fn leads_far(&self) -> bool {
        matches!(self.state, State::Wanted(..)) && self.width > BLOCK_BYTES_MAX as u64
    }
}

enum State<V: Visitor> {
    Free,
    Item(V::Item),
    Wanted(V::Task, Cid),
    Node(Peekable<Steps<V::Task, V::Item>>),
}

/// A walk's list in read order.
pub(crate) struct Frontier<V: Visitor> {
    visitor: V,
    slots: Vec<Slot<V>>,
    free: Vec<Id>,
    head: Id,
    /// Which slots wait for a block.
    open: HashMap<Cid, Vec<Id>>,
    charged: u64,
    /// What of that is asked for and not here.
    asked: u64,
    /// What was read and is gone from the front of the list. With it a place keeps its number in the read order
    /// while the list gets shorter: a want that is handed out late must not go before an earlier one that still
    /// waits to be asked for. Numbers count bytes, so that a node takes up as much before it is here as its
    /// children do then.
    passed: u64,
    /// Whether the list holds nodes in places where the last look for wants did not find them.
    grown: bool,
    /// What a budget has to have free before the list is looked through again.
    rest: Rest,
    failed: bool,
}

/// How the last look for wants ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// At the end of the list: only a new node can bring more.
    Nothing,
    /// At the end of so many bytes: there is more as soon as a part of them is free.
    More(u64),
}

impl<V: Visitor> Frontier<V> {
    pub(crate) fn new(visitor: V, root: Child<V::Task>) -> Self {
        let steps: Steps<V::Task, V::Item> = Box::new(std::iter::once(Step::Visit(root)));
        let mut frontier = Self {
            visitor,
            slots: Vec::new(),
            free: Vec::new(),
            head: NONE,
            open: HashMap::new(),
            charged: 0,
            asked: 0,
            passed: 0,
            grown: true,
            rest: Rest::Nothing,
            failed: false,
        };
        frontier.head = frontier.allocate(State::Node(steps.peekable()), 0, 0, NONE, NONE);
        frontier
    }

    pub(crate) const fn visitor(&self) -> &V {
        &self.visitor
    }

    /// As [`ipse_dag::Planner::wants`]. The list is as long as the budget is large, so it is not looked through
    /// for each block that arrives, but when a quarter of the budget is free or a new node stands in it.
    pub(crate) fn wants(&mut self, budget: Budget) -> Vec<Want> {
        if !self.is_worth_a_look(budget) {
            return Vec::new();
        }
        self.grown = false;
        self.rest = Rest::Nothing;
        let mut bytes_max = budget.bytes;
        let mut wants = Vec::new();
        // The number of a place in read order: the first is needed soonest.
        let mut rank = self.passed;
        let mut at = self.head;
        while at != NONE {
            let has_room = self.open.len() < budget.wants && self.charged < bytes_max;
            if !has_room && at != self.head {
                self.rest = Rest::More(bytes_max);
                break;
            }
            let room_bytes = bytes_max.saturating_sub(self.charged);
            at = match &mut self.slots[at].state {
                State::Item(_) | State::Free | State::Wanted(..) => {
                    if self.slots[at].leads_far() {
                        // What is below it is read before all that follows, and will need room when it comes:
                        // nodes arrive in any order.
                        bytes_max = budget.bytes / 2;
                    }
                    rank = rank.saturating_add(self.slots[at].width);
                    self.slots[at].next
                }
                State::Node(steps) => match steps.peek() {
                    None => self.remove(at),
                    Some(Step::Yield(_)) if has_room => {
                        rank = rank.saturating_add(self.pull_item(at));
                        at
                    }
                    Some(Step::Visit(child))
                        if at == self.head || has_room && child.charge() <= room_bytes =>
                    {
                        let width = child.width();
                        wants.extend(self.pull_child(at, rank));
                        rank = rank.saturating_add(width);
                        at
                    }
                    Some(_) => {
                        self.rest = Rest::More(bytes_max);
                        break;
                    }
                },
            };
        }
        wants
    }

    fn is_worth_a_look(&self, budget: Budget) -> bool {
        // What is needed next is always asked for.
        let stuck = self.head != NONE && matches!(self.slots[self.head].state, State::Node(_));
        let has_room = self.open.len() < budget.wants && self.charged < budget.bytes;
        let is_due = match self.rest {
            Rest::Nothing => false,
            Rest::More(bytes_max) => {
                let quarter_free = bytes_max.min(budget.bytes) / 4 * 3;
                self.open.len() <= budget.wants / 4 * 3 && self.charged <= quarter_free
            }
        };
        stuck || (self.grown && has_room) || is_due
    }

    /// As [`ipse_dag::Planner::give`]; whether it was wanted is not told.
    pub(crate) fn give(&mut self, block: &Block) -> Result<(), V::Error> {
        for at in self.open.remove(block.cid()).unwrap_or_default() {
            let State::Wanted(task, _) = std::mem::replace(&mut self.slots[at].state, State::Free) else {
                continue;
            };
            self.asked = self.asked.saturating_sub(self.slots[at].charge);
            match self.visitor.visit(task, block) {
                Ok(steps) => self.expand(at, steps, block.data().len() as u64),
                Err(error) => {
                    self.fail();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// As [`ipse_dag::Planner::absent`]: no walk of this crate can go on without a block.
    pub(crate) fn absent(&mut self, cid: &Cid, reason: AbsentReason) -> Result<(), V::Error> {
        if !self.open.contains_key(cid) {
            return Ok(());
        }
        self.fail();
        Err(Absent { cid: cid.clone(), reason }.into())
    }

    /// As [`ipse_dag::Planner::poll_out`].
    pub(crate) fn poll_out(&mut self) -> Option<V::Item> {
        while self.head != NONE {
            let at = self.head;
            match &mut self.slots[at].state {
                State::Item(_) | State::Free => {
                    let state = std::mem::replace(&mut self.slots[at].state, State::Free);
                    self.passed = self.passed.saturating_add(self.slots[at].width);
                    self.remove(at);
                    if let State::Item(item) = state {
                        return Some(item);
                    }
                }
                State::Wanted(..) => return None,
                State::Node(steps) => match steps.next_if(|step| matches!(step, Step::Yield(_))) {
                    Some(Step::Yield(item)) => {
                        self.passed = self.passed.saturating_add(V::weight(&item).max(1));
                        return Some(item);
                    }
                    Some(Step::Visit(_)) => return None,
                    None if steps.peek().is_some() => return None,
                    None => {
                        self.remove(at);
                    }
                },
            }
        }
        None
    }

    /// Whether everything was yielded. Never true after an error, so that a cut result can't pass for a whole
    /// one.
    pub(crate) const fn is_done(&self) -> bool {
        self.head == NONE && !self.failed
    }

    /// As [`ipse_dag::Planner::held`].
    pub(crate) const fn held(&self) -> u64 {
        self.charged.saturating_sub(self.asked)
    }

    /// As [`ipse_dag::Planner::awaited`].
    pub(crate) fn awaited(&self) -> Option<&Cid> {
        match self.slots.get(self.head).map(|slot| &slot.state) {
            Some(State::Wanted(_, cid)) => Some(cid),
            _ => None,
        }
    }

    /// Cids that were handed out and not answered.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Cid> {
        self.open.keys()
    }

    /// Ends the walk and lets go of all it holds.
    fn fail(&mut self) {
        self.failed = true;
        self.slots = Vec::new();
        self.free = Vec::new();
        self.open = HashMap::new();
        self.head = NONE;
        self.charged = 0;
        self.asked = 0;
    }

    /// Moves a node's next step, a result, into the list in front of it; what it takes up there.
    fn pull_item(&mut self, at: Id) -> u64 {
        if let State::Node(steps) = &mut self.slots[at].state
            && let Some(Step::Yield(item)) = steps.next()
        {
            return self.insert_item(at, item);
        }
        0
    }

    /// Moves a node's next step, a block to visit, into the list in front of it; returns the want unless it
    /// is open already.
    fn pull_child(&mut self, at: Id, rank: u64) -> Option<Want> {
        let State::Node(steps) = &mut self.slots[at].state else {
            return None;
        };
        let Some(Step::Visit(child)) = steps.next() else {
            return None;
        };
        let (charge, width) = (child.charge(), child.width());
        let Child { cid, size_hint, task, .. } = child;
        let id = self.insert_before(at, State::Wanted(task, cid.clone()), charge, width);
        self.asked = self.asked.saturating_add(charge);
        match self.open.entry(cid) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push(id);
                None
            }
            Entry::Vacant(slot) => {
                let cid = slot.key().clone();
                slot.insert(vec![id]);
                Some(Want { cid, priority: priority(rank), size_hint })
            }
        }
    }

    /// Puts what is below a block in the place where it was wanted.
    fn expand(&mut self, at: Id, steps: Steps<V::Task, V::Item>, block_bytes: u64) {
        let mut steps = steps.peekable();
        for _ in 0..LEADING_STEPS {
            match steps.next_if(|step| matches!(step, Step::Yield(_))) {
                Some(Step::Yield(item)) => {
                    self.insert_item(at, item);
                }
                _ => break,
            }
        }
        if steps.peek().is_none() {
            self.remove(at);
            return;
        }
        self.charged = self.charged.saturating_sub(self.slots[at].charge).saturating_add(block_bytes);
        self.slots[at].charge = block_bytes;
        // What is below it takes up its places now.
        self.slots[at].width = 0;
        self.slots[at].state = State::Node(steps);
        self.grown = true;
    }

    /// Puts a result in front of a place; what it takes up there.
    fn insert_item(&mut self, at: Id, item: V::Item) -> u64 {
        let weight = V::weight(&item);
        let width = weight.max(1);
        self.insert_before(at, State::Item(item), weight.saturating_add(ITEM_BYTES), width);
        width
    }

    fn insert_before(&mut self, at: Id, state: State<V>, charge: u64, width: u64) -> Id {
        let previous = self.slots[at].previous;
        let id = self.allocate(state, charge, width, previous, at);
        self.slots[at].previous = id;
        match previous {
            NONE => self.head = id,
            before => self.slots[before].next = id,
        }
        id
    }

    fn allocate(&mut self, state: State<V>, charge: u64, width: u64, previous: Id, next: Id) -> Id {
        self.charged = self.charged.saturating_add(charge);
        let slot = Slot { state, charge, width, previous, next };
        if let Some(id) = self.free.pop() {
            self.slots[id] = slot;
            return id;
        }
        self.slots.push(slot);
        self.slots.len() - 1
    }

    /// Takes a slot out of the list; returns the next.
    fn remove(&mut self, at: Id) -> Id {
        let Slot { charge, previous, next, .. } = self.slots[at];
        self.charged = self.charged.saturating_sub(charge);
        self.slots[at].state = State::Free;
        match previous {
            NONE => self.head = next,
            before => self.slots[before].next = next,
        }
        if next != NONE {
            self.slots[next].previous = previous;
        }
        self.free.push(at);
        next
    }
}

/// The priority of a place, by its number in read order. The numbers of small blocks may fall together; among equals
/// the one that was asked for first goes first.
fn priority(rank: u64) -> i32 {
    i32::MAX - i32::try_from(rank >> PRIORITY_SHIFT).unwrap_or(i32::MAX)
}

/// Whether a block of this codec has nothing below it.
pub(crate) fn is_leaf(cid: &Cid) -> bool {
    cid.codec() == Codec::RAW
}
