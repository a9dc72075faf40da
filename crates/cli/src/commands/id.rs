//! `id`: who a node is.

use std::io::{self, Write};

use ipse_api::Identity;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let format = session.invocation.string("format");
    ask_each(session, |identity: &Identity, out| match &format {
        Some(format) => out.write_all(formatted(identity, format).as_bytes()),
        None => indented(identity, out),
    })
    .await
}

/// The format with its words replaced, without a line end unless it says one.
pub(super) fn formatted(identity: &Identity, format: &str) -> String {
    format
        .replace("<id>", &identity.id)
        .replace("<aver>", &identity.agent_version)
        .replace("<pubkey>", &identity.public_key)
        .replace("<addrs>", &identity.addresses.join("\n"))
        .replace("<protocols>", &identity.protocols.join("\n"))
        .replace("\\n", "\n")
        .replace("\\t", "\t")
}

fn indented(identity: &Identity, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, PrettyFormatter::with_indent(b"\t"));
    identity.serialize(&mut serializer)?;
    out.write_all(b"\n\n")
}
