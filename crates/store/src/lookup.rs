//! Lookup: what is known of many blocks at once, from the index alone.

use ipse_base::{Block, Cid, Codec};

use crate::index::IndexError;
use crate::store::Store;

/// What is known of a block that is here without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it has no links under the codec of the Cid it was asked for by; `None` where only reading it tells.
    pub leaf: Option<bool>,
}

impl Store {
    /// How many blocks are here at the most, from what is in memory and a number in the index.
    ///
    /// # Errors
    /// [`IndexError`] where the index could not be read.
    pub fn blocks_at_most(&self) -> Result<u64, IndexError> {
        let pending = self.core().pending().blocks_at_most();
        Ok(pending + self.core().index.totals()?.blocks)
    }

    /// What is known of each of these blocks, in their order; `None` for those that are not here.
    ///
    /// # Errors
    /// [`IndexError`] where the index could not be read.
    pub fn look_up(&self, cids: &[Cid]) -> Result<Vec<Option<Known>>, IndexError> {
        let hashes: Vec<_> = cids.iter().map(Cid::hash).collect();
        let places = self.core().places(&hashes)?;
        let known = |(cid, place): (&Cid, Option<crate::place::Place>)| match place {
            Some(place) => {
                Some(Known { bytes: u64::from(place.length), leaf: place.leaf_under(cid.codec()) })
            }
            None => Block::implied_by(cid).map(|block| Known {
                bytes: block.data().len() as u64,
                leaf: (cid.codec() == Codec::RAW).then_some(true),
            }),
        };
        Ok(cids.iter().zip(places).map(known).collect())
    }
}
