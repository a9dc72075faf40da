//! Peers of one local network find each other. The network is a namespace whose one interface leads nowhere, made
//! for this test; where that is not permitted the test says so and does nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, missing_docs, reason = "tests")]

mod support;

use std::process::Command;

use ipse_net::KeyKind;
use support::{Party, until, within};

/// Set inside of the namespace.
const INSIDE: &str = "IPSE_TEST_NAMESPACE";
/// Loopback is the only interface that every kernel has. Multicast DNS passes over loopback addresses, so it gets
/// another one.
const SETUP: &str = "ip link set lo up multicast on && ip addr add 192.0.2.1/24 dev lo \
    && ip route add 224.0.0.0/4 dev lo";

fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", script, "sh"]);
    command
}

#[test]
fn two_nodes_find_each_other() {
    let permitted = in_namespace(SETUP).output().is_ok_and(|done| done.status.success());
    if !permitted {
        println!("SKIP two_nodes_find_each_other: no network namespace can be made here");
        return;
    }
    let done = in_namespace(&format!("{SETUP} && exec \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "inside_of_the_namespace", "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "two_nodes_find_each_other runs it in a network of its own"]
async fn inside_of_the_namespace() {
    // Multicast packets must not leave the test.
    assert!(std::env::var_os(INSIDE).is_some(), "run two_nodes_find_each_other instead");
    let start = || Party::start_with("/ip4/0.0.0.0/tcp/0", KeyKind::Ed25519, |options| options.mdns = true);
    let (one, two) = (start().await, start().await);
    let sees = |from: &Party, to: &Party| from.net.peers().iter().any(|line| line.peer == *to.net.peer_id());
    within(20, until(|| sees(&one, &two) && sees(&two, &one))).await;
}
