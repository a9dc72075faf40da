//! Lines of JSON: the first goes out at once, so that the caller sees that something happens; the rest is
//! gathered in one buffer that leaves at 32 KiB or after 20 ms.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use serde::Serialize;
use tokio::time::Sleep;

use crate::Failure;

/// Bytes of lines that leave without waiting for more.
const FLUSH_BYTES: usize = 32 * 1024;
/// How long a line waits for others.
const FLUSH_AFTER: Duration = Duration::from_millis(20);

/// Something that writes lines into a buffer.
pub(crate) trait LineSource: Send {
    /// Writes the next line, with its end, behind what is in the buffer.
    fn poll_line(
        &mut self,
        context: &mut Context<'_>,
        out: &mut BytesMut,
    ) -> Poll<Option<Result<(), Failure>>>;
}

/// Values as lines of JSON.
pub(super) struct JsonLines<T>(BoxStream<'static, Result<T, Failure>>);

impl<T> JsonLines<T> {
    pub(super) const fn new(stream: BoxStream<'static, Result<T, Failure>>) -> Self {
        Self(stream)
    }
}

impl<T: Serialize + Send> LineSource for JsonLines<T> {
    fn poll_line(
        &mut self,
        context: &mut Context<'_>,
        out: &mut BytesMut,
    ) -> Poll<Option<Result<(), Failure>>> {
        let Some(item) = ready!(self.0.poll_next_unpin(context)) else { return Poll::Ready(None) };
        Poll::Ready(Some(item.and_then(|value| {
            super::write_json(&value, out)?;
            out.put_u8(b'\n');
            Ok(())
        })))
    }
}

/// The chunks that lines leave in.
pub(crate) struct Lines {
    source: Option<Box<dyn LineSource>>,
    /// Lines that have not left.
    buffer: BytesMut,
    /// Whether the first line has left.
    started: bool,
    /// When the oldest line in the buffer has to leave.
    timer: Option<Pin<Box<Sleep>>>,
    /// What comes out after the lines in the buffer.
    failure: Option<Failure>,
}

impl Lines {
    pub(crate) fn new(source: Box<dyn LineSource>) -> Self {
        Self { source: Some(source), buffer: BytesMut::new(), started: false, timer: None, failure: None }
    }

    /// Takes lines until the buffer should leave, or until there are none now.
    fn gather(&mut self, context: &mut Context<'_>) {
        while let Some(source) = &mut self.source {
            match source.poll_line(context, &mut self.buffer) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(()))) if self.started && self.buffer.len() < FLUSH_BYTES => {}
                Poll::Ready(Some(Ok(()))) => return,
                Poll::Ready(Some(Err(failure))) => {
                    self.failure = Some(failure);
                    self.source = None;
                }
                Poll::Ready(None) => self.source = None,
            }
        }
    }

    /// Whether the buffer leaves now.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.started || self.source.is_none() || self.buffer.len() >= FLUSH_BYTES {
            return Poll::Ready(());
        }
        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(FLUSH_AFTER))).poll_unpin(context)
    }
}

impl Stream for Lines {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.gather(context);
        if this.buffer.is_empty() {
            return match (&this.source, this.failure.take()) {
                (Some(_), _) => Poll::Pending,
                (None, failure) => Poll::Ready(failure.map(Err)),
            };
        }
        ready!(this.poll_due(context));
        this.timer = None;
        this.started = true;
        Poll::Ready(Some(Ok(this.buffer.split().freeze())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::mpsc;
    use tokio::time::Instant;

    fn lines(stream: impl Stream<Item = Result<u32, Failure>> + Send + 'static) -> Lines {
        Lines::new(Box::new(JsonLines::new(stream.boxed())))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_line_leaves_at_once_and_the_rest_together() {
        let (mut sender, receiver) = mpsc::channel(8);
        let mut lines = lines(receiver);
        let start = Instant::now();
        sender.try_send(Ok(1)).unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), "1\n");
        assert_eq!(start.elapsed(), Duration::ZERO);
        sender.try_send(Ok(2)).unwrap();
        sender.try_send(Ok(3)).unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), "2\n3\n");
        assert!((20..25).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        drop(sender);
        assert!(lines.next().await.is_none());
    }

    #[tokio::test]
    async fn many_lines_leave_in_pieces_of_32_kib() {
        let mut lines = lines(futures::stream::iter((0..100_000).map(Ok)));
        let mut all = Vec::new();
        let mut sizes = Vec::new();
        while let Some(chunk) = lines.next().await {
            sizes.push(chunk.as_ref().unwrap().len());
            all.extend_from_slice(&chunk.unwrap());
        }
        let whole = &sizes[1..sizes.len() - 1];
        assert!(whole.iter().all(|size| (FLUSH_BYTES..FLUSH_BYTES + 8).contains(size)), "{sizes:?}");
        assert_eq!(all.split(|byte| *byte == b'\n').count(), 100_001);
    }

    #[tokio::test]
    async fn a_failure_comes_after_the_lines_before_it() {
        let failure = Failure::invalid("x");
        let mut lines = lines(futures::stream::iter([Ok(1), Ok(2), Err(failure.clone())]));
        assert_eq!(lines.next().await.unwrap().unwrap(), "1\n");
        assert_eq!(lines.next().await.unwrap().unwrap(), "2\n");
        assert_eq!(lines.next().await.unwrap().unwrap_err(), failure);
        assert!(lines.next().await.is_none());
    }
}
