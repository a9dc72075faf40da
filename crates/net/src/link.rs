//! Link: what the exchange and one connection's handler share. The exchange lays down what is to be sent, the
//! handler takes it when its stream has room; nothing of it passes the swarm.
//!
//! The queues need no bound of their own: the client has one wantlist on its way to a peer, and the server
//! stops at a fixed number of bytes that are queued and not yet sent. Pings are bounded here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use ipse_base::{Cid, PeerId};
use ipse_bitswap::{Message, SendToken};
use libp2p::swarm::ConnectionId;
use tokio::sync::oneshot;

use crate::error::PeerError;
use crate::misses::Debt;

/// Pings that wait on one connection.
const PINGS_MAX: usize = 16;

/// Which request of the engine a job answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// One of the client.
    Wants(SendToken),
    /// One of the server.
    Answer(SendToken),
}

/// One message to send.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) token: Token,
    /// Everything but the blocks.
    pub(crate) message: Message,
    /// Blocks that go into the message; they are read when it is about to be written.
    pub(crate) blocks: Vec<Cid>,
    /// Payload of these blocks, in bytes.
    pub(crate) bytes: u64,
}

/// Someone who waits for the time that a ping took.
pub(crate) type PingReply = oneshot::Sender<Result<Duration, PeerError>>;

/// See the module.
pub(crate) struct Link {
    pub(crate) peer: PeerId,
    pub(crate) id: ConnectionId,
    outbox: Mutex<Outbox>,
    /// The task of the connection.
    waker: AtomicWaker,
    /// Open streams of our protocols, by name.
    streams: Mutex<BTreeMap<&'static str, usize>>,
    use_made: Mutex<Use>,
    /// What the peer asked for in vain.
    pub(crate) debt: Debt,
}

/// What a connection was good for: when a block last went over it. Who gave is worth more than who took, and both
/// more than who did neither; so the order of the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    /// A block that we wanted came.
    gave: Option<Instant>,
    /// A block was taken.
    took: Option<Instant>,
}

#[derive(Default)]
struct Outbox {
    /// Without payload: goes first, so that presence answers never wait behind bytes.
    urgent: VecDeque<Job>,
    bulk: VecDeque<Job>,
    pings: VecDeque<PingReply>,
    closed: bool,
}

impl Link {
    pub(crate) fn new(peer: PeerId, id: ConnectionId) -> Self {
        let (outbox, streams, use_made, debt) = Default::default();
        Self { peer, id, outbox, waker: AtomicWaker::new(), streams, use_made, debt }
    }

    /// Notes that a block which we wanted came over it.
    pub(crate) fn gave(&self) {
        self.use_now().gave = Some(Instant::now());
    }

    /// Notes that the peer took a block.
    pub(crate) fn took(&self) {
        self.use_now().took = Some(Instant::now());
    }

    /// What it was good for so far.
    pub(crate) fn use_made(&self) -> Use {
        *self.use_now()
    }

    fn use_now(&self) -> MutexGuard<'_, Use> {
        self.use_made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays down a message; gives it back where the connection has ended.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut outbox = self.outbox();
        if outbox.closed {
            return Err(job);
        }
        let queue = if job.blocks.is_empty() { &mut outbox.urgent } else { &mut outbox.bulk };
        queue.push_back(job);
        drop(outbox);
        self.waker.wake();
        Ok(())
    }

    /// Takes the next message.
    pub(crate) fn take(&self) -> Option<Job> {
        let mut outbox = self.outbox();
        let urgent = outbox.urgent.pop_front();
        urgent.or_else(|| outbox.bulk.pop_front())
    }

    /// Puts a message back in front: its stream was reset before it left.
    pub(crate) fn put_back(&self, job: Job) {
        let mut outbox = self.outbox();
        let queue = if job.blocks.is_empty() { &mut outbox.urgent } else { &mut outbox.bulk };
        queue.push_front(job);
    }

    /// Asks for a ping; false where the connection has ended or too many wait.
    pub(crate) fn ping(&self, reply: PingReply) -> bool {
        let mut outbox = self.outbox();
        if outbox.closed || outbox.pings.len() >= PINGS_MAX {
            return false;
        }
        outbox.pings.push_back(reply);
        drop(outbox);
        self.waker.wake();
        true
    }

    /// Takes someone who waits for a ping.
    pub(crate) fn take_ping(&self) -> Option<PingReply> {
        self.outbox().pings.pop_front()
    }

    /// Whether a message waits.
    pub(crate) fn has_jobs(&self) -> bool {
        let outbox = self.outbox();
        !outbox.urgent.is_empty() || !outbox.bulk.is_empty()
    }

    /// Has the task in `context` woken by the next thing laid down. Only the connection's own task calls this.
    pub(crate) fn register(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
    }

    /// Ends the link: what waits is dropped and nothing is taken in any more.
    pub(crate) fn close(&self) {
        let mut outbox = self.outbox();
        *outbox = Outbox { closed: true, ..Outbox::default() };
    }

    /// Counts a stream for as long as the guard lives.
    pub(crate) fn stream_opened(self: &std::sync::Arc<Self>, protocol: &'static str) -> StreamGuard {
        *self.stream_counts().entry(protocol).or_default() += 1;
        StreamGuard { link: self.clone(), protocol }
    }

    /// The protocol of each open stream.
    pub(crate) fn streams(&self) -> Vec<&'static str> {
        let counts = self.stream_counts();
        counts.iter().flat_map(|(&protocol, &count)| std::iter::repeat_n(protocol, count)).collect()
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stream_counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a stream counted.
pub(crate) struct StreamGuard {
    link: std::sync::Arc<Link>,
    protocol: &'static str,
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let mut counts = self.link.stream_counts();
        if let Some(count) = counts.get_mut(self.protocol) {
            *count -= 1;
            if *count == 0 {
                counts.remove(self.protocol);
            }
        }
    }
}
