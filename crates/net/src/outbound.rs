//! The stream toward a peer: takes messages from the link and writes them.
//!
//! Payload is read at write time, on the blocking pool, one message ahead of the one that is being written: the
//! disk works while the connection's task encrypts, and no more than a few messages are in memory for a peer
//! however much it asked for. Pressure is the stream's own: `write` waits, and with it everything behind.
//!
//! The stream is closed after two idle seconds. A peer may reset it earlier (one implementation closes what was
//! silent for five seconds); what was being written then goes back to the link, and the handler opens a new one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use ipse_base::{Block, Cid, LocalBlocks};
use ipse_bitswap::{CidPrefix, Encoded, ProtocolVersion};
use libp2p::Stream;
use tokio::task::JoinHandle;

use crate::exchange::Event;
use crate::frame;
use crate::link::{Job, Link};
use crate::traffic::Traffic;

/// How long a stream without work stays open.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// Messages whose payload may be in memory: the one that is written and the one behind it.
const LOADED_MAX: usize = 2;
/// How long a peer may take no byte of a message before the stream is given up.
const STALL_MAX: Duration = Duration::from_secs(60);

/// How a stream toward a peer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There was nothing to send.
    Idle,
    /// The peer or the connection broke it off.
    Failed,
}

/// A message with its payload, and what it was made of.
struct Loaded {
    job: Job,
    encoded: Encoded,
    payload_bytes: u64,
    /// Blocks that have gone since they were looked up, or can't be read.
    missing: Vec<Cid>,
}

/// Writes what the link has until there is nothing for a while or the stream breaks.
pub(crate) async fn run(
    stream: Stream,
    version: ProtocolVersion,
    link: Arc<Link>,
    traffic: Arc<Traffic>,
) -> Ended {
    let (mut reading, mut stream) = stream.split();
    let mut loading = VecDeque::new();
    loop {
        while loading.len() < LOADED_MAX
            && let Some(job) = link.take()
        {
            loading.push_back(load(job, version, &traffic));
        }
        let Some(next) = loading.pop_front() else {
            if wait_for_work(&link, &mut reading).await {
                continue;
            }
            // Idle, or the peer has closed it. There is nothing on its way that a failed close could lose.
            let _ = stream.close().await;
            return Ended::Idle;
        };
        let Some(loaded) = finished(next).await else { continue };
        report(&loaded, &link, &traffic).await;
        if let Err(error) = write(&mut stream, &loaded.encoded).await {
            tracing::debug!(peer = %link.peer, %error, "outbound stream broke");
            put_back(loaded.job, loading, &link).await;
            return Ended::Failed;
        }
        traffic.count_sent(loaded.encoded.len());
        traffic.counters.messages_out.one();
        traffic.counters.blocks_out.add(loaded.job.blocks.len() as u64);
    }
}

/// Tells the exchange that a message is on its way. It is told when the writing begins, so that the next message
/// is chosen and read meanwhile; should the stream break, the message is written again to the next one, and
/// should the connection end, all that was sent over it is forgotten anyway.
async fn report(loaded: &Loaded, link: &Link, traffic: &Traffic) {
    let peer = link.peer.clone();
    if !loaded.missing.is_empty() {
        let event = Event::Missing { peer: peer.clone(), cids: loaded.missing.clone() };
        let _ = traffic.events.send(event).await;
    }
    let event = Event::Sent { peer, token: loaded.job.token, bytes: Some(loaded.payload_bytes) };
    // The exchange is gone only when the net is shutting down.
    let _ = traffic.events.send(event).await;
}

/// Everything not written returns to the link, in order.
async fn put_back(first: Job, loading: VecDeque<Loading>, link: &Link) {
    let mut jobs = vec![first];
    for next in loading {
        jobs.extend(finished(next).await.map(|loaded| loaded.job));
    }
    jobs.into_iter().rev().for_each(|job| link.put_back(job));
}

/// A message whose payload is read, or being read elsewhere.
enum Loading {
    Ready(Box<Loaded>),
    Reading(JoinHandle<Loaded>),
}

fn load(job: Job, version: ProtocolVersion, traffic: &Traffic) -> Loading {
    let local = traffic.local.clone();
    if job.blocks.is_empty() {
        return Loading::Ready(Box::new(Loaded::read(job, version, &*local)));
    }
    traffic.counters.loads.one();
    Loading::Reading(tokio::task::spawn_blocking(move || Loaded::read(job, version, &*local)))
}

/// Nothing where the reader panicked or the runtime is shutting down; the job went with it, and the peer asks
/// again.
async fn finished(loading: Loading) -> Option<Loaded> {
    match loading {
        Loading::Ready(loaded) => Some(*loaded),
        Loading::Reading(handle) => handle.await.ok(),
    }
}

impl Loaded {
    fn read(job: Job, version: ProtocolVersion, local: &dyn LocalBlocks) -> Self {
        let mut message = job.message.clone();
        let mut missing = Vec::new();
        for cid in &job.blocks {
            match read_block(cid, local) {
                Some(block) => message.blocks.push((CidPrefix::of(cid), block.data().clone())),
                None => missing.push(cid.clone()),
            }
        }
        let payload_bytes = message.blocks.iter().map(|(_, data)| data.len() as u64).sum();
        Self { job, encoded: message.encode(version), payload_bytes, missing }
    }
}

fn read_block(cid: &Cid, local: &dyn LocalBlocks) -> Option<Block> {
    // Looked up a moment ago, so almost always here; the empty block is in no store.
    match local.local(cid) {
        Ok(found) => found.or_else(|| Block::implied_by(cid)),
        Err(error) => {
            tracing::warn!(%cid, %error, "block that a peer asked for could not be read");
            None
        }
    }
}

async fn write(stream: &mut (impl futures::AsyncWrite + Unpin), encoded: &Encoded) -> std::io::Result<()> {
    let head = frame::prefix(encoded.len());
    let pieces = std::iter::once(&head[..]).chain(encoded.pieces().iter().map(|piece| &piece[..]));
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            let written = tokio::time::timeout(STALL_MAX, stream.write(rest))
                .await
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
        }
    }
    stream.flush().await
}

/// True when the link has something; false when nothing came for a while or the peer closed the stream.
async fn wait_for_work(link: &Link, reading: &mut (impl AsyncRead + Unpin)) -> bool {
    let work = poll_fn(|context| {
        link.register(context);
        if link.has_jobs() { Poll::Ready(()) } else { Poll::Pending }
    });
    // A peer says nothing on this stream; what ends the wait is its end or a reset.
    let mut byte = [0];
    let closed = reading.read(&mut byte);
    let mut work = std::pin::pin!(work);
    matches!(tokio::time::timeout(IDLE_MAX, select(&mut work, closed)).await, Ok(Either::Left(_)))
}
