//! `pin`: promises to keep.

use std::collections::HashSet;
use std::io::{self, Write};

use ipse_api::{Invocation, OptionValue, PinAdded, PinLine, PinVerified};

use super::{ask_each, each_line, raw_lines};
use crate::answer::value;
use crate::error::CliError;
use crate::progress::Progress;
use crate::session::Session;
use crate::text::escape;

/// Objects that one request is about. A daemon holds them all while it works, in some 300 bytes each.
const PINS_TOGETHER: usize = 32_768;
/// Bytes of their paths. A daemon takes 16 MiB of arguments.
const PATHS_BYTES_TOGETHER: usize = 4 * 1024 * 1024;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "add" => add(session).await,
        "rm" => remove(session).await,
        "update" => ask_each(session, updated).await,
        "verify" => verify(session).await,
        _ => list(session).await,
    }
}

async fn add(session: &mut Session<'_>) -> Result<(), CliError> {
    let shown =
        session.console.err_is_terminal() && session.invocation.optional_bool("progress") != Some(false);
    session.invocation.set("progress", OptionValue::Bool(shown));
    let manner = if session.invocation.bool("recursive") { "recursively" } else { "directly" };
    let progress = Progress::new(shown, session.console, None);
    // Pins are set in order whoever splits them, so where one can't be had those before it are set all the same.
    let (paths, mut bytes) = (std::mem::take(&mut session.invocation.arguments), 0);
    for part in parts(&paths) {
        session.invocation.arguments = part.to_vec();
        if session.wants_json() {
            raw(session).await?;
            continue;
        }
        let mut answer = session.ask().await?;
        let console = &mut *session.console;
        let mut latest = 0;
        while let Some(added) = answer.item::<PinAdded>().await? {
            latest = added.bytes.unwrap_or(latest);
            progress.set(bytes + latest);
            progress.suspend(|| -> io::Result<()> {
                added.pins.iter().try_for_each(|cid| writeln!(console.out(), "pinned {cid} {manner}"))?;
                console.flush()
            })?;
        }
        bytes += latest;
    }
    Ok(())
}

/// As [`add`], in several requests. What is named twice is asked for once, as in one request.
async fn remove(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut paths = std::mem::take(&mut session.invocation.arguments);
    let mut asked = HashSet::with_capacity(paths.len());
    let is_new: Vec<bool> = paths.iter().map(|path| asked.insert(path.as_str())).collect();
    let mut is_new = is_new.into_iter();
    paths.retain(|_| is_new.next().unwrap_or(true));
    for part in parts(&paths) {
        session.invocation.arguments = part.to_vec();
        if session.wants_json() {
            raw(session).await?;
            continue;
        }
        ask_each(session, |removed: &PinAdded, out| {
            removed.pins.iter().try_for_each(|cid| writeln!(out, "unpinned {cid}"))
        })
        .await?;
    }
    Ok(())
}

/// Asks, and passes on the values that come.
async fn raw(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    raw_lines(&mut answer, session.console).await
}

/// Paths as they are asked for together.
fn parts(paths: &[String]) -> impl Iterator<Item = &[String]> {
    let mut left = paths;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |path: &&String| {
            bytes += path.len();
            bytes <= PATHS_BYTES_TOGETHER
        };
        let count = left.iter().take(PINS_TOGETHER).take_while(fits).count();
        // A path that is longer than all of them may be goes alone, for the daemon to refuse.
        let (part, rest) = left.split_at(count.max(1).min(left.len()));
        left = rest;
        (!part.is_empty()).then_some(part)
    })
}

fn updated(moved: &PinAdded, out: &mut dyn Write) -> io::Result<()> {
    match moved.pins.as_slice() {
        [from, to, ..] => writeln!(out, "updated {from} to {to}"),
        _ => Ok(()),
    }
}

/// Asked for as a stream whatever was said: text is the same either way, and a million pins fit nobody's memory.
async fn list(session: &mut Session<'_>) -> Result<(), CliError> {
    let quiet = session.invocation.bool("quiet");
    session.invocation.set("stream", OptionValue::Bool(true));
    let mut answer = session.ask().await?;
    each_line(&mut answer, session.console, |text, out| {
        let pin: PinLine<'_> = value(text)?;
        Ok(line(&pin, quiet, out)?)
    })
    .await
}

fn line(pin: &PinLine<'_>, quiet: bool, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(pin.cid.as_bytes())?;
    if !quiet {
        out.write_all(b" ")?;
        out.write_all(pin.r#type.as_bytes())?;
        if !pin.name.is_empty() {
            write!(out, " {}", escape(&pin.name))?;
        }
    }
    out.write_all(b"\n")
}

async fn verify(session: &mut Session<'_>) -> Result<(), CliError> {
    let quiet = Quiet::of(&session.invocation);
    ask_each(session, |pin: &PinVerified, out| verified(pin, quiet, out)).await
}

/// Whether only the CIDs of broken pins are shown.
#[derive(Clone, Copy)]
pub(super) struct Quiet(pub(super) bool);

impl Quiet {
    fn of(invocation: &Invocation) -> Self {
        Self(invocation.bool("quiet"))
    }
}

pub(super) fn verified(pin: &PinVerified, quiet: Quiet, out: &mut dyn Write) -> io::Result<()> {
    let PinVerified { cid, err, ok, bad_nodes } = pin;
    if quiet.0 {
        return if *ok { Ok(()) } else { writeln!(out, "{cid}") };
    }
    if *ok {
        return writeln!(out, "{cid} ok");
    }
    if !err.is_empty() {
        return writeln!(out, "{cid} error: {err}");
    }
    writeln!(out, "{cid} broken")?;
    bad_nodes.iter().try_for_each(|node| writeln!(out, "  {}: {}", node.cid, node.err))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_of_it_in_its_order_and_have_bounds() {
        let paths = |count: usize, length: usize| -> Vec<String> {
            let digits = (0..count).map(|number| number.to_string());
            digits.map(|digits| "0".repeat(length - digits.len()) + &digits).collect()
        };
        for (paths, sizes) in [
            (paths(0, 9), vec![]),
            (paths(3, 9), vec![3]),
            (paths(PINS_TOGETHER + 1, 9), vec![PINS_TOGETHER, 1]),
            (paths(5, PATHS_BYTES_TOGETHER / 2), vec![2, 2, 1]),
            (paths(2, PATHS_BYTES_TOGETHER + 1), vec![1, 1]),
        ] {
            assert_eq!(parts(&paths).map(<[String]>::len).collect::<Vec<_>>(), sizes);
            assert_eq!(parts(&paths).flatten().cloned().collect::<Vec<_>>(), paths);
        }
    }
}
