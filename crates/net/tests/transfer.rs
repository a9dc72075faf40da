//! Blocks between nets over real sockets on loopback.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "tests")]

mod support;

use std::time::Duration;

use ipse_base::{AbsentReason, Block, Codec, Delivery, HashCode, Version, Want};
use ipse_net::SessionOptions;
use support::{Party, QUIC, TCP, blocks, next, until, wants, within};

async fn sixty_four_mebibytes(transport: &str) {
    let (server, client) = (Party::start(transport).await, Party::start(transport).await);
    let content = blocks(256, 256 * 1024);
    server.memory.insert(&content);
    client.connect(&server).await;
    within(60, client.fetch(&content)).await;
    assert_eq!(client.memory.len(), content.len(), "what was fetched is visible");
    assert_eq!(client.net.unconsumed_bytes(), 0);
    let stat = client.net.bitswap_stat().await;
    assert_eq!((stat.blocks_received, stat.duplicate_blocks), (256, 0));
    let ledger = server.net.bitswap_ledger(client.net.peer_id()).await;
    assert_eq!(ledger.sent, 64 * 1024 * 1024);
    client.net.shutdown().await;
    server.net.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_blocks_over_tcp() {
    sixty_four_mebibytes(TCP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_blocks_over_quic() {
    sixty_four_mebibytes(QUIC).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_small_blocks_in_both_directions() {
    let (one, other) = (Party::start(TCP).await, Party::start(TCP).await);
    let content = blocks(5000, 600);
    let (first, second) = content.split_at(2500);
    one.memory.insert(first);
    other.memory.insert(second);
    one.connect(&other).await;
    within(60, async { tokio::join!(one.fetch(second), other.fetch(first)) }).await;
    // What a session waits for comes to it straight from the hash, and is not read back from the store.
    assert_eq!(one.net.counters().deliveries_stored.get(), 0);
    assert_eq!(other.net.counters().deliveries_stored.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_in_mid_transfer_is_picked_up_again() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let content = blocks(400, 128 * 1024);
    server.memory.insert(&content);
    client.connect(&server).await;
    let breaking = async {
        until(|| client.memory.len() > 20).await;
        client.net.disconnect(&format!("/p2p/{}", server.net.peer_id())).await.unwrap();
        let had = client.memory.len();
        assert!(had < content.len(), "the transfer was over before it could be broken off");
        client.connect(&server).await;
    };
    within(60, async { tokio::join!(client.fetch(&content), breaking) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_want_waits_for_a_peer_that_has_it() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let content = blocks(3, 1000);
    server.memory.insert(&content);
    let later = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.connect(&server).await;
    };
    within(20, async { tokio::join!(client.fetch(&content), later) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_added_later_reaches_those_that_wait_for_it() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let content = blocks(2, 1000);
    client.connect(&server).await;
    let adding = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // One by the peer, one by the node itself.
        server.memory.insert(&content[..1]);
        server.net.notify_blocks(&[(content[0].cid().clone(), 1000)]);
        client.memory.insert(&content[1..]);
        client.net.notify_blocks(&[(content[1].cid().clone(), 1000)]);
    };
    within(20, async { tokio::join!(client.fetch(&content), adding) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patience_ends_the_wait_for_what_nobody_has() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    client.connect(&server).await;
    let mut session = client.net.session_with(SessionOptions { patience: Some(Duration::from_millis(100)) });
    session.want(wants(&blocks(1, 1000)));
    let delivery = within(20, next(&mut *session)).await.unwrap();
    assert!(matches!(delivery, Delivery::Absent(_, AbsentReason::NobodyHasIt)), "{delivery:?}");
    assert!(within(1, next(&mut *session)).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_of_a_block_is_answered() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let block = Block::hash(Codec::DAG_PB, HashCode::SHA2_256, vec![0x0a; 100].into()).unwrap();
    server.memory.insert(std::slice::from_ref(&block));
    client.connect(&server).await;
    let empty = Block::hash(Codec::RAW, HashCode::SHA2_256, "".into()).unwrap();
    let inline = Block::hash(Codec::RAW, HashCode::IDENTITY, "abc".into()).unwrap();
    let names = [
        block.cid().clone(),
        block.cid().to_version(Version::V0).unwrap(),
        empty.cid().clone(),
        inline.cid().clone(),
    ];
    let mut session = client.net.session();
    session.want(names.iter().map(|cid| Want::new(cid.clone(), 1)).collect());
    let mut found = Vec::new();
    while let Some(delivery) = within(20, next(&mut *session)).await {
        let Delivery::Block(block) = delivery else { panic!("{delivery:?}") };
        found.push(block.cid().clone());
    }
    found.sort_unstable();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_stands_still_holds_back_nobody() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let content = blocks(80, 1024 * 1024);
    server.memory.insert(&content);
    client.connect(&server).await;
    let (slow, fast) = content.split_at(60);
    let mut idle = client.net.session();
    idle.want(wants(slow));
    // It lags as soon as it has so much; from then on nothing more is asked for it.
    let lag = ipse_base::limits::SESSION_LAG_BYTES_MAX as usize / content[0].data().len();
    until(|| client.memory.len() > lag).await;
    let held = client.net.unconsumed_bytes();
    assert!(held <= ipse_base::limits::UNCONSUMED_BYTES_MAX, "{held}");
    within(30, client.fetch(fast)).await;
    let mut count = 0;
    while let Some(Delivery::Block(_)) = within(10, next(&mut *idle)).await {
        count += 1;
    }
    assert_eq!(count, slow.len());
    assert_eq!(client.net.unconsumed_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_session_takes_its_wants_back() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    client.connect(&server).await;
    let mut session = client.net.session();
    session.want(wants(&blocks(3, 1000)));
    within(20, async {
        while server.net.bitswap_wantlist(Some(client.net.peer_id())).await.len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(client.net.bitswap_wantlist(None).await.len(), 3);
        drop(session);
        while !server.net.bitswap_wantlist(Some(client.net.peer_id())).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(client.net.bitswap_wantlist(None).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_silent_for_longer_than_the_stream_answers_at_once() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let content = blocks(2, 1000);
    server.memory.insert(&content);
    client.connect(&server).await;
    within(20, client.fetch(&content[..1])).await;
    // Both outbound streams close after two seconds.
    within(20, until(|| client.net.peers()[0].streams.is_empty())).await;
    within(1, client.fetch(&content[1..])).await;
}
