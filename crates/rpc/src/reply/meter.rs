//! Meter: what of a reply waits for its connection. A reader that takes nothing is asked for nothing more, and
//! holds one part of its reply.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::task::AtomicWaker;
use ipse_base::limits::RPC_REPLY_BYTES_MAX;
use tokio::time::Instant;

use crate::narrow::IsSlow;

/// From this size on parts are counted by whoever makes them, and several may wait.
const LARGE_BYTES: usize = 64 * 1024;

/// A reply in small parts that is longer than this is for a reader who is slow, or for whom it makes no difference.
const SHORT_BYTES: u64 = 256 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Bytes of parts that were handed out and are not dropped.
    bytes: AtomicUsize,
    /// The last part was large.
    large: AtomicBool,
    waker: AtomicWaker,
    started: Instant,
    /// When the connection last asked for a part, in milliseconds since the start.
    moved: AtomicU64,
    cut: AtomicBool,
    /// Bytes handed out in all.
    total: AtomicU64,
    connection: OnceLock<IsSlow>,
}

/// The reply was broken off, as its reader took nothing and others waited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut;

impl Meter {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicUsize::new(0),
            large: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            started: Instant::now(),
            moved: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            total: AtomicU64::new(0),
            connection: OnceLock::new(),
        })
    }

    /// Ready where the connection may have more.
    pub(crate) fn poll_room(&self, context: &Context<'_>) -> Poll<Result<(), Cut>> {
        self.waker.register(context.waker());
        if self.cut.load(Ordering::Acquire) {
            return Poll::Ready(Err(Cut));
        }
        let most = if self.large.load(Ordering::Relaxed) { RPC_REPLY_BYTES_MAX } else { 1 };
        if self.bytes.load(Ordering::Acquire) >= most {
            return Poll::Pending;
        }
        self.moved.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    /// Names the connection, so that the system does not run ahead of a reader for whom this does not.
    pub(crate) fn is_sent_over(&self, connection: IsSlow) {
        // A body is handed to one connection.
        let _ = self.connection.set(connection);
    }

    /// A part that counts until it is dropped.
    pub(crate) fn count(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        self.bytes.fetch_add(bytes.len(), Ordering::AcqRel);
        let large = bytes.len() >= LARGE_BYTES;
        self.large.store(large, Ordering::Relaxed);
        let total = self.total.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Some(connection) = self.connection.get().filter(|_| !large && total > SHORT_BYTES) {
            connection.set();
        }
        Bytes::from_owner(Waiting { bytes, meter: self.clone() })
    }

    /// How long the reader has taken nothing of what waits for it. A reply that waits for its own command stands
    /// for nothing.
    pub(crate) fn stalled(&self) -> Duration {
        let waits = self.bytes.load(Ordering::Acquire) > 0;
        let since =
            self.started.elapsed().saturating_sub(Duration::from_millis(self.moved.load(Ordering::Relaxed)));
        if waits { since } else { Duration::ZERO }
    }

    /// Breaks the reply off.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A part that waits.
struct Waiting {
    bytes: Bytes,
    meter: Arc<Meter>,
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.meter.bytes.fetch_sub(self.bytes.len(), Ordering::AcqRel);
        self.meter.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_reader_holds_one_small_part_or_a_few_large_ones_and_can_be_cut() {
        let meter = Meter::new();
        let poll = || meter.poll_room(&Context::from_waker(Waker::noop()));
        assert_eq!(poll(), Poll::Ready(Ok(())));
        let small = meter.count(Bytes::from_static(b"line\n"));
        assert_eq!(poll(), Poll::Pending);
        drop(small);
        assert_eq!(poll(), Poll::Ready(Ok(())));
        assert_eq!(meter.stalled(), Duration::ZERO, "nothing waits");
        let parts = [meter.count(vec![0; 300_000].into()), meter.count(vec![0; 300_000].into())];
        assert_eq!(poll(), Poll::Pending);
        drop(parts);
        assert_eq!(poll(), Poll::Ready(Ok(())));
        meter.cut();
        assert_eq!(poll(), Poll::Ready(Err(Cut)));
    }
}
