//! Peers of each version of bitswap, without identify: served, and fetched from.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "tests")]

mod support;

use bytes::Bytes;
use futures::AsyncReadExt;
use ipse_base::{Block, Cid, Codec, HashCode, Version, varint};
use ipse_bitswap::{CidPrefix, Message, ProtocolVersion, WantEntry};
use ipse_net::SessionOptions;
use libp2p::{Stream, StreamProtocol};
use support::{BarePeer, Party, TCP, next, within, write_message_of};

async fn read_message(stream: &mut Stream) -> Message {
    let mut head = Vec::new();
    let length = loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
        if let Ok((length, _)) = varint::read(&head) {
            break length as usize;
        }
    };
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await.unwrap();
    Message::decode(Bytes::from(frame)).unwrap()
}

/// A block that every version can name.
fn old_block(text: &'static str) -> (Cid, Block) {
    let block = Block::hash(Codec::DAG_PB, HashCode::SHA2_256, text.into()).unwrap();
    (block.cid().to_version(Version::V0).unwrap(), block)
}

async fn both_ways(version: ProtocolVersion) {
    let party = Party::start(TCP).await;
    let (ours, our_block) = old_block("ours");
    let (theirs, their_block) = old_block("theirs");
    party.memory.insert(std::slice::from_ref(&our_block));
    let mut bare = BarePeer::connect(&party.address(), StreamProtocol::new(version.name()), 1);
    let mut sending = bare.outbound.recv().await.unwrap();
    let wantlist = vec![WantEntry::block(ours.clone(), 1)];
    write_message_of(version, &mut sending, &Message { wantlist, ..Message::default() }).await;

    let mut session = party.net.session_with(SessionOptions::default());
    session.want(vec![ipse_base::Want::new(theirs.clone(), 1)]);

    // The block that was asked for and the want come on one stream, in whatever order.
    let mut receiving = bare.inbound.recv().await.unwrap();
    let (mut served, mut asked) = (false, false);
    while !(served && asked) {
        let message = read_message(&mut receiving).await;
        served |= message.blocks.contains(&(CidPrefix::of(&ours), our_block.data().clone()));
        asked |= message.wantlist.iter().any(|entry| entry.cid == theirs && !entry.cancel);
    }
    let blocks = vec![(CidPrefix::of(&theirs), their_block.data().clone())];
    write_message_of(version, &mut sending, &Message { blocks, ..Message::default() }).await;
    let delivery = next(&mut *session).await.unwrap();
    assert!(matches!(&delivery, ipse_base::Delivery::Block(block) if *block.cid() == theirs), "{delivery:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_1_0_both_ways() {
    within(20, both_ways(ProtocolVersion::V1_0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_1_1_both_ways() {
    within(20, both_ways(ProtocolVersion::V1_1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_1_2_both_ways() {
    within(20, both_ways(ProtocolVersion::V1_2)).await;
}
