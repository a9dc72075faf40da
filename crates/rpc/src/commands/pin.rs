//! `pin`: promises to keep.

use std::sync::Arc;
use std::time::Duration;

use bytes::BufMut;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use ipse_api::{BadNode, PinAdded, PinEntry, PinLine, PinVerified, Pins};
use ipse_base::Cid;
use ipse_node::{Pin, PinError, PinFilter, PinProgress, PinState};

use crate::Failure;
use crate::context::{CidText, Context};
use crate::reply::{Pages, Reply, write_json};

/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn add(context: Context) -> Result<Reply, Failure> {
    let cids = context.resolved().await?;
    let recursive = context.invocation.bool("recursive");
    let name = context.invocation.string("name").filter(|name| !name.is_empty());
    let progress = Arc::new(PinProgress::default());
    let pins =
        PinAdded { pins: cids.iter().map(|cid| context.cids.of(cid)).collect(), ..PinAdded::default() };
    let (node, told) = (context.node()?.clone(), progress.clone());
    let work = async move { node.pin_add(cids, recursive, name, told).await.map_err(Failure::from) };
    if !context.invocation.bool("progress") {
        work.await?;
        return Reply::value(&pins);
    }
    let start = tokio::time::Instant::now() + PROGRESS_EVERY;
    let ticks = tokio::time::interval_at(start, PROGRESS_EVERY);
    let state = Some((Box::pin(work), ticks, progress, pins));
    let lines = futures::stream::try_unfold(state, |state| async move {
        let Some((mut work, mut ticks, progress, pins)) = state else { return Ok::<_, Failure>(None) };
        tokio::select! {
            biased;
            done = &mut work => {
                done?;
                Ok(Some((pins, None)))
            }
            _ = ticks.tick() => Ok(Some((so_far(&progress), Some((work, ticks, progress, pins))))),
        }
    });
    Ok(Reply::values(lines))
}

fn so_far(progress: &PinProgress) -> PinAdded {
    PinAdded { pins: Vec::new(), progress: Some(progress.blocks()), bytes: Some(progress.bytes()) }
}

pub(super) async fn rm(context: Context) -> Result<Reply, Failure> {
    let cids = context.resolved().await?;
    let recursive = context.invocation.bool("recursive");
    let pins = cids.iter().map(|cid| context.cids.of(cid)).collect();
    context.node()?.pin_remove(cids, recursive).await?;
    Reply::value(&PinAdded { pins, ..PinAdded::default() })
}

pub(super) async fn update(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let from = node.resolve_block(&context.path(0)?).await?;
    let to = node.resolve_block(&context.path(1)?).await?;
    node.pin_update(&from, &to, context.invocation.bool("unpin")).await?;
    let pins = vec![context.cids.of(&from), context.cids.of(&to)];
    Reply::value(&PinAdded { pins, ..PinAdded::default() })
}

pub(super) async fn ls(context: Context) -> Result<Reply, Failure> {
    let invocation = &context.invocation;
    let kind = invocation.string("type").unwrap_or_default();
    let filter = filter_named(&kind)?;
    let text = invocation.string("name").filter(|text| !text.is_empty());
    let names = invocation.bool("names") || text.is_some();
    let (streamed, cids) = (invocation.bool("stream"), context.cids);
    if !invocation.arguments.is_empty() {
        let lines = asked_lines(context, filter, names).await?;
        if streamed {
            return Ok(Reply::values(futures::stream::iter(lines).map(Ok)));
        }
        let entry = |line: PinLine<'_>| {
            (
                line.cid.into_owned(),
                PinEntry { r#type: line.r#type.into_owned(), name: line.name.into_owned() },
            )
        };
        return Reply::value(&Pins { keys: lines.into_iter().map(entry).collect() });
    }
    let pages = context.node()?.pin_list(filter).map_err(Failure::from).boxed();
    let wanted = move |pin: &Pin| {
        let name = pin.name.as_deref().unwrap_or_default();
        text.as_deref().is_none_or(|text| name.contains(text))
    };
    Ok(if streamed { as_lines(pages, wanted, names, cids) } else { as_document(pages, wanted, names, cids) })
}

type PinPages = BoxStream<'static, Result<Vec<Pin>, Failure>>;

