//! The hash threads: payload from the connections' tasks becomes blocks here, is made visible, and goes at once
//! to the sessions that want it. The exchange is told names and lengths only.
//!
//! Path: `inbound.rs` (decoded frame) → bounded queue → hash → [`BlockSink::put`] → inboxes of sessions → the
//! exchange. Invariants: bytes in the queue and under the hash are within one budget, and a block that nobody
//! wants any more is dropped after its hash, before the sink: peers can't make a node store anything.
//!
//! Threads of their own and not the blocking pool: a lagging thread takes a batch, so that the sink sees few
//! large puts instead of many small ones.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use ipse_base::limits::BITSWAP_MESSAGE_BYTES_MAX;
use ipse_base::{AbsentReason, Block, BlockSink, PeerId};
use ipse_bitswap::{CidPrefix, Presence};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::counters::NetCounters;
use crate::exchange::{Event, Taken};
use crate::registry::{Claim, Registry};

/// Bytes of frames that wait for a hash thread or are under one.
const QUEUED_BYTES_MAX: usize = 2 * BITSWAP_MESSAGE_BYTES_MAX;
/// Bytes that one thread takes at a time when there is a backlog.
const BATCH_BYTES: usize = 1024 * 1024;

/// A decoded frame with payload.
pub(crate) struct Arrived {
    pub(crate) peer: PeerId,
    pub(crate) frame_bytes: usize,
    pub(crate) blocks: Vec<(CidPrefix, Bytes)>,
    pub(crate) presences: Vec<Presence>,
    /// Its share of the budget, given back when the frame is worked off.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// See the module.
pub(crate) struct Pipeline {
    queue: Mutex<Queue>,
    ready: Condvar,
    budget: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    arrived: VecDeque<Arrived>,
    closed: bool,
}

/// What the threads hand blocks to.
#[derive(Clone)]
pub(crate) struct Outlets {
    pub(crate) registry: Arc<Registry>,
    pub(crate) sink: Arc<dyn BlockSink>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) counters: Arc<NetCounters>,
}

impl Pipeline {
    /// Starts so many threads.
    pub(crate) fn start(threads: usize, outlets: &Outlets) -> std::io::Result<Arc<Self>> {
        let pipeline = Arc::new(Self {
            queue: Mutex::default(),
            ready: Condvar::new(),
            budget: Arc::new(Semaphore::new(QUEUED_BYTES_MAX)),
            threads: Mutex::default(),
        });
        for index in 0..threads.max(1) {
            let (worker, outlets) = (pipeline.clone(), outlets.clone());
            let thread = std::thread::Builder::new()
                .name(format!("ipse-hash-{index}"))
                .spawn(move || worker.work(threads, &outlets))?;
            pipeline.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(pipeline)
    }

    /// Waits for room for a frame; nothing after [`Pipeline::close`].
    pub(crate) async fn reserve(&self, frame_bytes: usize) -> Option<OwnedSemaphorePermit> {
        // A frame is at most half of the budget, so this always comes true.
        let permits = u32::try_from(frame_bytes).unwrap_or(u32::MAX);
        self.budget.clone().acquire_many_owned(permits).await.ok()
    }

    /// Hands a frame over.
    pub(crate) fn push(&self, arrived: Arrived) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).arrived.push_back(arrived);
        self.ready.notify_one();
    }

    /// Lets the threads finish what is queued and end.
    pub(crate) fn close(&self) {
        self.budget.close();
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.ready.notify_all();
    }

    /// Waits for the threads after [`Pipeline::close`].
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a hash thread panicked");
            }
        }
    }

    fn work(&self, threads: usize, outlets: &Outlets) {
        while let Some(batch) = self.next_batch(threads) {
            outlets.take_in(batch);
        }
    }

    /// This thread's share of what waits, or nothing at the end.
    fn next_batch(&self, threads: usize) -> Option<Vec<Arrived>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.arrived.is_empty() {
            if queue.closed {
                return None;
            }
            queue = self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let share = queue.arrived.len().div_ceil(threads.max(1));
        let mut bytes = 0;
        let mut batch = Vec::new();
        while batch.len() < share && bytes < BATCH_BYTES {
            let Some(arrived) = queue.arrived.pop_front() else { break };
            bytes += arrived.frame_bytes;
            batch.push(arrived);
        }
        Some(batch)
    }
}

impl Outlets {
    fn take_in(&self, batch: Vec<Arrived>) {
        let mut wanted = Vec::new();
        let mut reports = Vec::with_capacity(batch.len());
        for arrived in batch {
            let mut blocks = Vec::with_capacity(arrived.blocks.len());
            for (prefix, data) in arrived.blocks {
                match prefix.block_of(own(data, arrived.frame_bytes)) {
                    Ok(block) => self.sort(block, &mut blocks, &mut wanted),
                    Err(error) => {
                        tracing::debug!(peer = %arrived.peer, %error, "unusable block");
                        let _ = self.events.blocking_send(Event::Unusable { peer: arrived.peer.clone() });
                    }
                }
            }
            let event = Event::Received { peer: arrived.peer, blocks, presences: arrived.presences };
            reports.push((event, arrived.permit));
        }
        let stored = self.store(&wanted);
        // Taken out before the exchange hears of them: it would find them visible and wanted, and have them read
        // back from the store.
        let claims: Vec<Claim> = wanted.iter().map(|block| self.registry.claim(block.cid().hash())).collect();
        // It hears first: a session that has all it wanted may end at once, and what arrived for it would then
        // count as not wanted.
        for (event, permit) in reports {
            drop(permit);
            // The exchange always drains its events, and is gone only when the net is shutting down.
            let _ = self.events.blocking_send(event);
        }
        for (block, claim) in wanted.iter().zip(claims) {
            if stored {
                claim.deliver(block);
            } else {
                claim.fail(AbsentReason::Failed);
            }
        }
    }

    /// Notes a block under every name that it is wanted by, or its own where nobody wants it.
    fn sort(&self, block: Block, taken: &mut Vec<Taken>, wanted: &mut Vec<Block>) {
        let bytes = block.data().len();
        let names = self.registry.names(block.cid().hash());
        if names.is_empty() {
            taken.push(Taken { cid: block.cid().clone(), bytes, kept: false });
        } else {
            taken.extend(names.into_iter().map(|cid| Taken { cid, bytes, kept: true }));
            wanted.push(block);
        }
    }

    /// Makes blocks visible; false where the sink refuses.
    fn store(&self, blocks: &[Block]) -> bool {
        if blocks.is_empty() {
            return true;
        }
        self.counters.puts.one();
        let stored = self.sink.put(blocks);
        stored.inspect_err(|error| tracing::error!(%error, "received blocks could not be stored")).is_ok()
    }
}

/// A slice under half of its frame is copied out, so that it can't keep the whole frame in memory.
fn own(data: Bytes, frame_bytes: usize) -> Bytes {
    if data.len() < frame_bytes / 2 { Bytes::copy_from_slice(&data) } else { data }
}
