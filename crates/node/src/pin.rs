//! Pins: promises to keep a block, or a block and everything below it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use ipse_base::{Block, Cid, ErrorKind, Kind, LocalBlocks, SourceError};
use ipse_dag::{Leaves, Walk, WalkOptions};
use ipse_store::{IndexError, Pin as PinRecord, PinError as StorePinError, PinMode};

use crate::fetch::{Driver, Stream};
use crate::source::NodeSource;
use crate::{Node, ReadError, fetch};

/// Leaves whose presence is checked together.
const LEAVES_TOGETHER: usize = 512;

/// How a block is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinState {
    /// It and everything below it.
    Recursive,
    /// It alone.
    Direct,
    /// It is below a recursive pin.
    Indirect(Cid),
}

impl std::fmt::Display for PinState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recursive => f.write_str("recursive"),
            Self::Direct => f.write_str("direct"),
            Self::Indirect(root) => write!(f, "indirect through {root}"),
        }
    }
}

/// A line of `pin ls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The block.
    pub cid: Cid,
    /// How it is kept.
    pub state: PinState,
    /// The pin's name.
    pub name: Option<String>,
}

/// Which pins to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinFilter {
    /// Everything, blocks below recursive pins included.
    All,
    /// Recursive pins.
    Recursive,
    /// Direct pins.
    Direct,
    /// Blocks below recursive pins that are not pinned themselves.
    Indirect,
}

/// How far a running pin is; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct PinProgress {
    blocks: AtomicU64,
    bytes: AtomicU64,
}

impl PinProgress {
    /// Blocks that are known to be here.
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: u64) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Why pins could not be changed or listed. The texts are the reference node's.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// A block below the pin can't be had.
    #[error("pin: {0}")]
    Read(#[from] ReadError),
    /// A direct pin where a recursive one stands.
    #[error("pin: {0} already pinned recursively")]
    AlreadyRecursive(Cid),
    /// Nothing pins it.
    #[error("not pinned or pinned indirectly")]
    NotPinned(Cid),
    /// Nothing pins it, asked of a listing.
    #[error("path '{0}' is not pinned")]
    PathNotPinned(String),
    /// A recursive pin is removed as if it were direct.
    #[error("{0} is pinned recursively")]
    IsRecursive(Cid),
    /// The pin to move is not there.
    #[error("'from' cid was not recursively pinned already")]
    FromNotPinned(Cid),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StorePinError),
    /// The index can't be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The node is going down.
    #[error("the node is shutting down")]
    Stopping,
}

impl ErrorKind for PinError {
    fn kind(&self) -> Kind {
        match self {
            Self::Read(error) => error.kind(),
            Self::AlreadyRecursive(_) | Self::IsRecursive(_) => Kind::Conflict,
            Self::NotPinned(_) | Self::PathNotPinned(_) | Self::FromNotPinned(_) => Kind::NotFound,
            Self::Store(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Stopping => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => error.hint(),
            Self::AlreadyRecursive(cid) => Some(format!("nothing to do: `ipse pin ls {cid}` shows the pin")),
            Self::IsRecursive(cid) => Some(format!("remove it with `ipse pin rm {cid}`")),
            Self::NotPinned(_) | Self::PathNotPinned(_) | Self::FromNotPinned(_) => {
                Some("`ipse pin ls --type=recursive` shows what is pinned".into())
            }
            Self::Store(error) => error.hint(),
            Self::Index(_) | Self::Stopping => None,
        }
    }
}

impl Node {
    /// Pins a block, fetching what is missing below it; durable on return. Dropping the future gives up and
    /// pins nothing.
    ///
    /// # Errors
    /// [`PinError`].
    pub async fn pin_add(
        &self,
        cid: &Cid,
        recursive: bool,
        name: Option<String>,
        progress: Arc<PinProgress>,
    ) -> Result<(), PinError> {
        let current = self.pin_record(cid).await?;
        let mode = if recursive { PinMode::Recursive } else { PinMode::Direct };
        if !recursive && current.as_ref().is_some_and(|pin| pin.mode == PinMode::Recursive) {
            return Err(PinError::AlreadyRecursive(cid.clone()));
        }
        let keep = self.store().temporary_pin(vec![cid.clone()]);
        if recursive {
            self.complete(cid, &progress).await?;
        } else {
            let block = fetch::block(self.source(), cid).await?;
            progress.count(block.data().len() as u64);
        }
        let cid = cid.clone();
        self.change_pins(move |node| node.store().pin(&cid, mode, name.as_deref())).await?;
        drop(keep);
        Ok(())
    }

