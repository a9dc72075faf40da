//! Reframed: what lies under the multiplexer. Large frames of peers are cut into ones that our implementation
//! takes, and a connection that has more unread bytes than it may is not read any further.
//!
//! The yamux specification bounds a frame only by the receiver's window. Ours grows past 1 MiB on a fast
//! connection, and libp2p for JavaScript then fills it with one frame; the implementation that we use drops the
//! connection at a frame over 1 MiB. So a frame is read here as if the peer had sent several. Smaller frames
//! also bound what is allocated by a length that a peer declares, and they are the grain in which reading stops.
//!
//! On the way out only the headers are looked at, to know how much of what streams have written has left.
//!
//! No byte is copied: a read of a body goes straight into the caller's buffer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

use crate::unread::Unread;
use crate::unsent::Unsent;

/// Bytes of a header: version, type, flags, stream, length.
const HEADER_BYTES: usize = 12;
/// Longest body that is handed on, in bytes.
const BODY_BYTES_MAX: u32 = 64 * 1024;
/// The type of frames that have a body.
const DATA: u8 = 0;
/// The type of frames that enlarge a stream's window; with [`SYN`] they open it.
const WINDOW_UPDATE: u8 = 1;
/// The flag that opens a stream.
const SYN: u16 = 1;
/// Flags that belong to a stream's beginning: SYN and ACK.
const OPENING: u16 = SYN | 2;
/// Flags that belong to a stream's end: FIN and RST.
const CLOSING: u16 = 4 | 8;

/// A connection whose incoming frames have bodies of at most [`BODY_BYTES_MAX`].
pub(crate) struct Reframed<C> {
    io: C,
    state: State,
    header: [u8; HEADER_BYTES],
    /// Flags of the peer's frame that no piece has shown yet.
    flags: u16,
    /// Bytes of the peer's body behind the current piece.
    rest: u32,
    /// What of the connection no stream has read yet.
    unread: Arc<Unread>,
    leaving: Leaving,
    /// What of its streams the connection has not taken yet.
    unsent: Arc<Unsent>,
}

/// Where in which frame the bytes stand that leave.
#[derive(Default)]
struct Leaving {
    header: [u8; HEADER_BYTES],
    filled: usize,
    /// Bytes of the body that are still to come.
    body: usize,
}

impl Leaving {
    /// Passes over bytes that have left; tells how many of them were bodies.
    fn pass(&mut self, mut bytes: &[u8]) -> usize {
        let mut bodies = 0;
        while !bytes.is_empty() {
            let in_body = self.body > 0;
            let count = bytes.len().min(if in_body { self.body } else { HEADER_BYTES - self.filled });
            let (passed, rest) = bytes.split_at(count);
            bytes = rest;
            if in_body {
                self.body -= count;
                bodies += count;
                continue;
            }
            self.header[self.filled..self.filled + count].copy_from_slice(passed);
            self.filled += count;
            if self.filled == HEADER_BYTES {
                let [_, kind, .., a, b, c, d] = self.header;
                self.body = if kind == DATA { u32::from_be_bytes([a, b, c, d]) as usize } else { 0 };
                self.filled = 0;
            }
        }
        bodies
    }
}

#[derive(Clone, Copy)]
enum State {
    /// Reading a header of the peer's; so many bytes of it are here.
    Arriving(usize),
    /// Handing a header on; so many bytes of it are given.
    Heading(usize),
    /// Handing a body on; so many bytes of this piece are left.
    Body(u32),
}

impl<C> Reframed<C> {
    pub(crate) fn new(io: C, unread: Arc<Unread>, unsent: Arc<Unsent>) -> Self {
        let (header, leaving) = ([0; HEADER_BYTES], Leaving::default());
        Self { io, state: State::Arriving(0), header, flags: 0, rest: 0, unread, leaving, unsent }
    }

    fn stream(&self) -> u32 {
        let [.., a, b, c, d, _, _, _, _] = self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The peer's header is whole: what is handed on begins.
    fn begin(&mut self) {
        let [_, kind, flags_high, flags_low, .., a, b, c, d] = self.header;
        let flags = u16::from_be_bytes([flags_high, flags_low]);
        if matches!(kind, DATA | WINDOW_UPDATE) && flags & SYN != 0 {
            self.unread.announced(self.stream());
        }
        if kind == DATA {
            self.flags = flags;
            self.rest = u32::from_be_bytes([a, b, c, d]);
            self.next_piece();
        } else {
            // Frames without a body use the length for other things.
            self.rest = 0;
        }
        self.state = State::Heading(0);
    }

    /// Writes the header for the next piece of the body. A stream opens with the first and closes with the last.
    fn next_piece(&mut self) {
        let length = self.rest.min(BODY_BYTES_MAX);
        self.rest -= length;
        let shown = if self.rest == 0 { self.flags } else { self.flags & !CLOSING };
        self.flags &= !OPENING;
        self.header[2..4].copy_from_slice(&shown.to_be_bytes());
        self.header[8..].copy_from_slice(&length.to_be_bytes());
    }

    /// A header is handed on: its body follows, if it has one.
    fn after_heading(&self) -> State {
        let [_, kind, .., a, b, c, d] = self.header;
        match u32::from_be_bytes([a, b, c, d]) {
            length if kind == DATA && length > 0 => State::Body(length),
            _ => State::Arriving(0),
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Reframed<C> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            match this.state {
                State::Arriving(filled) => {
                    let space = &mut this.header[filled..];
                    let count = ready!(Pin::new(&mut this.io).poll_read(context, space))?;
                    if count == 0 {
                        // The end between two frames is an end; inside a header the peer cut it off.
                        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
                        return Poll::Ready(if filled == 0 { Ok(0) } else { Err(cut()) });
                    }
                    this.state = State::Arriving(filled + count);
                    if filled + count == HEADER_BYTES {
                        this.begin();
                    }
                }
                State::Heading(given) => {
                    let count = out.len().min(HEADER_BYTES - given);
                    out[..count].copy_from_slice(&this.header[given..given + count]);
                    let all = given + count == HEADER_BYTES;
                    this.state = if all { this.after_heading() } else { State::Heading(given + count) };
                    return Poll::Ready(Ok(count));
                }
                State::Body(left) => {
                    ready!(this.unread.poll_room(context));
                    let space = out.len().min(left as usize);
                    let count = ready!(Pin::new(&mut this.io).poll_read(context, &mut out[..space]))?;
                    this.unread.arrived(this.stream(), count);
                    let left = left - count as u32;
                    this.state = State::Body(left);
                    if left == 0 && this.rest > 0 {
                        this.next_piece();
                        this.state = State::Heading(0);
                    } else if left == 0 {
                        this.state = State::Arriving(0);
                    }
                    return Poll::Ready(Ok(count));
                }
            }
        }
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Reframed<C> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.io).poll_write(context, bytes))?;
        this.unsent.left(this.leaving.pass(&bytes[..count]));
        Poll::Ready(Ok(count))
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

