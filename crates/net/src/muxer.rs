//! The multiplexer: yamux over [`Reframed`], with frames of our own as large as the encryption below takes whole,
//! and an account of what no stream has read yet ([`Unread`]).
//!
//! Why not the ready-made adapter: it sends frames of 16 KiB, each of which becomes a system call of its own; its
//! memory is bounded by windows alone, which a peer can fill on streams that nobody reads; and those start so small
//! that a long path takes five round trips to fill.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use tokio::time::Sleep;
use yamux::{Config, ConnectionError, Mode};

use crate::reframed::Reframed;
use crate::unread::{Unread, UnreadBudget};
use crate::unsent::{Unsent, UnsentBudget};

/// Payload of a frame that we send, in bytes: with its header one message of Noise, which has 64,511.
const FRAME_BYTES: usize = 62 * 1024;
/// Streams that a peer has opened and that the swarm has not taken yet. More are reset.
const ARRIVED_MAX: usize = 64;
/// How long a connection that is closed may go on sending what it has queued. One whose peer reads nothing would
/// otherwise never end.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

/// How connections are multiplexed.
#[derive(Clone)]
pub(crate) struct Muxer {
    config: Config,
    unread: Arc<UnreadBudget>,
    unsent: Arc<UnsentBudget>,
}

impl Muxer {
    /// At most `streams` streams on a connection, counted over both directions.
    pub(crate) fn new(streams: usize, unread: Arc<UnreadBudget>, unsent: Arc<UnsentBudget>) -> Self {
        let mut config = Config::default();
        config.set_max_num_streams(streams).set_split_send_size(FRAME_BYTES);
        Self { config, unread, unsent }
    }

    fn upgrade<C>(self, io: C, mode: Mode) -> Connection<C>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let (unread, unsent) = (self.unread.connection(), self.unsent.connection());
        let io = Reframed::new(io, unread.clone(), unsent.clone());
        let yamux = yamux::Connection::new(io, self.config, mode);
        Connection { yamux, unread, unsent, arrived: VecDeque::new(), waiting: None, closing: None }
    }
}

impl UpgradeInfo for Muxer {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/yamux/1.0.0")
    }
}

impl<C> InboundConnectionUpgrade<C> for Muxer
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Connection<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Connection<C>>>;

    fn upgrade_inbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(self.upgrade(io, Mode::Server)))
    }
}

impl<C> OutboundConnectionUpgrade<C> for Muxer
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Connection<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Connection<C>>>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(self.upgrade(io, Mode::Client)))
    }
}

/// A multiplexed connection.
pub(crate) struct Connection<C> {
    yamux: yamux::Connection<Reframed<C>>,
    unread: Arc<Unread>,
    unsent: Arc<Unsent>,
    /// Streams that came while the connection was polled for something else.
    arrived: VecDeque<Stream>,
    /// Who waits for a stream of the peer.
    waiting: Option<Waker>,
    /// The end of a connection that is being closed.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Connection<C> {
    fn poll_arrival(&mut self, context: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        let stream = ready!(self.yamux.poll_next_inbound(context)).ok_or(ConnectionError::Closed)??;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn stream(&self, yamux: yamux::Stream) -> Stream {
        let id = yamux.id().val();
        self.unread.opened(id);
        Stream { yamux, id, unread: self.unread.clone(), unsent: self.unsent.clone() }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Connection<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let this = self.get_mut();
        if let Some(stream) = this.arrived.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let arrival = this.poll_arrival(context);
        if arrival.is_pending() {
            this.waiting = Some(context.waker().clone());
        }
        arrival
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let this = self.get_mut();
        let stream = ready!(this.yamux.poll_new_outbound(context))?;
        Poll::Ready(Ok(this.stream(stream)))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        if let closed @ Poll::Ready(_) = this.yamux.poll_close(context) {
            return closed;
        }
        let end = this.closing.get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSE_TIME_MAX)));
        end.as_mut().poll(context).map(Ok)
    }

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        let this = self.get_mut();
        let stream = ready!(this.poll_arrival(context))?;
        // One that is dropped is reset.
        if this.arrived.len() < ARRIVED_MAX {
            this.arrived.push_back(stream);
            if let Some(waker) = this.waiting.take() {
                waker.wake();
            }
        }
        // There may be more, after others have had their turn.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A stream of a multiplexed connection.
