//! What is promised about slow, silent and greedy peers, with the figures of the promise.

use std::time::Duration;

use crate::world::{Link, World};
use crate::{blocks, wants};

const MINUTE: Duration = Duration::from_secs(60);
const KIB: u64 = 1024;

#[test]
fn three_peers_at_one_two_and_four_give_most_of_their_sum() {
    for (seed, length, count) in [(60, 256 * KIB, 2000), (61, 1024 * KIB, 500), (62, 4 * KIB, 60_000)] {
        let content = blocks(0, count, length);
        let mut world = World::new(seed);
        let client = world.node();
        for rate in [10e6, 20e6, 40e6] {
            let server = world.node_with(&content);
            world.connect(client, server, &Link::new(20, rate));
        }
        let session = world.fetch(client, wants(&content), None);
        let took = world.run_to_delivery(client, session, content.len(), MINUTE);
        // What a block costs on the wire beside its payload counts for the links too.
        let share = (count * (length + 48)) as f64 / took.as_secs_f64() / 70e6;
        assert!(share >= 0.85, "{length}: {share} of the sum");
        let counters = world.nodes[client].client.counters();
        let twice = counters.duplicate_bytes as f64 / counters.bytes_received as f64;
        assert!(twice <= 0.03, "{length}: {twice} came twice");
    }
}

#[test]
fn a_slow_peer_that_answers_first_does_not_serve_alone() {
    let (root, content) = (blocks(5000, 1, 200), blocks(0, 1000, 256 * KIB));
    let all = [&root[..], &content].concat();
    let mut world = World::new(65);
    let client = world.node();
    // The slow one is near: it has sent the root before the others have said whether they have it.
    for (latency, rate) in [(1, 10e6), (20, 20e6), (20, 40e6)] {
        let server = world.node_with(&all);
        world.connect(client, server, &Link::new(latency, rate));
    }
    let session = world.fetch(client, wants(&root), None);
    world.run_to_delivery(client, session, 1, MINUTE);
    world.with_client(client, |client, now| client.want(session, wants(&content), now));
    let took = world.run_to_delivery(client, session, all.len(), MINUTE);
    let share = (256 * KIB * 1000) as f64 / took.as_secs_f64() / 70e6;
    assert!(share >= 0.85, "{share} of the sum");
}

#[test]
fn one_of_three_that_falls_silent_costs_a_second_at_most() {
    let content = blocks(0, 2000, 256 * KIB);
    for quiet in 0..3 {
        let mut world = World::new(63);
        let client = world.node();
        let rates = [10e6, 20e6, 40e6];
        let servers = rates.map(|rate| {
            let server = world.node_with(&content);
            world.connect(client, server, &Link::new(20, rate));
            server
        });
        let session = world.fetch(client, wants(&content), None);
        world.run_until(MINUTE, |world| world.delivered(client, session) >= 1000);
        let left = (content.len() - world.delivered(client, session)) as f64 * 256.0 * 1024.0;
        world.lose_next(servers[quiet], client, u32::MAX);
        let took = world.run_to_delivery(client, session, content.len(), MINUTE);
        let others: f64 = 70e6 - rates[quiet];
        let cost = took.as_secs_f64() - left / (others * 0.85);
        assert!(cost <= 1.0, "{cost} s over the time that the others need, without {}", rates[quiet]);
    }
}

#[test]
fn fifty_greedy_peers_get_equal_shares_and_a_newcomer_its_block() {
    // 1,024 wants each, all the time, over an uplink that takes ten seconds for a tenth of them.
    let content = blocks(0, 1024, 256 * KIB);
    let mut world = World::new(64);
    let server = world.node_with(&content);
    world.nodes[server].uplink = Some(250e6);
    let greedy: Vec<usize> = (0..50).map(|_| world.node()).collect();
    for client in &greedy {
        world.connect(*client, server, &Link::new(10, 1e9));
        world.fetch(*client, wants(&content), None);
    }
    world.run_for(Duration::from_secs(2));
    let server_id = world.nodes[server].id.clone();
    let bytes = |world: &World| -> Vec<u64> {
        greedy.iter().map(|client| world.nodes[*client].bytes_from(&server_id)).collect()
    };
    let before = bytes(&world);
    world.run_for(Duration::from_secs(10));
    let shares: Vec<u64> = bytes(&world).iter().zip(&before).map(|(after, before)| after - before).collect();
    let equal = shares.iter().sum::<u64>() / 50;
    let worst = shares.iter().map(|share| share.abs_diff(equal)).max().unwrap_or(0);
    assert!(worst <= equal / 5, "{worst} of {equal} bytes away from an equal share");

    let newcomer = world.node();
    world.connect(newcomer, server, &Link::new(10, 1e9));
    let session = world.fetch(newcomer, wants(&content[..1]), None);
    let took = world.run_to_delivery(newcomer, session, 1, MINUTE);
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn a_session_that_lags_is_sent_no_more_than_is_on_its_way() {
    let content = blocks(0, 2000, 256 * KIB);
    let mut world = World::new(65);
    let server = world.node_with(&content);
    let client = world.node();
    world.connect(client, server, &Link::new(20, 100e6));
    let session = world.fetch(client, wants(&content), None);
    world.run_until(MINUTE, |world| world.delivered(client, session) >= 500);
    world.with_client(client, |client, now| client.pause(session, true, now));
    world.run_for(Duration::from_secs(5));
    let stopped = world.delivered(client, session);
    // Twice 100 MB/s for 40 ms are 8 MB: 31 blocks.
    assert!(stopped < 560, "{stopped}");
    assert_eq!(world.nodes[client].client.in_flight(), 0);
    world.with_client(client, |client, now| client.pause(session, false, now));
    world.run_to_delivery(client, session, content.len(), MINUTE);
}
