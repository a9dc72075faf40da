//! Blocks: put, get and delete.
//!
//! A put checksums outside of any lock, appends many blocks in one write and is visible on return. A get is a
//! look-up, one read and one checksum; what does not match never leaves this file.

use std::collections::HashSet;

use bytes::Bytes;
use ipse_base::{Block, BlockSink, Buffer, Cid, Codec, ErrorKind, Kind, LocalBlocks, SinkError, SourceError};

use crate::core::{Core, WriteError};
use crate::disk::DiskError;
use crate::hot::{AtHand, Held, Reuse};
use crate::index::IndexError;
use crate::log::NewRecord;
use crate::place::{Place, Position};
use crate::record::{Header, PAYLOAD_BYTES_MAX, RecordError, RecordKind};
use crate::segment::{self, SegmentError};
use crate::store::Store;

/// Why a block that is here could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What stands there is not the block.
    #[error("block {cid} is damaged at {position}: {reason}")]
    Damaged {
        /// The block.
        cid: Cid,
        /// Where it should be.
        position: Position,
        /// What is wrong with it.
        reason: RecordError,
    },
}

impl ErrorKind for ReadError {
    fn kind(&self) -> Kind {
        match self {
            Self::Index(error) => error.kind(),
            Self::Disk(error) => error.kind(),
            Self::Damaged { .. } => Kind::Corrupt,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Index(error) => error.hint(),
            Self::Disk(error) => error.hint(),
            Self::Damaged { .. } => Some(
                "run `ipse repo verify`; adding or fetching the data again replaces the damaged block".into(),
            ),
        }
    }
}

/// How often a read looks again when a collection moved the block under it.
const MOVED_RETRIES: usize = 64;

/// What a reader is ready to do for a block.
#[derive(Debug, Clone, Copy)]
struct Terms {
    /// Whether it may wait for the disk.
    wait: bool,
    reuse: Reuse,
}

/// What came of it.
enum Read {
    Bytes(Held),
    Absent,
    WouldWait,
}

impl Core {
    /// The bytes of a block, if it is here, from the disk.
    pub(crate) fn read(&self, cid: &Cid) -> Result<Option<Bytes>, ReadError> {
        match self.read_on(cid, Terms { wait: true, reuse: Reuse::Once })? {
            Read::Bytes(held) => Ok(Some(held.bytes)),
            Read::Absent | Read::WouldWait => Ok(None),
        }
    }

    /// The bytes of a block, out of memory if it was read before.
    fn recall(&self, cid: &Cid, terms: Terms) -> Result<Read, ReadError> {
        // A running collection must hear of it before it is found, as of any other look.
        let is_known = !self.collecting.is_on() || self.pending().place(cid.hash()) != Some(None);
        if let Some(held) = is_known.then(|| self.hot.get(cid)).flatten() {
            self.log.counters.cache_hits.one();
            self.uses.touch(held.segment);
            return Ok(Read::Bytes(held));
        }
        let removals = self.hot.removals();
        let read = self.read_on(cid, terms)?;
        if let Read::Bytes(held) = &read {
            self.uses.touch(held.segment);
            if terms.reuse == Reuse::Likely {
                self.hot.insert(cid, held.clone(), removals);
            }
        }
        Ok(read)
    }

    fn read_on(&self, cid: &Cid, terms: Terms) -> Result<Read, ReadError> {
        let mut place = self.place(cid.hash())?;
        for _ in 0..MOVED_RETRIES {
            let Some(at) = place else { return Ok(Read::Absent) };
            let rewrites = self.log.rewrites();
            let error = match self.read_record(cid, &at, terms) {
                Ok(Some(bytes)) => {
                    return Ok(Read::Bytes(Held { bytes, segment: at.position.segment }));
                }
                Ok(None) => return Ok(Read::WouldWait),
                Err(error) => error,
            };
            place = self.place(cid.hash())?;
            if place == Some(at) && !self.log.rewritten_since(rewrites) {
                if error.kind() == Kind::Corrupt {
                    tracing::error!(%error, "damage found");
                    self.damaged.note(cid);
                }
                return Err(error);
            }
        }
        Ok(Read::Absent)
    }

