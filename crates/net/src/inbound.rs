//! A stream that a peer opened: frames in, decoded in the connection's task, and passed on.
//!
//! Wantlists and presences go to the exchange; payload goes to the hash threads, within a budget of bytes. When
//! either has no room this future waits, so the stream is not read and its window closes: the peer is slowed
//! down, and nothing is dropped.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ipse_base::PeerId;
use ipse_base::limits::BITSWAP_MESSAGE_BYTES_MAX;
use ipse_bitswap::{DecodeError, Message};
use libp2p::Stream;
use tokio::time::timeout;

use crate::exchange::Event;
use crate::frame::{FrameError, FrameReader};
use crate::link::Link;
use crate::pipeline::Arrived;
use crate::traffic::Traffic;

/// How long a stream may be silent between two messages.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How long one message may take from its first byte to its last.
const FRAME_TIME_MAX: Duration = Duration::from_secs(120);

/// How often the exchange hears of a message that takes its time. Well under the time after which a peer that
/// sends nothing is asked again.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// What a message has to bring in that time while others wait for the memory that it takes, in bytes.
const CROWDED_PROGRESS_MIN: u64 = 4 * 1024;
/// How long that is overlooked: a message may itself be waiting, or have begun a moment ago.
const CROWDED_TURNS: u32 = 5;

/// Why a stream was reset.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Message(#[from] DecodeError),
    #[error("no progress in time")]
    Stalled,
    #[error("no progress while others wait for its memory")]
    Crowded,
    #[error("the node is shutting down")]
    Closed,
}

impl Fault {
    /// Whether the peer does what none does that means well.
    fn is_violation(&self) -> bool {
        match self {
            Self::Frame(FrameError::Length(_) | FrameError::TooLong { .. }) => true,
            Self::Message(_) => true,
            Self::Frame(FrameError::Cut | FrameError::Stream(_)) | Self::Stalled | Self::Closed => false,
            // It may have waited for the memory itself.
            Self::Crowded => false,
        }
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By its end, or because something failed.
    Plainly,
    /// The peer broke the protocol.
    Violated,
}

/// Takes messages in until the stream ends; resets it where it does not hold messages.
pub(crate) async fn serve(stream: Stream, link: Arc<Link>, traffic: Arc<Traffic>) -> Ended {
    let peer = link.peer.clone();
    let mut reader =
        FrameReader::new(stream, BITSWAP_MESSAGE_BYTES_MAX, traffic.frames.clone(), traffic.arriving.clone());
    let Err(fault) = messages(&mut reader, &link, &traffic).await else { return Ended::Plainly };
    tracing::debug!(%peer, %fault, "inbound stream reset");
    let ended = if fault.is_violation() { Ended::Violated } else { Ended::Plainly };
    if matches!(fault, Fault::Message(_)) {
        // The exchange is gone only when the net is shutting down.
        let _ = traffic.events.send(Event::Unusable { peer }).await;
    }
    ended
}

async fn messages(reader: &mut FrameReader<Stream>, link: &Link, traffic: &Traffic) -> Result<(), Fault> {
    loop {
        match timeout(SILENCE_MAX, reader.begin()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok(()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(Fault::Stalled),
        }
        let frame = frame(reader, &link.peer, traffic).await?;
        let frame_bytes = frame.len();
        traffic.count_received(frame_bytes);
        let message = Message::decode(frame)?;
        traffic.counters.messages_in.one();
        traffic.counters.blocks_in.add(message.blocks.len() as u64);
        if traffic.debtors.turn(&link.debt, message.wantlist.len()).await {
            traffic.counters.wantlists_held.one();
        }
        pass_on(message, frame_bytes, &link.peer, traffic).await.ok_or(Fault::Closed)?;
    }
}

/// The frame that has begun. Over a slow link one block takes seconds: the exchange hears that the peer is
/// sending, or it would ask for the block again.
async fn frame(reader: &mut FrameReader<Stream>, peer: &PeerId, traffic: &Traffic) -> Result<Bytes, Fault> {
    let arrived = reader.arrived();
    let (mut heard, mut idle) = (arrived.load(Ordering::Relaxed), 0);
    let mut frame = pin!(reader.frame());
    for _ in 0..FRAME_TIME_MAX.as_millis() / PROGRESS_EVERY.as_millis() {
        if let Ok(frame) = timeout(PROGRESS_EVERY, &mut frame).await {
            return Ok(frame?);
        }
        let now = arrived.load(Ordering::Relaxed);
        let is_idle = now - heard < CROWDED_PROGRESS_MIN;
        idle = if is_idle { idle + 1 } else { 0 };
        if idle >= CROWDED_TURNS && traffic.arriving.is_short() {
            return Err(Fault::Crowded);
        }
        if now != heard {
            heard = now;
            traffic.events.send(Event::Progress { peer: peer.clone() }).await.map_err(|_| Fault::Closed)?;
        }
    }
    Err(Fault::Stalled)
}

/// Nothing where the receiving side has shut down.
async fn pass_on(message: Message, frame_bytes: usize, peer: &PeerId, traffic: &Traffic) -> Option<()> {
    let Message { wantlist, full, blocks, presences, .. } = message;
    let peer = peer.clone();
    if !wantlist.is_empty() || full {
        let event = Event::Wantlist { peer: peer.clone(), entries: wantlist, full };
        traffic.events.send(event).await.ok()?;
    }
    if !blocks.is_empty() {
        let permit = traffic.pipeline.reserve(frame_bytes).await?;
        traffic.pipeline.push(Arrived { peer, frame_bytes, blocks, presences, permit });
    } else if !presences.is_empty() {
        let event = Event::Received { peer, blocks: Vec::new(), presences };
        traffic.events.send(event).await.ok()?;
    }
    Some(())
}
