//! The local socket: HTTP as over TCP for programs of the same user, and for `add` something faster: frames and
//! open descriptors instead of a body. Bytes and rules: `docs/formats/sock.md`.
//!
//! Path: `serve` accepts and asks who it is → [`asks`] finds the upgrade in a request → the request passes the
//! same guards and the same command as any other, its [`Upload`](crate::upload::Upload) being [`Entries`] →
//! [`carry_on`] sends the reply in frames.

mod entries;
mod file;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use ipse_api::sock::{self, EntryError, FRAME_CONTENT_BYTES_MAX, ReplyFrame};
use ipse_base::{ErrorKind, Kind};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

pub(crate) use entries::Entries;
pub(crate) use file::LocalFile;

use crate::ReplyBody;

/// Why what comes over the local socket is no add.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LocalError {
    /// The client left before it had sent everything.
    #[error("the upload broke off")]
    BrokenOff,
    /// A frame is not one.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A link that leads to what is not text.
    #[error("a symlink points at what is not text")]
    Target,
    /// A frame says that a descriptor comes with it, and none did.
    #[error("a descriptor is missing")]
    NoDescriptor,
    /// Descriptors that no frame speaks of.
    #[error("more descriptors than frames")]
    ManyDescriptors,
    /// A descriptor of something else than a regular file that may be read.
    #[error("a descriptor is not of a regular file that is open for reading")]
    Descriptor,
}

impl ErrorKind for LocalError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

/// In requests that came over the local socket: where the work is left that goes on when HTTP has ended.
#[derive(Clone, Default)]
pub(crate) struct Handover(Arc<Mutex<Option<BoxFuture<'static, ()>>>>);

impl Handover {
    /// Leaves the work.
    pub(crate) fn set(&self, work: BoxFuture<'static, ()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    }

    /// Takes the work, if there is some.
    pub(crate) fn take(&self) -> Option<BoxFuture<'static, ()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Whether a connection is of the user whose daemon this is.
pub(crate) fn is_own(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// Whether a request asks to go on in frames of a version that is spoken here.
pub(crate) fn asks(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value == sock::UPGRADE)
}

/// The answer that HTTP ends with.
pub(crate) fn agreed() -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static(sock::UPGRADE));
    response
}

/// Goes on in frames: hands the entries to `answer` and sends what it answers. Ends early, dropping the answer,
/// when the client leaves.
pub(crate) async fn carry_on<F>(upgraded: Upgraded, answer: impl FnOnce(Entries) -> F)
where
    F: Future<Output = Response<ReplyBody>>,
{
    let Ok(parts) = upgraded.downcast::<TokioIo<UnixStream>>() else { return };
    let stream = Arc::new(parts.io.into_inner());
    let (finished, all_sent) = oneshot::channel();
    let entries = Entries::new(Arc::clone(&stream), &parts.read_buf, finished);
    let replied = async {
        let response = answer(entries).await;
        // A client that does not listen any more has left.
        let _ = reply(&stream, response).await;
    };
    tokio::select! {
        () = replied => {}
        () = left(&stream, all_sent) => {}
    }
}

/// Returns when a client that has sent everything leaves, or sends more. Before, the entries notice by themselves.
async fn left(stream: &UnixStream, all_sent: oneshot::Receiver<()>) {
    if all_sent.await.is_err() {
        return std::future::pending().await;
    }
    let mut more = [0; 1];
    loop {
        match stream.readable().await.and_then(|()| stream.try_read(&mut more)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

async fn reply(stream: &UnixStream, response: Response<ReplyBody>) -> io::Result<()> {
    let (head, mut body) = response.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut out = Vec::new();
    ReplyFrame::Head(head.status.as_u16(), kind.to_owned()).write(&mut out);
    let last = loop {
        match body.frame().await {
            None => break ReplyFrame::End,
            Some(Err(broken)) => break ReplyFrame::Failure(broken.to_string()),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    for piece in data.chunks(FRAME_CONTENT_BYTES_MAX) {
                        ReplyFrame::Data(piece.to_vec()).write(&mut out);
                    }
                }
                Err(frame) => {
                    let failure = frame.trailers_ref().and_then(|trailers| trailers.get("x-stream-error"));
                    if let Some(text) = failure {
                        break ReplyFrame::Failure(String::from_utf8_lossy(text.as_bytes()).into_owned());
                    }
                }
            },
        }
        write_all(stream, &out).await?;
        out.clear();
    };
    last.write(&mut out);
    write_all(stream, &out).await
}

async fn write_all(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
