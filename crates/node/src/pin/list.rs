//! Lists pins, and says how blocks are pinned.

use std::collections::HashMap;

use futures::StreamExt;
use ipse_base::Cid;
use ipse_store::{IndexError, Pin as PinRecord, PinMode};

use super::below::Below;
use super::{Pin, PinError, PinFilter, PinState, walk};
use crate::fetch::Stream;
use crate::{Node, ReadError, blocking};

impl Node {
    /// Lists pins, up to a thousand at a time: those that are records in the order of their hashes, then the blocks
    /// below recursive ones, each once. The first ones come at once, and memory is bounded however many there are.
    /// Pins that come or go meanwhile may or may not be listed.
    pub fn pin_list(&self, filter: PinFilter) -> Stream<Vec<Pin>> {
        let records = |mode| {
            let convert = |page: Result<Vec<PinRecord>, IndexError>| {
                page.map(|pins| pins.into_iter().map(Pin::from).collect()).map_err(ReadError::plan)
            };
            blocking::pages(self.store().pin_pages(mode)).map(convert)
        };
        let below = || blocking::pages(Below::new(self.store().clone()));
        match filter {
            PinFilter::Recursive => records(Some(PinMode::Recursive)).boxed(),
            PinFilter::Direct => records(Some(PinMode::Direct)).boxed(),
            PinFilter::Indirect => below(),
            PinFilter::All => records(None).chain(below()).boxed(),
        }
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
        let mut wanted: HashMap<&Cid, Vec<usize>> = HashMap::new();
        for (place, (cid, _)) in cids.iter().zip(&found).enumerate().filter(|(_, (_, found))| found.is_none())
        {
            wanted.entry(cid).or_default().push(place);
        }
        let mut roots = blocking::stream(self.store().pins(Some(PinMode::Recursive)), |pin| pin);
        while !wanted.is_empty()
            && let Some(root) = roots.next().await.transpose().map_err(ReadError::plan)?
        {
            let mut below = walk(&self.source().own(), vec![root.cid.clone()], false);
            while !wanted.is_empty()
                && let Some(visit) = below.next().await.transpose()?
            {
                for place in wanted.remove(&visit.cid).unwrap_or_default() {
                    found[place] = Some(PinState::Indirect(root.cid.clone()));
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
}
