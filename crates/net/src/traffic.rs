//! Traffic: what every connection's handler needs from the rest of the net, and the count of what passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipse_base::limits::{ARRIVING_BYTES_MAX, FRAME_POOL_BYTES_MAX};
use ipse_base::{Buffers, LocalBlocks};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::arriving::Arriving;
use crate::counters::NetCounters;
use crate::exchange::Event;
use crate::loads::Loads;
use crate::misses::Debtors;
use crate::pipeline::Pipeline;

/// Streams that peers may have open toward us over all connections. Each may hold a message that is arriving; the
/// multiplexer's own part is bounded in bytes (`unread.rs`).
const INBOUND_STREAMS_MAX: usize = 1024;

/// See the module.
pub(crate) struct Traffic {
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) local: Arc<dyn LocalBlocks>,
    pub(crate) counters: Arc<NetCounters>,
    pub(crate) loads: Loads,
    /// Memory for messages that arrive.
    pub(crate) frames: Arc<Buffers>,
    pub(crate) arriving: Arc<Arriving>,
    pub(crate) debtors: Debtors,
    streams: Arc<Semaphore>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Bytes of framed protocols that passed since the start, without the overhead of the layers below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bandwidth {
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

impl Traffic {
    pub(crate) fn new(
        events: mpsc::Sender<Event>,
        pipeline: Arc<Pipeline>,
        local: Arc<dyn LocalBlocks>,
        counters: Arc<NetCounters>,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(INBOUND_STREAMS_MAX));
        let (frames, arriving) = (Buffers::new(FRAME_POOL_BYTES_MAX), Arriving::new(ARRIVING_BYTES_MAX));
        let (received, sent, debtors) = Default::default();
        let loads = Loads::new(counters.clone());
        Self { events, pipeline, local, counters, loads, frames, arriving, debtors, streams, received, sent }
    }

    /// Room for one more inbound stream, for as long as the permit lives.
    pub(crate) fn stream_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.streams.clone().try_acquire_owned().ok()
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn bandwidth(&self) -> Bandwidth {
        Bandwidth { received: self.received.load(Ordering::Relaxed), sent: self.sent.load(Ordering::Relaxed) }
    }
}
