//! The serving half under load: bounds, turns, first answers.

use std::time::{Duration, Instant};

use ipse_base::{
    Block, Cid, Codec, HashCode,
    limits::{BITSWAP_WANTS_PER_PEER_MAX, BITSWAP_WANTS_PER_ROOMY_PEER_MAX},
};
use ipse_bitswap::{Server, ServerOptions, ServerOutput, WantEntry};

use crate::world::{Link, World};
use crate::{blocks, cid, peer, wants};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn fifty_greedy_peers_share_evenly_and_a_newcomer_is_answered_at_once() {
    let content = blocks(0, 2000, 256 * 1024);
    let mut world = World::new(40);
    let server = world.node_with(&content);
    world.nodes[server].uplink = Some(1e9);
    let greedy: Vec<usize> = (0..50).map(|_| world.node()).collect();
    let mut sessions = Vec::new();
    for client in &greedy {
        world.connect(*client, server, &Link::new(1, 1e9));
        sessions.push(world.fetch(*client, wants(&content), None));
    }
    world.run_for(Duration::from_secs(3));
    let shares: Vec<usize> =
        greedy.iter().zip(&sessions).map(|(node, id)| world.delivered(*node, *id)).collect();
    let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
    assert!(*least > 100 && *most - *least <= most / 10 + 2, "{least} to {most} blocks");

    let newcomer = world.node();
    world.connect(newcomer, server, &Link::new(1, 1e9));
    let session = world.fetch(newcomer, wants(&content[..1]), None);
    let took = world.run_to_delivery(newcomer, session, 1, MINUTE);
    assert!(took < Duration::from_millis(50), "{took:?}");
}

#[test]
fn turns_are_worth_bytes_and_not_blocks() {
    // Two megabytes on their way at most: it is always somebody's turn.
    let mut desk = Desk::with(ServerOptions { sending_bytes_max: 2 * 1024 * 1024 });
    let large: Vec<Cid> = (0..100).map(cid).collect();
    let large_wants: Vec<_> = large.iter().map(|name| WantEntry::block(name.clone(), 1)).collect();
    let small_wants: Vec<_> = (1000..2000).map(|number| WantEntry::block(cid(number), 1)).collect();
    let length = |name: &Cid| if large.contains(name) { 2 * 1024 * 1024 } else { 4096 };
    let mut bytes = [0u64; 2];
    while bytes.iter().sum::<u64>() < 200 * 1024 * 1024 {
        desk.ask(0, &large_wants);
        desk.ask(1, &small_wants);
        for send in desk.look_up(|name| Some(length(name))) {
            let ServerOutput::Send { peer: to, .. } = &send else { panic!("a send") };
            let from = usize::from(*to == peer(1));
            bytes[from] += desk.finish(send).0.iter().map(length).sum::<u64>();
        }
    }
    let share = bytes[0] as f64 / (bytes[0] + bytes[1]) as f64;
    assert!((0.45..0.55).contains(&share), "{share} for the one with large blocks");
}

