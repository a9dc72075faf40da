//! `log`: how much the daemon tells.

use std::io::{self, Write};

use ipse_api::{LogLevels, Message, Texts};
use serde_json::Value;

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    if session.invocation.command.name == "level" {
        return ask_each(session, level).await;
    }
    let show = |parts: &Texts, out: &mut dyn Write| {
        parts.strings.iter().try_for_each(|part| writeln!(out, "{part}"))
    };
    ask_each(session, show).await
}

/// A sentence where a level was set, levels where they were asked for; one alone without its part's name.
pub(super) fn level(reply: &Value, out: &mut dyn Write) -> io::Result<()> {
    let message: Message = serde_json::from_value(reply.clone()).unwrap_or_default();
    if !message.message.is_empty() {
        return out.write_all(message.message.as_bytes());
    }
    let LogLevels { levels } = serde_json::from_value(reply.clone()).unwrap_or_default();
    let several = levels.len() > 1;
    levels.iter().try_for_each(|(part, level)| match several {
        true => writeln!(out, "{part}: {level}"),
        false => writeln!(out, "{level}"),
    })
}
