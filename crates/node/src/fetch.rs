//! Drives planners: the one loop in which walks wait for blocks.
//!
//! Path: a use case (`cat`, `tree`, `refs`, …) makes a planner → here → `source` (store, then a session with the
//! peers) → back into the planner → out as a stream.
//! Invariant: what is wanted is looked up at hand first; only the rest goes to the session, as one batch.
//! Invariant: a walk holds a bounded part of what arrives. A quick peer's blocks may all come before a slow peer's
//! one that is to be read first; beyond the bound they stay in the store, where they are anyway, and are looked
//! up when their turn comes.
//! Why a loop over a value instead of recursive gets: a walk then never waits for one block at a time.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;

use futures::stream::{self, BoxStream, StreamExt};
use ipse_base::limits::{BITSWAP_WANTS_SENT_PER_PEER_MAX, WALK_BYTES_MAX, WALK_HELD_BYTES_MAX};
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

/// How far a walk may run ahead of its reader.
const BUDGET: Budget = Budget { wants: 4 * BITSWAP_WANTS_SENT_PER_PEER_MAX, bytes: WALK_BYTES_MAX };

/// A planner with what it takes to run it.
pub(crate) struct Driver<P: Planner> {
    planner: P,
    source: NodeSource,
    session: Option<Box<dyn BlockSession>>,
    /// Wanted and not yet looked up at hand.
    queued: VecDeque<Want>,
    /// Asked of the session and not yet answered.
    asked: usize,
    /// Whether what is read is likely to be read again.
    reuse: Reuse,
    /// Here, and left in the store until there is room or their turn comes.
    aside: HashSet<Cid>,
    over: bool,
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
            reuse: Reuse::Once,
            aside: HashSet::new(),
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
            self.queued.extend(self.planner.wants(BUDGET));
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

    /// Looks up a slice of what is wanted at hand and asks the session for what is not there.
    async fn look_up(&mut self) -> Result<(), ReadError> {
        let (found, missing) = look_up(&self.source, &mut self.queued, self.reuse).await?;
        for block in found {
            self.give(block)?;
        }
        if !missing.is_empty() {
            self.asked += missing.len();
            self.session.get_or_insert_with(|| self.source.session()).want(missing);
        }
        Ok(())
    }

    /// Begins with what the walk's reader waits for. A walk asks for a node's neighbours before it knows what is
    /// below the node: taken in the order of asking, a whole level would be in memory before the first leaf leaves.
    fn turn_to_reader(&mut self) {
        let awaited =
            self.planner.awaited().filter(|&cid| self.queued.front().is_some_and(|want| want.cid != *cid));
        if let Some(at) = awaited.and_then(|cid| self.queued.iter().position(|want| want.cid == *cid)) {
            self.queued.rotate_left(at);
        }
    }

    /// Queues what was left in the store: all of it once there is room, else what the walk waits for.
    fn take_up(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        if self.planner.held() <= WALK_HELD_BYTES_MAX / 2 {
            self.queued.extend(self.aside.drain().map(|cid| Want::new(cid, 1)));
        } else if let Some(cid) = self.planner.awaited()
            && let Some(cid) = self.aside.take(cid)
        {
            self.queued.push_front(Want::new(cid, i32::MAX));
        }
    }

    /// Gives the walk a block, or leaves it where it is stored.
    fn give(&mut self, block: Block) -> Result<(), ReadError> {
        let is_full = self.planner.held() > WALK_HELD_BYTES_MAX;
        if is_full && self.planner.awaited().is_some_and(|awaited| awaited != block.cid()) {
            self.aside.insert(block.into_parts().0);
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
