//! Intake: an archive's blocks on their way into the store. Batches are verified on all processors and put in their
//! order, while the next ones are read.

use bytes::Bytes;
use ipse_base::{Block, Cid};
use ipse_store::{Prepared, Store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::DagError;
use crate::Node;
use crate::add::put;
use crate::crew::Crew;

/// Bytes of a batch: enough for a put, few enough that a processor has several to take turns with.
const BATCH_BYTES: usize = 1024 * 1024;
/// Bytes that a block takes beside its own: its names and places here and there.
const BLOCK_BYTES: usize = 256;
/// Batches that wait to be verified.
const BATCHES_QUEUED: usize = 2;
/// Bytes that are being verified or wait to be put.
const UNDER_WAY_BYTES_MAX: usize = 8 * 1024 * 1024;

type Named = Vec<(Cid, Bytes)>;

/// Takes blocks in.
pub(super) struct Intake {
    node: Node,
    allow_big: bool,
    batch: Named,
    bytes: usize,
    /// There from the first full batch on.
    running: Option<Running>,
}

struct Running {
    queue: mpsc::Sender<(Named, usize)>,
    work: JoinHandle<Result<(), DagError>>,
}

impl Intake {
    pub(super) const fn new(node: Node, allow_big: bool) -> Self {
        Self { node, allow_big, batch: Vec::new(), bytes: 0, running: None }
    }

    /// Takes a block in; waits while many are under way.
    ///
    /// # Errors
    /// [`DagError`] of this block or an earlier one.
    pub(super) async fn push(&mut self, cid: Cid, data: Bytes) -> Result<(), DagError> {
        self.bytes += BLOCK_BYTES + data.len();
        self.batch.push((cid, data));
        if self.bytes >= BATCH_BYTES { self.hand_over().await } else { Ok(()) }
    }

    /// Returns when everything is visible.
    ///
    /// # Errors
    /// [`DagError`] of any block.
    pub(super) async fn finish(&mut self) -> Result<(), DagError> {
        self.hand_over().await?;
        self.outcome().await
    }

    async fn hand_over(&mut self) -> Result<(), DagError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = (std::mem::take(&mut self.batch), std::mem::take(&mut self.bytes));
        let (node, allow_big) = (&self.node, self.allow_big);
        let running = self.running.get_or_insert_with(|| Running::start(node.clone(), allow_big));
        match running.queue.send(batch).await {
            Ok(()) => Ok(()),
            // It has ended early: its outcome says why.
            Err(_) => self.outcome().await.and(Err(DagError::Stopping)),
        }
    }

    async fn outcome(&mut self) -> Result<(), DagError> {
        let Some(Running { queue, work }) = self.running.take() else { return Ok(()) };
        drop(queue);
        work.await.map_err(|_| DagError::Stopping)?
    }
}

impl Running {
    fn start(node: Node, allow_big: bool) -> Self {
        let (queue, mut batches) = mpsc::channel::<(Named, usize)>(BATCHES_QUEUED);
        let work = tokio::task::spawn_blocking(move || {
            let store = node.store().clone();
            let mut crew = Crew::new(move |blocks| verified(&store, blocks, allow_big));
            while let Some((blocks, bytes)) = batches.blocking_recv() {
                crew.push(blocks, bytes);
                while crew.weight() > UNDER_WAY_BYTES_MAX {
                    put_next(&node, &mut crew)?;
                }
            }
            while !crew.is_empty() {
                put_next(&node, &mut crew)?;
            }
            Ok(())
        });
        Self { queue, work }
    }
}

type Verified = Result<Vec<Prepared>, DagError>;

fn put_next(node: &Node, crew: &mut Crew<Named, Verified>) -> Result<(), DagError> {
    // Without a result whoever verified it panicked.
    let blocks = crew.take().unwrap_or(Err(DagError::Stopping))?;
    Ok(put(node, &blocks)?)
}

/// Blocks that are what their names say, as the store wants them.
fn verified(store: &Store, blocks: Named, allow_big: bool) -> Verified {
    let mut prepared = Vec::with_capacity(blocks.len());
    for (cid, data) in blocks {
        let block = if allow_big { Block::verify_any_size(cid, data)? } else { Block::verify(cid, data)? };
        // What a Cid says by itself needs no place in the store.
        if !block.cid().is_identity() {
            prepared.push(store.prepare(block));
        }
    }
    Ok(prepared)
}
