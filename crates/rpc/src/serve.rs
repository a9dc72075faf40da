//! The listener: connections in, each served until it ends or the node stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipse_base::limits::{RPC_CONNECTIONS_MAX, RPC_HEAD_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::local::{self, Handover};
use crate::narrow::{IsSlow, Narrow};
use crate::{ReplyBody, Service};

/// How long a connection may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// How long running commands have to end once the node stops.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Bytes read from or written to a connection at a time.
const BUFFER_BYTES: usize = 1024 * 1024;
/// How long to wait after an error of the listener itself, such as no free descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
    /// The local socket of the repository: only its owner is answered, and adds may go on in frames.
    Local(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that was made.
enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
    Local(UnixStream),
}

impl Listener {
    /// The local socket, as the node opened it.
    ///
    /// # Errors
    /// What the system says.
    pub fn local(listener: std::os::unix::net::UnixListener) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Local(UnixListener::from_std(listener)?))
    }

    async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
            Self::Local(listener) => loop {
                let (stream, _) = listener.accept().await?;
                if local::is_own(&stream) {
                    return Ok(Accepted::Local(stream));
                }
                tracing::warn!("another user connected to the local socket and was turned away");
            },
        }
    }
}

/// Serves connections until `stop` returns; then lets running commands end, for a few seconds.
pub async fn serve(listener: impl Into<Listener>, service: Service, stop: impl Future<Output = ()>) {
    let listener = listener.into();
    let stopping = CancellationToken::new();
    let slots = Arc::new(Semaphore::new(RPC_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accept = async {
            // The semaphore is never closed.
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (slot, accepted) = accept => match accepted {
                Ok(stream) => {
                    let (service, stopping) = (service.clone(), stopping.clone());
                    connections.spawn(async move {
                        match stream {
                            Accepted::Tcp(stream) => {
                                let slow = IsSlow::default();
                                let stream = Narrow::new(stream, slow.clone());
                                connection(stream, service, stopping, slow, None).await;
                            }
                            Accepted::Unix(stream) => {
                                connection(stream, service, stopping, IsSlow::default(), None).await;
                            }
                            Accepted::Local(stream) => {
                                let handover = Handover::default();
                                let taken = Some(handover.clone());
                                connection(stream, service, stopping, IsSlow::default(), taken).await;
                                if let Some(work) = handover.take() {
                                    work.await;
                                }
                            }
                        }
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the RPC could not accept a connection");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            },
        }
    }
    drop(listener);
    stopping.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(END_WITHIN, ended).await.is_err() {
        connections.shutdown().await;
    }
}

/// Serves HTTP until the connection ends, or goes on as something else; what that is, the handover says.
async fn connection(
    stream: impl Stream + 'static,
    service: Service,
    stopping: CancellationToken,
    slow: IsSlow,
    handover: Option<Handover>,
) {
    let respond = service_fn(move |mut request: Request<Incoming>| {
        let (service, slow) = (service.clone(), slow.clone());
        if let Some(handover) = &handover {
            request.extensions_mut().insert(handover.clone());
        }
        async move {
            let response = service.call(request).await;
            Ok::<Response<ReplyBody>, Infallible>(response.map(|body| body.over_connection(slow)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(BUFFER_BYTES)
        // Bodies are read into the large buffer; a head that never ends must not fill it.
        .max_header_size(RPC_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), respond)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A caller that went away, or a reply that was broken off: both are the caller's to see.
        tracing::debug!(%error, "an RPC connection ended early");
    }
}
