//! Pulse: what a connection is doing and since when, written by the connection and read once a second by the
//! one who cuts what stands still. A timer for each request would cost more than the request.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use ipse_base::limits::{
    GATEWAY_ANSWER_SECONDS, GATEWAY_HEAD_SECONDS, GATEWAY_IDLE_SECONDS, GATEWAY_SLOW_SEND_BUFFER_BYTES,
    GATEWAY_STALL_SECONDS,
};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Seconds since the listener began, counted by the listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU32>);

impl Clock {
    fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// A second has passed.
    pub(crate) fn tick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Phase {
    /// Nothing of the next request is here.
    Idle,
    /// A part of its head is.
    Head,
    /// It is being answered.
    Answer,
}

impl Phase {
    const fn from_bits(bits: u32) -> Self {
        match bits {
            0 => Self::Idle,
            1 => Self::Head,
            _ => Self::Answer,
        }
    }
}

/// What one connection is doing.
#[derive(Debug)]
pub(crate) struct Pulse {
    clock: Clock,
    /// The phase, and in the lower half the second in which it began.
    phase: AtomicU64,
    /// The second in which bytes were last taken from us.
    sent: AtomicU32,
    /// Whether bytes wait for the client to take them.
    blocked: AtomicU32,
    /// Whether the system should hold less for the connection.
    narrow: AtomicBool,
}

impl Pulse {
    pub(crate) fn new(clock: Clock) -> Self {
        let now = clock.now();
        let phase = AtomicU64::new(packed(Phase::Idle, now));
        Self {
            clock,
            phase,
            sent: AtomicU32::new(now),
            blocked: AtomicU32::new(0),
            narrow: AtomicBool::new(false),
        }
    }

    fn set(&self, phase: Phase) {
        self.phase.store(packed(phase, self.clock.now()), Ordering::Relaxed);
    }

    fn get(&self) -> (Phase, u32) {
        let bits = self.phase.load(Ordering::Relaxed);
        (Phase::from_bits((bits >> 32) as u32), bits as u32)
    }

    /// The head of a request is here.
    pub(crate) fn asked(&self) {
        self.set(Phase::Answer);
        self.sent.store(self.clock.now(), Ordering::Relaxed);
    }

    /// The answer was handed over, though not all of it may be sent.
    pub(crate) fn answered(&self) {
        self.set(Phase::Idle);
    }

    /// From now on the system holds less for the connection.
    pub(crate) fn narrow(&self) {
        self.narrow.store(true, Ordering::Relaxed);
    }

    fn received(&self) {
        if self.get().0 == Phase::Idle {
            self.set(Phase::Head);
        }
    }

    fn wrote(&self, result: &Poll<io::Result<usize>>) {
        match result {
            Poll::Pending => self.blocked.store(1, Ordering::Relaxed),
            Poll::Ready(_) => {
                self.blocked.store(0, Ordering::Relaxed);
                self.sent.store(self.clock.now(), Ordering::Relaxed);
            }
        }
    }

    fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed) != 0
    }

    /// Whether nothing is under way, so that nobody loses anything if it is closed.
    pub(crate) fn is_idle(&self) -> bool {
        self.get().0 == Phase::Idle && !self.is_blocked()
    }

    /// Whether it has used up what time a client has for what it is doing.
    pub(crate) fn is_over(&self) -> bool {
        let now = self.clock.now();
        let (phase, since) = self.get();
        let passed = now.saturating_sub(since);
        let still = now.saturating_sub(self.sent.load(Ordering::Relaxed));
        match phase {
            _ if self.is_blocked() && still > GATEWAY_STALL_SECONDS => true,
            Phase::Idle => !self.is_blocked() && passed > GATEWAY_IDLE_SECONDS,
            Phase::Head => passed > GATEWAY_HEAD_SECONDS,
            Phase::Answer => still > GATEWAY_STALL_SECONDS || passed > GATEWAY_ANSWER_SECONDS,
        }
    }
}

const fn packed(phase: Phase, second: u32) -> u64 {
    (phase as u64) << 32 | second as u64
}

/// A client's stream that keeps its pulse.
#[derive(Debug)]
pub(crate) struct Felt {
    stream: TcpStream,
    pulse: Arc<Pulse>,
    narrowed: bool,
}

impl Felt {
    pub(crate) const fn new(stream: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, narrowed: false }
    }

    fn narrow(&mut self) {
        if !self.narrowed && self.pulse.narrow.load(Ordering::Relaxed) {
            self.narrowed = true;
            // Where the system refuses, it goes on holding what it likes.
            let _ = set_socket_send_buffer_size(&self.stream, GATEWAY_SLOW_SEND_BUFFER_BYTES);
        }
    }
}

impl AsyncRead for Felt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, out);
        if result.is_ready() {
            self.pulse.received();
        }
        result
    }
}

impl AsyncWrite for Felt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.narrow();
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pulse.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.narrow();
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.pulse.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u32, act: impl FnOnce(&Pulse)) -> Pulse {
        let clock = Clock::default();
        let pulse = Pulse::new(clock.clone());
        act(&pulse);
        (0..seconds).for_each(|_| clock.tick());
        pulse
    }

    #[test]
    fn each_phase_has_its_time() {
        let idle = |_: &Pulse| {};
        assert!(
            !after(GATEWAY_IDLE_SECONDS, idle).is_over() && after(GATEWAY_IDLE_SECONDS + 1, idle).is_over()
        );
        let head = |pulse: &Pulse| pulse.received();
        assert!(
            !after(GATEWAY_HEAD_SECONDS, head).is_over() && after(GATEWAY_HEAD_SECONDS + 1, head).is_over()
        );
        let stalled = |pulse: &Pulse| pulse.asked();
        assert!(after(GATEWAY_STALL_SECONDS + 1, stalled).is_over());
    }

    #[test]
    fn a_client_that_takes_some_bytes_goes_on() {
        let clock = Clock::default();
        let pulse = Pulse::new(clock.clone());
        pulse.asked();
        for _ in 0..GATEWAY_ANSWER_SECONDS / 10 {
            (0..10).for_each(|_| clock.tick());
            pulse.wrote(&Poll::Ready(Ok(1)));
            pulse.wrote(&Poll::Pending);
            assert!(!pulse.is_over() && !pulse.is_idle());
        }
        (0..=GATEWAY_STALL_SECONDS).for_each(|_| clock.tick());
        assert!(pulse.is_over());
    }

    #[test]
    fn what_was_handed_over_may_still_be_on_its_way() {
        let pulse = after(1, |pulse| {
            pulse.asked();
            pulse.wrote(&Poll::Pending);
            pulse.answered();
        });
        assert!(!pulse.is_idle());
        pulse.wrote(&Poll::Ready(Ok(10)));
        assert!(pulse.is_idle());
    }
}
