//! Leaves by name: what commands over many blocks need of them is that they are here and how large they are, which the
//! index tells without reading any.

use std::collections::HashMap;

use futures::StreamExt;
use ipse_base::Cid;
use ipse_dag::{Leaves, Walk, WalkOptions};
use ipse_store::IndexError;

use crate::fetch::Driver;
use crate::{Node, ReadError};

/// Leaves that are looked up together, and fetched together where they are missing.
pub(crate) const LEAVES_TOGETHER: usize = 1024;

impl Node {
    /// The sizes of blocks in bytes, in their order. Those that are not here are fetched first, as one batch.
    pub(crate) async fn leaf_sizes(&self, cids: Vec<Cid>) -> Result<Vec<u64>, ReadError> {
        if cids.is_empty() {
            return Ok(Vec::new());
        }
        let store = self.store().clone();
        let looked = tokio::task::spawn_blocking(move || {
            let known = store.look_up(&cids)?;
            Ok::<_, IndexError>((cids, known))
        });
        let (cids, known) = looked.await.map_err(|_| ReadError::Stopping)?.map_err(ReadError::plan)?;
        let missing = cids.iter().zip(&known).filter(|(_, known)| known.is_none());
        let fetched = self.fetch_sizes(missing.map(|(cid, _)| cid.clone()).collect()).await?;
        let size = |(cid, known): (&Cid, Option<ipse_store::Known>)| {
            known.map_or_else(|| fetched.get(cid).copied().unwrap_or_default(), |known| known.bytes)
        };
        Ok(cids.iter().zip(known).map(size).collect())
    }

    async fn fetch_sizes(&self, missing: Vec<Cid>) -> Result<HashMap<Cid, u64>, ReadError> {
        let mut sizes = HashMap::with_capacity(missing.len());
        if missing.is_empty() {
            return Ok(sizes);
        }
        let options = WalkOptions { leaves: Leaves::Read, depth_max: Some(0), ..WalkOptions::default() };
        let mut visits = Driver::new(Walk::new(missing, options), self.source().clone()).into_stream();
        while let Some(visit) = visits.next().await.transpose()? {
            sizes.insert(visit.cid, visit.block.map_or(0, |block| block.data().len() as u64));
        }
        Ok(sizes)
    }
}
