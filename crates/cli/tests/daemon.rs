//! The life of a daemon: started, asked, stopped.

mod common;

use std::fs;

use common::{Home, tree};

const HELLO: &str = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
const MISSING: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

#[test]
fn it_says_where_it_listens_and_stops_when_asked() {
    let home = Home::new();
    let mut daemon = home.daemon();
    let printed = daemon.printed();
    for part in [
        "Initializing daemon...\nKubo version: 0.44.0\nRepo version: 18\n",
        "\nPeerID: 12D3Koo",
        "\nSwarm listening on 127.0.0.1:",
        "\nRPC API server listening on /ip4/127.0.0.1/tcp/",
        "\nWebUI: http://127.0.0.1:",
        "\nGateway server listening on /ip4/127.0.0.1/tcp/",
        "\nDaemon is ready\n",
    ] {
        assert!(printed.contains(part), "{part:?} is missing in {printed}");
    }
    let api = fs::read_to_string(home.repository().join("api")).unwrap();
    assert!(printed.contains(&format!("RPC API server listening on {api}\n")));
    assert!(fs::read_to_string(home.repository().join("gateway")).unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(home.ipfs(&["shutdown"]).good(), "");
    assert!(daemon.ended(), "{}", daemon.printed());
    assert!(!home.repository().join("api").exists() && !home.repository().join("gateway").exists());
}

#[test]
fn a_signal_stops_it_and_what_was_added_stays() {
    let home = Home::new();
    home.write("hello.txt", "hello world\n");
    for signal in ["INT", "TERM"] {
        let mut daemon = home.daemon();
        assert_eq!(home.ipfs(&["add", "-Q", "hello.txt"]).good(), format!("{HELLO}\n"));
        daemon.signal(signal);
        assert!(daemon.ended(), "{}", daemon.printed());
        assert!(daemon.printed().contains("Received interrupt signal, shutting down..."));
        assert_eq!(home.ipfs(&["cat", HELLO]).good(), "hello world\n");
    }
}

#[test]
fn commands_ask_it() {
    let home = Home::new();
    home.write("dir/a", "one");
    home.write("dir/sub/b", "two");
    let _daemon = home.daemon();
    let id = home.ipfs(&["id", "--format=<id>"]).good();
    assert!(id.starts_with("12D3Koo"));
    let cid = home.ipfs(&["add", "-Qr", "dir"]).good();
    home.ipfs(&["get", cid.trim(), "-o", "out"]).good();
    assert_eq!(tree(&home.path("out")), tree(&home.path("dir")));
    assert_eq!(home.ipfs(&["swarm", "peers"]).good(), "");
    assert!(home.ipfs(&["bitswap", "stat"]).good().starts_with("bitswap status\n\tblocks received: 0\n"));
    assert_eq!(home.ipfs(&["cat", "--timeout=300ms", MISSING]).bad(), "Error: context deadline exceeded\n");
    let offline = home.ipfs(&["--offline", "cat", MISSING]).bad();
    assert_eq!(
        offline,
        format!("Error: block was not found locally (offline): ipld: could not find {MISSING}\n")
    );
    let json = home.ipfs(&["repo", "version", "--enc=json"]).good();
    assert_eq!(json, "{\"Version\":\"18\"}\n");
    let refused = home.ipfs(&["init"]).bad();
    assert!(
        refused.starts_with(
            "Error: ipfs daemon is running. please stop it to run this command\nUse 'ipfs init --help'"
        ),
        "{refused}"
    );
}

#[test]
fn only_one_at_a_time() {
    let home = Home::new();
    let _daemon = home.daemon();
    let refused = home.ipfs(&["daemon"]).bad();
    let lock = home.repository().join("repo.lock");
    assert_eq!(refused, format!("Error: lock {}: someone else has the lock\n", lock.display()));
}

#[test]
fn a_killed_one_leaves_no_one_hanging() {
    let home = Home::new();
    home.write("hello.txt", "hello world\n");
    {
        let _killed = home.daemon();
        home.ipfs(&["add", "hello.txt"]).good();
    }
    assert!(home.repository().join("api").exists(), "a killed daemon removes nothing");
    assert_eq!(home.ipfs(&["cat", HELLO]).good(), "hello world\n");
    let named = home.ipfs(&["--api", "/ip4/127.0.0.1/tcp/1", "id"]).bad();
    assert!(named.starts_with("Error: cannot connect to the api. Is the daemon running?"), "{named}");
}

#[test]
fn our_own_name_makes_the_repository_by_itself() {
    let home = Home::empty();
    let daemon = home.daemon_as("ipse", &["daemon", "--init-profile=test"]);
    let printed = daemon.printed();
    assert!(printed.contains("In another terminal, type:"), "{printed}");
    home.write("hello.txt", "hello world\n");
    assert!(home.ipse(&["add", "-q", "hello.txt"]).good().starts_with("bafkrei"), "the newer profile");
}

#[test]
fn two_nodes_exchange_a_folder() {
    let (one, two) = (Home::new(), Home::new());
    let content: Vec<u8> =
        (0..3_000_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    one.write("dir/large", content);
    one.write("dir/sub/small", "small");
    let (_first, _second) = (one.daemon(), two.daemon());
    let cid = one.ipfs(&["add", "-Qr", "dir"]).good();
    let identity: String = one.ipfs(&["id", "--format=<addrs>"]).good();
    let address = identity.lines().next().unwrap();
    let peer = address.rsplit('/').next().unwrap();
    assert_eq!(two.ipfs(&["swarm", "connect", address]).good(), format!("connect {peer} success\n"));
    two.ipfs(&["get", cid.trim(), "-o", "out"]).good();
    assert_eq!(tree(&two.path("out")), tree(&one.path("dir")));
}
