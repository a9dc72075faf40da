//! Whatever peers send in whatever order, the server's books agree with each other.

use std::time::{Duration, Instant};

use ipse_base::{Cid, Codec, HashCode, Multihash, PeerId};

use super::{LookupToken, SendFailed, Server, ServerOptions, ServerOutput};
use crate::{SendToken, WantEntry, WantType};

fn cid(number: u8) -> Cid {
    Cid::v1(Codec::RAW, Multihash::digest_of(HashCode::SHA2_256, &[number, 1]).unwrap())
}

fn peer(number: u8) -> PeerId {
    PeerId::new(Multihash::digest_of(HashCode::SHA2_256, &[number]).unwrap())
}

fn length(number: u8) -> u64 {
    u64::from(number) * 20_000
}

/// A server and what it waits to hear of.
struct Bench {
    server: Server,
    now: Instant,
    lookups: Vec<(LookupToken, usize)>,
    sends: Vec<(PeerId, SendToken)>,
    served: usize,
}

impl Bench {
    fn apply(&mut self, kind: u8, a: u8, b: u8) {
        let (who, now) = (peer(a % 5), self.now);
        match kind % 10 {
            0..=3 => {
                let entry = |offset: u8| WantEntry {
                    cid: cid((b.wrapping_add(offset)) % 30),
                    priority: i32::from(a),
                    cancel: kind & 0x40 != 0 && offset.is_multiple_of(2),
                    want_type: if a & 0x10 == 0 { WantType::Block } else { WantType::Have },
                    send_dont_have: b & 1 == 0,
                };
                let entries: Vec<_> = (0..b % 8).map(entry).collect();
                self.server.handle_wantlist(&who, &entries, kind & 0x80 != 0 && a & 7 == 0, now);
            }
            4 | 5 => {
                if let Some((token, count)) = self.lookups.pop() {
                    let lengths: Vec<_> =
                        (0..count as u8).map(|index| (index & 1 == a & 1).then(|| length(index))).collect();
                    self.server.handle_lookup(token, &lengths, now);
                }
            }
            6 | 7 => {
                if let Some((to, token)) = self.sends.pop() {
                    let result = if a.is_multiple_of(5) { Err(SendFailed) } else { Ok(u64::from(b)) };
                    self.server.handle_sent(&to, token, result, now);
                }
            }
            8 => self.server.handle_new_blocks(&[(cid(b % 30), length(a))], now),
            _ if a & 7 == 0 => self.server.handle_disconnected(&who),
            _ if a & 7 == 1 => self.server.handle_missing(&who, &[cid(b % 30)]),
            _ => {
                self.now += Duration::from_millis(u64::from(b) * 8);
                self.server.handle_timeout(self.now);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                ServerOutput::Lookup { token, cids, .. } => self.lookups.push((token, cids.len())),
                ServerOutput::Send { token, peer, blocks, presences, .. } => {
                    assert!(!blocks.is_empty() || !presences.is_empty());
                    assert!(self.server.peers[&peer].is_sending());
                    self.served += blocks.len();
                    self.sends.push((peer, token));
                }
            }
        }
        for queue in self.server.peers.values() {
            queue.check(&self.server.waiting);
            self.server.turns.check(queue);
        }
    }
}

#[test]
fn fuzz_books_agree_after_anything() {
    bolero::check!().with_type::<Vec<(u8, u8, u8)>>().for_each(|steps| {
        let server = Server::new(ServerOptions::default());
        let mut bench =
            Bench { server, now: Instant::now(), lookups: Vec::new(), sends: Vec::new(), served: 0 };
        for (kind, a, b) in steps {
            bench.apply(*kind, *a, *b);
            bench.drain();
        }
        for number in 0..5 {
            bench.server.handle_disconnected(&peer(number));
        }
        assert!(bench.server.waiting.is_empty());
        assert!(bench.server.turns.is_empty());
        assert_eq!(bench.server.poll_output(), None);
    });
}

#[test]
fn a_long_random_life() {
    let mut seed = 88_172_645_463_325_252u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 24) as u8
    };
    let server = Server::new(ServerOptions::default());
    let mut bench = Bench { server, now: Instant::now(), lookups: Vec::new(), sends: Vec::new(), served: 0 };
    for _ in 0..50_000 {
        let (kind, a, b) = (next(), next(), next());
        bench.apply(kind, a, b);
        bench.drain();
    }
    assert!(bench.served > 1000, "{} blocks served", bench.served);
}
