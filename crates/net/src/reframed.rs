//! Reframed: what lies under the multiplexer. It takes the bodies of the peer's frames out and lays them where the
//! streams are read ([`Unread`]); the multiplexer sees frames without a body, which say when streams open and
//! end. Windows of ours go out between the multiplexer's frames. A connection that has more unread bytes than it
//! may is not read any further. On the way out the headers are looked at, to know how much of what streams have
//! written has left ([`Unsent`]).
//!
//! Why not leave it to the multiplexer: its windows start small and grow by doubling, and it drops a connection
//! whose peer fills a grown window with one frame, as libp2p for JavaScript does. The specification bounds a frame
//! only by the receiver's window. Nothing is allocated by the length that a peer declares.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

use crate::unread::{Grant, Unread};
use crate::unsent::Unsent;

/// Bytes of a header: version, type, flags, stream, length.
const HEADER_BYTES: usize = 12;
/// Bytes of a body that are read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The type of frames that have a body.
const DATA: u8 = 0;
/// The type of frames that enlarge a stream's window; with [`SYN`] they open it.
const WINDOW_UPDATE: u8 = 1;
/// The flag that opens a stream.
const SYN: u16 = 1;

/// A connection whose bodies are taken out. See the module.
pub(crate) struct Reframed<C> {
    io: C,
    state: State,
    header: [u8; HEADER_BYTES],
    /// Where the next piece of a body is read into.
    space: Vec<u8>,
    unread: Arc<Unread>,
    outgoing: Outgoing,
    /// What of its streams the connection has not taken yet.
    unsent: Arc<Unsent>,
    /// A window that is being written, and how much of its frame is.
    grant: Option<([u8; HEADER_BYTES], usize)>,
}

#[derive(Clone, Copy)]
enum State {
    /// Reading a header of the peer's; so many bytes of it are here.
    Arriving(usize),
    /// Taking a body out; so many bytes of it are left.
    Body(usize),
    /// Handing the header on; so many bytes of it are given.
    Heading(usize),
}

/// How far the multiplexer's own frame is written.
#[derive(Default)]
struct Outgoing {
    header: [u8; HEADER_BYTES],
    filled: usize,
    body: usize,
}

impl Outgoing {
    /// Whether something else may be written now.
    const fn is_between(&self) -> bool {
        self.filled == 0 && self.body == 0
    }

    /// Passes over bytes that were written; tells how many of them were bodies.
    fn written(&mut self, mut bytes: &[u8]) -> usize {
        let mut bodies = 0;
        while !bytes.is_empty() {
            if self.body > 0 {
                let count = bytes.len().min(self.body);
                self.body -= count;
                bodies += count;
                bytes = &bytes[count..];
                continue;
            }
            let count = bytes.len().min(HEADER_BYTES - self.filled);
            self.header[self.filled..self.filled + count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if self.filled == HEADER_BYTES {
                self.filled = 0;
                self.body = body_length(&self.header);
            }
        }
        bodies
    }
}

/// Bytes that follow a header. Frames of other types than data use the field for other things.
fn body_length(header: &[u8; HEADER_BYTES]) -> usize {
    let [_, kind, .., a, b, c, d] = *header;
    if kind == DATA { u32::from_be_bytes([a, b, c, d]) as usize } else { 0 }
}

/// The frame that tells a peer of a window.
fn window_update(grant: Grant) -> [u8; HEADER_BYTES] {
    let mut frame = [0; HEADER_BYTES];
    frame[1] = WINDOW_UPDATE;
    frame[4..8].copy_from_slice(&grant.stream.to_be_bytes());
    frame[8..].copy_from_slice(&grant.bytes.to_be_bytes());
    frame
}

impl<C> Reframed<C> {
    pub(crate) fn new(io: C, unread: Arc<Unread>, unsent: Arc<Unsent>) -> Self {
        Self {
            io,
            state: State::Arriving(0),
            header: [0; HEADER_BYTES],
            space: Vec::new(),
            unread,
            outgoing: Outgoing::default(),
            unsent,
            grant: None,
        }
    }

    fn stream(&self) -> u32 {
        let [.., a, b, c, d, _, _, _, _] = self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The peer's header is whole.
    fn begin(&mut self) -> State {
        let [_, kind, flags_high, flags_low, ..] = self.header;
        let flags = u16::from_be_bytes([flags_high, flags_low]);
        if matches!(kind, DATA | WINDOW_UPDATE) && flags & SYN != 0 {
            self.unread.announced(self.stream());
        }
        match body_length(&self.header) {
            0 => State::Heading(0),
            length => State::Body(length),
        }
    }
}

impl<C: AsyncRead + Unpin> Reframed<C> {
    /// Takes a piece of a body out. What is handed on after the last says that there is none.
    fn poll_piece(&mut self, context: &mut Context<'_>, left: usize) -> Poll<io::Result<State>> {
        ready!(self.unread.poll_room(context));
        self.space.resize(left.min(PIECE_BYTES), 0);
        let count = ready!(Pin::new(&mut self.io).poll_read(context, &mut self.space))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        // A small piece does not keep the memory of a large one.
        let piece = if count < self.space.len() / 2 {
            self.space[..count].to_vec()
        } else {
            self.space.truncate(count);
            std::mem::take(&mut self.space)
        };
        self.unread.arrived(self.stream(), piece)?;
        if left > count {
            return Poll::Ready(Ok(State::Body(left - count)));
        }
        self.header[8..].fill(0);
        Poll::Ready(Ok(State::Heading(0)))
    }
}

impl<C: AsyncWrite + Unpin> Reframed<C> {
    /// Writes the windows that the peer is to be told of, if no frame of the multiplexer is half written.
    fn poll_grants(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outgoing.is_between() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let next = || self.unread.next_grant(context).map(|grant| (window_update(grant), 0));
            let Some((frame, written)) = self.grant.take().or_else(next) else { return Poll::Ready(Ok(())) };
            self.grant = Some((frame, written));
            let count = ready!(Pin::new(&mut self.io).poll_write(context, &frame[written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.grant = (written + count < HEADER_BYTES).then_some((frame, written + count));
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
                    let whole = filled + count == HEADER_BYTES;
                    this.state = if whole { this.begin() } else { State::Arriving(filled + count) };
                }
                State::Body(left) => this.state = ready!(this.poll_piece(context, left))?,
                State::Heading(given) => {
                    let count = out.len().min(HEADER_BYTES - given);
                    out[..count].copy_from_slice(&this.header[given..given + count]);
                    let all = given + count == HEADER_BYTES;
                    this.state = if all { State::Arriving(0) } else { State::Heading(given + count) };
                    return Poll::Ready(Ok(count));
                }
            }
        }
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Reframed<C> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_grants(context))?;
        let count = ready!(Pin::new(&mut this.io).poll_write(context, bytes))?;
        this.unsent.left(this.outgoing.written(&bytes[..count]));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_grants(context))?;
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::AsyncWriteExt;
    use futures::executor::block_on;
    use futures::io::{AsyncReadExt, Cursor};
    use std::task::Waker;

