//! Nodes with a network, on loopback.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use ipse_node::{InitOptions, Node, OpenOptions};
use serde_json::json;

async fn open(root: &std::path::Path) -> Node {
    Node::open(root, OpenOptions { online: true, ..OpenOptions::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_peer_is_connected() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    for root in [&first, &second] {
        Node::init(root, InitOptions { profiles: "test".into(), ..InitOptions::default() }).unwrap();
    }
    let named = open(&first).await;
    let address = named.listen_addresses().unwrap().swap_remove(0);
    let offline = Node::open(&second, OpenOptions::default()).await.unwrap();
    let peers = json!([{ "ID": named.peer_id().to_string(), "Addrs": [address] }]);
    offline.change_config(|config| config.set("Peering.Peers", peers)).unwrap();
    offline.shutdown().await.unwrap();
    drop(offline);

    let node = open(&second).await;
    let connected = async {
        while node.peers().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), connected).await.unwrap();
    assert_eq!(node.peers().unwrap()[0].peer, *named.peer_id());
    node.shutdown().await.unwrap();
    named.shutdown().await.unwrap();
}
