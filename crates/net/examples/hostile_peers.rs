//! Many hostile peers at once, against a node that runs elsewhere.
//!
//! `hostile_peers COUNT ADDRESS`, with Cids of blocks that the node has, one a line, on the standard input. Says
//! `ready` when each peer has had its first go, and goes on until it is killed. A peer that the node parts with
//! comes back at once. `ipse-bench hostile` starts it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a probe, not shipped"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::AsyncWriteExt;
use ipse_base::{Cid, Codec, HashCode, Multihash};
use ipse_bitswap::{Message, ProtocolVersion, WantEntry};
use libp2p::StreamProtocol;
use support::BarePeer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const BITSWAP: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
/// How many kinds of hostility there are.
const KINDS: usize = 7;

/// What every peer knows.
struct Plan {
    address: String,
    socket: String,
    /// Blocks that the node has.
    here: Vec<Cid>,
    begun: AtomicUsize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).expect("COUNT ADDRESS");
    let address = arguments.next().expect("COUNT ADDRESS");
    let parts: Vec<&str> = address.split('/').collect();
    let socket = format!("{}:{}", parts[2], parts[4]);
    let here = std::io::stdin().lines().map(|line| line.unwrap().trim().parse().unwrap()).collect();
    let plan = Arc::new(Plan { address, socket, here, begun: AtomicUsize::new(0) });
    for number in 0..count {
        let plan = plan.clone();
        tokio::spawn(async move {
            // Not all in one moment: the machine that attacks is the machine that is attacked.
            sleep(Duration::from_millis(2 * number as u64)).await;
            for turn in 0.. {
                // Whatever it ends with, it is the node that parts.
                let _ = timeout(Duration::from_secs(60), go(number % KINDS, turn, &plan)).await;
                if turn == 0 {
                    plan.begun.fetch_add(1, Ordering::Relaxed);
                }
                sleep(Duration::from_millis(500)).await;
            }
        });
    }
    let soon = Duration::from_millis(2 * count as u64) + Duration::from_secs(3);
    sleep(soon).await;
    println!("ready");
    std::future::pending::<()>().await;
}

/// One life of one peer.
async fn go(kind: usize, turn: u64, plan: &Plan) -> Option<()> {
    match kind {
        0 => giant_lengths(plan).await,
        1 => half_messages(plan).await,
        2 => endless_wantlists(turn, plan).await,
        3 => wants_all_and_reads_nothing(plan).await,
        4 => flood_of_streams(plan).await,
        5 => slow_handshake(plan).await,
        _ => comes_and_goes(plan).await,
    }
}

async fn giant_lengths(plan: &Plan) -> Option<()> {
    let mut bare = BarePeer::connect(&plan.address, BITSWAP, 64);
    while let Some(mut stream) = bare.outbound.recv().await {
        stream.write_all(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]).await.ok()?;
        stream.flush().await.ok()?;
        sleep(Duration::from_millis(200)).await;
    }
    Some(())
}

async fn half_messages(plan: &Plan) -> Option<()> {
    let mut bare = BarePeer::connect(&plan.address, BITSWAP, 32);
    let mut streams = Vec::new();
    while let Some(mut stream) = bare.outbound.recv().await {
        // Four MiB are said to come; a tenth of it does.
        stream.write_all(&[0x80, 0x80, 0x80, 0x02]).await.ok()?;
        stream.write_all(&[0x0a; 400 * 1024]).await.ok()?;
        stream.flush().await.ok()?;
        streams.push(stream);
    }
    Some(())
}

async fn endless_wantlists(mut turn: u64, plan: &Plan) -> Option<()> {
    let mut bare = BarePeer::connect(&plan.address, BITSWAP, 1);
    let mut stream = bare.outbound.recv().await?;
    loop {
        let entry = |number: u64| {
            turn += 1;
            let digest = Multihash::digest_of(HashCode::SHA2_256, &(turn, number).0.to_be_bytes()).unwrap();
            WantEntry::block(Cid::v1(Codec::RAW, digest), 1)
        };
        let wantlist = (0..1024).map(entry).collect();
        write(&mut stream, &Message { wantlist, ..Message::default() }).await?;
        sleep(Duration::from_millis(500)).await;
    }
}

async fn wants_all_and_reads_nothing(plan: &Plan) -> Option<()> {
    let mut bare = BarePeer::connect(&plan.address, BITSWAP, 1);
    let mut stream = bare.outbound.recv().await?;
    let wantlist = plan.here.iter().take(900).map(|cid| WantEntry::block(cid.clone(), 1)).collect();
    write(&mut stream, &Message { wantlist, ..Message::default() }).await?;
    // Streams of the node are taken in and never read.
    while let Some(answer) = bare.inbound.recv().await {
        std::mem::forget(answer);
    }
    Some(())
}

async fn flood_of_streams(plan: &Plan) -> Option<()> {
    let mut bare = BarePeer::connect(&plan.address, BITSWAP, 120);
    let mut open = Vec::new();
    while let Some(stream) = bare.outbound.recv().await {
        open.push(stream);
    }
    Some(())
}

async fn slow_handshake(plan: &Plan) -> Option<()> {
    let mut stream = TcpStream::connect(&plan.socket).await.ok()?;
    for byte in b"\x13/multistream/1.0.0\n" {
        stream.write_all(&[*byte]).await.ok()?;
        sleep(Duration::from_secs(1)).await;
    }
    Some(())
}

async fn comes_and_goes(plan: &Plan) -> Option<()> {
    let mut stream = TcpStream::connect(&plan.socket).await.ok()?;
    stream.write_all(b"\x13/multistream/1.0.0\n").await.ok()
}

async fn write(stream: &mut libp2p::Stream, message: &Message) -> Option<()> {
    let encoded = message.encode(ProtocolVersion::V1_2).to_bytes();
    let mut frame = Vec::new();
    ipse_base::varint::write(encoded.len() as u64, &mut frame);
    frame.extend_from_slice(&encoded);
    stream.write_all(&frame).await.ok()?;
    stream.flush().await.ok()
}