    /// The flags that end a stream.
    const CLOSING: u16 = 4;

    fn frame(kind: u8, flags: u16, length: u32) -> Vec<u8> {
        let mut frame = vec![0, kind];
        frame.extend(flags.to_be_bytes());
        frame.extend(7u32.to_be_bytes());
        frame.extend(length.to_be_bytes());
        frame
    }

    /// What comes out: type, flags and length of each frame, and the bodies as their stream reads them.
    fn read_all(bytes: Vec<u8>, step: usize) -> (Vec<(u8, u16, u32)>, Vec<u8>) {
        let unread = Unread::alone();
        let mut reframed = Reframed::new(Cursor::new(bytes), unread.clone(), Unsent::alone());
        let (mut out, mut bodies, mut space) = (Vec::new(), Vec::new(), vec![0; step]);
        loop {
            let count = block_on(reframed.read(&mut space)).unwrap();
            out.extend_from_slice(&space[..count]);
            let mut body = vec![0; 100_000];
            let context = Context::from_waker(Waker::noop());
            while let Poll::Ready(count) = unread.poll_read(7, &context, &mut body) {
                bodies.extend_from_slice(&body[..count]);
            }
            if count == 0 {
                break;
            }
        }
        let (frames, rest) = out.as_chunks::<HEADER_BYTES>();
        assert!(rest.is_empty());
        let told = |header: &[u8; HEADER_BYTES]| {
            assert_eq!(header[4..8], 7u32.to_be_bytes());
            let length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
            (header[1], u16::from_be_bytes([header[2], header[3]]), length)
        };
        (frames.iter().map(told).collect(), bodies)
    }

    #[test]
    fn bodies_come_out_beside_their_frames() {
        let body: Vec<u8> = (0..900_000u32).map(|index| (index % 251) as u8).collect();
        let mut bytes = frame(WINDOW_UPDATE, SYN, 9_000_000);
        bytes.extend(frame(DATA, CLOSING, body.len() as u32));
        bytes.extend(&body);
        bytes.extend(frame(DATA, 4, 0));
        bytes.extend(frame(DATA, 0, 3));
        bytes.extend(b"abc");
        for step in [1, 5, 12, 4096, 1 << 20] {
            let (frames, bodies) = read_all(bytes.clone(), step);
            let wanted = [(WINDOW_UPDATE, SYN, 9_000_000), (DATA, CLOSING, 0), (DATA, 4, 0), (DATA, 0, 0)];
            assert_eq!(frames, wanted, "{step}");
            assert_eq!(bodies, [&body[..], b"abc"].concat());
        }
    }

    #[test]
    fn windows_go_out_between_frames() {
        let unread = Unread::alone();
        let mut reframed = Reframed::new(Cursor::new(Vec::new()), unread.clone(), Unsent::alone());
        let ours = [frame(DATA, 0, 100), vec![1; 100]].concat();
        let update = |stream| window_update(unread_grant(stream));
        block_on(async {
            reframed.write_all(&ours[..5]).await.unwrap();
            unread.announced(7);
            reframed.flush().await.unwrap();
            reframed.write_all(&ours[5..60]).await.unwrap();
            reframed.flush().await.unwrap();
            reframed.write_all(&ours[60..]).await.unwrap();
            unread.announced(9);
            reframed.write_all(&ours).await.unwrap();
            reframed.flush().await.unwrap();
        });
        let written = reframed.io.into_inner();
        assert_eq!(written, [&ours[..], &update(7), &update(9), &ours[..]].concat());
    }

    /// What a stream of the peer is granted when it opens.
    fn unread_grant(stream: u32) -> Grant {
        let unread = Unread::alone();
        unread.announced(stream);
        unread.next_grant(&Context::from_waker(Waker::noop())).unwrap()
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
            assert!(total <= bytes.len());
        });
    }

    #[test]
    fn a_header_cut_off_is_an_error() {
        let mut reframed =
            Reframed::new(Cursor::new(frame(DATA, 0, 1)[..7].to_vec()), Unread::alone(), Unsent::alone());
        assert!(block_on(reframed.read(&mut [0; 12])).is_err());
    }
}
