//! Many hostile peers at once, against a node that runs elsewhere.
//!
//! `hostile_peers COUNT ADDRESS`, with Cids of blocks that the node has, one a line, on the standard input. Says
//! `ready` when each peer has had its first go, and goes on until it is killed. Each peer has an address of its own,
//! as on a machine of its own, and one that the node parts with comes back at once under a new name. `ipse-bench
//! hostile` starts it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a probe, not shipped"
)]

#[path = "support/source.rs"]
mod source;
#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::AsyncWriteExt;
use ipse_base::{Cid, Codec, HashCode, Multihash};
use ipse_bitswap::{Message, ProtocolVersion, WantEntry};
use libp2p::core::Transport;
use libp2p::core::upgrade::Version;
use libp2p::multiaddr::Multiaddr;
use libp2p::{StreamProtocol, noise, yamux};
use support::BarePeer;
use support::raw::RawBehaviour;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const BITSWAP: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
/// How many kinds of hostility there are.
const KINDS: usize = 7;

/// What every peer knows.
struct Plan {
    address: Multiaddr,
    /// Blocks that the node has.
    here: Vec<Cid>,
    begun: AtomicUsize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).expect("COUNT ADDRESS");
    let address = arguments.next().and_then(|text| text.parse().ok()).expect("COUNT ADDRESS");
    let here = std::io::stdin().lines().map(|line| line.unwrap().trim().parse().unwrap()).collect();
    let plan = Arc::new(Plan { address, here, begun: AtomicUsize::new(0) });
    for number in 0..count {
        let plan = plan.clone();
        tokio::spawn(async move {
            // Not all in one moment: the machine that attacks is the machine that is attacked.
            sleep(Duration::from_millis(2 * number as u64)).await;
            for turn in 0.. {
                // Whatever it ends with, it is the node that parts.
                let _ = timeout(Duration::from_secs(60), go(number, turn, &plan)).await;
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
async fn go(number: usize, turn: u64, plan: &Plan) -> Option<()> {
    let address = source::of_machine(number);
    let connect = |streams| {
        let swarm = libp2p::SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_other_transport(|key| {
                let noise = noise::Config::new(key).unwrap();
                let upgrade = source::From(address).upgrade(Version::V1).authenticate(noise);
                upgrade.multiplex(yamux::Config::default())
            })
            .unwrap()
            .with_behaviour(|_| RawBehaviour::new(BITSWAP))
            .unwrap()
            .build();
        Life(BarePeer::run(swarm, &plan.address.to_string(), streams))
    };
    match number % KINDS {
        0 => giant_lengths(connect(64)).await,
        1 => half_messages(connect(32)).await,
        2 => endless_wantlists(connect(1), (number as u64) << 40 | turn << 20).await,
        3 => wants_all_and_reads_nothing(connect(1), plan).await,
        4 => flood_of_streams(connect(120)).await,
        5 => slow_handshake(source::connect(address, &plan.address).await.ok()?).await,
        _ => comes_and_goes(source::connect(address, &plan.address).await.ok()?).await,
    }
}

/// A peer whose connection ends with its life.
struct Life(BarePeer);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.task.abort();
    }
}

async fn giant_lengths(mut life: Life) -> Option<()> {
    while let Some(mut stream) = life.0.outbound.recv().await {
        stream.write_all(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]).await.ok()?;
        stream.flush().await.ok()?;
        sleep(Duration::from_millis(200)).await;
    }
    Some(())
}

async fn half_messages(mut life: Life) -> Option<()> {
    let mut streams = Vec::new();
    while let Some(mut stream) = life.0.outbound.recv().await {
        // Four MiB are said to come; a tenth of it does.
        stream.write_all(&[0x80, 0x80, 0x80, 0x02]).await.ok()?;
        stream.write_all(&[0x0a; 400 * 1024]).await.ok()?;
        stream.flush().await.ok()?;
        streams.push(stream);
    }
    Some(())
}

/// Wants of blocks that nobody has, each of them another one.
async fn endless_wantlists(mut life: Life, mut seed: u64) -> Option<()> {
    let mut stream = life.0.outbound.recv().await?;
    loop {
        let entry = |number: u64| {
            let digest = Multihash::digest_of(HashCode::SHA2_256, &(seed + number).to_be_bytes()).unwrap();
            WantEntry::block(Cid::v1(Codec::RAW, digest), 1)
        };
        let wantlist = (0..1024).map(entry).collect();
        seed += 1024;
        write(&mut stream, &Message { wantlist, ..Message::default() }).await?;
        sleep(Duration::from_millis(500)).await;
    }
}

async fn wants_all_and_reads_nothing(mut life: Life, plan: &Plan) -> Option<()> {
    let mut stream = life.0.outbound.recv().await?;
    let wantlist = plan.here.iter().take(900).map(|cid| WantEntry::block(cid.clone(), 1)).collect();
    write(&mut stream, &Message { wantlist, ..Message::default() }).await?;
    // Streams of the node are taken in and never read.
    let mut unread = Vec::new();
    while let Some(answer) = life.0.inbound.recv().await {
        unread.push(answer);
    }
    Some(())
}

async fn flood_of_streams(mut life: Life) -> Option<()> {
    let mut open = Vec::new();
    while let Some(stream) = life.0.outbound.recv().await {
        open.push(stream);
    }
    Some(())
}

async fn slow_handshake(mut stream: TcpStream) -> Option<()> {
    for byte in b"\x13/multistream/1.0.0\n" {
        stream.write_all(&[*byte]).await.ok()?;
        sleep(Duration::from_secs(1)).await;
    }
    Some(())
}

async fn comes_and_goes(mut stream: TcpStream) -> Option<()> {
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
