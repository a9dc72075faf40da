//! `dag`: nodes, graphs and archives.

use std::io::{self, Write};

use ipse_api::{DagImported, DagPut, DagResolved, DagStatSummary};

use super::{ask_each, raw_bytes};
use crate::error::CliError;
use crate::progress::Progress;
use crate::session::Session;
use crate::text::size;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "put" => ask_each(session, |put: &DagPut, out| writeln!(out, "{}", put.cid.cid)).await,
        "resolve" => ask_each(session, resolved).await,
        "import" => import(session).await,
        "stat" => stat(session).await,
        "export" => {
            let mut answer = session.ask().await?;
            let shown = Progress::wanted(&session.invocation, session.console);
            let progress = Progress::new(shown, session.console, None);
            raw_bytes(&mut answer, session.console, |bytes| progress.add(bytes)).await
        }
        _ => {
            let mut answer = session.ask().await?;
            raw_bytes(&mut answer, session.console, |_| {}).await
        }
    }
}

/// Without a line end, as the reference node prints it.
fn resolved(resolved: &DagResolved, out: &mut dyn Write) -> io::Result<()> {
    match resolved.rem_path.trim_matches('/') {
        "" => write!(out, "{}", resolved.cid.cid),
        rest => write!(out, "{}/{rest}", resolved.cid.cid),
    }
}

async fn import(session: &mut Session<'_>) -> Result<(), CliError> {
    let silent = session.invocation.bool("silent");
    let stats = session.invocation.bool("stats");
    let mut answer = session.ask().await?;
    while let Some(imported) = answer.item::<DagImported>().await? {
        if silent {
            continue;
        }
        let out = session.console.out();
        if let Some(root) = imported.root {
            let cid = root.cid.cid;
            if !root.pin_error_msg.is_empty() {
                let message = format!("pinning root \"{cid}\" FAILED: {}", root.pin_error_msg);
                return Err(CliError::Node { message, hint: None, client: false });
            }
            writeln!(out, "Pinned root\t{cid}\tsuccess")?;
        }
        if let Some(read) = imported.stats.filter(|_| stats) {
            writeln!(out, "Imported {} blocks ({} bytes)", read.block_count, read.block_bytes_count)?;
        }
        session.console.flush()?;
    }
    Ok(())
}

async fn stat(session: &mut Session<'_>) -> Result<(), CliError> {
    let shown = Progress::wanted(&session.invocation, session.console);
    let progress = Progress::new(shown, session.console, None);
    let mut answer = session.ask().await?;
    let mut last = None;
    while let Some(summary) = answer.item::<DagStatSummary>().await? {
        progress.set(summary.dag_stats.iter().map(|dag| dag.size).sum());
        last = Some(summary);
    }
    drop(progress);
    match last {
        Some(summary) => Ok(summarize(&summary, session.console.out())?),
        None => Ok(()),
    }
}

pub(super) fn summarize(summary: &DagStatSummary, out: &mut dyn Write) -> io::Result<()> {
    let width = summary.dag_stats.first().map_or(0, |dag| dag.cid.len());
    writeln!(out, "\n{:width$}\t{:15}\tSize", "CID", "Blocks")?;
    for dag in &summary.dag_stats {
        writeln!(out, "{}\t{:<15}\t{}", dag.cid, dag.num_blocks, dag.size)?;
    }
    let (total, shared) = (summary.total_size, summary.shared_size);
    writeln!(out, "\nSummary\nTotal Size: {total} ({})", size(total))?;
    writeln!(out, "Unique Blocks: {}", summary.unique_blocks)?;
    writeln!(out, "Shared Size: {shared} ({})\nRatio: {:.6}\n\n", size(shared), summary.ratio)
}
