//! A node in a folder of its own, and callers of its RPC: in the same process, and over TCP byte by byte.

// Each test file uses its own part of this.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, Request, StatusCode};
use ipse_node::{InitOptions, Node, OpenOptions};
use ipse_rpc::{Service, ServiceOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A node and its folder.
pub(crate) struct Fixture {
    pub(crate) node: Node,
    pub(crate) service: Service,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn offline() -> Self {
        Self::open(false, ServiceOptions::default()).await
    }

    pub(crate) async fn open(online: bool, options: ServiceOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let init = InitOptions { profiles: "test".into(), ..InitOptions::default() };
        let made = root.clone();
        tokio::task::spawn_blocking(move || Node::init(&made, init).unwrap()).await.unwrap();
        let node = Node::open(&root, OpenOptions { online, ..OpenOptions::default() }).await.unwrap();
        Self { service: Service::new(node.clone(), options), node, folder }
    }

    /// The repository's folder.
    pub(crate) fn root(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Calls in the same process.
    pub(crate) async fn call(&self, address: &str, files: &[(&str, &[u8])]) -> Answer {
        let (content_type, body) = multipart(files);
        let request = Request::post(format!("/api/v0/{address}"))
            .header(CONTENT_TYPE, content_type)
            .header("te", "trailers")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let (head, body) = self.service.call(request).await.into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Answer { status: head.status, headers: head.headers, trailers, body: collected.to_bytes().to_vec() }
    }

    /// Listens on a free port of the loopback interface until the server is dropped.
    pub(crate) async fn listen(&self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let service = self.service.clone();
        let task = tokio::spawn(async move {
            serve(listener, service, async {
                let _ = stopped.await;
            })
            .await;
        });
        Server { address, stop, task }
    }
}

/// A reply of a caller in the same process.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The only value of the reply.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// All values of the reply.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert!(self.trailers.is_empty(), "{:?}", self.trailers);
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The text of a refusal.
    pub(crate) fn message(&self) -> String {
        assert_ne!(self.status, StatusCode::OK, "{}", self.text());
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(value["Type"], "error");
        value["Message"].as_str().unwrap().to_owned()
    }
}

/// A running listener.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }

    /// Sends exactly these bytes and reads to the end of the connection.
    pub(crate) async fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut out = Vec::new();
        // A connection that is broken off may end in a reset; what came before it counts.
        let _ = stream.read_to_end(&mut out).await;
        out
    }

    /// A request without a body on a connection of its own; returns all bytes of the reply as text.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{length}Connection: close\r\n{headers}\r\n",
            self.address
        );
        String::from_utf8_lossy(&self.raw(request.as_bytes()).await).into_owned()
    }
}

/// An upload of files with their names; what ends in a slash is a directory.
pub(crate) fn multipart(files: &[(&str, &[u8])]) -> (&'static str, Vec<u8>) {
    if files.is_empty() {
        return ("text/plain", Vec::new());
    }
    let mut body = Vec::new();
    for (name, content) in files {
        let kind = if name.ends_with('/') { "application/x-directory" } else { "application/octet-stream" };
        let name = ipse_api::encode_query(name.trim_end_matches('/'));
        let head = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    ("multipart/form-data; boundary=edge", body)
}
