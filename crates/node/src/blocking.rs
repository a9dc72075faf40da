//! Brings the store's blocking iterators to the runtime.

use futures::stream::{self, BoxStream, StreamExt};
use tokio::task::JoinHandle;

/// Items fetched per hop to the blocking pool.
const ITEMS_PER_HOP: usize = 1024;

/// A blocking iterator as a stream: items are pulled away from the runtime's threads, a batch at a time.
pub(crate) fn stream<I, T, U>(iterator: I, convert: fn(T) -> U) -> BoxStream<'static, U>
where
    I: Iterator<Item = T> + Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
{
    let batches = pull(iterator, |iterator| {
        let batch: Vec<T> = iterator.by_ref().take(ITEMS_PER_HOP).collect();
        (!batch.is_empty()).then_some(batch)
    });
    batches.flat_map(stream::iter).map(convert).boxed()
}

/// A blocking iterator whose items are pages, each worth a hop.
pub(crate) fn pages<I>(pages: I) -> BoxStream<'static, I::Item>
where
    I: Iterator + Send + 'static,
    I::Item: Send + 'static,
{
    pull(pages, I::next)
}

/// What `next` gives, until it gives nothing. While one batch is worked on, the next is fetched.
fn pull<S, B>(state: S, next: fn(&mut S) -> Option<B>) -> BoxStream<'static, B>
where
    S: Send + 'static,
    B: Send + 'static,
{
    let hop = move |mut state: S| -> JoinHandle<Option<(B, S)>> {
        tokio::task::spawn_blocking(move || next(&mut state).map(|batch| (batch, state)))
    };
    // No hop before somebody asks.
    stream::unfold(Turn::First(state), move |turn| async move {
        let running = match turn {
            Turn::First(state) => hop(state),
            Turn::Running(running) => running,
        };
        // A task that can't run means the runtime is going down: the stream ends.
        let (batch, state) = running.await.ok()??;
        Some((batch, Turn::Running(hop(state))))
    })
    .boxed()
}

enum Turn<S, B> {
    First(S),
    Running(JoinHandle<Option<(B, S)>>),
}
