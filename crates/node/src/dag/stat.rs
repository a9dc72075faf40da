//! What Dags weigh: blocks and bytes of each root, and of all together with what they share counted once.

use futures::StreamExt;
use ipse_base::Cid;
use ipse_dag::{Fingerprints, Leaves, Visit, Walk, WalkOptions};

use crate::fetch::Driver;
use crate::leaves::LEAVES_TOGETHER;
use crate::{Node, ReadError};

/// What one root weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DagRootStat {
    /// The root.
    pub cid: Cid,
    /// Blocks below it and itself, each once.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What several roots weigh together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DagStat {
    /// Each root by itself.
    pub roots: Vec<DagRootStat>,
    /// Blocks of all, each once.
    pub unique_blocks: u64,
    /// Bytes of those.
    pub unique_bytes: u64,
    /// Bytes of all roots added up.
    pub total_bytes: u64,
}

impl Node {
    /// Weighs Dags. `progress` is called now and then with what is known so far.
    ///
    /// # Errors
    /// [`ReadError`] where a block can't be had.
    pub async fn dag_stat(
        &self,
        roots: Vec<Cid>,
        mut progress: impl FnMut(&DagStat),
    ) -> Result<DagStat, ReadError> {
        let mut stat = DagStat::default();
        // The walk of one root counts each block once by itself.
        let mut seen = (roots.len() > 1).then(Fingerprints::new);
        // Leaves are weighed by the index; only inner nodes are read.
        let options = WalkOptions { leaves: Leaves::Name, unique: true, ..WalkOptions::default() };
        for cid in roots {
            stat.roots.push(DagRootStat { cid: cid.clone(), blocks: 0, bytes: 0 });
            let visits = Driver::new(Walk::new(vec![cid], options), self.source().clone()).into_stream();
            let mut batches = visits.ready_chunks(LEAVES_TOGETHER);
            while let Some(visits) = batches.next().await {
                for (cid, bytes) in self.weigh(visits).await? {
                    stat.count(&cid, bytes, seen.as_mut());
                }
                progress(&stat);
            }
        }
        Ok(stat)
    }

    /// The sizes of visited blocks.
    async fn weigh(&self, visits: Vec<Result<Visit, ReadError>>) -> Result<Vec<(Cid, u64)>, ReadError> {
        let (mut weighed, mut named) = (Vec::with_capacity(visits.len()), Vec::new());
        for visit in visits {
            let visit = visit?;
            match visit.block {
                Some(block) => weighed.push((visit.cid, block.data().len() as u64)),
                None => named.push(visit.cid),
            }
        }
        let sizes = self.leaf_sizes(named.clone()).await?;
        weighed.extend(named.into_iter().zip(sizes));
        Ok(weighed)
    }
}

impl DagStat {
    fn count(&mut self, cid: &Cid, bytes: u64, seen: Option<&mut Fingerprints<()>>) {
        if seen.is_none_or(|seen| seen.insert(seen.of(cid), ())) {
            self.unique_blocks += 1;
            self.unique_bytes += bytes;
        }
        self.total_bytes += bytes;
        if let Some(root) = self.roots.last_mut() {
            root.blocks += 1;
            root.bytes += bytes;
        }
    }
}
