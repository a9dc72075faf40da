//! `diag`: what the node counted and does in the background.

use ipse_api::{HotCounter, HotCounters, WorkerLine};

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

pub(super) async fn hot(context: Context) -> Result<Reply, Failure> {
    let parts = context.node()?.counts().into_iter().map(|(part, counts)| {
        let counters = counts.iter().map(|count| HotCounter {
            name: count.name.to_owned(),
            value: count.value,
            about: count.about.to_owned(),
        });
        (part.to_owned(), counters.collect())
    });
    Reply::value(&parts.collect::<HotCounters>())
}

pub(super) async fn workers(context: Context) -> Result<Reply, Failure> {
    let lines: Vec<_> = context
        .node()?
        .workers()
        .into_iter()
        .map(|worker| {
            Ok::<_, Failure>(WorkerLine {
                name: worker.name,
                working: worker.working,
                doing: worker.doing,
                turns: worker.turns,
                failures: worker.failures,
                last_error: worker.last_error.unwrap_or_default(),
            })
        })
        .collect();
    Ok(Reply::values(futures::stream::iter(lines)))
}
