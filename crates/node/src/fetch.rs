//! Drives planners: the one loop in which walks wait for blocks.
//!
//! Path: a use case (`cat`, `tree`, `refs`, …) makes a planner → here → `source` (store, then a session with the
//! peers) → back into the planner → out as a stream.
//! Invariant: what is wanted is looked up at hand first; only the rest goes to the session, as one batch.
//! Invariant: a walk holds a bounded part of what arrives. A quick peer's blocks may all come before a slow peer's
//! one that is to be read first; beyond the bound they stay in the store, where they are anyway, and are looked
//! up when their turn comes.
//! Invariant: what is at hand is looked up in read order, and not far ahead of the reader: it costs no round trip to
//! come back for it. Only a walk that waits for peers runs ahead as far as it may.
//! Why a loop over a value instead of recursive gets: a walk then never waits for one block at a time.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;

use futures::stream::{self, BoxStream, StreamExt};
use ipse_base::limits::{BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX, WALK_BYTES_MAX, WALK_HELD_BYTES_MAX};
use ipse_base::{Block, BlockSession, BlockSource, Cid, Delivery, SourceError, Want};
use ipse_dag::{Budget, Planner};
use ipse_store::{AtHand, Reuse};

use crate::ReadError;
use crate::source::NodeSource;

/// Wants that are read from the disk per hop to the blocking pool, so that the first bytes are not held up by
/// the rest.
const HOP_WANTS: usize = 32;
/// Wants looked up at hand before the runtime's thread is given to others.
const TURN_WANTS: usize = 256;
/// Bytes taken from what is at hand before the planner gives out what it has. About what one write to a client
/// takes: reading further ahead only pushes those bytes out of the processor's cache.
const TURN_BYTES: usize = 1024 * 1024;

/// Wants of a walk that has not found anything yet. Doubles with each look-up that finds all it looked for: the first
/// nodes of a Dag have many neighbours, none of which is needed before all that is below the first.
const FIRST_WANTS: usize = 4;

/// Bytes that a walk may be ahead of its reader as long as everything is at hand.
const AT_HAND_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How far a walk may run ahead of its reader while it waits for peers.
const BUDGET: Budget = Budget { wants: BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX, bytes: WALK_BYTES_MAX };

/// A planner with what it takes to run it.
pub(crate) struct Driver<P: Planner> {
    planner: P,
    source: NodeSource,
    session: Option<Box<dyn BlockSession>>,
    /// Wanted and not yet looked up at hand.
    queued: VecDeque<Want>,
    /// Asked of the session and not yet answered.
    asked: usize,
    /// Wants that may be open as long as everything is at hand.
    ahead: usize,
    /// Whether what is read is likely to be read again.
    reuse: Reuse,
    /// Here, and left in the store until there is room or their turn comes.
    aside: HashMap<Cid, Aside>,
    /// How many there ever were.
    set_aside: u64,
    over: bool,
}

/// A block that was left in the store.
struct Aside {
    /// The blocks that were left there before it.
    order: u64,
    bytes: u64,
}