    fn frame(kind: u8, flags: u16, length: u32) -> Vec<u8> {
        let mut frame = vec![0, kind];
        frame.extend(flags.to_be_bytes());
        frame.extend(7u32.to_be_bytes());
        frame.extend(length.to_be_bytes());
        frame
    }

    /// What comes out: type, flags, stream and length of each frame, and all bodies together.
    fn read_all(bytes: Vec<u8>, step: usize) -> (Vec<(u8, u16, u32)>, Vec<u8>) {
        let mut reframed = Reframed::new(Cursor::new(bytes), Unread::alone(), Unsent::alone());
        let mut out = Vec::new();
        let mut space = vec![0; step];
        loop {
            match block_on(reframed.read(&mut space)).unwrap() {
                0 => break,
                count => out.extend_from_slice(&space[..count]),
            }
        }
        let (mut frames, mut bodies, mut rest) = (Vec::new(), Vec::new(), &out[..]);
        while let Some((header, behind)) = rest.split_first_chunk::<HEADER_BYTES>() {
            let length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
            assert_eq!(header[4..8], 7u32.to_be_bytes());
            frames.push((header[1], u16::from_be_bytes([header[2], header[3]]), length));
            let body = if header[1] == DATA { length as usize } else { 0 };
            bodies.extend_from_slice(&behind[..body]);
            rest = &behind[body..];
        }
        assert!(rest.is_empty());
        (frames, bodies)
    }

    #[test]
    fn large_frames_arrive_in_pieces() {
        let body: Vec<u8> = (0..2 * BODY_BYTES_MAX + 5).map(|index| index as u8).collect();
        let mut bytes = frame(1, 1, 9_000_000);
        bytes.extend(frame(DATA, OPENING | CLOSING, body.len() as u32));
        bytes.extend(&body);
        bytes.extend(frame(DATA, 4, 0));
        bytes.extend(frame(DATA, 0, 3));
        bytes.extend(b"abc");
        for step in [1, 5, 12, 4096, 1 << 20] {
            let (frames, bodies) = read_all(bytes.clone(), step);
            let wanted = [
                (1, 1, 9_000_000),
                (DATA, OPENING, BODY_BYTES_MAX),
                (DATA, 0, BODY_BYTES_MAX),
                (DATA, CLOSING, 5),
                (DATA, 4, 0),
                (DATA, 0, 3),
            ];
            assert_eq!(frames, wanted, "{step}");
            assert_eq!(bodies, [&body[..], b"abc"].concat());
        }
    }

    #[test]
    fn fuzz_reframed() {
        bolero::check!().with_type::<(Vec<u8>, u8)>().for_each(|(bytes, step)| {
            let mut reframed = Reframed::new(Cursor::new(bytes.clone()), Unread::alone(), Unsent::alone());
            let mut space = vec![0; usize::from(*step) + 1];
            let mut total = 0;
            while let Ok(count @ 1..) = block_on(reframed.read(&mut space)) {
                total += count;
            }
            // Only headers are added, and only for bodies that are there.
            assert!(total <= bytes.len() + HEADER_BYTES * (bytes.len() / BODY_BYTES_MAX as usize + 1));
        });
    }

    #[test]
    fn a_header_cut_off_is_an_error() {
        let mut reframed =
            Reframed::new(Cursor::new(frame(DATA, 0, 1)[..7].to_vec()), Unread::alone(), Unsent::alone());
        assert!(block_on(reframed.read(&mut [0; 12])).is_err());
    }

    #[test]
    fn what_leaves_is_counted_however_it_is_cut() {
        let mut bytes = frame(1, 0, 9_000_000);
        bytes.extend(frame(DATA, 0, 5));
        bytes.extend([7; 5]);
        bytes.extend(frame(DATA, 4, 0));
        bytes.extend(frame(DATA, 0, 300));
        bytes.extend([7; 300]);
        for step in [1, 5, 12, 100, 1000] {
            let mut leaving = Leaving::default();
            assert_eq!(bytes.chunks(step).map(|piece| leaving.pass(piece)).sum::<usize>(), 305, "{step}");
        }
    }
}
