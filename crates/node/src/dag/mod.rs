//! Dags as such: their nodes in other codecs, archives of them, and what they weigh.

mod error;
mod import;
mod intake;
mod stat;

pub use error::DagError;
pub use import::{DagImportEvent, DagImportInput, DagImportOptions, DagImporting};
pub use stat::{DagRootStat, DagStat};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use ipse_base::{Block, BlockSink, Cid, Codec, HashCode, Path, Version};
use ipse_dag::{Ipld, Leaves, Step, Visit, Walk, WalkOptions, car};

use crate::fetch::{self, Driver, Stream};
use crate::{Node, Resolved};

/// Blocks of an archive that are written together where they are here.
const FRAMES_TOGETHER: usize = 128;
/// Blocks of up to so many bytes are copied together; larger ones leave as they are.
const COPIED_BYTES_MAX: usize = 16 * 1024;

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

    /// A Dag as a CAR archive (version 1), depth first, each block once. With `local_only` nobody is asked, and what
    /// is not here is left out.
    pub fn dag_export(&self, root: Cid, local_only: bool) -> Stream<Bytes> {
        let options = WalkOptions {
            leaves: Leaves::Read,
            unique: true,
            tolerate_absent: local_only,
            ..WalkOptions::default()
        };
        let source = if local_only { self.source().offline() } else { self.source().clone() };
        let visits = Driver::new(Walk::new(vec![root.clone()], options), source).into_stream();
        let frames = visits.ready_chunks(FRAMES_TOGETHER).map(pack).flat_map(futures::stream::iter);
        let header = Bytes::from(car::header(&[root]));
        futures::stream::once(async move { Ok(header) }).chain(frames).boxed()
    }

    async fn commit(&self) -> Result<(), DagError> {
        let node = self.clone();
        let committed = tokio::task::spawn_blocking(move || node.store().commit());
        Ok(committed.await.map_err(|_| DagError::Stopping)??)
    }
}

/// Blocks that are here are written together, so that small ones leave in large pieces.
fn pack(visits: Vec<Result<Visit, crate::ReadError>>) -> Vec<Result<Bytes, crate::ReadError>> {
    let (mut pieces, mut small) = (Vec::new(), BytesMut::new());
    for visit in visits {
        let block = match visit {
            // What could not be had is left out; the walk says whether it may be.
            Ok(visit) => visit.block,
            Err(error) => {
                pieces.extend((!small.is_empty()).then(|| Ok(small.split().freeze())));
                pieces.push(Err(error));
                continue;
            }
        };
        let Some((cid, data)) = block.map(Block::into_parts) else { continue };
        small.extend_from_slice(&car::frame_prefix(&cid, data.len()));
        if data.len() < COPIED_BYTES_MAX {
            small.extend_from_slice(&data);
        } else {
            pieces.push(Ok(small.split().freeze()));
            pieces.push(Ok(data));
        }
    }
    pieces.extend((!small.is_empty()).then(|| Ok(small.freeze())));
    pieces
}
