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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UnixListener};

    use super::*;
    use crate::answer::Answer;
    use crate::upload::Upload;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-Stream-Error\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";

    /// What a client makes of a server that says `reply` and closes the connection.
    async fn heard(reply: String) -> Result<Vec<u8>, CliError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let read = stream.read(&mut head).await.unwrap();
            stream.write_all(reply.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        let address = ApiAddress::Tcp { host: "127.0.0.1".to_owned(), port };
        let mut connection = Connection::open(&address).await?;
        let request = Request::post("/api/v0/cat").body(Upload::none().body).unwrap();
        let mut answer = Answer::new(connection.call(request).await?).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        let head = server.await.unwrap().to_lowercase();
        assert!(
            head.starts_with("post /api/v0/cat http/1.1\r\n")
                && head.contains(&format!("host: 127.0.0.1:{port}"))
        );
        Ok(bytes)
    }

    fn listen(reply: &str) -> Result<Vec<u8>, String> {
        wait_io(heard(reply.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_answer_is_heard() {
        assert_eq!(listen(&format!("{CHUNKED}0\r\n\r\n")).unwrap(), b"abc");
    }

    #[test]
    fn an_answer_that_ends_early_is_an_error() {
        assert_eq!(listen(CHUNKED).unwrap_err(), "unexpected EOF");
        let counted = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
        assert_eq!(listen(counted).unwrap_err(), "unexpected EOF");
        assert_eq!(listen("").unwrap_err(), "unexpected EOF");
    }

    #[test]
    fn a_trailer_is_an_error() {
        let reply = format!("{CHUNKED}0\r\nX-Stream-Error: the disk is gone\r\n\r\n");
        assert_eq!(listen(&reply).unwrap_err(), "the disk is gone");
    }

    #[test]
    fn nobody_listens() {
        let error =
            wait_io(Connection::open(&ApiAddress::Tcp { host: "127.0.0.1".to_owned(), port: 1 })).err();
        assert!(matches!(error, Some(CliError::Connect { .. })));
    }

    #[test]
    fn a_socket_in_the_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        wait_io(async {
            let _listener = UnixListener::bind(&path).unwrap();
            assert!(Connection::open(&ApiAddress::Unix(path.clone())).await.is_ok());
        });
    }

    fn wait_io<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }
}
