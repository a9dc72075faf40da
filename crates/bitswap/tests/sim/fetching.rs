//! Everything works: how quickly, from whom, at what cost.

use std::time::Duration;

use ipse_bitswap::{ProtocolVersion, WantType};

use crate::node::Behaviour;
use crate::world::{Link, World};
use crate::{Random, blocks, wants};

const MIB: u64 = 1024 * 1024;
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn twenty_thousand_small_blocks_take_few_round_trips() {
    for (latency_ms, most) in [
        (0, Duration::from_millis(700)),
        (25, Duration::from_millis(1500)),
        (100, Duration::from_millis(5600)),
    ] {
        let content = blocks(0, 20_000, 4096);
        let mut world = World::new(1);
        let server = world.node_with(&content);
        let client = world.node();
        world.connect(client, server, &Link::new(latency_ms, 500e6));
        let session = world.fetch(client, wants(&content), None);
        let took = world.run_to_delivery(client, session, content.len(), MINUTE);
        // 960 wants a round trip is what a public peer allows: 20.8 round trips.
        assert!(took < most, "{latency_ms} ms: {took:?}");
        assert!(world.nodes[client].wantlists_sent < 150, "{} wantlists", world.nodes[client].wantlists_sent);
        assert!(world.nodes[server].wantlist_max <= 960, "{}", world.nodes[server].wantlist_max);
        assert_eq!(world.nodes[server].server.counters().wants_dropped, 0);
        assert_eq!(world.nodes[client].client.counters().duplicate_blocks, 0);
    }
}

#[test]
fn a_long_link_is_filled() {
    let content = blocks(0, 4096, 256 * 1024);
    let mut world = World::new(2);
    let server = world.node_with(&content);
    let client = world.node();
    world.connect(client, server, &Link::new(25, 600e6));
    let session = world.fetch(client, wants(&content), None);
    let took = world.run_to_delivery(client, session, content.len(), MINUTE);
    let limit = Duration::from_secs_f64(1024.0 * MIB as f64 / 600e6);
    assert!(took < limit.mul_f64(1.25), "{took:?}, the link takes {limit:?}");
    assert_eq!(world.nodes[client].client.counters().duplicate_blocks, 0);
}

#[test]
fn blocks_arrive_in_read_order() {
    let content = blocks(0, 2000, 64 * 1024);
    let mut world = World::new(3);
    let server = world.node_with(&content);
    let client = world.node();
    world.connect(client, server, &Link::new(10, 100e6));
    let session = world.fetch(client, wants(&content), None);
    world.run_to_delivery(client, session, content.len(), MINUTE);
    let times: Vec<Duration> =
        content.iter().map(|(cid, _)| world.nodes[client].delivered[&session][cid]).collect();
    assert!(times.is_sorted(), "with one peer nothing overtakes what is read sooner");
}

/// A client and providers of the same content with these rates; the share of each and the time.
fn shares(rates: &[f64], count: u64, length: u64) -> (Vec<f64>, Duration, f64) {
    let content = blocks(0, count, length);
    let mut world = World::new(4);
    let client = world.node();
    for rate in rates {
        let server = world.node_with(&content);
        world.connect(client, server, &Link::new(10, *rate));
    }
    let session = world.fetch(client, wants(&content), None);
    let took = world.run_to_delivery(client, session, content.len(), MINUTE);
    let total = (count * length) as f64;
    let node = &world.nodes[client];
    let share = |server: usize| node.bytes_from(&world.nodes[server].id) as f64 / total;
    let counters = node.client.counters();
    ((1..=rates.len()).map(share).collect(), took, counters.duplicate_bytes as f64 / total)
}

#[test]
fn three_peers_share_the_load() {
    let (shares, took, duplicates) = shares(&[50e6; 3], 2000, 256 * 1024);
    assert!(shares.iter().all(|share| (0.25..0.42).contains(share)), "{shares:?}");
    let limit = Duration::from_secs_f64(2000.0 * 262_144.0 / 150e6);
    assert!(took < limit.mul_f64(1.2), "{took:?} of {limit:?}");
    assert!(duplicates < 0.02, "{duplicates}");
}

