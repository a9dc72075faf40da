//! The stream toward a peer: takes messages from the link and writes them.
//!
//! Payload is read at write time, on the blocking pool, one message ahead of the one that is being written: the
//! disk works while the connection's task encrypts. What is read and not written is bounded over all peers and
//! held only while the stream moves (`loads.rs`). Pressure is the stream's own: a write waits, and with it
//! everything behind.
//!
//! The stream is closed after two idle seconds. A peer may reset it earlier (one implementation closes what was
//! silent for five seconds); what was being written then goes back to the link, and the handler opens a new one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ipse_base::limits::LOADED_PEER_BYTES_MIN;
use ipse_bitswap::ProtocolVersion;
use libp2p::Stream;
use tokio::time::{Instant, timeout};

use crate::exchange::Event;
use crate::link::{Job, Link};
use crate::loaded::{Loaded, Loading};
use crate::loads::{self, Held, PATIENCE, Pace};
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

/// Writes what the link has until there is nothing for a while or the stream breaks.
pub(crate) async fn run(
    stream: Stream,
    version: ProtocolVersion,
    link: Arc<Link>,
    traffic: Arc<Traffic>,
) -> Ended {
    let (mut reading, mut stream) = stream.split();
    let mut writer = Writer { version, pace: Pace::default(), link, traffic };
    let mut loading = VecDeque::new();
    loop {
        writer.load_ahead(&mut loading).await;
        let Some(next) = loading.pop_front() else {
            match wait_for_work(&writer.link, &mut reading).await {
                Waited::Work => continue,
                Waited::Refused => return Ended::Failed,
                Waited::Over => {}
            }
            // Idle, or the peer has closed it. There is nothing on its way that a failed close could lose.
            let _ = stream.close().await;
            return Ended::Idle;
        };
        let Some(loaded) = next.finished().await else { continue };
        report(&loaded, &writer.link, &writer.traffic).await;
        let (blocks, length) = (loaded.job.blocks.len(), loaded.len());
        if let Err((job, error)) = writer.write(&mut stream, loaded, &mut loading).await {
            tracing::debug!(peer = %writer.link.peer, %error, "outbound stream broke");
            put_back(job, loading, &writer.link).await;
            return Ended::Failed;
        }
        if blocks > 0 {
            writer.link.took();
        }
        writer.traffic.count_sent(length);
        writer.traffic.counters.messages_out.one();
        writer.traffic.counters.blocks_out.add(blocks as u64);
    }
}

/// What writing goes by, for as long as the stream lives.
struct Writer {
    version: ProtocolVersion,
    pace: Pace,
    link: Arc<Link>,
    traffic: Arc<Traffic>,
}

impl Writer {
    /// Takes the next messages of the link. Payload behind the first is read only while the stream is quick and
    /// there is room.
    async fn load_ahead(&self, loading: &mut VecDeque<Loading>) {
        while loading.len() < LOADED_MAX
            && let Some(job) = self.link.take()
        {
            if job.blocks.is_empty() {
                loading.push_back(Loading::plain(job, self.version, &self.traffic));
                continue;
            }
            let held = if !loading.is_empty() {
                let held = self.traffic.loads.try_reserve(job.bytes).filter(|_| self.pace.is_quick());
                let Some(held) = held else { return self.link.put_back(job) };
                Some(held)
            } else if loads::is_own(job.bytes) {
                None
            } else {
                let held = self.traffic.loads.reserve(job.bytes, self.pace).await;
                let Some(held) = held else { return self.link.put_back(job) };
                Some(held)
            };
            loading.push_back(Loading::payload(job, self.version, held, &self.traffic));
        }
    }

