//! What the tests share: blocks in memory, nets on loopback, and a walk that fetches a list.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod raw;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncWriteExt, StreamExt};
use ipse_base::{
    Block, BlockSession, BlockSink, Cid, Codec, Delivery, HashCode, LocalBlocks, Multihash, SinkError,
    SourceError, Want,
};
use ipse_bitswap::{Message, ProtocolVersion};
use ipse_net::{Identity, KeyKind, Net, NetOptions};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Stream, StreamProtocol, Swarm, noise, tcp, yamux};
use raw::RawBehaviour;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

pub const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Blocks by hash.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<Multihash, Bytes>>);

impl Memory {
    pub fn insert(&self, blocks: &[Block]) {
        let mut map = self.0.lock().unwrap();
        for block in blocks {
            map.insert(block.cid().hash().clone(), block.data().clone());
        }
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl LocalBlocks for Memory {
    fn local(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        let data = self.0.lock().unwrap().get(cid.hash()).cloned();
        Ok(data.map(|data| Block::attested(cid.clone(), data)))
    }

    fn local_size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        Ok(self.0.lock().unwrap().get(cid.hash()).map(|data| data.len() as u64))
    }
}

impl BlockSink for Memory {
    fn put(&self, blocks: &[Block]) -> Result<(), SinkError> {
        self.insert(blocks);
        Ok(())
    }

    fn commit(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A net on loopback and what it holds.
pub struct Party {
    pub net: Net,
    pub memory: Arc<Memory>,
}

impl Party {
    pub async fn start(listen: &str) -> Self {
        Self::start_with(listen, KeyKind::Ed25519, |_| {}).await
    }

    pub async fn start_with(listen: &str, kind: KeyKind, change: impl FnOnce(&mut NetOptions)) -> Self {
        let mut options = NetOptions::new(Identity::generate(kind).unwrap());
        options.listen = vec![listen.to_owned()];
        options.mdns = false;
        change(&mut options);
        let memory = Arc::new(Memory::default());
        let net = Net::start(options, memory.clone(), memory.clone()).await.unwrap();
        Self { net, memory }
    }

    pub fn address(&self) -> String {
        format!("{}/p2p/{}", self.net.listen_addresses()[0], self.net.peer_id())
    }

    pub async fn connect(&self, other: &Self) {
        assert_eq!(&self.net.connect(&other.address()).await.unwrap(), other.net.peer_id());
    }

    /// Fetches all, and checks every byte.
    pub async fn fetch(&self, blocks: &[Block]) {
        let mut session = self.net.session();
        session.want(wants(blocks));
        let expected: HashMap<&Cid, &Bytes> =
            blocks.iter().map(|block| (block.cid(), block.data())).collect();
        let mut count = 0;
        while let Some(delivery) = next(&mut *session).await {
            let Delivery::Block(block) = delivery else { panic!("{delivery:?}") };
            assert!(expected[block.cid()] == block.data(), "{}", block.cid());
            count += 1;
        }
        assert_eq!(count, blocks.len());
    }
}

pub fn wants(blocks: &[Block]) -> Vec<Want> {
    let most = blocks.len() as i32;
    blocks
        .iter()
        .enumerate()
        .map(|(at, block)| Want {
            cid: block.cid().clone(),
            priority: most - at as i32,
            size_hint: Some(block.data().len() as u64),
        })
        .collect()
}

pub async fn next(session: &mut dyn BlockSession) -> Option<Delivery> {
    poll_fn(|context| session.poll_next(context)).await
}

/// So many blocks of so many bytes, all different.
pub fn blocks(count: usize, bytes: usize) -> Vec<Block> {
    (0..count)
        .map(|number| {
            let mut data = vec![number as u8; bytes];
            data[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Block::hash(Codec::RAW, HashCode::SHA2_256, data.into()).unwrap()
        })
        .collect()
}

/// Fails the test instead of hanging.
pub async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), future).await.expect("took too long")
}

/// Waits for something to become true.
pub async fn until(mut what: impl FnMut() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A peer that speaks one protocol by hand, and neither identify nor ping.
pub struct BarePeer {
    /// Streams that it opened.
    pub outbound: mpsc::Receiver<Stream>,
    /// Streams that the net opened toward it.
    pub inbound: mpsc::Receiver<Stream>,
    /// Ends it, and with it the connection.
    pub task: AbortHandle,
}

impl BarePeer {
    /// Connects over TCP and opens so many streams. It lives until the net closes the connection.
    pub fn connect(address: &str, protocol: StreamProtocol, streams: usize) -> Self {
        let swarm = libp2p::SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| RawBehaviour::new(protocol))
            .unwrap()
            .build();
        Self::run(swarm, address, streams)
    }

    /// The same with a swarm of its own.
    pub fn run(mut swarm: Swarm<RawBehaviour>, address: &str, streams: usize) -> Self {
        let address: Multiaddr = address.parse().unwrap();
        let (give_outbound, outbound) = mpsc::channel(1024);
        let (give_inbound, inbound) = mpsc::channel(1024);
        swarm.dial(address).unwrap();
        let task = tokio::spawn(async move {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                        (0..streams).for_each(|_| swarm.behaviour_mut().open(peer_id));
                    }
                    // The receiver may have all that it wants.
                    SwarmEvent::Behaviour(opened) if opened.inbound => {
                        drop(give_inbound.try_send(opened.stream))
                    }
                    SwarmEvent::Behaviour(opened) => drop(give_outbound.try_send(opened.stream)),
                    SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                        return;
                    }
                    _ => {}
                }
            }
        });
        Self { outbound, inbound, task: task.abort_handle() }
    }
}

/// Writes a message of the newest version as one frame.
pub async fn write_message(stream: &mut Stream, message: &Message) {
    write_message_of(ProtocolVersion::V1_2, stream, message).await;
}

/// Writes a message as one frame.
pub async fn write_message_of(version: ProtocolVersion, stream: &mut Stream, message: &Message) {
    let encoded = message.encode(version).to_bytes();
    let mut frame = Vec::new();
    ipse_base::varint::write(encoded.len() as u64, &mut frame);
    frame.extend_from_slice(&encoded);
    stream.write_all(&frame).await.unwrap();
    stream.flush().await.unwrap();
}