    /// Removes a pin; durable on return.
    ///
    /// # Errors
    /// [`PinError::NotPinned`], or [`PinError::IsRecursive`] where only direct pins may go.
    pub async fn pin_remove(&self, cid: &Cid, recursive: bool) -> Result<(), PinError> {
        let pin = self.pin_record(cid).await?.ok_or_else(|| PinError::NotPinned(cid.clone()))?;
        if pin.mode == PinMode::Recursive && !recursive {
            return Err(PinError::IsRecursive(cid.clone()));
        }
        let cid = cid.clone();
        self.change_pins(move |node| node.store().unpin(&[cid])).await
    }

    /// Pins `to` like `from`, walking only what differs, and removes the old pin if asked.
    ///
    /// # Errors
    /// [`PinError::FromNotPinned`] where `from` is not pinned recursively.
    pub async fn pin_update(&self, from: &Cid, to: &Cid, unpin: bool) -> Result<(), PinError> {
        let old = self.pin_record(from).await?.filter(|pin| pin.mode == PinMode::Recursive);
        let old = old.ok_or_else(|| PinError::FromNotPinned(from.clone()))?;
        let keep = self.store().temporary_pin(vec![to.clone()]);
        self.complete(to, &PinProgress::default()).await?;
        let (from, to) = (from.clone(), to.clone());
        self.change_pins(move |node| {
            node.store().pin(&to, PinMode::Recursive, old.name.as_deref())?;
            if unpin && from != to { node.store().unpin(&[from]) } else { Ok(()) }
        })
        .await?;
        drop(keep);
        Ok(())
    }

    /// Lists pins: those that are records first, then the blocks below recursive ones.
    pub fn pin_list(&self, filter: PinFilter) -> Stream<Pin> {
        let records = crate::blocking::stream(self.store().pins(None), |record| {
            record.map(Pin::from).map_err(ReadError::plan)
        });
        match filter {
            PinFilter::Recursive => keep(records, |pin| pin.state == PinState::Recursive),
            PinFilter::Direct => keep(records, |pin| pin.state == PinState::Direct),
            PinFilter::Indirect => self.indirect(records, false),
            PinFilter::All => self.indirect(records, true),
        }
    }

    /// Pins with, behind them, the blocks below the recursive ones, each once.
    fn indirect(&self, records: Stream<Pin>, with_records: bool) -> Stream<Pin> {
        let source = self.source().offline();
        let tail = futures::stream::once(async move {
            let pins: Vec<Pin> = records.collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>()?;
            let known: HashSet<Cid> = pins.iter().map(|pin| pin.cid.clone()).collect();
            let roots = pins.iter().filter(|pin| pin.state == PinState::Recursive).map(|pin| pin.cid.clone());
            let below = walk(&source, roots.collect(), false);
            let first = if with_records { pins } else { Vec::new() };
            let below = below.filter_map(move |visit| {
                let found = visit.map(|visit| {
                    let root = visit.parent.unwrap_or_else(|| visit.cid.clone());
                    (!known.contains(&visit.cid)).then_some(Pin {
                        cid: visit.cid,
                        state: PinState::Indirect(root),
                        name: None,
                    })
                });
                futures::future::ready(found.transpose())
            });
            Ok::<_, ReadError>(futures::stream::iter(first.into_iter().map(Ok)).chain(below))
        });
        tail.map(|stream| match stream {
            Ok(stream) => stream.boxed(),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        })
        .flatten()
        .boxed()
    }

