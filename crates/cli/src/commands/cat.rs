//! `cat`: bytes to standard output.

use super::raw_bytes;
use crate::error::CliError;
use crate::progress::Progress;
use crate::session::Session;

/// Smallest file for which a bar is worth its flicker, in bytes.
const PROGRESS_BYTES_MIN: u64 = 8 * 1024 * 1024;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    let length = answer.length();
    let small = length.is_some_and(|length| length < PROGRESS_BYTES_MIN);
    let shown = !small && Progress::wanted(&session.invocation, session.console);
    let progress = Progress::new(shown, session.console, length);
    raw_bytes(&mut answer, session.console, |bytes| progress.add(bytes)).await
}
