//! `resolve`: where a path leads.

use ipse_api::Resolved;

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    ask_each(session, |resolved: &Resolved, out| writeln!(out, "{}", resolved.path)).await
}
