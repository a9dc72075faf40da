//! `stats`: counts of a running node; the other two are shown by `repo` and `bitswap`.

use std::io::{self, Write};

use ipse_api::Bandwidth;

use super::each;
use crate::error::CliError;
use crate::session::Session;
use crate::text::size;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "repo" => super::repo::stat(session).await,
        "bitswap" => super::bitswap::stat(session).await,
        _ => bandwidth(session).await,
    }
}

async fn bandwidth(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    if !session.invocation.bool("poll") {
        let traffic: Bandwidth = answer.only().await?;
        return Ok(report(&traffic, session.console.out())?);
    }
    writeln!(session.console.out(), "Total Up    Total Down  Rate Up     Rate Down")?;
    each(&mut answer, session.console, row).await
}

pub(super) fn report(traffic: &Bandwidth, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Bandwidth\nTotalIn: {}\nTotalOut: {}", size(traffic.total_in), size(traffic.total_out))?;
    writeln!(out, "RateIn: {}/s\nRateOut: {}/s", rate(traffic.rate_in), rate(traffic.rate_out))
}

/// One line that is written over by the next.
fn row(traffic: &Bandwidth, out: &mut dyn Write) -> io::Result<()> {
    let (up, down) = (size(traffic.total_out), size(traffic.total_in));
    let (rate_up, rate_down) = (rate(traffic.rate_out), rate(traffic.rate_in));
    write!(out, "{up:>8}    {down:>8}    {rate_up:>8}/s  {rate_down:>8}/s      \r")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is shown in whole bytes")]
fn rate(bytes: f64) -> String {
    size(bytes.max(0.0) as u64)
}
