//! `pin`: promises to keep.

use std::io::{self, Write};

use ipse_api::{Invocation, OptionValue, PinAdded, PinLine, PinVerified, Pins};

use super::ask_each;
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

async fn list(session: &mut Session<'_>) -> Result<(), CliError> {
    let quiet = session.invocation.bool("quiet");
    if session.invocation.bool("stream") {
        return ask_each(session, |pin: &PinLine, out| line(&pin.cid, &pin.r#type, &pin.name, quiet, out))
            .await;
    }
    let show = |pins: &Pins, out: &mut dyn Write| {
        pins.keys.iter().try_for_each(|(cid, pin)| line(cid, &pin.r#type, &pin.name, quiet, out))
    };
    ask_each(session, show).await
}

fn line(cid: &str, kind: &str, name: &str, quiet: bool, out: &mut dyn Write) -> io::Result<()> {
    if quiet {
        writeln!(out, "{cid}")
    } else if name.is_empty() {
        writeln!(out, "{cid} {kind}")
    } else {
        writeln!(out, "{cid} {kind} {}", escape(name))
    }
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
