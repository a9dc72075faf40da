//! `repo`: what is on the disk.

use std::io::{self, Write};

use ipse_api::{Collected, CollectionPlan, Invocation, RepoStat, RepoVersion, VerifyProgress};

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;
use crate::text::{Columns, size};

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "gc" if session.invocation.bool("dry-run") => ask_each(session, planned).await,
        "gc" => collect(session).await,
        "stat" => stat(session).await,
        "verify" => ask_each(session, verified).await,
        _ => version(session).await,
    }
}

async fn collect(session: &mut Session<'_>) -> Result<(), CliError> {
    let silent = session.invocation.bool("silent");
    let prefix = if session.invocation.bool("quiet") { "" } else { "removed " };
    ask_each(session, |collected: &Collected, out| match &collected.key {
        _ if silent => Ok(()),
        _ if !collected.error.is_empty() => writeln!(out, "Error: {}", collected.error),
        Some(key) => writeln!(out, "{prefix}{}", key.cid),
        None => Ok(()),
    })
    .await
}

fn planned(plan: &CollectionPlan, out: &mut dyn Write) -> io::Result<()> {
    let mut columns = Columns::new(0, 1);
    let mut line = |name: &str, count: u64, bytes: u64| {
        columns.line(vec![format!("{name}:"), count.to_string(), size(bytes)]);
    };
    line("BlocksRemoved", plan.blocks, plan.bytes);
    line("BlocksKept", plan.kept_blocks, plan.kept_bytes);
    line("HolesPunched", plan.holes, plan.hole_bytes);
    line("SegmentsCopied", plan.segments, plan.copied_bytes);
    columns.write(out)?;
    writeln!(out, "{} of the disk would return; nothing was removed", size(plan.freed_bytes))
}

pub(super) async fn stat(session: &mut Session<'_>) -> Result<(), CliError> {
    let invocation = session.invocation.clone();
    ask_each(session, |stat: &RepoStat, out| write_stat(stat, &invocation, out)).await
}

pub(super) fn write_stat(stat: &RepoStat, invocation: &Invocation, out: &mut dyn Write) -> io::Result<()> {
    let human = invocation.bool("human");
    let all = !invocation.bool("size-only");
    let bytes = |bytes: u64| if human { size(bytes) } else { bytes.to_string() };
    let mut columns = Columns::new(0, 1);
    let mut line = |name: &str, value: String| columns.line(vec![format!("{name}:"), value]);
    if all {
        line("NumObjects", stat.num_objects.to_string());
    }
    line("RepoSize", bytes(stat.repo_size));
    line("StorageMax", bytes(stat.storage_max));
    if all {
        line("RepoPath", stat.repo_path.clone());
        line("Version", stat.version.clone());
    }
    columns.write(out)
}

/// Progress stays on one line, since each step ends in a carriage return.
fn verified(step: &VerifyProgress, out: &mut dyn Write) -> io::Result<()> {
    match step.msg.as_str() {
        "" => write!(out, "{} blocks processed.\r", step.progress),
        // Spaces cover what is left of the last step.
        short if short.len() < 20 && !short.contains("was corrupt") => writeln!(out, "{short}             "),
        text => writeln!(out, "{text}"),
    }
}

async fn version(session: &mut Session<'_>) -> Result<(), CliError> {
    let prefix = if session.invocation.bool("quiet") { "" } else { "ipfs repo version " };
    ask_each(session, |version: &RepoVersion, out| {
        writeln!(out, "{prefix}fs-repo@{}", version.version.trim_start_matches("fs-repo@"))
    })
    .await
}
