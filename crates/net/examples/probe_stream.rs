//! The raw limit: how fast one bare libp2p stream carries bytes over loopback between two processes.
//!
//! `probe_stream [tcp|quic] [MiB] [KiB per write] [ADDRESS]`. The parent writes, a child of the same binary reads
//! and answers one byte at the end. Nothing is hashed, framed or stored. With an address no child is started: the
//! reader is a `probe_stream serve [tcp|quic]` that runs already, perhaps behind a relay that delays.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a probe, not shipped"
)]

#[path = "../tests/support/raw.rs"]
mod raw;
#[path = "support/usage.rs"]
mod usage;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Stream, StreamProtocol, Swarm, noise, tcp, yamux};
use raw::RawBehaviour;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipse/probe/1");

fn swarm() -> Swarm<RawBehaviour> {
    libp2p::SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_quic()
        .with_behaviour(|_| RawBehaviour::new(PROTOCOL))
        .unwrap()
        .build()
}

/// Drives the swarm in a task of its own and gives the first stream.
async fn first_stream(mut swarm: Swarm<RawBehaviour>) -> Stream {
    let (give, take) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut give = Some(give);
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } if endpoint.is_dialer() => {
                    swarm.behaviour_mut().open(peer_id);
                }
                SwarmEvent::NewListenAddr { address, .. } => {
                    println!("{address}/p2p/{}", swarm.local_peer_id())
                }
                SwarmEvent::Behaviour(opened) => {
                    if let Some(give) = give.take() {
                        let _ = give.send(opened.stream);
                    }
                }
                _ => {}
            }
        }
    });
    take.await.unwrap()
}

async fn serve(transport: &str) {
    let mut swarm = swarm();
    let address = if transport == "quic" { "/ip4/127.0.0.1/udp/0/quic-v1" } else { "/ip4/127.0.0.1/tcp/0" };
    swarm.listen_on(address.parse().unwrap()).unwrap();
    let mut stream = first_stream(swarm).await;
    let mut length = [0u8; 8];
    stream.read_exact(&mut length).await.unwrap();
    let mut left = u64::from_be_bytes(length) as usize;
    let mut buffer = vec![0u8; 256 * 1024];
    while left > 0 {
        let most = left.min(buffer.len());
        left -= stream.read(&mut buffer[..most]).await.unwrap();
    }
    stream.write_all(&[1]).await.unwrap();
    stream.close().await.unwrap();
    // Whoever started this may have heard enough.
    let _ = writeln!(std::io::stdout(), "reader: {}", usage::line());
    std::thread::sleep(std::time::Duration::from_millis(200));
}

/// Writes to a reader that is started for it.
async fn send_to_child(transport: &str, mebibytes: usize, write_kibibytes: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["serve", transport])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address: Multiaddr = lines.next().unwrap().unwrap().parse().unwrap();
    send(address, transport, mebibytes, write_kibibytes).await;
    lines.for_each(|line| println!("{}", line.unwrap()));
    child.wait().unwrap();
}

async fn send(address: Multiaddr, transport: &str, mebibytes: usize, write_kibibytes: usize) {
    let mut swarm = swarm();
    swarm.dial(address).unwrap();
    let mut stream = first_stream(swarm).await;
    let bytes = mebibytes << 20;
    let chunk = vec![0x5a_u8; write_kibibytes << 10];
    let start = Instant::now();
    stream.write_all(&(bytes as u64).to_be_bytes()).await.unwrap();
    let mut left = bytes;
    while left > 0 {
        let part = left.min(chunk.len());
        stream.write_all(&chunk[..part]).await.unwrap();
        left -= part;
    }
    stream.flush().await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{transport}, writes of {write_kibibytes} KiB: {:.1} MiB/s", mebibytes as f64 / seconds);
    println!("writer: {}", usage::line());
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map(String::as_str);
    if arg(0) == Some("serve") {
        return serve(arg(1).unwrap_or("tcp")).await;
    }
    let mebibytes = arg(1).and_then(|text| text.parse().ok()).unwrap_or(1024);
    let write = arg(2).and_then(|text| text.parse().ok()).unwrap_or(256);
    let transport = arg(0).unwrap_or("tcp");
    match arg(3) {
        Some(address) => send(address.parse().unwrap(), transport, mebibytes, write).await,
        None => send_to_child(transport, mebibytes, write).await,
    }
}
