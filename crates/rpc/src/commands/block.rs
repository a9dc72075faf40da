//! `block`: single blocks.

use futures::StreamExt;
use ipse_api::{BlockStat, RemovedBlock};
use ipse_base::limits::BLOCK_BYTES_MAX;
use ipse_base::{Codec, HashCode, Version};
use ipse_node::{BlockPutError, BlockPutOptions, Node};

use crate::Failure;
use crate::context::{CidText, Context};
use crate::reply::Reply;
use crate::upload::Upload;

/// The largest block or node that is taken where peers' limit is waived, in bytes; it has to fit in memory.
pub(super) const BIG_BLOCK_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A codec by its name.
pub(super) fn codec_named(name: &str) -> Result<Codec, Failure> {
    Codec::from_name(name).ok_or_else(|| Failure::invalid(format!("unknown multicodec: {name:?}")))
}

/// How large an uploaded block or node may be, and the refusal of a larger one.
pub(super) fn upload_limit(context: &Context) -> (usize, impl Fn() -> Failure + use<>) {
    let big = context.invocation.bool("allow-big-block");
    (if big { BIG_BLOCK_BYTES_MAX } else { BLOCK_BYTES_MAX }, || BlockPutError::TooBig.into())
}

pub(super) async fn get(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let cid = node.resolve_block(&context.path(0)?).await?;
    let block = node.block_get(&cid).await?;
    Ok(Reply::bytes(futures::stream::iter([Ok(block.data().clone())]), "application/vnd.ipld.raw"))
}

pub(super) async fn stat(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let cid = node.resolve_block(&context.path(0)?).await?;
    let size = node.block_size(&cid).await?;
    Reply::value(&BlockStat { key: context.cids.of(&cid), size })
}

pub(super) async fn put(mut context: Context) -> Result<Reply, Failure> {
    let invocation = &context.invocation;
    let node = context.node()?.clone();
    let hash = match invocation.string("mhtype") {
        None => node.settings().import.hash,
        Some(name) => HashCode::from_name(&name)
            .filter(|hash| hash.is_computable())
            .ok_or_else(|| Failure::invalid(format!("unrecognized multihash function: {name}")))?,
    };
    let options = BlockPutOptions {
        codec: codec_named(&invocation.string("cid-codec").unwrap_or_default())?,
        hash,
        version: Version::V1,
        pin: invocation.bool("pin"),
        allow_big: invocation.bool("allow-big-block"),
    };
    let (limit, too_large) = upload_limit(&context);
    let cids = context.cids;
    let state = (node, context.upload()?, options, too_large);
    let lines =
        futures::stream::try_unfold(state, move |(node, mut upload, options, too_large)| async move {
            let line = put_next(&node, &mut upload, &options, limit, &too_large, cids).await?;
            Ok::<_, Failure>(line.map(|line| (line, (node, upload, options, too_large))))
        });
    Ok(Reply::values(lines))
}

async fn put_next(
    node: &Node,
    upload: &mut Upload,
    options: &BlockPutOptions,
    limit: usize,
    too_large: &(impl Fn() -> Failure + Sync),
    cids: CidText,
) -> Result<Option<BlockStat>, Failure> {
    let Some(data) = upload.next_file(limit, too_large).await? else { return Ok(None) };
    let size = data.len() as u64;
    let cid = node.block_put(data, options.clone()).await?;
    Ok(Some(BlockStat { key: cids.of(&cid), size }))
}

pub(super) async fn rm(context: Context) -> Result<Reply, Failure> {
    let blocks = context.resolved().await?;
    let (force, quiet) = (context.invocation.bool("force"), context.invocation.bool("quiet"));
    let answers = context.node()?.block_remove(blocks, force).await?;
    let cids = context.cids;
    let lines = answers.into_iter().filter_map(move |(cid, answer)| match answer {
        Ok(()) if quiet => None,
        Ok(()) => Some(RemovedBlock { hash: cids.of(&cid), error: String::new() }),
        Err(error) => Some(RemovedBlock { hash: cids.of(&cid), error: error.to_string() }),
    });
    Ok(Reply::values(futures::stream::iter(lines.collect::<Vec<_>>()).map(Ok)))
}
