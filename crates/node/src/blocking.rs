//! Brings the store's blocking iterators to the runtime.

use futures::stream::{self, BoxStream, StreamExt};

/// Items fetched per hop to the blocking pool.
const ITEMS_PER_HOP: usize = 1024;

/// A blocking iterator as a stream: items are pulled away from the runtime's threads, a batch at a time.
pub(crate) fn stream<I, T, U>(iterator: I, convert: fn(T) -> U) -> BoxStream<'static, U>
where
    I: Iterator<Item = T> + Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
{
    let batches = stream::unfold(Some(iterator), |iterator| async move {
        let mut iterator = iterator?;
        let pull = move || {
            let batch: Vec<T> = iterator.by_ref().take(ITEMS_PER_HOP).collect();
            let more = batch.len() == ITEMS_PER_HOP;
            (batch, more.then_some(iterator))
        };
        // A task that can't run means the runtime is going down: the stream ends.
        tokio::task::spawn_blocking(pull).await.ok()
    });
    batches.flat_map(stream::iter).map(convert).boxed()
}
