//! `dag`: nodes, whole Dags and archives.

use futures::StreamExt;
use ipse_api::{DagImported, DagPut, DagResolved, DagStat, DagStatSummary, ImportStats, ImportedRoot};
use ipse_base::HashCode;
use ipse_node::{DagImportEvent, DagImportInput, DagImportOptions, DagPutOptions, DagStat as Weight};
use tokio::sync::mpsc;

use super::block::{codec_named, upload_limit};
use crate::Failure;
use crate::context::{CidText, Context};
use crate::reply::{Reply, driven};
use crate::upload::{Upload, Uploaded};

pub(super) async fn get(context: Context) -> Result<Reply, Failure> {
    let output = codec_named(&context.invocation.string("output-codec").unwrap_or_default())?;
    let node = context.node()?.dag_get(&context.path(0)?, output).await?;
    Ok(Reply::text(node))
}

pub(super) async fn resolve(context: Context) -> Result<Reply, Failure> {
    let found = context.node()?.resolve(&context.path(0)?).await?;
    Reply::value(&DagResolved {
        cid: context.cids.of(&found.cid).into(),
        rem_path: found.remainder.join("/"),
    })
}

pub(super) async fn put(mut context: Context) -> Result<Reply, Failure> {
    let invocation = &context.invocation;
    let node = context.node()?.clone();
    let codec = |option| codec_named(&invocation.string(option).unwrap_or_default());
    let hash = match invocation.string("hash") {
        None => node.settings().import.hash,
        Some(name) => HashCode::from_name(&name)
            .filter(|hash| hash.is_computable())
            .ok_or_else(|| Failure::invalid(format!("unknown multicodec: {name:?}")))?,
    };
    let options = DagPutOptions {
        input: codec("input-codec")?,
        store: codec("store-codec")?,
        hash,
        pin: invocation.bool("pin"),
        allow_big: invocation.bool("allow-big-block"),
    };
    let (limit, too_large) = upload_limit(&context);
    let cids = context.cids;
    let state = (node, context.upload()?, options, too_large);
    let lines =
        futures::stream::try_unfold(state, move |(node, mut upload, options, too_large)| async move {
            let Some(data) = upload.next_file(limit, &too_large).await? else {
                return Ok::<_, Failure>(None);
            };
            let cid = node.dag_put(data, options.clone()).await?;
            Ok(Some((DagPut { cid: cids.of(&cid).into() }, (node, upload, options, too_large))))
        });
    Ok(Reply::values(lines))
}

pub(super) async fn export(context: Context) -> Result<Reply, Failure> {
    let local_only = context.invocation.bool("local-only");
    let node = context.node()?;
    let node = if local_only { node.offline() } else { node.clone() };
    let root = node.resolve_block(&context.path(0)?).await?;
    // The root comes before the archive's head goes out, so that one that is not here has a status of its own.
    node.block_get(&root).await?;
    let archive = node.dag_export(root, local_only).map(|chunk| chunk.map_err(Failure::from));
    Ok(Reply::bytes(archive, "application/vnd.ipld.car"))
}

pub(super) async fn import(mut context: Context) -> Result<Reply, Failure> {
    let upload = context.upload()?;
    let invocation = &context.invocation;
    let local_only = invocation.bool("local-only");
    let importing = context.node()?.dag_import(DagImportOptions {
        pin_roots: invocation.bool("pin-roots") && !local_only,
        allow_big: invocation.bool("allow-big-block"),
        local_only,
    });
    let (cids, stats) = (context.cids, invocation.bool("stats"));
    let mut events = importing.events;
    let lines = futures::stream::poll_fn(move |task| events.poll_recv(task)).filter_map(move |event| {
        let line = event.map(|event| imported(event, stats, cids)).map_err(Failure::from);
        futures::future::ready(line.transpose())
    });
    Ok(Reply::values(driven(push(upload, importing.input), lines)))
}

/// Pushes archives into the import. An import that stops listening has told why among its events.
async fn push(mut upload: Upload, input: mpsc::Sender<DagImportInput>) -> Result<(), Failure> {
    while let Some(uploaded) = upload.next().await? {
        let next = match uploaded {
            Uploaded::Data(data) => DagImportInput::Data(data),
            Uploaded::FileEnd => DagImportInput::End,
            Uploaded::File(_) | Uploaded::Directory(_) | Uploaded::Symlink(..) => continue,
            // Only an add comes over the local socket.
            Uploaded::Source(..) => continue,
        };
        if input.send(next).await.is_err() {
            return Ok(());
        }
    }
    // The same holds for the last message.
    let _ = input.send(DagImportInput::Finish).await;
    Ok(())
}

fn imported(event: DagImportEvent, stats: bool, cids: CidText) -> Option<DagImported> {
    match event {
        DagImportEvent::Root { cid, error } => {
            let root = ImportedRoot { cid: cids.of(&cid).into(), pin_error_msg: error.unwrap_or_default() };
            Some(DagImported { root: Some(root), stats: None })
        }
        DagImportEvent::Stats { blocks, bytes } => stats.then_some(DagImported {
            root: None,
            stats: Some(ImportStats { block_count: blocks, block_bytes_count: bytes }),
        }),
    }
}

/// Lines of progress on their way out; what does not fit is left out, since a newer one follows.
const PROGRESS_QUEUED: usize = 4;

pub(super) async fn stat(context: Context) -> Result<Reply, Failure> {
    let roots = context.resolved().await?;
    let node = context.node()?.clone();
    let cids = context.cids;
    let progress = context.invocation.optional_bool("progress").unwrap_or(true);
    let (sender, mut lines) = mpsc::channel(PROGRESS_QUEUED);
    let work = async move {
        let told = sender.clone();
        let weight = node.dag_stat(roots, move |weight| {
            if progress {
                let _ = told.try_send(so_far(weight, cids));
            }
        });
        let weight = weight.await?;
        // A receiver that is gone belongs to a caller that is gone.
        let _ = sender.send(summary(&weight, cids)).await;
        Ok(())
    };
    let lines = futures::stream::poll_fn(move |task| lines.poll_recv(task)).map(Ok);
    Ok(Reply::values(driven(work, lines)))
}

fn roots(weight: &Weight, cids: CidText) -> Vec<DagStat> {
    let each = weight.roots.iter();
    each.map(|root| DagStat { cid: cids.of(&root.cid), size: root.bytes, num_blocks: root.blocks }).collect()
}

fn so_far(weight: &Weight, cids: CidText) -> DagStatSummary {
    DagStatSummary {
        total_size: weight.unique_bytes,
        dag_stats: roots(weight, cids),
        ..DagStatSummary::default()
    }
}

fn summary(weight: &Weight, cids: CidText) -> DagStatSummary {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a ratio is for looking at"
    )]
    let ratio = if weight.unique_bytes == 0 {
        1.0
    } else {
        (weight.total_bytes as f64 / weight.unique_bytes as f64) as f32
    };
    DagStatSummary {
        unique_blocks: weight.unique_blocks,
        total_size: weight.unique_bytes,
        shared_size: weight.total_bytes - weight.unique_bytes,
        ratio,
        dag_stats: roots(weight, cids),
    }
}
