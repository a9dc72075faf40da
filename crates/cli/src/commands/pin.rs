//! `pin`: promises to keep.

use std::io::{self, Write};

use ipse_api::{Invocation, OptionValue, PinAdded, PinLine, PinVerified};

use super::{ask_each, each_line};
use crate::answer::value;
use crate::error::CliError;
use crate::progress::Progress;
use crate::session::Session;
use crate::text::escape;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "add" => add(session).await,
        "rm" => {
            let show = |removed: &PinAdded, out: &mut dyn Write| {
                removed.pins.iter().try_for_each(|cid| writeln!(out, "unpinned {cid}"))
            };
            ask_each(session, show).await
        }
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
    let mut answer = session.ask().await?;
    let console = &mut *session.console;
    while let Some(added) = answer.item::<PinAdded>().await? {
        progress.set(added.bytes.unwrap_or_default());
        progress.suspend(|| -> io::Result<()> {
            added.pins.iter().try_for_each(|cid| writeln!(console.out(), "pinned {cid} {manner}"))?;
            console.flush()
        })?;
    }
    Ok(())
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
