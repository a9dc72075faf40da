//! One connection to a daemon, for one request.
//!
//! Why one: commands are one request long, and a connection that carries nothing else can be broken off to
//! cancel what the daemon does for it.

use std::io;

use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use super::ApiAddress;
use crate::answer::AnswerBody;
use crate::error::CliError;
use crate::upload::UploadBody;

/// A connection that is open.
pub(crate) struct Connection {
    sender: SendRequest<UploadBody>,
    host: HeaderValue,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`CliError::Connect`] where nothing answers.
    pub(crate) async fn open(address: &ApiAddress) -> Result<Self, CliError> {
        let refused = |source: io::Error| CliError::Connect { address: address.to_string(), source };
        let sender = match address {
            ApiAddress::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(refused)?;
                stream.set_nodelay(true).map_err(refused)?;
                handshake(TokioIo::new(stream)).await?
            }
            ApiAddress::Unix(path) => {
                handshake(TokioIo::new(UnixStream::connect(path).await.map_err(refused)?)).await?
            }
        };
        let host = match address {
            ApiAddress::Tcp { .. } => address.to_string(),
            ApiAddress::Unix(_) => "localhost".to_owned(),
        };
        let host = HeaderValue::try_from(host).map_err(|_| CliError::Address(address.to_string()))?;
        Ok(Self { sender, host })
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// [`CliError::Transport`] where the connection breaks.
    pub(crate) async fn call(
        &mut self,
        mut request: Request<UploadBody>,
    ) -> Result<Response<AnswerBody>, CliError> {
        request.headers_mut().insert(HOST, self.host.clone());
        let response = self.sender.send_request(request).await.map_err(CliError::Transport)?;
        Ok(response.map(|body| body.map_err(CliError::Transport).boxed_unsync()))
    }
}

async fn handshake<T>(stream: T) -> Result<SendRequest<UploadBody>, CliError>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(stream).await.map_err(CliError::Transport)?;
    // What goes wrong on the connection is told to whoever waits for the answer; its own result says no more.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
