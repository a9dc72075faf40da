//! `ping`: round-trip times as they are measured.

use ipse_api::Pinged;

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    ask_each(session, |ping: &Pinged, out| {
        if !ping.text.is_empty() {
            writeln!(out, "{}", ping.text)
        } else if ping.success {
            writeln!(
                out,
                "Pong received: time={:.2} ms",
                std::time::Duration::from_nanos(ping.time).as_secs_f64() * 1e3
            )
        } else {
            writeln!(out, "Pong failed")
        }
    })
    .await
}
