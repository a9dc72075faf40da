//! Sets pins and takes them away: any number with one sync, or with one a second where blocks have to be fetched
//! first.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use ipse_base::{Cid, Codec};
use ipse_store::{Known, Pin as PinRecord, PinMode};
use tokio::time::Instant;

use super::{PinError, walk};
use crate::leaves::LEAVES_TOGETHER;
use crate::{Node, ReadError};

/// Pins taken away together: what is asked for after one that is not there stays.
const REMOVED_TOGETHER: usize = 4096;
/// How long pins that are complete wait for others before they are made durable.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

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

impl Node {
    /// Pins blocks, fetching what is missing below them; durable on return. They are taken in order: where one can't
    /// be had, those before it are pinned. Dropping the future gives up; what was complete a second before is
    /// pinned then.
    ///
    /// # Errors
    /// [`PinError`] of the first that can't be pinned.
    pub async fn pin_add(
        &self,
        cids: Vec<Cid>,
        recursive: bool,
        name: Option<String>,
        progress: Arc<PinProgress>,
    ) -> Result<(), PinError> {
        let _keep = self.store().temporary_pin(cids.clone());
        let mode = if recursive { PinMode::Recursive } else { PinMode::Direct };
        let pin = |cid: &Cid| PinRecord { cid: cid.clone(), mode, name: name.clone() };
        let (mut complete, mut committed) = (Vec::new(), Instant::now());
        for asked in cids.chunks(LEAVES_TOGETHER) {
            let (ready, outcome) = self.complete_some(asked, mode, &progress).await;
            complete.extend(asked[..ready].iter().map(pin));
            if outcome.is_err() || committed.elapsed() > COMMIT_EVERY {
                self.commit_pins(std::mem::take(&mut complete)).await?;
                committed = Instant::now();
            }
            outcome?;
        }
        self.commit_pins(complete).await
    }

