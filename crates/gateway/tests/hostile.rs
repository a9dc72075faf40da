//! The gateway among slow, vanishing and hostile clients, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ipse_base::{Block, Cid, Codec, HashCode};
use ipse_dag::{PbLink, PbNode};
use ipse_gateway::{Gateway, GatewayOptions, serve};
use ipse_node::{BlockPutOptions, ImportOptions, InitOptions, Node, OpenOptions};
use ipse_unixfs::{Added, DirectoryBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Door {
    _folder: TempDir,
    node: Node,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

async fn door(options: GatewayOptions) -> Door {
    // No test is about this time, and a busy machine may take longer.
    let options = GatewayOptions { first_byte_timeout: Duration::from_secs(600), ..options };
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    Node::init(&repository, InitOptions { profiles: "test".into(), ..InitOptions::default() }).unwrap();
    let node = Node::open(&repository, OpenOptions::default()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let gateway = Gateway::new(node.clone(), options);
    let served = tokio::spawn(serve(listener, gateway, async move { stopped.await.unwrap_or(()) }));
    Door { _folder: folder, node, address, stop: Some(stop), served }
}

impl Door {
    async fn put(&self, codec: Codec, data: Bytes) -> Cid {
        let (hash, version) = (HashCode::SHA2_256, ipse_base::Version::V1);
        let options = BlockPutOptions { codec, hash, version, pin: false, allow_big: false };
        self.node.block_put(data, options).await.unwrap()
    }

    /// A node of a file: `count` links to the same child of `size` bytes, in which the file has `said` bytes.
    async fn file_node(&self, child: &Cid, count: usize, size: u64, said: u64) -> Cid {
        self.put(Codec::DAG_PB, file_node(child, count, size, said)).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A client that asks, takes the beginning of the answer and nothing more.
    async fn slow(&self, path: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        send(&mut stream, "GET", path, "").await;
        let mut beginning = [0; 12];
        stream.read_exact(&mut beginning).await.unwrap();
        assert_eq!(&beginning, b"HTTP/1.1 200");
        stream
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut stream = self.connect().await;
        send(&mut stream, method, path, &format!("Connection: close\r\n{headers}")).await;
        let mut bytes = Vec::new();
        // A connection that is broken off may end in an error; what came until then counts.
        let _ = stream.read_to_end(&mut bytes).await;
        answer(&bytes)
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }
}

async fn send(stream: &mut TcpStream, method: &str, path: &str, headers: &str) {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    Answer { status, head, body: bytes.get(end + 4..).unwrap_or_default().to_vec() }
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn file_node(child: &Cid, count: usize, size: u64, said: u64) -> Bytes {
    let mut message = vec![0x08, 2, 0x18];
    varint(said, &mut message);
    for _ in 0..count {
        message.push(0x20);
        varint(size, &mut message);
    }
    let link = PbLink { cid: child.clone(), name: Some(Bytes::new()), tsize: Some(size) };
    PbNode { data: Some(message.into()), links: vec![link; count] }.encode()
}

/// A file of `leaves` different MiB.
async fn large_file(door: &Door, leaves: u64) -> Cid {
    let mut links = Vec::new();
    let mut message = vec![0x08, 2, 0x18];
    varint(leaves << 20, &mut message);
    for leaf in 0..leaves {
        let mut data = vec![0; 1 << 20];
        data[..8].copy_from_slice(&leaf.to_le_bytes());
        let cid = door.put(Codec::RAW, data.into()).await;
        links.push(PbLink { cid, name: Some(Bytes::new()), tsize: Some(1 << 20) });
        message.push(0x20);
        varint(1 << 20, &mut message);
    }
    door.put(Codec::DAG_PB, PbNode { data: Some(message.into()), links }.encode()).await
}

/// Bytes of memory that this process has.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_hold_little_and_keep_nobody_waiting() {
    const READERS: usize = 300;
    let door = door(GatewayOptions::default()).await;
    let large = format!("/ipfs/{}", large_file(&door, 16).await);
    let small = door.put(Codec::RAW, "hello".into()).await;
    assert_eq!(door.get(&large).await.body.len(), 16 << 20);
    let before = resident();
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(door.slow(&large).await);
    }
    // The head leaves with the first of the body, so by now each of them is given what it holds.
    if let (Some(before), Some(now)) = (before, resident()) {
        let grown = now.saturating_sub(before) >> 20;
        assert!(grown < 120, "{READERS} slow readers hold {grown} MiB");
    }
    assert_eq!(door.get(&format!("/ipfs/{small}")).await.body, b"hello");
    let whole = door.get(&large).await;
    assert_eq!((whole.status, whole.body.len()), (200, 16 << 20));
    assert_eq!(whole.body[15 << 20..][..8], 15_u64.to_le_bytes());
    // One that goes on gets the rest, however small the pieces.
    let mut reader = readers.pop().unwrap();
    let mut rest = vec![0; 4 << 20];
    reader.read_exact(&mut rest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_told() {
    let options = GatewayOptions { requests_max: 2, connections_max: 4, ..GatewayOptions::default() };
    let door = door(options).await;
    let large = format!("/ipfs/{}", large_file(&door, 16).await);
    let first = door.slow(&large).await;
    let second = door.slow(&large).await;
    let third = door.get(&large).await;
    assert_eq!(third.status, 429);
    assert!(third.head.contains("retry-after: ") && third.text().contains("limit is 2"), "{}", third.text());
    let mut others = Vec::new();
    let refused = loop {
        let mut stream = door.connect().await;
        let mut byte = [0; 1];
        send(&mut stream, "GET", "/", "").await;
        stream.read_exact(&mut byte).await.unwrap();
        let mut bytes = vec![byte[0]; 1];
        let mut more = [0; 2000];
        let count = stream.read(&mut more).await.unwrap();
        bytes.extend_from_slice(&more[..count]);
        let answer = answer(&bytes);
        others.push(stream);
        if answer.status == 503 {
            break answer;
        }
        assert!(others.len() <= 4);
    };
    assert!(refused.head.contains("retry-after: "));
    // Clients that vanish give back what they held.
    drop((first, second, others));
    loop {
        let mut stream = door.connect().await;
        send(&mut stream, "GET", &large, "Connection: close\r\n").await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let answer = answer(&bytes);
        if answer.status == 200 {
            assert_eq!(answer.body.len(), 16 << 20);
            break;
        }
        assert!(matches!(answer.status, 0 | 429 | 503), "{}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_heads_and_vanishing_clients_harm_nobody() {
    let door = door(GatewayOptions::default()).await;
    let large = format!("/ipfs/{}", large_file(&door, 4).await);
    let mut halves = Vec::new();
    for _ in 0..200 {
        let mut stream = door.connect().await;
        stream.write_all(b"GET /ipfs/").await.unwrap();
        halves.push(stream);
        drop(door.slow(&large).await);
    }
    assert_eq!(door.get(&large).await.body.len(), 4 << 20);
    let endless = "X-Filler: ".to_owned() + &"x".repeat(200_000) + "\r\n";
    let mut stream = door.connect().await;
    let head = format!("GET / HTTP/1.1\r\n{endless}\r\n");
    // It may be cut before all is written.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(matches!(answer(&bytes).status, 0 | 431), "{}", answer(&bytes).status);
    let long = format!("{large}/{}", "a".repeat(17_000));
    assert_eq!(door.get(&long).await.status, 414);
    let body = door.ask("GET", &large, "Content-Length: 1000000\r\n").await;
    assert_eq!(body.status, 413);
    assert!(body.text().contains("65536"), "{}", body.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_slow_readers() {
    let mut door = door(GatewayOptions::default()).await;
    let large = format!("/ipfs/{}", large_file(&door, 16).await);
    let slow = door.slow(&large).await;
    let mut idle = door.connect().await;
    send(&mut idle, "GET", "/", "").await;
    let mut byte = [0; 1];
    idle.read_exact(&mut byte).await.unwrap();
    door.stop.take().unwrap().send(()).unwrap();
    (&mut door.served).await.unwrap();
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest).await;
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_blocks_that_stand_for_an_exabyte() {
    let door = door(GatewayOptions::default()).await;
    let mut leaf = vec![7; 1 << 20];
    leaf[0] = 1;
    let mut cid = door.put(Codec::RAW, leaf.into()).await;
    let mut size = 1_u64 << 20;
    for _ in 0..4 {
        cid = door.file_node(&cid, 1024, size, size * 1024).await;
        size *= 1024;
    }
    let path = format!("/ipfs/{cid}");
    let head = door.ask("HEAD", &path, "").await;
    assert!(head.head.contains(&format!("content-length: {}", 1_u64 << 60)), "{}", head.head);
    let end = door.ask("GET", &path, "Range: bytes=-3\r\n").await;
    assert_eq!((end.status, end.body.as_slice()), (206, &[7, 7, 7][..]));
    let seam = (1_u64 << 59) - 1;
    let middle = door.ask("GET", &path, &format!("Range: bytes={seam}-{}\r\n", seam + 1)).await;
    assert_eq!(middle.body, [7, 1]);
    // A reader of all of it costs no more than another.
    drop(door.slow(&path).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn shapes_that_cannot_be_served_are_told() {
    let door = door(GatewayOptions::default()).await;
    let leaf = door.put(Codec::RAW, "hello".into()).await;
    // It says an exabyte and has five bytes.
    let liar = door.file_node(&leaf, 1, 1 << 60, 1 << 60).await;
    // Its parts do not add up to the whole.
    let torn = door.file_node(&leaf, 2, 5, 11).await;
    let mut deep = leaf.clone();
    for _ in 0..1100 {
        deep = door.file_node(&deep, 1, 5, 5).await;
    }
    for (cid, words) in [(liar, "parent says"), (torn, "contradict"), (deep, "levels deep")] {
        let answer = door.get(&format!("/ipfs/{cid}")).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    // A shard whose fan-out no one allows.
    let shard =
        PbNode { data: Some(vec![0x08, 5, 0x28, 0x22, 0x30, 0x80, 0x80, 0x40].into()), links: vec![] };
    let shard = door.put(Codec::DAG_PB, shard.encode()).await;
    let answer = door.get(&format!("/ipfs/{shard}/")).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn long_listings_are_streamed_a_few_at_a_time() {
    const ENTRIES: u64 = 10_000;
    let door = door(GatewayOptions::default()).await;
    let file = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into()).unwrap();
    let mut folder = DirectoryBuilder::new(ImportOptions::unixfs_v1_2025()).unwrap();
    for entry in 0..ENTRIES {
        let added = Added { cid: file.cid().clone(), content_bytes: 5, dag_bytes: 5 };
        folder.insert(&format!("entry-{entry:06}"), added).unwrap();
    }
    let (root, blocks) = folder.finish().unwrap();
    for block in blocks.into_iter().chain([file]) {
        door.put(block.cid().codec(), block.data().clone()).await;
    }
    let path = format!("/ipfs/{}/", root.cid);
    let page = door.get(&path).await;
    assert_eq!(page.text().matches("<a href").count() as u64, ENTRIES);
    let mut readers = Vec::new();
    for _ in 0..ipse_base::limits::GATEWAY_STREAMS_MAX {
        readers.push(door.slow(&path).await);
    }
    let refused = door.get(&path).await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("limit is 64"), "{}", refused.text());
    // Files and short listings go on.
    let entry = door.get(&format!("/ipfs/{}/entry-000007", root.cid)).await;
    assert_eq!(entry.status, 200, "{}", entry.text());
}
