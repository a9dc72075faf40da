//! `shutdown`: asks the daemon to stop.

use super::raw_bytes;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await.map_err(|error| match error {
        CliError::DaemonOnly(_) => CliError::NotRunning,
        other => other,
    })?;
    raw_bytes(&mut answer, session.console, |_| {}).await
}
