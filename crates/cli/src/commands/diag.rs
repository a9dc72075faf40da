//! `diag`: counters and background work.

use std::io::{self, Write};

use ipse_api::{HotCounters, WorkerLine};

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "hot" => ask_each(session, hot).await,
        _ => ask_each(session, worker).await,
    }
}

/// One block a part; the numbers of all parts end in one column, so that they can be compared at a glance.
fn hot(parts: &HotCounters, out: &mut dyn Write) -> io::Result<()> {
    let all = || parts.values().flatten();
    let names = all().map(|counter| counter.name.len()).max().unwrap_or_default();
    let values = all().map(|counter| counter.value.to_string().len()).max().unwrap_or_default();
    for (part, counters) in parts {
        writeln!(out, "{part}")?;
        for counter in counters {
            writeln!(out, "  {:names$}  {:>values$}  {}", counter.name, counter.value, counter.about)?;
        }
    }
    Ok(())
}

fn worker(line: &WorkerLine, out: &mut dyn Write) -> io::Result<()> {
    let state = if line.working { "working" } else { "resting" };
    write!(out, "{}: {state}, {} turns, {} failed", line.name, line.turns, line.failures)?;
    if !line.doing.is_empty() {
        write!(out, "; {}", line.doing)?;
    }
    writeln!(out)?;
    if line.last_error.is_empty() { Ok(()) } else { writeln!(out, "  last error: {}", line.last_error) }
}
