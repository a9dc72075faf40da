//! `ping`: round-trip times as lines, one a second.

use std::time::Duration;

use ipse_api::Pinged;
use ipse_base::{Kind, PeerId};
use ipse_node::{Node, SwarmError};

use crate::Failure;
use crate::context::{Context, NOT_ONLINE};
use crate::reply::Reply;

/// Time between two pings.
const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn ping(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    if !node.is_online() {
        return Err(Failure::new(Kind::Unavailable, NOT_ONLINE));
    }
    let text = context.argument(0)?;
    let name = text.rsplit("/p2p/").next().unwrap_or(text);
    let peer: PeerId = name.parse().map_err(|error| {
        Failure::invalid(format!("failed to parse peer address '{text}': failed to parse peer ID: {error}"))
    })?;
    if peer == *node.peer_id() {
        return Err(Failure::invalid("error: can't ping self"));
    }
    let count = context.invocation.int("count").unwrap_or_default();
    let count = u32::try_from(count).ok().filter(|count| *count > 0);
    let given = context.invocation.int("count").unwrap_or_default();
    let count =
        count.ok_or_else(|| Failure::invalid(format!("ping count must be greater than 0, was {given}")))?;
    let target = if text.starts_with('/') { text.to_owned() } else { format!("/p2p/{peer}") };
    let run =
        Run { node: node.clone(), peer, target, left: count, sent: false, times: Vec::new(), failed: false };
    let lines = futures::stream::try_unfold(Some(run), |run| async move {
        match run {
            Some(run) => run.next().await,
            None => Ok(None),
        }
    });
    Ok(Reply::values(lines))
}

/// A running measurement.
struct Run {
    node: Node,
    peer: PeerId,
    /// Whom to dial where there is no connection: an address, or `/p2p/ID`.
    target: String,
    /// Pings that are still to be sent.
    left: u32,
    /// Whether the first line went out.
    sent: bool,
    /// Round trips so far.
    times: Vec<Duration>,
    /// Whether a ping failed; then no further one is sent.
    failed: bool,
}

type Step = Option<(Pinged, Option<Run>)>;

impl Run {
    /// The next line and what is left to do.
    async fn next(mut self) -> Result<Step, Failure> {
        if !self.sent {
            self.sent = true;
            return Ok(Some((said(true, format!("PING {}.", self.peer)), Some(self))));
        }
        if self.failed {
            return Err(Failure::new(Kind::Unavailable, "ping failed"));
        }
        if self.left == 0 {
            return Ok(Some((said(true, average(&self.times)), None)));
        }
        if !self.times.is_empty() {
            tokio::time::sleep(EVERY).await;
        }
        self.left -= 1;
        let line = match self.measure().await {
            Ok(time) => {
                self.times.push(time);
                let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                Pinged { success: true, time, text: String::new() }
            }
            Err(error) => {
                self.failed = true;
                said(false, format!("Ping error: {error}"))
            }
        };
        Ok(Some((line, Some(self))))
    }

    /// One round trip, over a new connection where there is none.
    async fn measure(&self) -> Result<Duration, SwarmError> {
        self.node.connect(&self.target).await?;
        self.node.ping(&self.peer).await
    }
}

fn said(success: bool, text: String) -> Pinged {
    Pinged { success, time: 0, text }
}

fn average(times: &[Duration]) -> String {
    let total: f64 = times.iter().map(Duration::as_secs_f64).sum();
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 pings")]
    let average = total * 1000.0 / times.len().max(1) as f64;
    format!("Average latency: {average:.2}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_in_milliseconds() {
        let times = [Duration::from_micros(1500), Duration::from_micros(2500)];
        assert_eq!(average(&times), "Average latency: 2.00ms");
    }
}
