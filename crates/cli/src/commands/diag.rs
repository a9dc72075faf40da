//! `diag`: counters and background work.

use std::io::{self, Write};

use ipse_api::{HotCounters, WorkerLine};

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;
use crate::text::Columns;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "hot" => ask_each(session, hot).await,
        _ => ask_each(session, worker).await,
    }
}

fn hot(parts: &HotCounters, out: &mut dyn Write) -> io::Result<()> {
    for (part, counters) in parts {
        writeln!(out, "{part}")?;
        let mut columns = Columns::new(0, 2);
        for counter in counters {
            columns.line(vec![
                format!("  {}", counter.name),
                counter.value.to_string(),
                counter.about.clone(),
            ]);
        }
        columns.write(out)?;
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