#[test]
fn a_peer_that_reads_nothing_does_not_hold_others_up() {
    let content = blocks(0, 500, 1024 * 1024);
    let mut world = World::new(42);
    let server = world.node_with(&content);
    for _ in 0..40 {
        let stuck = world.node();
        world.connect(stuck, server, &Link::new(1, 1.0));
        world.fetch(stuck, wants(&content), None);
    }
    world.run_for(Duration::from_secs(2));
    let client = world.node();
    world.connect(client, server, &Link::new(1, 100e6));
    let session = world.fetch(client, wants(&content[..100]), None);
    let took = world.run_to_delivery(client, session, 100, MINUTE);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn time_without_wants_is_not_saved_up() {
    let mut desk = Desk::with(ServerOptions { sending_bytes_max: 1024 * 1024 });
    let wants: Vec<_> = (0..900).map(|number| WantEntry::block(cid(number), 1)).collect();
    let length = 1024 * 1024;
    desk.ask(0, &wants);
    for _ in 0..500 {
        let send = desk.look_up(|_| Some(length)).remove(0);
        desk.finish(send);
    }
    desk.ask(1, &wants);
    let mut turns = [0u32; 2];
    for _ in 0..20 {
        let send = desk.look_up(|_| Some(length)).remove(0);
        let ServerOutput::Send { peer: to, .. } = &send else { panic!("a send") };
        turns[usize::from(*to == peer(1))] += 1;
        desk.finish(send);
    }
    assert!(turns[0] >= 9 && turns[1] >= 9, "{turns:?}");
}

/// A server, driven by hand.
struct Desk {
    server: Server,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        Self::with(ServerOptions::default())
    }

    fn with(options: ServerOptions) -> Self {
        Self { server: Server::new(options), now: Instant::now() }
    }

    fn ask(&mut self, from: usize, entries: &[WantEntry]) {
        self.server.handle_wantlist(&peer(from), entries, false, self.now);
    }

    /// Answers all lookups: what is here has this length.
    fn look_up(&mut self, length: impl Fn(&Cid) -> Option<u64>) -> Vec<ServerOutput> {
        let mut sends = Vec::new();
        while let Some(output) = self.server.poll_output() {
            match output {
                ServerOutput::Lookup { token, cids, .. } => {
                    let lengths: Vec<_> = cids.iter().map(&length).collect();
                    self.server.handle_lookup(token, &lengths, self.now);
                }
                send => sends.push(send),
            }
        }
        sends
    }

    /// Finishes a message and returns its blocks and presences.
    fn finish(&mut self, output: ServerOutput) -> (Vec<Cid>, Vec<(Cid, bool)>) {
        let ServerOutput::Send { token, peer, blocks, presences, .. } = output else { panic!("a send") };
        self.server.handle_sent(&peer, token, Ok(blocks.len() as u64), self.now);
        (blocks, presences.into_iter().map(|presence| (presence.cid, presence.have)).collect())
    }
}

#[test]
fn a_flood_of_wants_is_bounded() {
    let mut desk = Desk::new();
    for round in 0..100u64 {
        let entries: Vec<_> = (0..1000).map(|index| WantEntry::block(cid(round * 1000 + index), 5)).collect();
        desk.ask(1, &entries);
        assert!(desk.server.wantlist(&peer(1)).len() <= BITSWAP_WANTS_PER_ROOMY_PEER_MAX);
    }
    assert_eq!(desk.server.counters().wants_dropped, 100_000 - BITSWAP_WANTS_PER_ROOMY_PEER_MAX as u64);
    // The newest are there and not the oldest: a peer that forgot to cancel still gets what it wants now.
    let wantlist = desk.server.wantlist(&peer(1));
    assert!(wantlist.contains(&cid(99_999)) && !wantlist.contains(&cid(0)));
    desk.ask(2, &[WantEntry::block(cid(7), 1)]);
    let sends = desk.look_up(|_| Some(5));
    assert!(sends.iter().any(|send| matches!(send, ServerOutput::Send { peer: to, .. } if *to == peer(2))));
}

#[test]
fn a_peer_among_many_has_the_usual_number() {
    let mut desk = Desk::new();
    for number in 1..=100u64 {
        let base = number * 10_000;
        let entries: Vec<_> = (0..4096).map(|index| WantEntry::block(cid(base + index), 5)).collect();
        desk.ask(number as usize, &entries);
    }
    let all: Vec<usize> = (1..=100).map(|number| desk.server.wantlist(&peer(number)).len()).collect();
    assert!(all[..8].iter().all(|&wants| wants == BITSWAP_WANTS_PER_ROOMY_PEER_MAX), "{all:?}");
    assert!(all[8..].iter().all(|&wants| wants == BITSWAP_WANTS_PER_PEER_MAX), "{all:?}");
}

#[test]
fn wants_and_cancels_without_end_leave_nothing() {
    let mut desk = Desk::new();
    for number in 0..50_000 {
        desk.ask(1, &[WantEntry::block(cid(number), 1)]);
        desk.ask(1, &[WantEntry::cancel(cid(number))]);
    }
    assert_eq!(desk.server.wantlist(&peer(1)), []);
    assert_eq!(desk.look_up(|_| Some(5)), []);
}

