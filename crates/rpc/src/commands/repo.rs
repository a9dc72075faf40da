//! `repo`: what is on this node's disk.

use futures::StreamExt;
use ipse_api::{Collected, CollectionPlan, RepoStat, RepoVersion, VerifyProgress, parse_duration};
use ipse_base::Kind;
use ipse_node::{COMPATIBLE_REPO_VERSION, HealError, Remedy, VerifyEvent};

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
    if context.invocation.bool("dry-run") {
        return plan(context).await;
    }
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

async fn plan(context: Context) -> Result<Reply, Failure> {
    let plan = context.node()?.plan_collection().await?;
    Reply::value(&CollectionPlan {
        blocks: plan.blocks,
        bytes: plan.bytes,
        kept_blocks: plan.kept_blocks,
        kept_bytes: plan.kept_bytes,
        holes: plan.holes,
        hole_bytes: plan.hole_bytes,
        segments: plan.segments,
        copied_bytes: plan.copied_bytes,
        freed_bytes: plan.freed_bytes,
    })
}

pub(super) async fn verify(context: Context) -> Result<Reply, Failure> {
    let remedy = remedy(&context)?;
    let node = context.node()?;
    if matches!(remedy, Remedy::Heal(_)) && (!node.is_online() || context.invocation.bool("offline")) {
        return Err(Failure::from(HealError::Offline));
    }
    let lines = node.verify(remedy).map(|event| {
        let (msg, progress) = match event? {
            VerifyEvent::Sound { blocks, .. } => (String::new(), blocks),
            VerifyEvent::Damaged { text, blocks, .. } => (text, blocks),
            VerifyEvent::Done(outcome) if outcome.is_good() => (outcome.to_string(), 0),
            VerifyEvent::Done(outcome) => return Err(Failure::new(Kind::Corrupt, outcome.to_string())),
        };
        Ok(VerifyProgress { msg, progress })
    });
    Ok(Reply::values(lines))
}

/// What is to be done about damage; the texts of refusals are the reference node's.
fn remedy(context: &Context) -> Result<Remedy, Failure> {
    let text = context.invocation.string("heal-timeout").unwrap_or_default();
    let negative = text.strip_prefix('-').filter(|rest| parse_duration(rest).is_some());
    if negative.is_some() {
        return Err(Failure::invalid("heal-timeout must be >= 0"));
    }
    let Some(longest) = parse_duration(&text) else {
        return Err(Failure::invalid(format!("invalid heal-timeout: time: invalid duration {text:?}")));
    };
    Ok(match (context.invocation.bool("heal"), context.invocation.bool("drop")) {
        (true, _) => Remedy::Heal(longest),
        (false, true) => Remedy::Drop,
        (false, false) => Remedy::Report,
    })
}