fn as_lines(
    pages: PinPages,
    wanted: impl Fn(&Pin) -> bool + Send + 'static,
    names: bool,
    cids: CidText,
) -> Reply {
    let mut text = String::new();
    let lines = Pages::new(pages, move |pin: Option<Pin>, out| {
        let Some(pin) = pin.filter(&wanted) else { return Ok(()) };
        cids.write(&pin.cid, &mut text);
        let name = pin.name.as_deref().filter(|_| names).unwrap_or_default();
        let line = PinLine { cid: (&*text).into(), name: name.into(), r#type: type_of(&pin).into() };
        write_json(&line, out)?;
        out.put_u8(b'\n');
        Ok(())
    });
    Reply::Values(Box::new(lines))
}

/// [`Pins`] in parts, so that a million of them are never held.
fn as_document(
    pages: PinPages,
    wanted: impl Fn(&Pin) -> bool + Send + 'static,
    names: bool,
    cids: CidText,
) -> Reply {
    let (mut text, mut open) = (String::new(), false);
    let parts = Pages::new(pages, move |pin: Option<Pin>, out| {
        let over = pin.is_none();
        let pin = pin.filter(&wanted);
        if pin.is_none() && !over {
            return Ok(());
        }
        if !std::mem::replace(&mut open, true) {
            out.extend_from_slice(br#"{"Keys":{"#);
        } else if !over {
            out.put_u8(b',');
        }
        let Some(pin) = pin else {
            out.extend_from_slice(b"}}\n");
            return Ok(());
        };
        cids.write(&pin.cid, &mut text);
        write_json(&text, out)?;
        out.put_u8(b':');
        let r#type = type_of(&pin).to_owned();
        write_json(&PinEntry { r#type, name: pin.name.filter(|_| names).unwrap_or_default() }, out)
    });
    Reply::Document(Box::new(parts))
}

fn filter_named(kind: &str) -> Result<PinFilter, Failure> {
    match kind {
        "all" => Ok(PinFilter::All),
        "recursive" => Ok(PinFilter::Recursive),
        "direct" => Ok(PinFilter::Direct),
        "indirect" => Ok(PinFilter::Indirect),
        _ => {
            let text = format!("invalid type '{kind}', must be one of {{direct, indirect, recursive, all}}");
            Err(Failure::invalid(text))
        }
    }
}

/// What a list of all pins says of one. It doesn't say below which pin an indirect one is: there may be many.
const fn type_of(pin: &Pin) -> &'static str {
    match pin.state {
        PinState::Recursive => "recursive",
        PinState::Direct => "direct",
        PinState::Indirect(_) => "indirect",
    }
}

/// The lines of the objects that were asked for; one that is not pinned fails.
async fn asked_lines(
    context: Context,
    filter: PinFilter,
    names: bool,
) -> Result<Vec<PinLine<'static>>, Failure> {
    let node = context.node()?;
    let cids = context.resolved().await?;
    let states = node.pins_of(&cids).await?;
    let mut lines = Vec::with_capacity(cids.len());
    for ((cid, state), asked) in cids.iter().zip(states).zip(&context.invocation.arguments) {
        let state = state.filter(|state| matches(filter, state));
        let state = state.ok_or_else(|| PinError::PathNotPinned(asked.clone()))?;
        let name = if names { node.pin_record(cid).await?.and_then(|pin| pin.name) } else { None };
        let r#type = match &state {
            PinState::Indirect(root) => format!("indirect through {}", context.cids.of(root)),
            other => other.to_string(),
        };
        let name = name.unwrap_or_default();
        lines.push(PinLine { cid: context.cids.of(cid).into(), name: name.into(), r#type: r#type.into() });
    }
    Ok(lines)
}

const fn matches(filter: PinFilter, state: &PinState) -> bool {
    match filter {
        PinFilter::All => true,
        PinFilter::Recursive => matches!(state, PinState::Recursive),
        PinFilter::Direct => matches!(state, PinState::Direct),
        PinFilter::Indirect => matches!(state, PinState::Indirect(_)),
    }
}

pub(super) async fn verify(context: Context) -> Result<Reply, Failure> {
    let (verbose, quiet) = (context.invocation.bool("verbose"), context.invocation.bool("quiet"));
    if verbose && quiet {
        return Err(Failure::invalid("the --verbose and --quiet options can not be used at the same time"));
    }
    let cids = context.cids;
    let lines = context.node()?.pin_verify().filter_map(move |checked| {
        let line =
            checked.map(|(cid, missing)| verified(&cid, &missing, verbose, cids)).map_err(Failure::from);
        futures::future::ready(line.transpose())
    });
    Ok(Reply::values(lines))
}

fn verified(cid: &Cid, missing: &[Cid], verbose: bool, cids: CidText) -> Option<PinVerified> {
    let ok = missing.is_empty();
    let bad = |cid| BadNode {
        cid: cids.of(cid),
        err: format!("block was not found locally (offline): ipld: could not find {cid}"),
    };
    (verbose || !ok).then(|| PinVerified {
        cid: cids.of(cid),
        ok,
        bad_nodes: missing.iter().map(bad).collect(),
        ..PinVerified::default()
    })
}
