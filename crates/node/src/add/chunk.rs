//! Chunk: a stretch of a file that becomes a leaf, wherever its bytes are now.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use ipse_store::{Prepared, Store};
use ipse_unixfs::{ImportOptions, LeafFrame, LeafLink, leaf, sole_leaf};

use super::buffers::Buffers;
use super::{AddCounters, AddError, FileSource};

/// Chunks below this get memory of their own: it is cheap, and a pool of large buffers is no place for them.
const POOLED_BYTES_MIN: usize = 64 * 1024;

/// A stretch of a file.
pub(super) struct Chunk {
    /// How its file is imported.
    pub(super) options: Arc<ImportOptions>,
    /// Whether it is all of its file.
    pub(super) sole: bool,
    pub(super) content: Content,
}

/// Where its bytes are.
pub(super) enum Content {
    /// Here.
    Bytes(Bytes),
    /// In a file, still to be read.
    Part { file: Arc<OpenSource>, offset: u64, length: usize },
}

/// A source and what it is called.
pub(super) struct OpenSource {
    pub(super) path: String,
    pub(super) source: Box<dyn FileSource>,
}

/// A leaf as the layout and the store want it.
pub(super) struct MadeLeaf {
    pub(super) link: LeafLink,
    /// Absent where nothing is kept.
    pub(super) block: Option<Prepared>,
}

/// What chunks are made into leaves with.
pub(super) struct Maker {
    pub(super) buffers: Arc<Buffers>,
    /// Where leaves will be put; nowhere if they are only to be named.
    pub(super) store: Option<Store>,
    pub(super) counters: Arc<AddCounters>,
}

impl Chunk {
    /// Bytes of it.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::Part { length, .. } => *length,
        }
    }
}

impl Maker {
    /// Reads, hashes and checksums a chunk, one after the other while it is in the processor's cache.
    pub(super) fn make(&self, chunk: Chunk) -> Result<MadeLeaf, AddError> {
        let length = chunk.bytes();
        let Chunk { options, sole, content } = chunk;
        match &content {
            Content::Bytes(_) => self.counters.chunks_passed.one(),
            Content::Part { offset, .. } => {
                self.counters.files_in_place.add(u64::from(*offset == 0));
                self.counters.chunks_in_place.one();
            }
        }
        self.counters.bytes_hashed.add(length as u64);
        let frame = LeafFrame::new(&options, length, sole);
        let made = match content {
            Content::Bytes(bytes) if options.raw_leaves => frame.framed(bytes)?,
            Content::Bytes(bytes) if length < POOLED_BYTES_MIN && sole => sole_leaf(&options, bytes)?,
            Content::Bytes(bytes) if length < POOLED_BYTES_MIN => leaf(&options, bytes)?,
            Content::Bytes(bytes) => frame.framed(self.framed(&frame, |out| {
                out.copy_from_slice(&bytes);
                Ok(())
            })?)?,
            Content::Part { file, offset, .. } => {
                frame.framed(self.framed(&frame, |out| file.read(offset, out))?)?
            }
        };
        let link = made.link();
        // What a Cid says by itself needs no place in the store.
        let store = self.store.as_ref().filter(|_| !link.cid.is_identity());
        Ok(MadeLeaf { block: store.map(|store| store.prepare(made.block)), link })
    }

    /// A block's bytes: the frame, and between its ends what `fill` puts there.
    fn framed(
        &self,
        frame: &LeafFrame<'_>,
        fill: impl FnOnce(&mut [u8]) -> Result<(), AddError>,
    ) -> Result<Bytes, AddError> {
        let mut buffer = self.buffers.take(frame.block_bytes());
        let (head, rest) = buffer.bytes_mut().split_at_mut(frame.head().len());
        head.copy_from_slice(frame.head());
        let (content, tail) = rest.split_at_mut(rest.len() - frame.tail().len());
        tail.copy_from_slice(frame.tail());
        fill(content)?;
        Ok(buffer.freeze())
    }
}

impl OpenSource {
    /// Fills `out` from `offset`.
    fn read(&self, mut offset: u64, mut out: &mut [u8]) -> Result<(), AddError> {
        while !out.is_empty() {
            match self.source.read_at(offset, out) {
                Ok(0) => return Err(AddError::Changed(self.path.clone())),
                Ok(read) => {
                    offset += read as u64;
                    out = &mut out[read..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(AddError::Read { path: self.path.clone(), source }),
            }
        }
        Ok(())
    }
}