#[test]
fn each_peer_gives_what_it_can() {
    let (shares, took, duplicates) = shares(&[100e6, 20e6, 5e6], 2000, 256 * 1024);
    assert!((0.7..0.9).contains(&shares[0]), "{shares:?}");
    assert!((0.1..0.25).contains(&shares[1]), "{shares:?}");
    assert!((0.01..0.09).contains(&shares[2]), "{shares:?}");
    let limit = Duration::from_secs_f64(2000.0 * 262_144.0 / 125e6);
    assert!(took < limit.mul_f64(1.3), "{took:?} of {limit:?}");
    assert!(duplicates < 0.05, "{duplicates}");
}

#[test]
fn a_quick_peer_takes_over_what_a_slow_one_has_not_begun() {
    let (shares, took, duplicates) = shares(&[100e6, 0.5e6], 5000, 4096);
    assert!(took < Duration::from_millis(800), "{took:?}");
    assert!(shares[1] < 0.05 && duplicates < 0.02, "{shares:?}, {duplicates} twice");
}

#[test]
fn a_window_that_shrank_grows_again() {
    let content = blocks(0, 1040, 300_000);
    let mut world = World::new(13);
    let server = world.node_with(&content);
    let client = world.node();
    world.connect(client, server, &Link::new(70, 1.5e6));
    let session = world.fetch(client, wants(&content), None);
    world.run_until(MINUTE, |world| world.delivered(client, session) >= 40);
    world.set_rate(server, client, 200e6);
    let took = world.run_to_delivery(client, session, 1040, MINUTE);
    assert!(took < Duration::from_secs(4), "{took:?}: 1,000 blocks take 1.5 s once the window is open");
}

#[test]
fn a_peer_with_half_of_the_content_gives_its_half() {
    let content = blocks(0, 1000, 64 * 1024);
    let mut world = World::new(5);
    let client = world.node();
    let halves = content.split_at(500);
    for half in [halves.0, halves.1] {
        let server = world.node_with(half);
        world.connect(client, server, &Link::new(10, 50e6));
    }
    let session = world.fetch(client, wants(&content), None);
    let took = world.run_to_delivery(client, session, 1000, MINUTE);
    assert!(took < Duration::from_secs(3), "{took:?}");
    let node = &world.nodes[client];
    for server in [1, 2] {
        assert_eq!(node.bytes_from(&world.nodes[server].id), 500 * 64 * 1024);
    }
}

#[test]
fn the_right_one_of_many_peers_is_found_in_two_round_trips() {
    let content = blocks(0, 500, 10_000);
    let mut world = World::new(6);
    let client = world.node();
    for _ in 0..40 {
        let other = world.node();
        world.connect(client, other, &Link::new(25, 100e6));
    }
    let server = world.node_with(&content);
    world.connect(client, server, &Link::new(25, 100e6));
    let session = world.fetch(client, wants(&content), None);
    let took = world.run_to_delivery(client, session, 500, MINUTE);
    assert!(took < Duration::from_millis(400), "{took:?}");
    // The forty that have nothing are asked about the first wants and not about all five hundred.
    let asked = world.nodes[client].client.counters().wants_sent;
    assert!(asked < 500 + 42 * 40, "{asked} wants sent");
}

#[test]
fn one_block_for_two_sessions_is_fetched_once_and_delivered_twice() {
    let content = blocks(0, 100, 50_000);
    let mut world = World::new(7);
    let server = world.node_with(&content);
    let client = world.node();
    world.connect(client, server, &Link::new(5, 50e6));
    let first = world.fetch(client, wants(&content), None);
    let second = world.fetch(client, wants(&content[50..]), None);
    world.run_to_delivery(client, first, 100, MINUTE);
    world.run_to_delivery(client, second, 50, MINUTE);
    assert_eq!(world.nodes[client].client.counters().blocks_received, 100);
}

#[test]
fn a_cancelled_want_leaves_every_ledger() {
    let content = blocks(0, 200, 1_000_000);
    let mut world = World::new(8);
    let servers = [world.node_with(&content), world.node_with(&content), world.node()];
    let client = world.node();
    for server in servers {
        world.connect(client, server, &Link::new(20, 10e6));
    }
    let session = world.fetch(client, wants(&content), None);
    world.run_until(MINUTE, |world| world.delivered(client, session) >= 10);
    world.with_client(client, |client, now| client.close_session(session, now));
    // Long enough for the cancels, and too short for what had been asked for.
    world.run_for(Duration::from_millis(60));
    let id = world.nodes[client].id.clone();
    for server in servers {
        assert_eq!(world.nodes[server].server.wantlist(&id), []);
    }
    world.run_for(Duration::from_secs(2));
    let node = &world.nodes[client];
    assert_eq!((node.client.in_flight(), node.client.wantlist().len()), (0, 0));
    // What was on its way is a duplicate and no reason to drop anyone.
    assert!(node.dropped.is_empty());
    assert_eq!(node.client.counters().bad_blocks, 0);
}