#[test]
fn the_least_urgent_is_pushed_out_and_what_is_not_here_first_of_all() {
    let mut desk = Desk::new();
    let absent: Vec<_> = (0..10).map(|number| WantEntry::block(cid(number), i32::MAX)).collect();
    desk.ask(1, &absent);
    let sends = desk.look_up(|_| None);
    let said = sends.into_iter().map(|send| desk.finish(send).1.len()).sum::<usize>();
    assert_eq!(said, 10);
    let most = BITSWAP_WANTS_PER_ROOMY_PEER_MAX as u64;
    let fill: Vec<_> =
        (100..100 + most - 10).map(|number| WantEntry::block(cid(number), number as i32)).collect();
    desk.ask(1, &fill);
    desk.ask(1, &(20_000..20_010).map(|number| WantEntry::block(cid(number), 10_000)).collect::<Vec<_>>());
    let wantlist = desk.server.wantlist(&peer(1));
    assert!((0..10).all(|number| !wantlist.contains(&cid(number))));
    assert!((100..90 + most).all(|number| wantlist.contains(&cid(number))));
    desk.ask(1, &[WantEntry::block(cid(30_000), 101), WantEntry::block(cid(30_001), 0)]);
    let wantlist = desk.server.wantlist(&peer(1));
    assert!(
        !wantlist.contains(&cid(100)) && wantlist.contains(&cid(30_000)) && !wantlist.contains(&cid(30_001))
    );
}

#[test]
fn answers_are_the_ones_asked_for() {
    let mut desk = Desk::new();
    let quiet = WantEntry { send_dont_have: false, ..WantEntry::block(cid(4), 1) };
    let entries = [
        WantEntry::have(cid(1), 9),
        WantEntry::have(cid(2), 8),
        WantEntry::block(cid(3), 7),
        quiet,
        WantEntry::have(cid(5), 6),
    ];
    desk.ask(1, &entries);
    let length = |name: &Cid| match name {
        name if *name == cid(1) => Some(1025),
        name if *name == cid(2) => Some(1024),
        name if *name == cid(5) => Some(50_000),
        _ => None,
    };
    let sends = desk.look_up(length);
    let (mut blocks, mut presences) = (Vec::new(), Vec::new());
    for send in sends {
        let sent = desk.finish(send);
        blocks.extend(sent.0);
        presences.extend(sent.1);
    }
    while let Some(send) = desk.server.poll_output() {
        blocks.extend(desk.finish(send).0);
    }
    // A block of a kilobyte costs less than a second round trip, so it comes in place of HAVE.
    assert_eq!(blocks, [cid(2)]);
    assert_eq!(presences, [(cid(1), true), (cid(3), false), (cid(5), true)]);
    // What is not here stays wanted, asked for with or without word of it, and is served when it comes.
    let mut wantlist = desk.server.wantlist(&peer(1));
    wantlist.sort();
    let mut expected = [cid(3), cid(4)];
    expected.sort();
    assert_eq!(wantlist, expected);
    desk.server.handle_new_blocks(&[(cid(3), 10), (cid(4), 10)], desk.now);
    let send = desk.server.poll_output().unwrap();
    assert_eq!(desk.finish(send).0, [cid(3), cid(4)]);
    assert_eq!(desk.server.wantlist(&peer(1)), []);
}

#[test]
fn a_block_that_comes_during_its_lookup_is_served() {
    let mut desk = Desk::new();
    desk.ask(1, &[WantEntry::block(cid(1), 1)]);
    let Some(ServerOutput::Lookup { token, .. }) = desk.server.poll_output() else { panic!("a lookup") };
    desk.server.handle_new_blocks(&[(cid(1), 10)], desk.now);
    desk.server.handle_lookup(token, &[None], desk.now);
    let send = desk.server.poll_output().unwrap();
    assert_eq!(desk.finish(send), (vec![cid(1)], vec![]));
}

