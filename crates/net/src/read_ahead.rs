//! ReadAhead: a connection that is read in large pieces, whatever the layer above asks for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

/// Bytes read at once. What the socket has beyond that waits for the next read.
const BUFFER_BYTES: usize = 64 * 1024;

/// See the module. It has a buffer only from the first byte on.
pub(crate) struct ReadAhead<C> {
    io: C,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
}

impl<C> ReadAhead<C> {
    pub(crate) const fn new(io: C) -> Self {
        Self { io, buffer: Vec::new(), at: 0, filled: 0 }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for ReadAhead<C> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.at == this.filled {
            if out.len() >= BUFFER_BYTES {
                return Pin::new(&mut this.io).poll_read(context, out);
            }
            this.buffer.resize(BUFFER_BYTES, 0);
            this.filled = ready!(Pin::new(&mut this.io).poll_read(context, &mut this.buffer))?;
            this.at = 0;
        }
        let count = out.len().min(this.filled - this.at);
        out[..count].copy_from_slice(&this.buffer[this.at..this.at + count]);
        this.at += count;
        Poll::Ready(Ok(count))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for ReadAhead<C> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, pieces)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::{AsyncReadExt, Cursor};

    #[test]
    fn what_comes_out_is_what_goes_in() {
        let bytes: Vec<u8> = (0..300_000u32).map(|number| (number % 251) as u8).collect();
        for step in [1000, 8192, BUFFER_BYTES - 1, BUFFER_BYTES, 1 << 20] {
            let mut reader = ReadAhead::new(Cursor::new(bytes.clone()));
            let (mut out, mut space) = (Vec::new(), vec![0; step]);
            while let count @ 1.. = block_on(reader.read(&mut space)).unwrap() {
                out.extend_from_slice(&space[..count]);
            }
            assert_eq!(out, bytes, "{step}");
        }
    }
}
