//! The exchange beside the raw limit: blocks from one process's memory to another over loopback, framed, hashed
//! and handed to a session. No disk: what arrives is counted and let go.
//!
//! `probe_exchange [tcp|quic] [MiB] [KiB per block]`; compare with `probe_stream`.
//!
//! `probe_exchange from ADDRESS`, with Cids on the standard input, one a line, fetches from a node that runs
//! elsewhere, such as the reference node: how much it gives to a client that does nothing with it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a probe, not shipped"
)]

#[path = "support/usage.rs"]
mod usage;

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use ipse_base::{
    Block, BlockSink, Cid, Codec, Delivery, HashCode, LocalBlocks, SinkError, SourceError, Want,
};
use ipse_net::{Identity, KeyKind, Net, NetOptions};

/// Blocks of the server; the client's holds what was put and not yet taken by its session.
#[derive(Default)]
struct Memory(Mutex<HashMap<Cid, Block>>);

impl Memory {
    fn blocks(&self) -> MutexGuard<'_, HashMap<Cid, Block>> {
        self.0.lock().unwrap()
    }
}

impl LocalBlocks for Memory {
    fn local(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        Ok(self.blocks().get(cid).cloned())
    }

    fn local_size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        Ok(self.blocks().get(cid).map(|block| block.data().len() as u64))
    }
}

impl BlockSink for Memory {
    fn put(&self, blocks: &[Block]) -> Result<(), SinkError> {
        self.blocks().extend(blocks.iter().map(|block| (block.cid().clone(), block.clone())));
        Ok(())
    }

    fn commit(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

fn block(number: usize, bytes: usize) -> Block {
    let mut data = vec![number as u8; bytes];
    data[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Block::hash(Codec::RAW, HashCode::SHA2_256, data.into()).unwrap()
}

async fn net(transport: &str, memory: Arc<Memory>) -> Net {
    let listen = if transport == "quic" { "/ip4/127.0.0.1/udp/0/quic-v1" } else { "/ip4/127.0.0.1/tcp/0" };
    let mut options = NetOptions::new(Identity::generate(KeyKind::Ed25519).unwrap());
    options.listen = vec![listen.to_owned()];
    options.mdns = false;
    Net::start(options, memory.clone(), memory).await.unwrap()
}

async fn serve(transport: &str, count: usize, bytes: usize) {
    let blocks = (0..count).map(|number| block(number, bytes)).map(|block| (block.cid().clone(), block));
    let net = net(transport, Arc::new(Memory(Mutex::new(blocks.collect())))).await;
    let before = usage::line();
    println!("{}/p2p/{}", net.listen_addresses()[0], net.peer_id());
    tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await.unwrap();
    println!("server before: {before}");
    println!("server after:  {}", usage::line());
}

async fn fetch(transport: &str, count: usize, bytes: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["serve", transport, &count.to_string(), &bytes.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap();
    let cids = (0..count).map(|number| block(number, bytes).into_parts().0).collect();
    take(transport, &address, cids, Some(bytes as u64)).await;
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    lines.for_each(|line| println!("{}", line.unwrap()));
    child.wait().unwrap();
}

/// Fetches blocks in this order from one node, and lets them go.
async fn take(transport: &str, address: &str, cids: Vec<Cid>, size_hint: Option<u64>) {
    let memory = Arc::new(Memory::default());
    let net = net(transport, memory.clone()).await;
    let count = cids.len();
    let want = |(number, cid)| Want { cid, priority: (count - number) as i32, size_hint };
    let wants: Vec<Want> = cids.into_iter().enumerate().map(want).collect();
    net.connect(address).await.unwrap();
    println!("client before: {}", usage::line());
    let start = Instant::now();
    let mut session = net.session();
    session.want(wants);
    let (mut received, mut blocks) = (0, 0);
    while let Some(delivery) = poll_fn(|context| session.poll_next(context)).await {
        let Delivery::Block(block) = delivery else { panic!("{delivery:?}") };
        received += block.data().len();
        blocks += 1;
        memory.blocks().remove(block.cid());
    }
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(blocks, count);
    let rate = received as f64 / seconds / f64::from(1 << 20);
    println!(
        "{transport}, {count} blocks of {} KiB: {rate:.0} MiB/s, {:.0} blocks/s",
        (received / count) >> 10,
        count as f64 / seconds
    );
    println!("client after:  {}", usage::line());
    let stat = net.bitswap_stat().await;
    println!(
        "client: {} duplicates, {} messages with wants or word",
        stat.duplicate_blocks, stat.messages_received
    );
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |index: usize| args.get(index).map(String::as_str);
    let number = |index: usize| text(index).and_then(|text| text.parse::<usize>().ok());
    if text(0) == Some("serve") {
        return serve(text(1).unwrap(), number(2).unwrap(), number(3).unwrap()).await;
    }
    if text(0) == Some("from") {
        let cids = std::io::stdin().lines().map(|line| line.unwrap().trim().parse().unwrap()).collect();
        return take("tcp", text(1).unwrap(), cids, None).await;
    }
    let bytes = number(2).unwrap_or(256) << 10;
    let count = (number(1).unwrap_or(1024) << 20) / bytes;
    fetch(text(0).unwrap_or("tcp"), count, bytes).await;
}
