//! Long paths, counted in round trips: what comes before a link is full, and what small blocks cost.

use std::time::Duration;

use ipse_base::Cid;

use crate::world::{Link, World};
use crate::{blocks, wants};

const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Bytes a second.
const RATE: f64 = 300e6;

fn link() -> Link {
    Link::new(ROUND_TRIP.as_millis() as u64 / 2, RATE)
}

/// Fetches level by level, each as soon as the one above is here, as a walk does; round trips that this took
/// beyond the time in which the link carries the bytes.
fn loss(levels: &[Vec<(Cid, u64)>], link: &Link) -> f64 {
    loss_beside(0, levels, link)
}

/// The same from a server that owes so many others as many blocks as its ledger takes from each, over links that
/// hardly move.
fn loss_beside(others: u64, levels: &[Vec<(Cid, u64)>], link: &Link) -> f64 {
    let content: Vec<(Cid, u64)> = levels.concat();
    let mut world = World::new(31);
    let server = world.node_with(&content);
    for number in 0..others {
        let wanted = blocks(100_000 * (number + 1), 4000, 4096);
        world.add(server, &wanted);
        let other = world.node();
        world.connect(other, server, &Link::new(1, 1000.0).roomy());
        world.fetch(other, wants(&wanted), None);
    }
    world.run_for(ROUND_TRIP);
    let client = world.node();
    world.connect(client, server, link);
    let begin = world.elapsed();
    let session = world.fetch(client, Vec::new(), None);
    let mut here = 0;
    for level in levels {
        here += level.len();
        world.with_client(client, |asking, now| asking.want(session, wants(level), now));
        world.run_to_delivery(client, session, here, Duration::from_secs(60));
    }
    let took = world.elapsed() - begin;
    let carried = content.iter().map(|(_, bytes)| bytes).sum::<u64>() as f64 / RATE;
    (took.as_secs_f64() - carried) / ROUND_TRIP.as_secs_f64()
}

#[test]
fn a_link_is_full_after_four_round_trips() {
    // The root, then a window that doubles: 4, 8 and 16 MiB for a link that holds 14.
    let loss = loss(&[blocks(0, 1, 50_000), blocks(1, 1024, 256 * 1024)], &link());
    assert!(loss < 4.0, "{loss}");
}

#[test]
fn small_blocks_cost_what_a_ledger_holds_each_round_trip() {
    // Root, inner nodes, and 960 leaves at a time, asked for when a quarter of them is here.
    let loss = loss(&[blocks(0, 1, 1000), blocks(1, 8, 50_000), blocks(9, 8192, 4096)], &link());
    assert!(loss < 2.0 + 8192.0 / 720.0, "{loss}");
}

#[test]
fn small_blocks_of_a_roomy_peer_cost_a_quarter() {
    let loss = loss(&[blocks(0, 1, 1000), blocks(1, 8, 50_000), blocks(9, 8192, 4096)], &link().roomy());
    assert!(loss < 2.0 + 8192.0 / 2880.0 + 1.0, "{loss}");
}

#[test]
fn a_roomy_peer_that_has_many_to_serve_costs_a_second() {
    let levels = [blocks(0, 1, 1000), blocks(1, 8, 50_000), blocks(9, 8192, 4096)];
    let loss = loss_beside(10, &levels, &link().roomy());
    // What its ledger did not take is asked for again after a second, and from then on as of any peer.
    assert!(loss < 2.0 + 20.0 + 8192.0 / 720.0 + 1.0, "{loss}");
}

#[test]
fn a_folder_of_small_files_takes_two_round_trips() {
    let loss = loss(&[blocks(0, 1, 12_000), blocks(1, 200, 4096)], &link());
    assert!(loss < 2.1, "{loss}");
}