pub(crate) struct Stream {
    yamux: yamux::Stream,
    id: u32,
    unread: Arc<Unread>,
    unsent: Arc<Unsent>,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Poll::Ready(count) = this.unread.poll_read(this.id, context, buffer) {
            return Poll::Ready(Ok(count));
        }
        // All that the multiplexer has to say is that the stream has ended.
        ready!(Pin::new(&mut this.yamux).poll_read(context, buffer))?;
        // Its last bytes may have come in between.
        match this.unread.poll_read(this.id, context, buffer) {
            Poll::Ready(count) => Poll::Ready(Ok(count)),
            Poll::Pending => Poll::Ready(Ok(0)),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.unsent.poll_room(context));
        let count = ready!(Pin::new(&mut this.yamux).poll_write(context, bytes))?;
        this.unsent.queued(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().yamux).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().yamux).poll_close(context)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.unread.closed(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::AsyncWriteExt;
    use ipse_base::limits::{UNREAD_CONNECTION_BYTES_MAX, UNSENT_CONNECTION_BYTES_MAX};
    use libp2p::tcp::tokio::TcpStream;

    use super::*;

    const STREAMS: usize = 100;
    const STREAM_BYTES: usize = 256 * 1024;

    fn muxer() -> Muxer {
        Muxer::new(128, UnreadBudget::new(Arc::default()), UnsentBudget::new(Arc::default()))
    }

    /// A peer that opens many streams and fills the window of each.
    async fn flood(io: TcpStream) {
        let mut connection = yamux::Connection::new(io, Config::default(), Mode::Client);
        for _ in 0..STREAMS {
            let mut stream = poll_fn(|context| connection.poll_new_outbound(context)).await.unwrap();
            tokio::spawn(async move {
                stream.write_all(&vec![7; STREAM_BYTES]).await.unwrap();
                stream.close().await.unwrap();
            });
        }
        while poll_fn(|context| connection.poll_next_inbound(context)).await.is_some() {}
    }

    #[tokio::test]
    async fn streams_that_nobody_reads_hold_the_connections_share_and_go_on_when_read() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (dialed, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        let flood = tokio::spawn(flood(TcpStream(dialed.unwrap())));
        let muxer = muxer();
        let mut connection = muxer.upgrade_inbound(TcpStream(accepted.unwrap().0), "").await.unwrap();
        let (mut streams, mut space, mut total, mut peak) = (Vec::new(), vec![0; 65_536], 0, 0);
        poll_fn(|context| {
            loop {
                let mut moved = false;
                while let Poll::Ready(stream) = Pin::new(&mut connection).poll_inbound(context) {
                    streams.push(stream.unwrap());
                    moved = true;
                }
                peak = peak.max(connection.unread.bytes());
                // Only when the share is used up is anything read.
                if peak >= UNREAD_CONNECTION_BYTES_MAX {
                    for stream in &mut streams {
                        while let Poll::Ready(count @ Ok(1..)) =
                            Pin::new(&mut *stream).poll_read(context, &mut space)
                        {
                            total += count.unwrap();
                            moved = true;
                        }
                    }
                }
                if total == STREAMS * STREAM_BYTES {
                    return Poll::Ready(());
                }
                if !moved {
                    return Poll::Pending;
                }
            }
        })
        .await;
        assert!(peak <= UNREAD_CONNECTION_BYTES_MAX + 65_536, "{peak}");
        drop(streams);
        assert_eq!(connection.unread.bytes(), 0);
        flood.abort();
    }

    /// A peer that grants windows of a gigabyte and never reads its socket.
    #[tokio::test]
    async fn a_peer_that_reads_nothing_leaves_its_connections_share_queued_and_can_be_closed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (dialed, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        let mut peer = dialed.unwrap();
        let mut connection = muxer().upgrade_inbound(TcpStream(accepted.unwrap().0), "").await.unwrap();
        let window = |stream: u32| {
            let mut frame = vec![0, 1, 0, 1];
            frame.extend(stream.to_be_bytes());
            frame.extend((1u32 << 30).to_be_bytes());
            frame
        };
        let opened: Vec<u8> = (0..16).flat_map(|stream| window(2 * stream + 1)).collect();
        tokio::io::AsyncWriteExt::write_all(&mut peer, &opened).await.unwrap();
        let mut streams = Vec::new();
        while streams.len() < 16 {
            streams.push(poll_fn(|context| Pin::new(&mut connection).poll_inbound(context)).await.unwrap());
        }
        // Until the system's buffers are full and nothing moves any more.
        let mut turns = 0;
        poll_fn(|context| {
            for stream in &mut streams {
                while let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(context, &[7; FRAME_BYTES]) {
                    count.unwrap();
                }
            }
            let before = connection.unsent.bytes();
            assert!(Pin::new(&mut connection).poll(context).is_pending());
            turns = if connection.unsent.bytes() == before { turns + 1 } else { 0 };
            if turns == 3 {
                Poll::Ready(())
            } else {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        assert!(connection.unsent.bytes() <= UNSENT_CONNECTION_BYTES_MAX + FRAME_BYTES as u64);
        poll_fn(|context| Pin::new(&mut connection).poll_close(context)).await.unwrap();
        drop(peer);
    }
}
