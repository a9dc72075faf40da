//! `config`: the node's settings.

use std::io::{self, Write};

use ipse_api::{ConfigField, ConfigUpdate};
use serde_json::Value;

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.path.as_slice() {
        ["config"] => {
            let setting = session.invocation.arguments.len() > 1;
            let show = |field: &ConfigField, out: &mut dyn Write| match setting {
                true => Ok(()),
                false => print(&field.value, out),
            };
            ask_each(session, show).await
        }
        ["config", "show"] => ask_each(session, print).await,
        ["config", "profile", ..] => ask_each(session, differences).await,
        _ => ask_each(session, |_: &Value, _| Ok(())).await,
    }
}

/// Text bare, everything else as indented JSON.
fn print(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    match value {
        Value::String(text) => writeln!(out, "{text}"),
        other => writeln!(out, "{other:#}"),
    }
}

/// Each setting that differs, by its dotted name.
pub(super) fn differences(update: &ConfigUpdate, out: &mut dyn Write) -> io::Result<()> {
    compare("", &update.old_cfg, &update.new_cfg, out)
}

fn compare(name: &str, old: &Value, new: &Value, out: &mut dyn Write) -> io::Result<()> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return if old == new { Ok(()) } else { writeln!(out, "{name}: {old} -> {new}") };
    };
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let value = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or(Value::Null);
        compare(&name, &value(before), &value(after), out)?;
    }
    Ok(())
}