    /// The bytes of the block at this place, checked, from the disk.
    pub(crate) fn read_at(&self, cid: &Cid, place: &Place) -> Result<Bytes, ReadError> {
        let read = self.read_record(cid, place, Terms { wait: true, reuse: Reuse::Once })?;
        // One that waits always has an answer.
        Ok(read.unwrap_or_default())
    }

    /// The same on a reader's terms; nothing where that would mean to wait.
    fn read_record(&self, cid: &Cid, place: &Place, terms: Terms) -> Result<Option<Bytes>, ReadError> {
        let Position { segment: id, offset } = place.position;
        let damaged = |reason| ReadError::Damaged { cid: cid.clone(), position: place.position, reason };
        let segment = match self.log.segments.get(id) {
            Ok(segment) => segment,
            Err(SegmentError::Disk(error)) if error.kind() != Kind::NotFound => return Err(error.into()),
            Err(_) => return Err(damaged(RecordError::NoSegment)),
        };
        let header_len = place.header_len(cid.hash());
        let length = header_len + place.length as usize;
        let mut buffer = match terms.reuse {
            Reuse::Likely => Buffer::owned(length),
            Reuse::Once => self.buffers.take(length),
        };
        let filled = match terms.wait {
            true => segment.file.read_at(offset, buffer.as_mut()).map(|()| true),
            false => segment.file.read_now(offset, buffer.as_mut()),
        };
        match filled {
            Ok(true) => {}
            Ok(false) => {
                self.log.counters.would_wait.one();
                return Ok(None);
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(damaged(RecordError::Short));
            }
            Err(error) => return Err(DiskError::of("read", &segment::path(&self.log.dir, id))(error).into()),
        }
        let record = buffer.as_slice();
        let header = Header::read(record, segment.marker, offset).map_err(damaged)?;
        // The index is not believed: the record itself must say that it is this block.
        let is_it = header.kind == RecordKind::Block
            && header.name.as_ref().is_some_and(|name| name.hash() == cid.hash())
            && header.header_len() == header_len;
        if !is_it {
            return Err(damaged(RecordError::Other));
        }
        header.check_payload(&record[header_len..]).map_err(damaged)?;
        self.log.counters.reads.one();
        self.log.counters.bytes_read.add(u64::from(place.length));
        Ok(Some(buffer.into_bytes().slice(header_len..)))
    }

