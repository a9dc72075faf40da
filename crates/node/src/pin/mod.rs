//! Pins: promises to keep a block, or a block and everything below it.

mod change;
mod error;

pub use change::PinProgress;
pub use error::PinError;

use std::collections::HashSet;

use futures::StreamExt;
use ipse_base::{Cid, LocalBlocks};
use ipse_dag::{Leaves, Walk, WalkOptions};
use ipse_store::{Pin as PinRecord, PinMode};

use crate::fetch::{Driver, Stream};
use crate::source::NodeSource;
use crate::{Node, ReadError};

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

impl Node {
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
        let (store, asked) = (self.store().clone(), cids.to_vec());
        let records = tokio::task::spawn_blocking(move || store.pins_on(&asked)).await;
        let records = records.map_err(|_| ReadError::Stopping)?.map_err(ReadError::plan)?;
        let state = |record: Option<PinRecord>| record.map(|record| Pin::from(record).state);
        let mut found: Vec<Option<PinState>> = records.into_iter().map(state).collect();
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
