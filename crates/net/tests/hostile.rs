//! Peers that send what they like: an honest transfer beside them goes on, and memory stays bounded.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "tests")]

mod support;

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use ipse_base::{Block, Codec, HashCode};
use ipse_bitswap::{CidPrefix, Message, ProtocolVersion, WantEntry};
use ipse_net::KeyKind;
use libp2p::{Stream, StreamProtocol};
use support::{BarePeer, Party, TCP, blocks, until, within, write_message};
use tokio::sync::{RwLock, mpsc};

/// Written by tests that look at the memory of this process, read by all others.
static MEMORY: RwLock<()> = RwLock::const_new(());

const BITSWAP: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

const MIB: usize = 1024 * 1024;

/// A bare peer that opens so many streams and reads nothing of what the victim sends.
fn attack(victim: &str, streams: usize) -> mpsc::Receiver<Stream> {
    let bare = BarePeer::connect(victim, BITSWAP, streams);
    // Held unread for as long as the test runs.
    std::mem::forget(bare.inbound);
    bare.outbound
}

/// Whether the victim ends the stream within some seconds.
async fn is_reset(stream: &mut Stream) -> bool {
    matches!(tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0])).await, Ok(Ok(0) | Err(_)))
}

fn resident_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// An honest transfer toward and from the victim.
async fn honest_transfer(victim: &Party) {
    let friend = Party::start(TCP).await;
    let content = blocks(64, 256 * 1024);
    let (up, down) = content.split_at(32);
    friend.memory.insert(up);
    victim.memory.insert(down);
    friend.connect(victim).await;
    within(60, async { tokio::join!(victim.fetch(up), friend.fetch(down)) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giant_lengths_and_garbage_end_the_stream_and_at_the_third_time_the_connection() {
    let _memory = MEMORY.read().await;
    let victim = Party::start(TCP).await;
    let mut streams = attack(&victim.address(), 4);
    let payloads: [&[u8]; 3] = [
        // A length of 2^62.
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
        // A length that never ends.
        &[0xff; 32],
        // A frame that is no message.
        &[0x05, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    let mut break_in = async |payload: &[u8]| {
        let mut stream = within(10, streams.recv()).await.unwrap();
        stream.write_all(payload).await.unwrap();
        stream.flush().await.unwrap();
        assert!(is_reset(&mut stream).await, "{payload:x?}");
    };
    break_in(payloads[0]).await;
    break_in(payloads[1]).await;
    assert_eq!(victim.net.peers().len(), 1);
    break_in(payloads[2]).await;
    within(10, until(|| victim.net.peers().is_empty())).await;
    assert_eq!(victim.net.counters().violations.get(), 3);
    honest_transfer(&victim).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_messages_on_many_streams_hold_little_memory() {
    let _memory = MEMORY.write().await;
    let victim = Party::start(TCP).await;
    let before = resident_mebibytes();
    let mut holders = Vec::new();
    for _ in 0..4 {
        let mut streams = attack(&victim.address(), 64);
        for _ in 0..48 {
            let Some(mut stream) = within(10, streams.recv()).await else { break };
            // Four MiB are declared, one byte comes.
            if stream.write_all(&[0x80, 0x80, 0x80, 0x02, 0x01]).await.is_ok() && stream.flush().await.is_ok()
            {
                holders.push(stream);
            }
        }
        holders.shrink_to_fit();
        std::mem::forget(streams);
    }
    assert!(holders.len() > 100, "{}", holders.len());
    honest_transfer(&victim).await;
    let grown = resident_mebibytes().saturating_sub(before);
    assert!(grown < 200, "{grown} MiB for {} half messages of 4 MiB and a transfer of 16 MiB", holders.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_stand_still_are_given_up_when_others_need_their_memory() {
    let _memory = MEMORY.read().await;
    let victim = Party::start(TCP).await;
    let mut holders = Vec::new();
    // As many as would take twice the memory there is.
    while holders.len() < ipse_base::limits::ARRIVING_BYTES_MAX / (2 * MIB) {
        let mut streams = attack(&victim.address(), 16);
        for _ in 0..16 {
            let mut stream = within(10, streams.recv()).await.unwrap();
            // Four MiB are declared, and nearly all come.
            let half = [&[0x80, 0x80, 0x80, 0x02][..], &vec![0; 4 * MIB - 1]].concat();
            holders.push(tokio::spawn(async move {
                let _ = stream.write_all(&half).await;
                let _ = stream.flush().await;
                is_reset(&mut stream).await
            }));
        }
        std::mem::forget(streams);
    }
    // Its messages are large, so they need of the same memory.
    let friend = Party::start(TCP).await;
    let content = blocks(8, MIB);
    friend.memory.insert(&content);
    friend.connect(&victim).await;
    within(60, victim.fetch(&content)).await;
    let mut given_up = 0;
    for holder in holders {
        given_up += usize::from(holder.await.unwrap());
    }
    assert!(given_up > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_streams_is_cut_at_the_limit() {
    let _memory = MEMORY.read().await;
    let victim = Party::start(TCP).await;
    let mut streams = attack(&victim.address(), 100);
    let mut open = Vec::new();
    while let Ok(Some(stream)) = tokio::time::timeout(Duration::from_secs(2), streams.recv()).await {
        open.push(stream);
    }
    let most = ipse_base::limits::INBOUND_STREAMS_PER_CONNECTION_MAX;
    let served = victim.net.peers()[0].streams.iter().filter(|name| name.contains("bitswap")).count();
    assert!((1..=most).contains(&served), "{served}");
    honest_transfer(&victim).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payload_that_nobody_asked_for_is_not_kept_and_its_sender_is_dropped() {
    let _memory = MEMORY.read().await;
    let victim = Party::start(TCP).await;
    let mut streams = attack(&victim.address(), 1);
    let mut stream = within(10, streams.recv()).await.unwrap();
    for block in blocks(8, 1000) {
        let pair = (CidPrefix::of(block.cid()), block.data().clone());
        write_message_or_end(&mut stream, &Message { blocks: vec![pair], ..Message::default() }).await;
    }
    within(10, until(|| victim.net.peers().is_empty())).await;
    assert_eq!(victim.memory.len(), 0);
    // Bytes under a hash that can't be computed are as bad.
    let mut streams = attack(&victim.address(), 1);
    let mut stream = within(10, streams.recv()).await.unwrap();
    let odd = CidPrefix::from_bytes(&[1, 0x55, 0x16, 32]).unwrap();
    for _ in 0..8 {
        write_message_or_end(&mut stream, &Message { blocks: vec![(odd, "x".into())], ..Message::default() })
            .await;
    }
    within(10, until(|| victim.net.peers().is_empty())).await;
    honest_transfer(&victim).await;
}

async fn write_message_or_end(stream: &mut Stream, message: &Message) {
    let encoded = message.encode(ProtocolVersion::V1_2).to_bytes();
    let mut frame = Vec::new();
    ipse_base::varint::write(encoded.len() as u64, &mut frame);
    frame.extend_from_slice(&encoded);
    // The victim may have ended the connection by now, which is what the test waits for.
    if stream.write_all(&frame).await.is_ok() {
        let _ = stream.flush().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_asks_for_everything_and_reads_nothing_costs_others_nothing() {
    let _memory = MEMORY.write().await;
    let victim = Party::start(TCP).await;
    let content = blocks(200, 1024 * 1024);
    victim.memory.insert(&content);
    let before = resident_mebibytes();
    let mut streams = attack(&victim.address(), 1);
    let mut stream = within(10, streams.recv()).await.unwrap();
    let wantlist = content.iter().map(|block| WantEntry::block(block.cid().clone(), 1)).collect();
    write_message(&mut stream, &Message { wantlist, ..Message::default() }).await;
    honest_transfer(&victim).await;
    let grown = resident_mebibytes().saturating_sub(before);
    assert!(grown < 200, "{grown} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_loaded_for_peers_that_take_nothing_is_let_go_and_read_again_when_they_take() {
    let _memory = MEMORY.read().await;
    let victim = Party::start(TCP).await;
    let content = blocks(4, 2 * 1024 * 1024);
    victim.memory.insert(&content);
    let wantlist: Vec<_> = content.iter().map(|block| WantEntry::block(block.cid().clone(), 1)).collect();
    let mut stuck = Vec::new();
    for _ in 0..12 {
        let mut bare = BarePeer::connect(&victim.address(), BITSWAP, 1);
        let mut stream = within(10, bare.outbound.recv()).await.unwrap();
        write_message(&mut stream, &Message { wantlist: wantlist.clone(), ..Message::default() }).await;
        let answers = within(10, bare.inbound.recv()).await.unwrap();
        stuck.push((bare, stream, answers));
    }
    within(20, until(|| victim.net.loaded_bytes() == 0)).await;
    honest_transfer(&victim).await;
    // One of them wakes up: nothing is lost of what it asked for.
    let (_bare, _stream, mut answers) = stuck.pop().unwrap();
    let mut taken = 0;
    let mut space = vec![0; 64 * 1024];
    within(20, async {
        while taken < 4 * 2 * 1024 * 1024 {
            taken += answers.read(&mut space).await.unwrap();
        }
    })
    .await;
    assert!(victim.net.counters().reloads.get() > 0);
    within(20, until(|| victim.net.loaded_bytes() == 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_gets_the_place_of_one_that_is_of_no_use_and_a_named_peer_keeps_its_own() {
    let _memory = MEMORY.read().await;
    let named = Party::start(TCP).await;
    let victim = Party::start_with(TCP, KeyKind::Ed25519, |options| {
        options.connections_max = 8;
        options.protected = vec![named.net.peer_id().clone()];
    })
    .await;
    // Six places: one for the named peer, which is of no use either, and five for idle ones.
    named.connect(&victim).await;
    let _idle: Vec<_> = (0..5).map(|_| BarePeer::connect(&victim.address(), BITSWAP, 1)).collect();
    within(10, until(|| victim.net.peers().len() == 6)).await;
    let friend = Party::start(TCP).await;
    let content = blocks(4, 1000);
    victim.memory.insert(&content);
    friend.connect(&victim).await;
    within(10, friend.fetch(&content)).await;
    // More than all places, one after the other: they take those of each other.
    for _ in 0..10 {
        let mut bare = BarePeer::connect(&victim.address(), BITSWAP, 1);
        within(10, bare.outbound.recv()).await.unwrap();
    }
    within(10, until(|| victim.net.peers().len() <= 6)).await;
    let stays = |party: &Party| victim.net.peers().iter().any(|one| one.peer == *party.net.peer_id());
    assert!(stays(&friend) && stays(&named));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_promises_and_stays_silent_does_not_stop_a_fetch() {
    let _memory = MEMORY.read().await;
    let victim = Party::start(TCP).await;
    let block = Block::hash(Codec::RAW, HashCode::SHA2_256, "wanted".into()).unwrap();
    let mut streams = attack(&victim.address(), 1);
    let mut stream = within(10, streams.recv()).await.unwrap();
    let have = ipse_bitswap::Presence { cid: block.cid().clone(), have: true };
    write_message(&mut stream, &Message { presences: vec![have], ..Message::default() }).await;
    let friend = Party::start(TCP).await;
    friend.memory.insert(std::slice::from_ref(&block));
    victim.connect(&friend).await;
    within(20, victim.fetch(std::slice::from_ref(&block))).await;
}
