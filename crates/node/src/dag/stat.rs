//! What Dags weigh: blocks and bytes of each root, and of all together with what they share counted once.

use std::collections::HashSet;

use futures::StreamExt;
use ipse_base::Cid;
use ipse_dag::{Leaves, Walk, WalkOptions};

use crate::fetch::Driver;
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
        let mut seen: HashSet<Cid> = HashSet::new();
        for cid in roots {
            stat.roots.push(DagRootStat { cid: cid.clone(), blocks: 0, bytes: 0 });
            let options = WalkOptions { leaves: Leaves::Read, unique: true, ..WalkOptions::default() };
            let mut visits = Driver::new(Walk::new(vec![cid], options), self.source().clone()).into_stream();
            while let Some(visit) = visits.next().await.transpose()? {
                let bytes = visit.block.map_or(0, |block| block.data().len() as u64);
                if seen.insert(visit.cid) {
                    stat.unique_blocks += 1;
                    stat.unique_bytes += bytes;
                }
                stat.total_bytes += bytes;
                if let Some(root) = stat.roots.last_mut() {
                    root.blocks += 1;
                    root.bytes += bytes;
                    if root.blocks % 1024 == 0 {
                        progress(&stat);
                    }
                }
            }
        }
        Ok(stat)
    }
}
