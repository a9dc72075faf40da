//! Dags as such: their nodes in other codecs, archives of them, and what they weigh.

mod error;
mod import;
mod stat;

pub use error::DagError;
pub use import::{DagImportEvent, DagImportInput, DagImportOptions, DagImporting};
pub use stat::{DagRootStat, DagStat};

use bytes::Bytes;
use futures::StreamExt;
use ipse_base::{Block, BlockSink, Cid, Codec, HashCode, Path, Version};
use ipse_dag::{Ipld, Leaves, Step, Walk, WalkOptions, car};

use crate::fetch::{self, Driver, Stream};
use crate::{Node, Resolved};

/// How to put a node.
#[derive(Debug, Clone)]
pub struct DagPutOptions {
    /// The codec that the node comes in.
    pub input: Codec,
    /// The codec that it is kept in.
    pub store: Codec,
    /// The hash in its name.
    pub hash: HashCode,
    /// Whether to pin it.
    pub pin: bool,
    /// Whether it may be larger than peers take.
    pub allow_big: bool,
}

impl Node {
    /// The node at a path, or the part of one that the path goes on to, in a codec.
    ///
    /// # Errors
    /// [`DagError`].
    pub async fn dag_get(&self, path: &Path, output: Codec) -> Result<Bytes, DagError> {
        let Resolved { cid, remainder, .. } = self.resolve(path).await?;
        let block = fetch::block(self.source(), &cid).await?;
        if remainder.is_empty() {
            return Ok(ipse_dag::transcode(cid.codec(), output, block.data())?);
        }
        match ipse_dag::follow(&cid, block.data(), &remainder)? {
            (Step::Inside(node), _) => Ok(ipse_dag::encode(output, &node)?),
            // A path inside a block that ends at a link shows the link itself.
            (Step::Link(target), taken) if taken == remainder.len() => {
                Ok(ipse_dag::encode(output, &Ipld::Link(Box::new(target)))?)
            }
            (Step::Link(_), taken) => {
                let name = remainder.get(taken).cloned().unwrap_or_default();
                Err(crate::ReadError::Remainder { name, cid }.into())
            }
        }
    }

    /// Keeps a node; durable on return.
    ///
    /// # Errors
    /// [`DagError`].
    pub async fn dag_put(&self, data: Bytes, options: DagPutOptions) -> Result<Cid, DagError> {
        let data = ipse_dag::transcode(options.input, options.store, &data)?;
        let put = crate::BlockPutOptions {
            codec: options.store,
            hash: options.hash,
            version: Version::V1,
            pin: options.pin,
            allow_big: options.allow_big,
        };
        Ok(self.block_put(data, put).await?)
    }

    /// A Dag as a CAR archive (version 1), depth first, each block once.
    pub fn dag_export(&self, root: Cid) -> Stream<Bytes> {
        let options = WalkOptions { leaves: Leaves::Read, unique: true, ..WalkOptions::default() };
        let visits = Driver::new(Walk::new(vec![root.clone()], options), self.source().clone()).into_stream();
        let frames = visits.flat_map(|visit| {
            let pieces = match visit {
                Ok(visit) => visit.block.map(frame).unwrap_or_default(),
                Err(error) => vec![Err(error)],
            };
            futures::stream::iter(pieces)
        });
        let header = Bytes::from(car::header(&[root]));
        futures::stream::once(async move { Ok(header) }).chain(frames).boxed()
    }

    /// Verifies a batch of an archive's blocks and puts them, away from the runtime's threads.
    async fn put_verified(&self, batch: Vec<(Cid, Bytes)>, allow_big: bool) -> Result<(), DagError> {
        let node = self.clone();
        let put = tokio::task::spawn_blocking(move || -> Result<(), DagError> {
            let mut blocks = Vec::with_capacity(batch.len());
            for (cid, data) in batch {
                blocks.push(match allow_big {
                    true => Block::verify_any_size(cid, data)?,
                    false => Block::verify(cid, data)?,
                });
            }
            blocks.retain(|block| !block.cid().is_identity());
            node.store().put(&blocks)?;
            node.announce_local(&blocks);
            Ok(())
        });
        put.await.map_err(|_| DagError::Stopping)?
    }

    async fn commit(&self) -> Result<(), DagError> {
        let node = self.clone();
        let committed = tokio::task::spawn_blocking(move || node.store().commit());
        Ok(committed.await.map_err(|_| DagError::Stopping)??)
    }
}

fn frame(block: Block) -> Vec<Result<Bytes, crate::ReadError>> {
    let (cid, data) = block.into_parts();
    vec![Ok(Bytes::from(car::frame_prefix(&cid, data.len()))), Ok(data)]
}
