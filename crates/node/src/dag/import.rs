//! Takes in CAR archives: every block is verified, then the roots are pinned.

use std::sync::Arc;

use bytes::Bytes;
use ipse_base::Cid;
use ipse_dag::{CarItem, CarReader};
use tokio::sync::mpsc;

use super::DagError;
use super::intake::Intake;
use crate::{Node, PinProgress};

/// Pieces of archives on their way in. A door pushes what it reads at a time, up to half a mebibyte.
const INPUTS_QUEUED: usize = 4;
/// Roots of one import; an archive that names more is taken in and its further roots are not pinned.
const ROOTS_MAX: usize = 65_536;

/// After so many blocks the allocator has free what their intake needed, tens of mebibytes in pieces that the walk over
/// them can't use.
const MANY_BLOCKS: u64 = 100_000;

/// How to take archives in.
#[derive(Debug, Clone, Copy)]
pub struct DagImportOptions {
    /// Whether the roots that the archives name are pinned, which fetches what is missing below them.
    pub pin_roots: bool,
    /// Whether blocks may be larger than peers take.
    pub allow_big: bool,
    /// Whether only what the archives hold counts: nothing is fetched.
    pub local_only: bool,
}

/// What a door pushes.
#[derive(Debug)]
pub enum DagImportInput {
    /// More bytes of the current archive.
    Data(Bytes),
    /// The current archive ends; another may follow.
    End,
    /// Everything was sent.
    Finish,
}

/// What an import tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DagImportEvent {
    /// A root was pinned, or could not be.
    Root {
        /// The root.
        cid: Cid,
        /// Why it could not be pinned.
        error: Option<String>,
    },
    /// What was taken in, told once at the end.
    Stats {
        /// Blocks in the archives.
        blocks: u64,
        /// Their bytes.
        bytes: u64,
    },
}

/// A running import. Dropping `input` before [`DagImportInput::Finish`] gives up and pins nothing.
#[derive(Debug)]
pub struct DagImporting {
    /// Where the door pushes.
    pub input: mpsc::Sender<DagImportInput>,
    /// What the import tells; closed after the last event or the first error.
    pub events: mpsc::Receiver<Result<DagImportEvent, DagError>>,
}

impl Node {
    /// Starts an import of archives. Push and take at the same time.
    pub fn dag_import(&self, options: DagImportOptions) -> DagImporting {
        let (input, inputs) = mpsc::channel(INPUTS_QUEUED);
        let (sender, events) = mpsc::channel(INPUTS_QUEUED);
        let node = if options.local_only { self.offline() } else { self.clone() };
        tokio::spawn(async move {
            let intake = Intake::new(node.clone(), options.allow_big);
            let mut import =
                Import { node, options, events: sender, roots: Vec::new(), intake, blocks: 0, bytes: 0 };
            if let Err(error) = import.run(inputs).await {
                // The door may be gone; then nobody needs to hear it.
                let _ = import.events.send(Err(error)).await;
            }
        });
        DagImporting { input, events }
    }
}

struct Import {
    node: Node,
    options: DagImportOptions,
    events: mpsc::Sender<Result<DagImportEvent, DagError>>,
    roots: Vec<Cid>,
    intake: Intake,
    blocks: u64,
    bytes: u64,
}

impl Import {
    async fn run(&mut self, mut inputs: mpsc::Receiver<DagImportInput>) -> Result<(), DagError> {
        let _keep = self.node.store().temporary_pin(Vec::new());
        let mut reader = None;
        while let Some(input) = inputs.recv().await {
            match input {
                DagImportInput::Data(data) => {
                    let reader = reader.get_or_insert_with(|| self.new_reader());
                    reader.feed(data);
                    self.take(reader).await?;
                }
                DagImportInput::End => {
                    let mut whole = reader.take().unwrap_or_else(|| self.new_reader());
                    self.take(&mut whole).await?;
                    whole.finish()?;
                }
                DagImportInput::Finish => return self.finish().await,
            }
        }
        Err(DagError::Gone)
    }

    fn new_reader(&self) -> CarReader {
        let reader = CarReader::new();
        if self.options.allow_big { reader.allow_big_blocks() } else { reader }
    }

    async fn take(&mut self, reader: &mut CarReader) -> Result<(), DagError> {
        while let Some(item) = reader.next()? {
            match item {
                CarItem::Header { roots, .. } => self.add_roots(roots),
                CarItem::Block { cid, data } => {
                    self.blocks += 1;
                    self.bytes += data.len() as u64;
                    self.intake.push(cid, data).await?;
                }
            }
        }
        Ok(())
    }

    fn add_roots(&mut self, roots: Vec<Cid>) {
        let room = ROOTS_MAX - self.roots.len();
        for root in roots.into_iter().take(room) {
            if !self.roots.contains(&root) {
                self.roots.push(root);
            }
        }
    }

    async fn finish(&mut self) -> Result<(), DagError> {
        self.intake.finish().await?;
        self.node.commit().await?;
        if self.options.pin_roots {
            if self.blocks > MANY_BLOCKS {
                let given = tokio::task::spawn_blocking(crate::memory::give_back);
                given.await.map_err(|_| DagError::Stopping)?;
            }
            for cid in std::mem::take(&mut self.roots) {
                let pinned =
                    self.node.pin_add(vec![cid.clone()], true, None, Arc::new(PinProgress::default())).await;
                let error = pinned.err().map(|error| error.to_string());
                self.tell(DagImportEvent::Root { cid, error }).await?;
            }
        }
        self.tell(DagImportEvent::Stats { blocks: self.blocks, bytes: self.bytes }).await
    }

    async fn tell(&self, event: DagImportEvent) -> Result<(), DagError> {
        self.events.send(Ok(event)).await.map_err(|_| DagError::Gone)
    }
}