#[test]
fn presences_do_not_wait_for_anyones_bytes() {
    let mut desk = Desk::new();
    // Sixteen peers take all that may be on its way at once.
    for from in 0..16 {
        let entries: Vec<_> = (0..4).map(|number| WantEntry::block(cid(from * 10 + number), 1)).collect();
        desk.ask(from as usize, &entries);
    }
    let sends = desk.look_up(|_| Some(2 * 1024 * 1024));
    assert_eq!(sends.len(), 16, "32 MiB");
    desk.ask(100, &[WantEntry::block(cid(1), 1), WantEntry::have(cid(2), 1)]);
    let sends = desk.look_up(|_| Some(2 * 1024 * 1024));
    assert_eq!(sends.len(), 1);
    assert_eq!(desk.finish(sends.into_iter().next().unwrap()), (vec![], vec![(cid(2), true)]));
    // Peers that take nothing for a second stop to count.
    desk.now += Duration::from_secs(1);
    assert_eq!(desk.server.poll_timeout(), Some(desk.now));
    desk.server.handle_timeout(desk.now);
    let send = desk.server.poll_output().unwrap();
    assert_eq!(desk.finish(send).0, [cid(1)]);
}

#[test]
fn messages_are_one_large_block_or_many_small_ones() {
    let mut desk = Desk::new();
    let small: Vec<_> = (0..200).map(|number| WantEntry::block(cid(number), 5)).collect();
    desk.ask(1, &small);
    let sends = desk.look_up(|_| Some(4096));
    let ServerOutput::Send { blocks, pending_bytes, .. } = &sends[0] else { panic!("a send") };
    assert_eq!((sends.len(), blocks.len()), (1, 64));
    assert_eq!(*pending_bytes, 136 * 4096);
    desk.ask(2, &small[..3]);
    let sends = desk.look_up(|_| Some(300_000));
    let ServerOutput::Send { blocks, .. } = &sends[0] else { panic!("a send") };
    assert_eq!(blocks, &[cid(0)]);
}

#[test]
fn urgent_blocks_go_first_and_want_block_outdoes_want_have() {
    let mut desk = Desk::new();
    desk.ask(1, &[WantEntry::have(cid(1), 1), WantEntry::block(cid(2), 2), WantEntry::block(cid(3), 9)]);
    desk.ask(1, &[WantEntry::block(cid(1), 20)]);
    let mut order = Vec::new();
    let mut sends = desk.look_up(|_| Some(400_000));
    while let Some(send) = sends.pop().or_else(|| desk.server.poll_output()) {
        order.extend(desk.finish(send).0);
    }
    assert_eq!(order, [cid(1), cid(3), cid(2)]);
}

#[test]
fn the_empty_block_is_served_and_needs_no_store() {
    let mut desk = Desk::new();
    let empty = Block::hash(Codec::RAW, HashCode::SHA2_256, "".into()).unwrap().cid().clone();
    desk.ask(1, &[WantEntry::block(empty.clone(), 1)]);
    let send = desk.server.poll_output().unwrap();
    assert_eq!(desk.finish(send).0, [empty]);
}

#[test]
fn a_full_wantlist_replaces_and_a_missing_block_is_owned_up_to() {
    let mut desk = Desk::new();
    desk.ask(1, &[WantEntry::block(cid(1), 1), WantEntry::block(cid(2), 1)]);
    desk.server.handle_wantlist(&peer(1), &[WantEntry::block(cid(3), 1)], true, desk.now);
    assert_eq!(desk.server.wantlist(&peer(1)), [cid(3)]);
    let send = desk.look_up(|_| Some(9)).remove(0);
    desk.server.handle_missing(&peer(1), &[cid(3)]);
    assert_eq!(desk.finish(send).0, [cid(3)]);
    let send = desk.server.poll_output().unwrap();
    assert_eq!(desk.finish(send), (vec![], vec![(cid(3), false)]));
}

#[test]
fn ledgers_count_both_directions_and_outlive_the_connection() {
    let content = blocks(0, 10, 1000);
    let mut world = World::new(43);
    let server = world.node_with(&content);
    let client = world.node();
    world.connect(client, server, &Link::new(1, 1e9));
    let session = world.fetch(client, wants(&content), None);
    world.run_to_delivery(client, session, 10, MINUTE);
    world.run_for(Duration::from_secs(1));
    world.disconnect(client, server);
    let given = world.nodes[server].server.ledger(&world.nodes[client].id);
    let taken = world.nodes[client].server.ledger(&world.nodes[server].id);
    assert_eq!((given.sent, given.received, taken.received), (10_000, 0, 10_000));
    assert_eq!(given.debt_ratio(), 10_000.0);
    assert!(given.exchanges >= 1);
}
