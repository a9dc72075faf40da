//! `stats bw`: traffic with peers.

use std::time::Duration;

use ipse_api::{Bandwidth, parse_duration};
use ipse_node::Node;
use tokio::time::Instant;

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

/// How long a single look at the rates takes: they are what flows in this time.
const LOOK: Duration = Duration::from_millis(250);
/// The shortest time between two looks of a poll.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

pub(super) async fn bw(context: Context) -> Result<Reply, Failure> {
    let node = context.online_node()?.clone();
    let poll = context.invocation.bool("poll");
    let text = context.invocation.string("interval").unwrap_or_default();
    let interval =
        parse_duration(&text).ok_or_else(|| Failure::invalid(format!("time: invalid duration {text:?}")))?;
    let interval = if poll { interval.max(INTERVAL_MIN) } else { LOOK };
    let start = node.bandwidth()?;
    let state = Some((node, (start.received, start.sent), Instant::now()));
    let lines = futures::stream::try_unfold(state, move |state| async move {
        let Some((node, before, since)) = state else { return Ok(None) };
        tokio::time::sleep(interval).await;
        let (line, now) = look(&node, before, since.elapsed())?;
        Ok::<_, Failure>(Some((line, poll.then(|| (node, now, Instant::now())))))
    });
    Ok(Reply::values(lines))
}

/// Totals now, and rates since `before`.
fn look(node: &Node, before: (u64, u64), elapsed: Duration) -> Result<(Bandwidth, (u64, u64)), Failure> {
    let now = node.bandwidth()?;
    #[expect(clippy::cast_precision_loss, reason = "a rate is for looking at")]
    let rate =
        |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed.as_secs_f64().max(f64::EPSILON);
    let line = Bandwidth {
        total_in: now.received,
        total_out: now.sent,
        rate_in: rate(now.received, before.0),
        rate_out: rate(now.sent, before.1),
    };
    Ok((line, (now.received, now.sent)))
}