    /// Makes blocks visible, those that are here already left out.
    fn put<'a>(&self, blocks: impl Iterator<Item = New<'a>>) -> Result<(), WriteError> {
        self.make_room_to_grow()?;
        let records = self.fresh_records(blocks)?;
        if records.is_empty() {
            return Ok(self.resume()?);
        }
        let mut appender = self.log.appender();
        // Another thread may have put the same blocks meanwhile; the second look is in memory only.
        let mut records = records;
        records.retain(|record| record.name.is_some_and(|cid| !self.is_pending(cid)));
        self.grow(&mut appender, &records)?;
        drop(appender);
        for record in &records {
            if let Some(cid) = record.name {
                self.damaged.healed(cid.hash());
            }
        }
        Ok(())
    }

    fn is_pending(&self, cid: &Cid) -> bool {
        matches!(self.pending().place(cid.hash()), Some(Some(_))) && !self.damaged.contains(cid.hash())
    }

    fn fresh_records<'a>(
        &self,
        blocks: impl Iterator<Item = New<'a>>,
    ) -> Result<Vec<NewRecord<'a>>, WriteError> {
        let mut seen = HashSet::new();
        let mut records = Vec::with_capacity(blocks.size_hint().0);
        for new in blocks {
            let block = new.block();
            let (cid, data) = (block.cid(), block.data());
            if cid.is_identity() || data.is_empty() || !seen.insert(cid.hash()) {
                continue;
            }
            if data.len() > PAYLOAD_BYTES_MAX {
                let (cid, length) = (cid.clone(), data.len());
                return Err(WriteError::TooLarge { cid, length, limit: PAYLOAD_BYTES_MAX });
            }
            if self.is_kept(cid)? {
                self.log.counters.duplicates.one();
                continue;
            }
            records.push(match new {
                New::Plain(block) => self.prepare(block),
                New::Prepared(prepared) => prepared.record(),
            });
        }
        Ok(records)
    }

    /// Whether the block is here, sound, and stays. Under temporary pins it is looked for again once they protect
    /// it: in between a collection may have begun and taken it.
    fn is_kept(&self, cid: &Cid) -> Result<bool, WriteError> {
        let place = self.place(cid.hash())?;
        let Some(place) = place.filter(|_| !self.damaged.contains(cid.hash())) else { return Ok(false) };
        self.uses.touch(place.position.segment);
        if !self.guards.any() {
            return Ok(true);
        }
        self.guards.touch(cid.hash(), place.record_len(cid.hash()));
        Ok(self.place(cid.hash())?.is_some())
    }

    fn prepare<'a>(&self, block: &'a Block) -> NewRecord<'a> {
        let (cid, data) = (block.cid(), block.data());
        NewRecord { leaf: self.is_leaf(cid, data), ..NewRecord::new(RecordKind::Block, Some(cid), data) }
    }

    /// Whether the block has no links. What can't be read counts as an inner node: the walk that meets it will
    /// say what is wrong with it.
    fn is_leaf(&self, cid: &Cid, data: &Bytes) -> bool {
        cid.codec() == Codec::RAW || (self.options.links)(cid, data).is_ok_and(|links| links.is_empty())
    }

    fn delete(&self, cids: &[Cid]) -> Result<usize, WriteError> {
        self.make_room()?;
        let mut appender = self.log.appender();
        let mut records: Vec<NewRecord<'_>> = Vec::new();
        let mut seen = HashSet::new();
        for cid in cids {
            if let Some(pin) = self.pins_of(cid.hash())?.into_iter().next() {
                return Err(WriteError::Pinned { cid: cid.clone(), mode: pin.mode });
            }
            if seen.insert(cid.hash()) && self.place(cid.hash())?.is_some() {
                records.push(NewRecord::new(RecordKind::Tombstone, Some(cid), &[]));
            }
        }
        self.write(&mut appender, &records)?;
        self.quota.loosened_unknown();
        Ok(records.len())
    }
}

/// A block with what the log needs to know of it, so that a put has nothing left to compute. Whoever makes
/// blocks on many threads prepares them there, while their bytes are still in the processor's cache.
#[derive(Debug, Clone)]
pub struct Prepared {
    block: Block,
    leaf: bool,
    payload_crc: u32,
}

impl Prepared {
    /// The block.
    pub const fn block(&self) -> &Block {
        &self.block
    }

    fn record(&self) -> NewRecord<'_> {
        let Self { block, leaf, payload_crc } = self;
        let (kind, name, payload) = (RecordKind::Block, Some(block.cid()), &block.data()[..]);
        NewRecord { kind, leaf: *leaf, name, payload, payload_crc: *payload_crc }
    }
}

/// A block that is to be put.
#[derive(Clone, Copy)]
enum New<'a> {
    Plain(&'a Block),
    Prepared(&'a Prepared),
}

impl<'a> New<'a> {
    const fn block(self) -> &'a Block {
        match self {
            Self::Plain(block) => block,
            Self::Prepared(prepared) => &prepared.block,
        }
    }
}

impl Store {
    /// Works out what a put of the block needs, on the caller's thread.
    pub fn prepare(&self, block: Block) -> Prepared {
        let NewRecord { leaf, payload_crc, .. } = self.core().prepare(&block);
        Prepared { block, leaf, payload_crc }
    }

    /// As [`Store::put_blocks`], of blocks that were prepared.
    ///
    /// # Errors
    /// As [`Store::put_blocks`].
    pub fn put_prepared(&self, blocks: &[Prepared]) -> Result<(), WriteError> {
        let _room = self.make_space(blocks.iter().map(|new| new.block.data().len()))?;
        self.core().put(blocks.iter().map(New::Prepared))
    }

    /// Whether the block is here. Blocks that follow from their name alone are always here.
    ///
    /// # Errors
    /// [`IndexError`] where the index could not be read.
    pub fn has(&self, cid: &Cid) -> Result<bool, IndexError> {
        Ok(Block::implied_by(cid).is_some() || self.core().place(cid.hash())?.is_some())
    }

