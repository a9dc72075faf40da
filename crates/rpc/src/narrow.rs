//! Narrow: a TCP connection of which the system is asked to hold less once its reader turns out to be slow. Left
//! alone it holds up to four MiB for each, and a thousand slow readers use up what it has for all connections of
//! the machine.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use ipse_base::limits::GATEWAY_SLOW_SEND_BUFFER_BYTES;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Says that a connection's reader is slow. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct IsSlow(Arc<AtomicBool>);

impl IsSlow {
    /// From now on it is.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Narrow {
    stream: TcpStream,
    slow: IsSlow,
    narrowed: bool,
}

impl Narrow {
    pub(crate) const fn new(stream: TcpStream, slow: IsSlow) -> Self {
        Self { stream, slow, narrowed: false }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        let this = self.get_mut();
        if !this.narrowed && this.slow.0.load(Ordering::Relaxed) {
            this.narrowed = true;
            // Where the system refuses, it goes on holding what it likes.
            let _ = set_socket_send_buffer_size(&this.stream, GATEWAY_SLOW_SEND_BUFFER_BYTES);
        }
        Pin::new(&mut this.stream)
    }
}

impl AsyncRead for Narrow {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, out)
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