    /// Removes pins; durable on return. They are taken in order: where one can't be removed, those before it are.
    ///
    /// # Errors
    /// [`PinError::NotPinned`], or [`PinError::IsRecursive`] where only direct pins may go.
    pub async fn pin_remove(&self, mut cids: Vec<Cid>, recursive: bool) -> Result<(), PinError> {
        let mut seen = HashSet::with_capacity(cids.len());
        cids.retain(|cid| seen.insert(cid.clone()));
        self.change_pins(move |node| {
            let mut removable = Vec::with_capacity(cids.len());
            let mut refusal = None;
            for asked in cids.chunks(REMOVED_TOGETHER) {
                let pins = node.store().pins_on(asked)?;
                let refused = |(cid, pin): (&Cid, Option<PinRecord>)| match pin {
                    None => Some(PinError::NotPinned(cid.clone())),
                    Some(pin) if pin.mode == PinMode::Recursive && !recursive => {
                        Some(PinError::IsRecursive(cid.clone()))
                    }
                    Some(_) => None,
                };
                let refusals = asked.iter().zip(pins).map(refused);
                let (ready, error) = up_to_first(refusals);
                removable.extend_from_slice(&asked[..ready]);
                refusal = error;
                if refusal.is_some() {
                    break;
                }
            }
            node.store().unpin(&removable)?;
            refusal.map_or(Ok(()), Err)
        })
        .await
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
            if unpin && from != to {
                node.store().unpin(&[from])?;
            }
            Ok(())
        })
        .await?;
        drop(keep);
        Ok(())
    }

    /// Sees that what these pins promise is here. Says how many of them, from the front, may be set, and why the
    /// next one may not.
    async fn complete_some(
        &self,
        cids: &[Cid],
        mode: PinMode,
        progress: &PinProgress,
    ) -> (usize, Result<(), PinError>) {
        let known = match self.look_up(cids, mode).await {
            Ok(known) => known,
            Err(error) => return (0, Err(error)),
        };
        // A direct pin where a recursive one stands ends the work before anything is fetched for those behind it.
        let (allowed, refusal) = up_to_first(known.iter().zip(cids).map(|(known, cid)| match known {
            Asked::Refused => Some(PinError::AlreadyRecursive(cid.clone())),
            Asked::Known(_) => None,
        }));
        let mut missing = Vec::new();
        let mut inner = Vec::new();
        for (place, (known, cid)) in known.iter().zip(&cids[..allowed]).enumerate() {
            let Asked::Known(known) = known else { continue };
            let alone = mode == PinMode::Direct || cid.codec() == Codec::RAW;
            match known {
                _ if !alone && known.and_then(|known| known.leaf) != Some(true) => inner.push(place),
                Some(known) => progress.count(known.bytes),
                None => missing.push((place, cid.clone())),
            }
        }
        // In order: what fails first keeps those behind it from being pinned.
        let fetched =
            self.complete_leaves(missing.iter().map(|(_, cid)| cid.clone()).collect(), progress).await;
        if let Err(error) = fetched {
            let places = missing.iter().map(|(place, _)| *place);
            let ready = self.first_missing(cids, places).await.min(inner.first().copied().unwrap_or(allowed));
            return (ready, Err(error.into()));
        }
        for place in inner {
            if let Err(error) = self.complete(&cids[place], progress).await {
                return (place, Err(error.into()));
            }
        }
        (allowed, refusal.map_or(Ok(()), Err))
    }

    /// What is known of blocks that are to be pinned.
    async fn look_up(&self, cids: &[Cid], mode: PinMode) -> Result<Vec<Asked>, PinError> {
        let asked = cids.to_vec();
        self.change_pins(move |node| {
            let store = node.store();
            let known = store.look_up(&asked)?.into_iter();
            if mode == PinMode::Recursive {
                return Ok(known.map(Asked::Known).collect());
            }
            let pins = store.pins_on(&asked)?.into_iter();
            let refused = |pin: Option<PinRecord>| pin.is_some_and(|pin| pin.mode == PinMode::Recursive);
            let asked = |(known, pin)| if refused(pin) { Asked::Refused } else { Asked::Known(known) };
            Ok(known.zip(pins).map(asked).collect())
        })
        .await
    }

    /// The first of these places whose block is still missing; behind all where none is.
    async fn first_missing(&self, cids: &[Cid], places: impl Iterator<Item = usize>) -> usize {
        let places: Vec<usize> = places.collect();
        let asked: Vec<Cid> = places.iter().filter_map(|&place| cids.get(place).cloned()).collect();
        let known = self.change_pins(move |node| Ok(node.store().look_up(&asked)?)).await;
        // What can't be looked up counts as missing.
        let known = known.unwrap_or_default();
        let first = places.iter().enumerate().find(|(at, _)| known.get(*at).is_none_or(Option::is_none));
        first.map_or(cids.len(), |(_, &place)| place)
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

    /// Sees that leaves are here, fetching those that are not.
    async fn complete_leaves(&self, leaves: Vec<Cid>, progress: &PinProgress) -> Result<(), ReadError> {
        self.leaf_sizes(leaves).await?.into_iter().for_each(|bytes| progress.count(bytes));
        Ok(())
    }

    async fn commit_pins(&self, pins: Vec<PinRecord>) -> Result<(), PinError> {
        if pins.is_empty() {
            return Ok(());
        }
        self.change_pins(move |node| Ok(node.store().commit_with_pins(&pins)?)).await
    }

    /// Works on pins away from the runtime's threads.
    async fn change_pins<T, F>(&self, change: F) -> Result<T, PinError>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, PinError> + Send + 'static,
    {
        let node = self.clone();
        tokio::task::spawn_blocking(move || change(&node)).await.map_err(|_| PinError::Stopping)?
    }
}

/// A block that is to be pinned.
enum Asked {
    /// A direct pin is asked for where a recursive one stands.
    Refused,
    /// What is known of it; nothing where it is not here.
    Known(Option<Known>),
}

/// How many come before the first that is something, and that.
fn up_to_first<T>(mut answers: impl Iterator<Item = Option<T>>) -> (usize, Option<T>) {
    let mut before = 0;
    loop {
        match answers.next() {
            None => return (before, None),
            Some(Some(found)) => return (before, Some(found)),
            Some(None) => before += 1,
        }
    }
}