#[test]
fn peers_of_older_versions_give_what_they_have() {
    for version in [ProtocolVersion::V1_1, ProtocolVersion::V1_2] {
        let content = blocks(0, 300, 20_000);
        let mut world = World::new(9);
        let client = world.node();
        let server = world.node_with(&content);
        world.connect(client, server, &Link::new(20, 50e6).speaking(version));
        let session = world.fetch(client, wants(&content), None);
        let took = world.run_to_delivery(client, session, 300, MINUTE);
        assert!(took < Duration::from_secs(1), "{version:?}: {took:?}");
    }
}

#[test]
fn an_old_peer_without_the_block_is_passed_over_in_time() {
    let content = blocks(0, 300, 20_000);
    let mut world = World::new(10);
    let client = world.node();
    for _ in 0..2 {
        let old = world.node();
        world.connect(client, old, &Link::new(1, 50e6).speaking(ProtocolVersion::V1_1));
    }
    let server = world.node_with(&content);
    world.connect(client, server, &Link::new(20, 50e6));
    let session = world.fetch(client, wants(&content), None);
    let took = world.run_to_delivery(client, session, 300, MINUTE);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn random_worlds_all_get_everything() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let content = blocks(0, 200 + random.below(300), 1 + random.below(300_000));
        let mut world = World::new(seed);
        let client = world.node();
        let servers = 2 + random.below(4) as usize;
        for server in 1..=servers {
            // Every block is somewhere: the first peer has all of them, the others a random part.
            let part = random.below(100);
            let held: Vec<_> =
                content.iter().filter(|_| server == 1 || random.percent(part)).cloned().collect();
            let server = world.node_with(&held);
            let link =
                Link::new(random.below(80), 5e6 + random.below(100) as f64 * 1e6).losing(random.below(4));
            world.connect(client, server, &link);
        }
        if random.percent(50) {
            let silent = world.node_that_is(Behaviour::Silent);
            world.connect(client, silent, &Link::new(1, 1e9));
        }
        let session = world.fetch(client, wants(&content), None);
        world.run_to_delivery(client, session, content.len(), MINUTE * 3);
        let client = &world.nodes[client].client;
        assert_eq!((client.in_flight(), client.wantlist().len()), (0, 0), "seed {seed}");
        let counters = client.counters();
        let share = counters.duplicate_blocks as f64 / counters.blocks_received as f64;
        assert!(share < 0.2, "seed {seed}: {share} duplicates");
    }
}

/// Time of this machine, and not of the world's clock, that a fetch of small blocks takes, for each block.
fn work_per_block(count: u64) -> Duration {
    let content = blocks(0, count, 4096);
    let mut world = World::new(12);
    let server = world.node_with(&content);
    let client = world.node();
    world.connect(client, server, &Link::new(1, 1e9));
    let begin = std::time::Instant::now();
    let session = world.fetch(client, wants(&content), None);
    world.run_to_delivery(client, session, content.len(), MINUTE);
    begin.elapsed() / count as u32
}

#[test]
fn a_hundred_thousand_wants_cost_little_more_each_than_five_thousand() {
    let few = (0..3).map(|_| work_per_block(5000)).min().unwrap();
    let many = work_per_block(100_000);
    // Anything that looks at all wants for each message would be twenty times slower.
    assert!(many < few * 6, "{few:?} and {many:?} a block");
}

#[test]
fn first_wants_ask_one_for_the_block_and_the_others_whether_they_have_it() {
    let content = blocks(0, 1, 50_000);
    let mut world = World::new(11);
    let client = world.node();
    for _ in 0..3 {
        let server = world.node();
        world.connect(client, server, &Link::new(10, 1e6));
    }
    let mut kinds = Vec::new();
    world.with_client(client, |client, now| {
        let session = client.open_session(Default::default(), now);
        client.want(session, wants(&content), now);
        while let Some(output) = client.poll_output() {
            if let ipse_bitswap::ClientOutput::Send { message, .. } = output {
                assert!(message.full, "the first wantlist replaces whatever the peer remembers");
                kinds.extend(message.wantlist.iter().map(|entry| entry.want_type));
            }
        }
    });
    kinds.sort();
    assert_eq!(kinds, [WantType::Block, WantType::Have, WantType::Have]);
}