impl<P> Driver<P>
where
    P: Planner,
{
    pub(crate) fn new(planner: P, source: NodeSource) -> Self {
        Self {
            planner,
            source,
            session: None,
            queued: VecDeque::new(),
            asked: 0,
            ahead: FIRST_WANTS,
            reuse: Reuse::Once,
            aside: HashMap::new(),
            set_aside: 0,
            over: false,
        }
    }

    /// The same walk over blocks that are likely to be asked for again.
    pub(crate) const fn reusing(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// The next item; `None` when the walk is over. After an error the walk is over too.
    ///
    /// Cancellation safe in that dropping the future loses at most the walk itself.
    pub(crate) async fn next(&mut self) -> Option<Result<P::Item, ReadError>> {
        if self.over {
            return None;
        }
        let result = self.advance().await.transpose();
        self.over = !matches!(result, Some(Ok(_)));
        result
    }

    async fn advance(&mut self) -> Result<Option<P::Item>, ReadError> {
        loop {
            if let Some(item) = self.planner.poll_out() {
                return Ok(Some(item));
            }
            if self.planner.is_done() {
                return Ok(None);
            }
            self.queued.extend(self.planner.wants(self.budget()));
            self.take_up();
            if !self.queued.is_empty() {
                self.turn_to_reader();
                self.look_up().await?;
            } else if self.asked > 0 {
                self.receive().await?;
            } else {
                return Err(ReadError::Stalled);
            }
        }
    }

    /// How far the walk may run ahead now.
    const fn budget(&self) -> Budget {
        if self.asked > 0 { BUDGET } else { Budget { wants: self.ahead, bytes: AT_HAND_BYTES_MAX } }
    }

    /// Looks up a slice of what is wanted at hand and asks the session for what is not there.
    async fn look_up(&mut self) -> Result<(), ReadError> {
        let (found, missing) = look_up(&self.source, &mut self.queued, self.reuse).await?;
        for block in found {
            self.give(block)?;
        }
        if missing.is_empty() {
            self.ahead = (2 * self.ahead).min(TURN_WANTS);
        } else {
            self.asked += missing.len();
            self.session.get_or_insert_with(|| self.source.session()).want(missing);
        }
        Ok(())
    }

    /// Puts what is wanted into read order, and what the walk's reader waits for in front. A walk asks for a node's
    /// neighbours before it knows what is below the node: taken in the order of asking, a whole level would be in
    /// memory before the first leaf leaves.
    fn turn_to_reader(&mut self) {
        let queued = self.queued.make_contiguous();
        queued.sort_by_key(|want| Reverse(want.priority));
        let awaited = self.planner.awaited();
        if let Some(at) = awaited.and_then(|cid| queued.iter().position(|want| want.cid == *cid)) {
            queued[..=at].rotate_right(1);
        }
    }

    /// Queues what was left in the store: as much as there is room for, else what the walk waits for.
    fn take_up(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        let held = self.planner.held();
        if held <= WALK_HELD_BYTES_MAX / 2 {
            let mut aside: Vec<_> =
                self.aside.iter().map(|(cid, aside)| (aside.order, aside.bytes, cid)).collect();
            aside.sort_unstable();
            let mut room = WALK_HELD_BYTES_MAX - held;
            let fits = |&&(_, bytes, _): &&(u64, u64, &Cid)| {
                let before = room;
                room = room.saturating_sub(bytes);
                before > 0
            };
            let taken: Vec<Cid> = aside.iter().take_while(fits).map(|(_, _, cid)| (*cid).clone()).collect();
            for cid in taken {
                self.aside.remove(&cid);
                self.queued.push_back(Want::new(cid, i32::MAX));
            }
        }
        if let Some(cid) = self.planner.awaited()
            && let Some((cid, _)) = self.aside.remove_entry(cid)
        {
            self.queued.push_front(Want::new(cid, i32::MAX));
        }
    }

    /// Gives the walk a block, or leaves it where it is stored.
    fn give(&mut self, block: Block) -> Result<(), ReadError> {
        let is_full = self.planner.held() > WALK_HELD_BYTES_MAX;
        if is_full && self.planner.awaited() != Some(block.cid()) {
            let (order, bytes) = (self.set_aside, block.data().len() as u64);
            self.set_aside += 1;
            self.aside.insert(block.into_parts().0, Aside { order, bytes });
            return Ok(());
        }
        self.planner.give(block).map_err(ReadError::plan)
    }

    /// Waits for one delivery of the session.
    async fn receive(&mut self) -> Result<(), ReadError> {
        let Some(session) = &mut self.session else { return Err(ReadError::Stalled) };
        let delivery = poll_fn(|context| session.poll_next(context)).await;
        self.asked -= 1;
        match delivery {
            Some(Delivery::Block(block)) => self.give(block),
            // The walk may do without the block; if not, what the person needs to hear is why it is missing.
            Some(Delivery::Absent(cid, reason)) => {
                self.planner.absent(&cid, reason).map_err(|_| ReadError::Absent { cid, reason })
            }
            None => Err(ReadError::Stalled),
        }
    }

    /// The rest of the walk as a stream that ends after the first error.
    pub(crate) fn into_stream(self) -> BoxStream<'static, Result<P::Item, ReadError>>
    where
        P: 'static,
        P::Item: Send + 'static,
    {
        stream::unfold(self, |mut driver| async move { driver.next().await.map(|item| (item, driver)) })
            .boxed()
    }
}

type Found = (Vec<Block>, Vec<Want>);

/// Splits the first of these wants into blocks that are at hand and wants that are not. What is in memory is
/// taken on the caller's thread; only what has to wait for the disk makes a hop to the blocking pool.
async fn look_up(source: &NodeSource, wants: &mut VecDeque<Want>, reuse: Reuse) -> Result<Found, ReadError> {
    let (mut found, mut missing, mut on_disk) = (Vec::new(), Vec::new(), Vec::new());
    let (mut looked, mut bytes) = (0, 0);
    while looked < TURN_WANTS && bytes < TURN_BYTES && on_disk.len() < HOP_WANTS {
        let Some(want) = wants.pop_front() else { break };
        looked += 1;
        match source.now(&want.cid, reuse)? {
            AtHand::Block(block) => {
                bytes += block.data().len();
                found.push(block);
            }
            AtHand::Absent => missing.push(want),
            AtHand::OnDisk => on_disk.push(want),
        }
    }
    if !on_disk.is_empty() {
        let source = source.clone();
        let read = move || -> Result<Found, SourceError> {
            let (mut found, mut missing) = (Vec::with_capacity(on_disk.len()), Vec::new());
            for want in on_disk {
                match source.wait(&want.cid, reuse)? {
                    Some(block) => found.push(block),
                    None => missing.push(want),
                }
            }
            Ok((found, missing))
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|_| ReadError::Stopping)?;
        let (more, gone) = read?;
        found.extend(more);
        missing.extend(gone);
    } else if looked == TURN_WANTS || bytes >= TURN_BYTES {
        // A walk over what is all in memory never waits for anything, and must not keep others from running.
        tokio::task::yield_now().await;
    }
    Ok((found, missing))
}

/// One block, from wherever it can be had.
pub(crate) async fn block(source: &NodeSource, cid: &Cid) -> Result<Block, ReadError> {
    let mut wanted = VecDeque::from([Want::new(cid.clone(), 1)]);
    let (mut found, missing) = look_up(source, &mut wanted, Reuse::Likely).await?;
    if let Some(block) = found.pop() {
        return Ok(block);
    }
    let mut session = source.session();
    session.want(missing);
    match poll_fn(|context| session.poll_next(context)).await {
        Some(Delivery::Block(block)) => Ok(block),
        Some(Delivery::Absent(cid, reason)) => Err(ReadError::Absent { cid, reason }),
        None => Err(ReadError::Stalled),
    }
}

/// Runs a planner to its single result.
pub(crate) async fn single<P: Planner>(planner: P, source: &NodeSource) -> Result<P::Item, ReadError> {
    let mut driver = Driver::new(planner, source.clone()).reusing(Reuse::Likely);
    driver.next().await.unwrap_or(Err(ReadError::Stalled))
}

/// A stream of results, as the doors take it.
pub type Stream<T> = BoxStream<'static, Result<T, ReadError>>;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use ipse_base::{AbsentReason, BlockSink, Codec, HashCode, Multihash};
    use ipse_dag::{Leaves, PbLink, PbNode, Visit, Walk, WalkError, WalkOptions};
    use ipse_store::{Repo, Store, StoreOptions};

    use super::*;

    /// A walk that tells the most that it held.
    struct Watched {
        walk: Walk,
        most: Arc<AtomicU64>,
    }

    impl Planner for Watched {
        type Item = Visit;
        type Error = WalkError;

        fn wants(&mut self, budget: Budget) -> Vec<Want> {
            self.walk.wants(budget)
        }

        fn give(&mut self, block: Block) -> Result<(), WalkError> {
            let given = self.walk.give(block);
            self.most.fetch_max(self.walk.held(), Ordering::Relaxed);
            given
        }

        fn absent(&mut self, cid: &Cid, reason: AbsentReason) -> Result<(), WalkError> {
            self.walk.absent(cid, reason)
        }

        fn poll_out(&mut self) -> Option<Visit> {
            self.walk.poll_out()
        }

        fn is_done(&self) -> bool {
            self.walk.is_done()
        }

        fn held(&self) -> u64 {
            self.walk.held()
        }

        fn awaited(&self) -> Option<&Cid> {
            self.walk.awaited()
        }
    }

    fn node(store: &Store, below: &[Cid]) -> Cid {
        let link = |cid: &Cid| PbLink { cid: cid.clone(), name: None, tsize: None };
        let node = PbNode { data: None, links: below.iter().map(link).collect() };
        let block = Block::hash(Codec::DAG_PB, HashCode::SHA2_256, node.encode()).unwrap();
        store.put(std::slice::from_ref(&block)).unwrap();
        block.into_parts().0
    }

    #[tokio::test]
    async fn a_walk_over_what_is_here_does_not_hold_a_whole_level() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::init(&folder.path().join("repository"), b"{}", b"{}").unwrap();
        let store = Store::open_in(repo, StoreOptions::new(|_, _| Ok(Vec::new()))).unwrap();
        let (mut nodes, mut order) = (Vec::new(), Vec::new());
        for number in 0..64_u32 {
            // Leaves are visited by name alone, and need not be here.
            let leaf = |leaf: u32| {
                let digest = [number.to_be_bytes(), leaf.to_be_bytes()].concat().repeat(4);
                Cid::v1(Codec::RAW, Multihash::wrap(HashCode::SHA2_256, &digest).unwrap())
            };
            let leaves: Vec<Cid> = (0..2000).map(leaf).collect();
            nodes.push(node(&store, &leaves));
            order.extend(nodes.last().into_iter().cloned().chain(leaves));
        }
        let root = node(&store, &nodes);
        order.insert(0, root.clone());

        let most = Arc::new(AtomicU64::new(0));
        let options = WalkOptions { leaves: Leaves::Name, ..WalkOptions::default() };
        let walk = Watched { walk: Walk::new(vec![root], options), most: Arc::clone(&most) };
        let visits: Vec<_> =
            Driver::new(walk, NodeSource::new(store, None, Arc::default())).into_stream().collect().await;
        let visited: Vec<Cid> = visits.into_iter().map(|visit| visit.unwrap().cid).collect();
        assert!(visited == order);
        // All nodes with their links take 20 MiB.
        let (most, turn) = (most.load(Ordering::Relaxed), 4 * TURN_BYTES as u64);
        assert!(most < AT_HAND_BYTES_MAX + turn, "{most}");
    }
}
