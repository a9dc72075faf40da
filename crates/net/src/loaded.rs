//! Loaded: a message with its payload, read from the store on the blocking pool when it is about to be written.

use std::sync::Arc;

use bytes::Bytes;
use ipse_base::{Block, Cid, LocalBlocks};
use ipse_bitswap::{CidPrefix, ProtocolVersion};
use tokio::task::JoinHandle;

use crate::frame;
use crate::link::Job;
use crate::loads::Held;
use crate::traffic::Traffic;

/// A message as it goes out, and what it was made of.
pub(crate) struct Loaded {
    pub(crate) job: Job,
    /// The frame: its length, then what it holds.
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) payload_bytes: u64,
    /// Blocks that have gone since they were looked up, or can't be read.
    pub(crate) missing: Vec<Cid>,
    /// For messages with payload beyond what is each peer's own.
    pub(crate) held: Option<Held>,
}

/// A message whose payload is read, or being read elsewhere.
pub(crate) enum Loading {
    Ready(Box<Loaded>),
    Reading(JoinHandle<Loaded>),
}

impl Loading {
    /// A message without payload.
    pub(crate) fn plain(job: Job, version: ProtocolVersion, traffic: &Traffic) -> Self {
        Self::Ready(Box::new(Loaded::read(job, version, &*traffic.local)))
    }

    /// Begins to read a message's payload into what is held for it, if it needs that.
    pub(crate) fn payload(
        job: Job,
        version: ProtocolVersion,
        mut held: Option<Held>,
        traffic: &Arc<Traffic>,
    ) -> Self {
        traffic.counters.loads.one();
        let traffic = traffic.clone();
        Self::Reading(tokio::task::spawn_blocking(move || {
            let mut loaded = Loaded::read(job, version, &*traffic.local);
            if let Some(held) = &mut held {
                traffic.loads.settle(held, loaded.len());
            }
            loaded.held = held;
            loaded
        }))
    }

    /// Nothing where the reader panicked or the runtime is shutting down; the job went with it, and the peer asks
    /// again.
    pub(crate) async fn finished(self) -> Option<Loaded> {
        match self {
            Self::Ready(loaded) => Some(*loaded),
            Self::Reading(handle) => handle.await.ok(),
        }
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
        let encoded = message.encode(version);
        let mut pieces = vec![frame::prefix(encoded.len()).into()];
        pieces.extend(encoded.into_pieces());
        Self { job, pieces, payload_bytes, missing, held: None }
    }

    /// Bytes of the whole frame.
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// The part of a piece that stands at this place of the frame, as far as the piece goes.
    pub(crate) fn at(&self, mut place: usize) -> &[u8] {
        for piece in &self.pieces {
            if place < piece.len() {
                return &piece[place..];
            }
            place -= piece.len();
        }
        &[]
    }

    /// So many bytes from this place on, copied, so that the rest can be let go.
    pub(crate) fn copy(&self, place: usize, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            let part = self.at(place + out.len());
            let part = &part[..part.len().min(count - out.len())];
            if part.is_empty() {
                break;
            }
            out.extend_from_slice(part);
        }
        out
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
