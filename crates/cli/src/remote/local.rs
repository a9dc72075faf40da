//! An add over the daemon's local socket, in frames; `docs/formats/sock.md` has them.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ipse_api::sock::{self, ReplyDecoder, ReplyFrame};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::answer::AnswerBody;
use crate::error::CliError;
use crate::upload::{LocalUpload, Outgoing};

/// Bytes of a reply read at once.
const READ_BYTES: usize = 64 * 1024;
/// How long to wait where the system has too many descriptors on their way.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// A connection on which a daemon has agreed to go on in frames.
pub(crate) struct LocalAdd {
    stream: Arc<UnixStream>,
    begun: Bytes,
}

impl LocalAdd {
    /// Asks the daemon behind a socket to go on in frames. `None` where none listens, or where it answers in any
    /// other way: the request is then to be sent as any other, and that answer is shown.
    pub(crate) async fn begin(path: &Path, mut request: Request<()>) -> Option<Self> {
        let stream = UnixStream::connect(path).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        // What goes wrong is told to whoever waits for the answer; its own result says no more.
        tokio::spawn(async move {
            let _ = connection.with_upgrades().await;
        });
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static(sock::UPGRADE));
        headers.remove(CONTENT_TYPE);
        let response = sender.send_request(request.map(|()| Empty::<Bytes>::new())).await.ok()?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return None;
        }
        let upgraded = hyper::upgrade::on(response).await.ok()?;
        let parts = upgraded.downcast::<TokioIo<UnixStream>>().ok()?;
        Some(Self { stream: Arc::new(parts.io.into_inner()), begun: parts.read_buf })
    }

    /// Sends the files and waits for the head of the answer.
    ///
    /// # Errors
    /// [`CliError::System`] where the connection breaks, or a file while it is read.
    pub(crate) async fn send(self, upload: LocalUpload) -> Result<Response<AnswerBody>, CliError> {
        let failure = Arc::new(Mutex::new(None));
        let sending = send_all(Arc::clone(&self.stream), upload.messages, Arc::clone(&failure));
        tokio::spawn(sending);
        let mut decoder = ReplyDecoder::default();
        decoder.feed(&self.begun);
        let mut reply = Reply { stream: self.stream, decoder, failure, over: false };
        let (status, kind) = match reply.next().await? {
            Some(ReplyFrame::Head(status, kind)) => (status, kind),
            _ => return Err(broken()),
        };
        let frames = futures::stream::try_unfold(reply, |mut reply| async move {
            Ok::<_, CliError>(match reply.next().await? {
                Some(ReplyFrame::Data(data)) => Some((Frame::data(Bytes::from(data)), reply)),
                Some(ReplyFrame::Failure(message)) => {
                    return Err(CliError::Node { message, hint: None, client: false });
                }
                Some(ReplyFrame::Head(..)) => return Err(broken()),
                Some(ReplyFrame::End) | None => None,
            })
        });
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| broken())?;
        response.headers_mut().extend(HeaderValue::try_from(kind).map(|kind| (CONTENT_TYPE, kind)));
        Ok(response)
    }
}

/// A reply that ends early, or is none.
fn broken() -> CliError {
    CliError::System(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF"))
}

/// The reply as it comes in.
struct Reply {
    stream: Arc<UnixStream>,
    decoder: ReplyDecoder,
    /// Why sending ended early, if it did.
    failure: Arc<Mutex<Option<io::Error>>>,
    over: bool,
}

impl Reply {
    /// The next frame; `None` behind the last.
    async fn next(&mut self) -> Result<Option<ReplyFrame>, CliError> {
        let mut window = vec![0; READ_BYTES];
        while !self.over {
            if let Some(frame) = self.decoder.next().map_err(|_| broken())? {
                self.over = matches!(frame, ReplyFrame::End | ReplyFrame::Failure(_));
                return Ok(Some(frame));
            }
            self.stream.readable().await.map_err(CliError::System)?;
            match self.stream.try_read(&mut window) {
                Ok(0) => return Err(self.why()),
                Ok(read) => self.decoder.feed(&window[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(self.why()),
            }
        }
        Ok(None)
    }

    /// Why the reply breaks off: a file of ours that failed, or the daemon.
    fn why(&self) -> CliError {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or_else(broken, CliError::System)
    }
}

/// Sends messages until they end, or the daemon has heard enough.
async fn send_all(
    stream: Arc<UnixStream>,
    mut messages: mpsc::Receiver<io::Result<Outgoing>>,
    failure: Arc<Mutex<Option<io::Error>>>,
) {
    while let Some(message) = messages.recv().await {
        match message {
            Ok(message) => {
                if send(&stream, &message).await.is_err() {
                    // The answer is here already, or tells what went wrong.
                    return;
                }
            }
            Err(error) => {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                // The daemon takes the end of the stream for what it is: an add that broke off.
                let _ = rustix::net::shutdown(&*stream, rustix::net::Shutdown::Both);
                return;
            }
        }
    }
}

/// Sends one message, the descriptor with its first byte.
async fn send(stream: &UnixStream, message: &Outgoing) -> io::Result<()> {
    let mut sent = 0;
    while sent < message.bytes.len() {
        let bytes = &message.bytes[sent..];
        let file = message.file.as_ref().filter(|_| sent == 0);
        let result = stream.async_io(Interest::WRITABLE, || {
            let files: Vec<_> = file.iter().map(|file| file.as_fd()).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !files.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&files));
            }
            Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
        });
        match result.await {
            Ok(bytes) => sent += bytes,
            Err(error) if error.raw_os_error() == Some(Errno::TOOMANYREFS.raw_os_error()) => {
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
