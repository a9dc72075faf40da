//! Streams with something beside them: work that feeds them, a deadline that ends them.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep};

use crate::Failure;

/// A stream and the work that feeds it, driven together: dropping the stream drops the work.
struct Driven<T> {
    work: Option<BoxFuture<'static, Result<(), Failure>>>,
    output: Option<BoxStream<'static, Result<T, Failure>>>,
}

/// What `output` yields while `work` runs beside it. A failure of the work ends the stream.
pub(crate) fn driven<T: Send + 'static>(
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
    output: impl Stream<Item = Result<T, Failure>> + Send + 'static,
) -> impl Stream<Item = Result<T, Failure>> + Send + 'static {
    Driven { work: Some(work.boxed()), output: Some(output.boxed()) }
}

impl<T> Stream for Driven<T> {
    type Item = Result<T, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(work) = &mut self.work
            && let Poll::Ready(done) = work.poll_unpin(context)
        {
            self.work = None;
            if let Err(failure) = done {
                self.output = None;
                return Poll::Ready(Some(Err(failure)));
            }
        }
        self.output.as_mut().map_or(Poll::Ready(None), |output| output.poll_next_unpin(context))
    }
}

struct WithDeadline<S> {
    stream: Option<S>,
    timer: Pin<Box<Sleep>>,
}

/// A stream that fails with a timeout once `deadline` is over.
pub(crate) fn with_deadline<T, S>(
    stream: S,
    deadline: Instant,
) -> impl Stream<Item = Result<T, Failure>> + Send
where
    S: Stream<Item = Result<T, Failure>> + Send + Unpin,
{
    WithDeadline { stream: Some(stream), timer: Box::pin(tokio::time::sleep_until(deadline)) }
}

impl<T, S: Stream<Item = Result<T, Failure>> + Unpin> Stream for WithDeadline<S> {
    type Item = Result<T, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        if this.timer.poll_unpin(context).is_ready() {
            this.stream = None;
            return Poll::Ready(Some(Err(Failure::timeout())));
        }
        stream.poll_next_unpin(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn work_feeds_the_stream_and_its_failure_ends_it() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let work = async move {
            let _ = sender.send(7);
            Ok(())
        };
        let output =
            futures::stream::once(async move { receiver.await.map_err(|_| Failure::invalid("gone")) });
        assert_eq!(driven(work, output).collect::<Vec<_>>().await, [Ok(7)]);

        let failing =
            driven(async { Err(Failure::invalid("x")) }, futures::stream::pending::<Result<u8, _>>());
        assert_eq!(failing.collect::<Vec<_>>().await, [Err(Failure::invalid("x"))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_ends_a_stream_that_stands_still() {
        let stream = futures::stream::iter([Ok(1)]).chain(futures::stream::pending());
        let mut stream = Box::pin(with_deadline(stream.boxed(), Instant::now() + Duration::from_secs(1)));
        assert_eq!(stream.next().await, Some(Ok(1)));
        assert_eq!(stream.next().await, Some(Err(Failure::timeout())));
        assert_eq!(stream.next().await, None);
    }
}
