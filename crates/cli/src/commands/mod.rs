//! Commands: how each family's answers are shown. One file for each family of the api's table.
//!
//! A command whose values were asked for as JSON is shown as it came; the others by the functions here.

mod add;
mod bitswap;
mod block;
mod cat;
mod cid;
mod config;
mod dag;
mod diag;
mod get;
mod id;
mod log;
mod ls;
mod pin;
mod ping;
mod refs;
mod repo;
mod resolve;
mod shutdown;
mod stats;
mod swarm;

pub(crate) mod backup;
pub(crate) mod completion;
pub(crate) mod daemon;
pub(crate) mod edit;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod version;

mod banner;
mod ports;

use std::io::{self, Write};

use serde::de::DeserializeOwned;

use crate::answer::{Answer, error_value, value};
use crate::console::Console;
use crate::error::CliError;
use crate::persona::Persona;
use crate::session::Session;

/// Carries out a command and shows its answer.
pub(crate) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let path: Vec<&str> = session.invocation.path.clone();
    match path.as_slice() {
        // What these write is no answer to be shown.
        ["get"] => return get::run(session).await,
        ["shutdown"] => return shutdown::run(session).await,
        _ => {}
    }
    // The reference node shows these two as text whatever was asked for.
    let always_text = session.persona == Persona::Ipfs && matches!(path.as_slice(), ["add" | "ls"]);
    // These ask several times.
    let in_parts = matches!(path.as_slice(), ["pin", "add" | "rm"]);
    if session.wants_json() && !always_text && !in_parts {
        let mut answer = session.ask().await?;
        return raw_lines(&mut answer, session.console).await;
    }
    match path.as_slice() {
        ["add"] => add::run(session).await,
        ["cat"] => cat::run(session).await,
        ["ls"] => ls::run(session).await,
        ["refs", ..] | ["repo", "ls"] => refs::run(session).await,
        ["block", ..] => block::run(session).await,
        ["dag", ..] => dag::run(session).await,
        ["diag", ..] => diag::run(session).await,
        ["pin", ..] => pin::run(session).await,
        ["repo", ..] => repo::run(session).await,
        ["stats", ..] => stats::run(session).await,
        ["swarm", ..] => swarm::run(session).await,
        ["bitswap", ..] => bitswap::run(session).await,
        ["cid", ..] | ["multibase", "list"] => cid::run(session).await,
        ["config", ..] => config::run(session).await,
        ["id"] => id::run(session).await,
        ["version"] => version::remote(session).await,
        ["resolve"] => resolve::run(session).await,
        ["ping"] => ping::run(session).await,
        ["log", ..] => log::run(session).await,
        // Bytes that are their own text.
        _ => {
            let mut answer = session.ask().await?;
            raw_bytes(&mut answer, session.console, |_| {}).await
        }
    }
}

/// Takes each line as it comes. What was printed leaves whenever the lines that are here are done.
async fn each_line(
    answer: &mut Answer,
    console: &mut Console,
    mut take: impl FnMut(&[u8], &mut dyn Write) -> Result<(), CliError>,
) -> Result<(), CliError> {
    while let Some(lines) = answer.lines().await? {
        let out = console.out();
        let mut rest = &lines[..];
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, behind) = rest.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            if !line.iter().all(u8::is_ascii_whitespace) {
                take(line, out)?;
            }
        }
        console.flush()?;
    }
    Ok(())
}

/// Shows each value as it comes.
async fn each<T: DeserializeOwned>(
    answer: &mut Answer,
    console: &mut Console,
    mut show: impl FnMut(&T, &mut dyn Write) -> io::Result<()>,
) -> Result<(), CliError> {
    each_line(answer, console, |line, out| Ok(show(&value(line)?, out)?)).await
}

/// Asks, and shows each value as it comes.
async fn ask_each<T: DeserializeOwned>(
    session: &mut Session<'_>,
    show: impl FnMut(&T, &mut dyn Write) -> io::Result<()>,
) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    each(&mut answer, session.console, show).await
}

/// Passes bytes through.
async fn raw_bytes(
    answer: &mut Answer,
    console: &mut Console,
    mut passed: impl FnMut(u64),
) -> Result<(), CliError> {
    while let Some(chunk) = answer.chunk().await? {
        console.out().write_all(&chunk)?;
        console.flush()?;
        passed(chunk.len() as u64);
    }
    Ok(())
}

/// Passes values through as they came, up to one that is an error.
async fn raw_lines(answer: &mut Answer, console: &mut Console) -> Result<(), CliError> {
    each_line(answer, console, |line, out| {
        if let Some(error) = error_value(line) {
            return Err(error);
        }
        out.write_all(line)?;
        Ok(out.write_all(b"\n")?)
    })
    .await
}

#[cfg(test)]
mod tests;
