//! Clients that ask for much and take nothing, and clients that vanish.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use ipse_base::limits::RPC_WALKS_MAX;
use ipse_rpc::ServiceOptions;
use support::{Fixture, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FILE_BYTES: usize = 16 << 20;

async fn door() -> (Fixture, Server, String) {
    let fixture = Fixture::open(false, ServiceOptions::default()).await;
    let content: Vec<u8> = (0..FILE_BYTES as u32 / 4).flat_map(u32::to_be_bytes).collect();
    let added = fixture.call("add?quieter=true", &[("large", &content)]).await;
    let cid = added.lines().last().unwrap()["Hash"].as_str().unwrap().to_owned();
    let server = fixture.listen().await;
    (fixture, server, cid)
}

/// A client that asks, reads the head and the first bytes, and nothing more.
async fn slow(server: &Server, command: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        format!("POST /api/v0/{command} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 64]).await.unwrap();
    stream
}

fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_files_hold_little_and_keep_nobody_waiting() {
    const READERS: usize = 300;
    let (_fixture, server, cid) = door().await;
    let cat = format!("cat?arg={cid}");
    let before = resident();
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(slow(&server, &cat).await);
    }
    if let (Some(before), Some(now)) = (before, resident()) {
        let grown = now.saturating_sub(before) >> 20;
        assert!(grown < 120, "{READERS} slow readers hold {grown} MiB");
    }
    let whole = server.ask("POST", &format!("/api/v0/{cat}"), "").await;
    assert!(whole.len() > FILE_BYTES, "{}", whole.len());
    // One that goes on gets the rest, however small the pieces.
    let mut rest = vec![0; 4 << 20];
    readers.pop().unwrap().read_exact(&mut rest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn places_of_clients_that_vanish_are_free_again() {
    let (_fixture, server, cid) = door().await;
    let mut readers = Vec::new();
    for number in 0..RPC_WALKS_MAX {
        let command = ["get", "dag/export"][number % 2];
        readers.push(slow(&server, &format!("{command}?arg={cid}")).await);
    }
    let path = format!("/api/v0/dag/stat?progress=false&arg={cid}");
    let waiting = tokio::spawn({
        let address = server.address;
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).await.unwrap();
            String::from_utf8_lossy(&reply).into_owned()
        }
    });
    // What needs no place goes on meanwhile.
    assert!(server.ask("POST", "/api/v0/version", "").await.contains("200 OK"));
    drop(readers);
    let reply = tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap();
    assert!(reply.contains("200 OK") && reply.contains("TotalSize"), "{reply}");
    server.stop().await;
}
