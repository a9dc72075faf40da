//! Connections: who may connect, how it fails, and what is told of those that are there.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "tests")]

mod support;

use std::time::Duration;

use ipse_base::{ErrorKind, Kind};
use ipse_net::{ConnectError, Direction, Identity, KeyKind, Net, NetOptions, PeerError, StartError};
use support::{Party, QUIC, TCP, blocks, until, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_of_every_kind_of_key_connect_and_exchange() {
    let content = blocks(1, 10_000);
    for transport in [TCP, QUIC] {
        let client = Party::start(transport).await;
        let mut servers = Vec::new();
        for kind in [KeyKind::Ed25519, KeyKind::Rsa, KeyKind::Secp256k1] {
            let server = Party::start_with(transport, kind, |_| {}).await;
            server.memory.insert(&content);
            within(20, client.connect(&server)).await;
            servers.push(server);
        }
        within(20, client.fetch(&content)).await;
        assert_eq!(client.net.peers().len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_a_peer() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let agent = |options: &mut NetOptions| options.agent = "ipse/9.9.9/test".into();
    let third = Party::start_with(TCP, KeyKind::Ed25519, agent).await;
    client.connect(&server).await;
    client.connect(&third).await;
    let id = third.net.peer_id();
    within(10, until(|| client.net.identify(id).is_ok())).await;
    let told = client.net.identify(id).unwrap();
    assert_eq!(told.agent, "ipse/9.9.9/test");
    assert_eq!(told.protocol_version, "ipfs/0.1.0");
    assert_eq!(told.public_key, third.net.own_identity().public_key);
    for name in ["/ipfs/bitswap/1.2.0", "/ipfs/bitswap/1.1.0", "/ipfs/bitswap/1.0.0", "/ipfs/ping/1.0.0"] {
        assert!(told.protocols.iter().any(|spoken| spoken == name), "{name} in {:?}", told.protocols);
        assert!(third.net.protocols().iter().any(|spoken| spoken == name), "{name}");
    }
    let taken = within(10, client.net.ping(id)).await.unwrap();
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    let peers = client.net.peers();
    let line = peers.iter().find(|line| line.peer == *id).unwrap();
    assert_eq!(line.direction, Direction::Outbound);
    assert_eq!(line.address, third.net.listen_addresses()[0]);
    assert_eq!(third.net.peers()[0].direction, Direction::Inbound);
    let book = client.net.addresses();
    let known = &book.iter().find(|(peer, _)| peer == id).unwrap().1;
    assert!(known.contains(&third.net.listen_addresses()[0]), "{known:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_peer_is_found_by_its_id_alone() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    client.connect(&server).await;
    let name = format!("/p2p/{}", server.net.peer_id());
    assert_eq!(&client.net.disconnect(&name).await.unwrap(), server.net.peer_id());
    assert!(client.net.peers().is_empty());
    within(10, until(|| server.net.peers().is_empty())).await;
    assert!(matches!(client.net.disconnect(&name).await, Err(PeerError::NotConnected(_))));
    assert!(matches!(client.net.ping(server.net.peer_id()).await, Err(PeerError::NotConnected(_))));
    within(10, client.net.connect(&name)).await.unwrap();
    assert_eq!(client.net.peers().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_fail_has_its_kind_and_says_what_to_do() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let other = Identity::generate(KeyKind::Ed25519).unwrap();
    let stranger = other.peer_id();
    let place = server.net.listen_addresses()[0].clone();
    let cases = [
        ("nope".to_owned(), Kind::Invalid),
        (place.clone(), Kind::Invalid),
        (client.address(), Kind::Invalid),
        (format!("/p2p/{stranger}"), Kind::NotFound),
        (format!("/ip4/127.0.0.1/tcp/1/p2p/{stranger}"), Kind::Unavailable),
        (format!("/ip4/127.0.0.1/sctp/1/p2p/{stranger}"), Kind::Unavailable),
        (format!("{place}/p2p/{stranger}"), Kind::Denied),
    ];
    for (address, kind) in cases {
        let error = within(20, client.net.connect(&address)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{address}: {error}");
        assert!(error.hint().is_some(), "{address}");
    }
    let refused = client.net.connect(&format!("/ip4/127.0.0.1/tcp/1/p2p/{stranger}")).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "failed to dial: failed to dial {stranger}: all dials failed\n  * [/ip4/127.0.0.1/tcp/1] dial tcp4 127.0.0.1:1: connect: connection refused"
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_connections_holds() {
    let server = Party::start_with(TCP, KeyKind::Ed25519, |options| options.connections_max = 2).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let client = Party::start(TCP).await;
        // A refused connection may look established to the dialer for a moment.
        let _ = within(20, client.net.connect(&server.address())).await;
        clients.push(client);
    }
    within(10, until(|| clients.iter().filter(|client| !client.net.peers().is_empty()).count() == 2)).await;
    assert_eq!(server.net.peers().len(), 2);
    // Newcomers took the places of others; the server itself opens no more than it may.
    let other = clients.iter().find(|client| client.net.peers().is_empty()).unwrap();
    let full = within(10, server.net.connect(&other.address())).await.unwrap_err();
    assert!(matches!(full, ConnectError::Limit { .. }), "{full}");
    assert_eq!(full.kind(), Kind::Busy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_a_conflict_and_a_wild_address_is_written_out() {
    let first = Party::start("/ip4/0.0.0.0/tcp/0").await;
    first.net.listeners_settled().await;
    let addresses = first.net.listen_addresses();
    assert!(addresses.iter().any(|address| address.starts_with("/ip4/127.0.0.1/tcp/")), "{addresses:?}");
    assert!(addresses.iter().all(|address| !address.contains("/0.0.0.0/")), "{addresses:?}");
    let again = |listen: &str| {
        let mut options = NetOptions::new(Identity::generate(KeyKind::Ed25519).unwrap());
        options.listen = vec![listen.to_owned()];
        options.mdns = false;
        options
    };
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = &format!("/ip4/127.0.0.1/tcp/{}", other.local_addr().unwrap().port());
    let memory = first.memory.clone();
    let error = Net::start(again(taken), memory.clone(), memory.clone()).await.err().unwrap();
    assert!(matches!(&error, StartError::Listen { address, .. } if address == taken), "{error}");
    assert_eq!(error.kind(), Kind::Conflict);
    let error = Net::start(again("nope"), memory.clone(), memory).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_cannot_share_a_port() {
    for transport in [TCP, QUIC] {
        let first = Party::start(transport).await;
        let taken = first.net.listen_addresses()[0].clone();
        let mut options = NetOptions::new(Identity::generate(KeyKind::Ed25519).unwrap());
        options.listen = vec![taken.clone()];
        options.mdns = false;
        let start = || Net::start(options.clone(), first.memory.clone(), first.memory.clone());
        let error = start().await.err().unwrap();
        assert!(error.to_string().contains(&taken), "{error}");
        assert!(error.hint().unwrap().contains("Addresses.Swarm"));
        assert_eq!(error.kind(), Kind::Conflict);
        within(5, first.net.shutdown()).await;
        assert_eq!(start().await.unwrap().listen_addresses(), [taken]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_book_has_this_node_too() {
    let party = Party::start(TCP).await;
    assert_eq!(party.net.addresses(), [(party.net.peer_id().clone(), party.net.listen_addresses())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_shutdown_everything_says_so() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    client.connect(&server).await;
    within(5, client.net.shutdown()).await;
    within(5, until(|| server.net.peers().is_empty())).await;
    assert!(matches!(client.net.connect(&server.address()).await, Err(ConnectError::Closed)));
    assert_eq!(client.net.bitswap_stat().await, ipse_net::Stat::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_can_not_be_dialed_from_is_no_hindrance() {
    let (server, client) = (Party::start(TCP).await, Party::start(TCP).await);
    let own = client.net.listen_addresses()[0].clone();
    let port: u16 = own.rsplit('/').next().unwrap().parse().unwrap();
    // Somebody else has the port of our listener at another address of this machine.
    let _other = std::net::TcpListener::bind(("127.0.0.9", port)).unwrap();
    within(20, client.connect(&server)).await;
    within(10, until(|| server.net.peers().len() == 1)).await;
}
