//! `block`: single blocks.

use ipse_api::{BlockStat, RemovedBlock};

use super::{ask_each, raw_bytes};
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "stat" => {
            ask_each(session, |stat: &BlockStat, out| writeln!(out, "Key: {}\nSize: {}", stat.key, stat.size))
                .await
        }
        "put" => ask_each(session, |stat: &BlockStat, out| writeln!(out, "{}", stat.key)).await,
        "rm" => remove(session).await,
        _ => {
            let mut answer = session.ask().await?;
            raw_bytes(&mut answer, session.console, |_| {}).await
        }
    }
}

async fn remove(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    let mut failed = false;
    while let Some(removed) = answer.item::<RemovedBlock>().await? {
        let RemovedBlock { hash, error } = removed;
        if error.is_empty() {
            writeln!(session.console.out(), "removed {hash}")?;
        } else if hash.is_empty() {
            return Err(CliError::Node { message: format!("aborted: {error}"), hint: None, client: false });
        } else {
            session.console.note(&format!("cannot remove {hash}: {error}"));
            failed = true;
        }
    }
    if failed { Err(CliError::Some("some blocks not removed")) } else { Ok(()) }
}
