//! `repo`: what is on this node's disk.

use futures::StreamExt;
use ipse_api::{Collected, RepoStat, RepoVersion, VerifyProgress};
use ipse_base::Kind;
use ipse_node::COMPATIBLE_REPO_VERSION;

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

pub(super) async fn version(_: Context) -> Result<Reply, Failure> {
    Reply::value(&RepoVersion { version: COMPATIBLE_REPO_VERSION.to_string() })
}

pub(super) async fn stat(context: Context) -> Result<Reply, Failure> {
    let stat = context.node()?.repo_stat().await?;
    let sizes = RepoStat { repo_size: stat.disk_bytes, storage_max: stat.bytes_max, ..RepoStat::default() };
    if context.invocation.bool("size-only") {
        return Reply::value(&sizes);
    }
    Reply::value(&RepoStat {
        num_objects: stat.blocks,
        repo_path: stat.path.display().to_string(),
        version: format!("fs-repo@{COMPATIBLE_REPO_VERSION}"),
        ..sizes
    })
}

pub(super) async fn gc(context: Context) -> Result<Reply, Failure> {
    let (silent, stream_errors) =
        (context.invocation.bool("silent"), context.invocation.bool("stream-errors"));
    let cids = context.cids;
    let lines = context.node()?.collect().filter_map(move |removed| {
        let line = match removed {
            Ok(_) if silent => None,
            Ok(cid) => Some(Ok(Collected { key: Some(cids.of(&cid).into()), error: String::new() })),
            Err(error) if stream_errors => Some(Ok(Collected { key: None, error: error.to_string() })),
            Err(error) => Some(Err(Failure::from(error))),
        };
        futures::future::ready(line)
    });
    Ok(Reply::values(lines))
}

pub(super) async fn verify(context: Context) -> Result<Reply, Failure> {
    let checked = context.node()?.verify();
    let state = Some((checked, false));
    let lines = futures::stream::try_unfold(state, |state| async move {
        let Some((mut checked, damaged)) = state else { return Ok(None) };
        match checked.next().await.transpose()? {
            Some(event) => {
                let damaged = damaged || event.damage.is_some();
                let line = VerifyProgress { msg: event.damage.unwrap_or_default(), progress: event.blocks };
                Ok(Some((line, Some((checked, damaged)))))
            }
            None if damaged => Err(Failure::new(Kind::Corrupt, "verify complete, some blocks were corrupt")),
            None => {
                let line =
                    VerifyProgress { msg: "verify complete, all blocks validated.".to_owned(), progress: 0 };
                Ok(Some((line, None)))
            }
        }
    });
    Ok(Reply::values(lines))
}