    /// Writes one message. As soon as the stream takes nothing, all but a piece of its payload is let go, and
    /// what was read ahead.
    async fn write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        mut loaded: Loaded,
        ahead: &mut VecDeque<Loading>,
    ) -> Result<(), (Option<Job>, io::Error)> {
        let length = loaded.len();
        let (mut place, mut stuck) = (0, false);
        while place < length {
            let rest = length - place;
            let share = loaded.held.as_ref().map_or(rest, |held| self.pace.share(rest, held));
            // What is as small as a piece becomes one when it is stuck, so that it is not held without end.
            if share == rest && !stuck {
                match self.write_rest(stream, &loaded, &mut place).await {
                    Ok(is_stuck) => stuck = is_stuck,
                    Err(error) => return Err((Some(loaded.job), error)),
                }
                continue;
            }
            stuck = false;
            let piece = loaded.copy(place, share);
            let Loaded { job, mut held, pieces, .. } = loaded;
            drop(pieces);
            match &mut held {
                Some(held) if share > LOADED_PEER_BYTES_MIN => self.traffic.loads.settle(held, share),
                _ => held = None,
            }
            put_back(None, std::mem::take(ahead), &self.link).await;
            match self.write_piece(stream, piece, held).await {
                Ok(count) => place += count,
                Err(error) => return Err((Some(job), error)),
            }
            if place == length {
                return stream.flush().await.map_err(|error| (None, error));
            }
            loaded = self.reload(job).await?;
            if loaded.len() != length {
                let gone = io::Error::new(io::ErrorKind::NotFound, "a block has gone while it was written");
                return Err((Some(loaded.job), gone));
            }
        }
        drop(loaded);
        stream.flush().await.map_err(|error| (None, error))
    }

    /// Writes all that is left, or returns true when the stream has taken nothing for a while.
    async fn write_rest(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        loaded: &Loaded,
        place: &mut usize,
    ) -> io::Result<bool> {
        let patience = if loaded.held.is_some() { PATIENCE } else { STALL_MAX };
        let started = Instant::now();
        loop {
            let part = loaded.at(*place);
            if part.is_empty() {
                if started.elapsed() < PATIENCE {
                    self.pace.took();
                }
                return Ok(false);
            }
            match timeout(patience, stream.write(part)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => *place += count?,
                Err(_) if loaded.held.is_some() => {
                    self.pace.stuck();
                    return Ok(true);
                }
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// Writes a piece, however long that takes while the peer takes anything at all. Of a large one that stands
    /// still only the beginning is kept; tells how much was written.
    async fn write_piece(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        mut piece: Vec<u8>,
        mut held: Option<Held>,
    ) -> io::Result<usize> {
        let started = Instant::now();
        let (mut total, mut at) = (0, 0);
        while at < piece.len() {
            let patience = if held.is_some() { PATIENCE } else { STALL_MAX };
            match timeout(patience, stream.write(&piece[at..])).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => at += count?,
                Err(_) if held.is_some() => {
                    let end = piece.len().min(at + LOADED_PEER_BYTES_MIN);
                    piece = piece[at..end].to_vec();
                    (total, at, held) = (total + at, 0, None);
                }
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        if started.elapsed() < PATIENCE {
            self.pace.took()
        } else {
            self.pace.stuck()
        }
        Ok(total + at)
    }

    /// Reads a message again whose payload was let go.
    async fn reload(&self, job: Job) -> Result<Loaded, (Option<Job>, io::Error)> {
        self.traffic.counters.reloads.one();
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let Some(held) = self.traffic.loads.reserve(job.bytes, self.pace).await else {
            return Err((Some(job), closed()));
        };
        let loading = Loading::payload(job, self.version, Some(held), &self.traffic);
        loading.finished().await.ok_or_else(|| (None, closed()))
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
async fn put_back(first: Option<Job>, loading: VecDeque<Loading>, link: &Link) {
    let mut jobs: Vec<Job> = first.into_iter().collect();
    for next in loading {
        jobs.extend(next.finished().await.map(|loaded| loaded.job));
    }
    jobs.into_iter().rev().for_each(|job| link.put_back(job));
}

/// How waiting for something to send ended.
enum Waited {
    /// There is something.
    Work,
    /// Nothing came for a while, or the peer closed the stream.
    Over,
    /// The peer broke the stream off, or does not agree to its protocol.
    Refused,
}

async fn wait_for_work(link: &Link, reading: &mut (impl AsyncRead + Unpin)) -> Waited {
    let work = poll_fn(|context| {
        link.register(context);
        if link.has_jobs() { Poll::Ready(()) } else { Poll::Pending }
    });
    // A peer says nothing on this stream; what ends the wait is its end or a reset.
    let mut byte = [0];
    let closed = reading.read(&mut byte);
    let mut work = std::pin::pin!(work);
    match timeout(IDLE_MAX, select(&mut work, closed)).await {
        Ok(Either::Left(_)) => Waited::Work,
        Ok(Either::Right((Err(_), _))) => Waited::Refused,
        Ok(Either::Right((Ok(_), _))) | Err(_) => Waited::Over,
    }
}