    /// The bytes of a block, checked, if it is here.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] (corrupt) where they do not match, otherwise what the disk or index says.
    pub fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.read(cid, Reuse::Once)
    }

    /// As [`Store::get`], for a reader that says whether it will come back.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn read(&self, cid: &Cid, reuse: Reuse) -> Result<Option<Block>, ReadError> {
        match self.recalled(cid, Terms { wait: true, reuse })? {
            AtHand::Block(block) => Ok(Some(block)),
            AtHand::Absent | AtHand::OnDisk => Ok(None),
        }
    }

    /// A block that can be had without waiting for the disk: out of memory, or out of the system's page cache.
    /// Made for threads that others depend on. What it may still wait for is one page of the index, where that
    /// is in no cache.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn read_now(&self, cid: &Cid, reuse: Reuse) -> Result<AtHand, ReadError> {
        self.recalled(cid, Terms { wait: false, reuse })
    }

    fn recalled(&self, cid: &Cid, terms: Terms) -> Result<AtHand, ReadError> {
        Ok(match self.core().recall(cid, terms)? {
            Read::Bytes(held) => AtHand::Block(Block::attested(cid.clone(), held.bytes)),
            Read::WouldWait => AtHand::OnDisk,
            Read::Absent => Block::implied_by(cid).map_or(AtHand::Absent, AtHand::Block),
        })
    }

    /// Counts removals of blocks since the store was opened. Whoever remembers something that is true while
    /// certain blocks are here asks whether the number is still the same.
    pub fn removals(&self) -> u64 {
        self.core().hot.removals()
    }

    /// The size of a block in bytes, if it is here, from the index alone.
    ///
    /// # Errors
    /// [`IndexError`] where the index could not be read.
    pub fn size(&self, cid: &Cid) -> Result<Option<u64>, IndexError> {
        if let Some(block) = Block::implied_by(cid) {
            return Ok(Some(block.data().len() as u64));
        }
        Ok(self.core().place(cid.hash())?.map(|place| u64::from(place.length)))
    }

    /// Whether a block that is here has no links under the codec of this Cid; `None` where it is not here, or
    /// was stored under another codec, so that only reading it tells.
    ///
    /// # Errors
    /// [`IndexError`] where the index could not be read.
    pub fn is_leaf(&self, cid: &Cid) -> Result<Option<bool>, IndexError> {
        if cid.codec() == Codec::RAW {
            return Ok(Some(true));
        }
        Ok(self.core().place(cid.hash())?.and_then(|place| place.leaf_under(cid.codec())))
    }

    /// Makes blocks visible; see [`BlockSink::put`]. Those that are here already are skipped.
    ///
    /// # Errors
    /// [`WriteError`], full where the disk is; none is then half written.
    pub fn put_blocks(&self, blocks: &[Block]) -> Result<(), WriteError> {
        let _room = self.make_space(blocks.iter().map(|block| block.data().len()))?;
        self.core().put(blocks.iter().map(New::Plain))
    }

    /// Deletes blocks; unknown ones are skipped. Returns how many were here. Gone for readers at once, durably
    /// after the next commit; their space returns with the next collection. What links to them is the
    /// caller's business.
    ///
    /// # Errors
    /// [`WriteError::Pinned`] (conflict) where one is the root of a pin; nothing is deleted then.
    pub fn delete(&self, cids: &[Cid]) -> Result<usize, WriteError> {
        self.core().delete(cids)
    }
}

fn source_error(cid: &Cid, error: &dyn ErrorKind) -> SourceError {
    SourceError { cid: cid.clone(), message: error.to_string(), kind: error.kind() }
}

impl LocalBlocks for Store {
    fn local(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        self.get(cid).map_err(|error| source_error(cid, &error))
    }

    fn local_size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        self.size(cid).map_err(|error| source_error(cid, &error))
    }
}

impl BlockSink for Store {
    fn put(&self, blocks: &[Block]) -> Result<(), SinkError> {
        self.put_blocks(blocks).map_err(|error| SinkError { message: error.to_string(), kind: error.kind() })
    }

    fn commit(&self) -> Result<(), SinkError> {
        self.core().commit().map_err(|error| SinkError { message: error.to_string(), kind: error.kind() })
    }
}