    /// How each of the given blocks is pinned, in their order.
    ///
    /// # Errors
    /// [`ReadError`] where a pinned Dag could not be walked.
    pub async fn pins_of(&self, cids: &[Cid]) -> Result<Vec<Option<PinState>>, ReadError> {
        let mut found: Vec<Option<PinState>> = vec![None; cids.len()];
        for (cid, found) in cids.iter().zip(&mut found) {
            *found =
                self.pin_record(cid).await.map_err(ReadError::plan)?.map(|record| Pin::from(record).state);
        }
        if found.iter().all(Option::is_some) {
            return Ok(found);
        }
        let mut roots = self.pin_list(PinFilter::Recursive);
        while let Some(root) = roots.next().await.transpose()? {
            let mut below = walk(&self.source().offline(), vec![root.cid.clone()], false);
            while let Some(visit) = below.next().await.transpose()? {
                for (cid, found) in cids.iter().zip(&mut found) {
                    if found.is_none() && *cid == visit.cid {
                        *found = Some(PinState::Indirect(root.cid.clone()));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The pin record of a block, if it has one.
    ///
    /// # Errors
    /// [`PinError`] where the index can't be read.
    pub async fn pin_record(&self, cid: &Cid) -> Result<Option<PinRecord>, PinError> {
        let (node, cid) = (self.clone(), cid.clone());
        let found = tokio::task::spawn_blocking(move || node.store().pin_of(&cid));
        Ok(found.await.map_err(|_| PinError::Stopping)??)
    }

    /// Walks each recursive pin and tells what is missing below it.
    pub fn pin_verify(&self) -> Stream<(Cid, Vec<Cid>)> {
        let node = self.clone();
        let check = move |pin: Result<Pin, ReadError>| {
            let node = node.clone();
            async move {
                let root = pin?.cid;
                let missing = node.missing_below(&root).await?;
                Ok((root, missing))
            }
        };
        self.pin_list(PinFilter::Recursive).then(check).boxed()
    }

    async fn missing_below(&self, root: &Cid) -> Result<Vec<Cid>, ReadError> {
        let mut missing = Vec::new();
        let source = self.source().offline();
        let mut visits = walk(&source, vec![root.clone()], true);
        while let Some(visit) = visits.next().await.transpose()? {
            let here = !visit.absent && source.local_size(&visit.cid).map_err(ReadError::Source)?.is_some();
            if !here {
                missing.push(visit.cid);
            }
        }
        Ok(missing)
    }

    /// Sees that every block below a root is here.
    async fn complete(&self, root: &Cid, progress: &PinProgress) -> Result<(), ReadError> {
        let mut visits = walk(self.source(), vec![root.clone()], false);
        let mut leaves = Vec::with_capacity(LEAVES_TOGETHER);
        while let Some(visit) = visits.next().await.transpose()? {
            match visit.block {
                Some(block) => progress.count(block.data().len() as u64),
                None => leaves.push(visit.cid),
            }
            if leaves.len() == LEAVES_TOGETHER {
                self.complete_leaves(std::mem::take(&mut leaves), progress).await?;
            }
        }
        self.complete_leaves(leaves, progress).await
    }

    /// Fetches those of the leaves that are not here, as one batch.
    async fn complete_leaves(&self, leaves: Vec<Cid>, progress: &PinProgress) -> Result<(), ReadError> {
        let source = self.source().clone();
        let sizes = tokio::task::spawn_blocking(move || -> Result<_, SourceError> {
            leaves.into_iter().map(|cid| Ok((source.local_size(&cid)?, cid))).collect::<Result<Vec<_>, _>>()
        });
        let mut missing = Vec::new();
        for (size, cid) in sizes.await.map_err(|_| ReadError::Stopping)?.map_err(ReadError::Source)? {
            match size {
                Some(size) => progress.count(size),
                None => missing.push(cid),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let options = WalkOptions { leaves: Leaves::Read, unique: true, ..WalkOptions::default() };
        let mut fetched = Driver::new(Walk::new(missing, options), self.source().clone()).into_stream();
        while let Some(visit) = fetched.next().await.transpose()? {
            progress.count(visit.block.as_ref().map_or(0, |block: &Block| block.data().len() as u64));
        }
        Ok(())
    }

    /// Changes pins and waits for the disk.
    async fn change_pins<F>(&self, change: F) -> Result<(), PinError>
    where
        F: FnOnce(&Self) -> Result<(), StorePinError> + Send + 'static,
    {
        let node = self.clone();
        let changed = tokio::task::spawn_blocking(move || change(&node));
        Ok(changed.await.map_err(|_| PinError::Stopping)??)
    }
}

/// Every block below the roots, each once, leaves named and not read.
fn walk(source: &NodeSource, roots: Vec<Cid>, tolerate_absent: bool) -> Stream<ipse_dag::Visit> {
    let options =
        WalkOptions { leaves: Leaves::Name, unique: true, tolerate_absent, ..WalkOptions::default() };
    Driver::new(Walk::new(roots, options), source.clone()).into_stream()
}

fn keep(pins: Stream<Pin>, wanted: fn(&Pin) -> bool) -> Stream<Pin> {
    pins.filter(move |pin| futures::future::ready(pin.as_ref().is_ok_and(wanted) || pin.is_err())).boxed()
}

impl From<PinRecord> for Pin {
    fn from(record: PinRecord) -> Self {
        let state = match record.mode {
            PinMode::Recursive => PinState::Recursive,
            PinMode::Direct => PinState::Direct,
        };
        Self { cid: record.cid, state, name: record.name }
    }
}
