//! Whatever happens in whatever order, the client's books agree with each other.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use ipse_base::limits::BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX;
use ipse_base::{Cid, Codec, HashCode, Multihash, PeerId, Want};

use super::want::Standing;
use super::{Client, ClientOptions, ClientOutput, Received, SessionId, SessionOptions, Timer};
use crate::{ProtocolVersion, SendToken, WantType};

fn hash(number: u64) -> Multihash {
    Multihash::digest_of(HashCode::SHA2_256, &number.to_be_bytes()).unwrap()
}

fn cid(number: u64) -> Cid {
    Cid::v1(Codec::RAW, hash(number))
}

fn peer(number: u8) -> PeerId {
    PeerId::new(hash(u64::from(number) << 32))
}

impl Client {
    fn check_books(&self) {
        for (id, want) in &self.wants {
            self.check_want(*id, want);
        }
        assert_eq!(self.ids.len(), self.wants.len());
        assert!(self.exhausted.iter().all(|id| self.wants[id].standing == Standing::Exhausted));
        for (key, peer) in &self.peers {
            assert_eq!(peer.asked_bytes, peer.asks.values().map(|ask| ask.bytes).sum::<u64>());
            // What was asked of a peer before it turned out to be short of room stays asked.
            let most = if peer.is_short { BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX } else { peer.wants_max };
            assert!(peer.asks.len() + peer.parked.len() <= most);
            assert!(peer.unsent.iter().all(|number| peer.asks.contains_key(number)));
            for (number, ask) in &peer.asks {
                assert!(self.wants[&ask.want].asks.contains(&(*key, *number)));
                assert!(
                    !peer.cancels.contains(&self.wants[&ask.want].cid),
                    "asked for and cancelled at once"
                );
            }
            assert!(peer.parked.iter().all(|(number, id)| self.wants[id].parked.contains(&(*key, *number))));
            assert!(peer.ready.iter().all(|(_, id)| self.wants[id].standing == Standing::Ready(*key)));
            assert_eq!(self.talkers.contains(key), peer.has_something_to_say());
            assert!(peer.asks.is_empty() || peer.timer.is_some(), "an ask without a timer");
            assert!(peer.timer.is_none_or(|at| self.timers.contains(&(at, Timer::Peer(*key)))));
        }
        for (id, session) in &self.sessions {
            assert!(session.wants.iter().all(|want| self.wants[want].sessions.contains(id)));
            assert!(session.pending.iter().all(|(_, want)| self.wants[want].standing == Standing::Pending));
            assert!(session.flying.iter().all(|want| session.wants.contains(want)));
            assert!(session.deadlines.keys().all(|want| session.wants.contains(want)));
            assert!(session.providers.keys().all(|key| self.peers.contains_key(key)));
            let paid = self.peers.values().flat_map(|peer| peer.asks.values());
            let paid = paid.filter(|ask| ask.session == *id).map(|ask| ask.bytes).sum::<u64>();
            assert_eq!(session.asked_bytes, paid);
        }
    }

    fn check_want(&self, id: u64, want: &super::WantState) {
        let rank = (Reverse(want.priority), id);
        assert_eq!(self.ids[&want.cid], id);
        assert!(!want.sessions.is_empty());
        let block_asks = want.asks.iter().filter(|(key, number)| {
            let ask = &self.peers[key].asks[number];
            assert_eq!(ask.want, id);
            ask.want_type == WantType::Block
        });
        assert_eq!(block_asks.count(), want.block_asks);
        for session in &want.sessions {
            let session = &self.sessions[session];
            assert!(session.wants.contains(&id));
            assert_eq!(session.flying.contains(&id), want.block_asks > 0);
            assert_eq!(session.pending.contains(&rank), want.standing == Standing::Pending);
        }
        match want.standing {
            Standing::Pending | Standing::Ready(_) => assert_eq!(want.block_asks, 0),
            Standing::Asked => assert!(!want.asks.is_empty(), "asked of nobody"),
            Standing::Exhausted => assert!(self.exhausted.contains(&id)),
        }
        if let Standing::Ready(key) = want.standing {
            assert!(self.peers[&key].ready.contains(&rank));
        }
        for (key, number) in &want.parked {
            assert_eq!(self.peers[key].parked[number], id);
        }
    }
}

/// A client, what it waits to hear of, and a clock.
struct Bench {
    client: Client,
    now: Instant,
    sessions: Vec<SessionId>,
    sent: Vec<(PeerId, SendToken)>,
    answered: usize,
}

impl Bench {
    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Send { peer, token, message } => {
                    assert!(!message.is_empty());
                    self.sent.push((peer, token));
                }
                ClientOutput::Deliver { .. } | ClientOutput::Absent { .. } => self.answered += 1,
                ClientOutput::Drop { peer, .. } => assert!(!self.client.peers().contains(&peer)),
            }
        }
    }

    fn apply(&mut self, kind: u8, a: u8, b: u8) {
        let (now, number) = (self.now, u64::from(b % 40));
        let who = peer(a % 6);
        let client = &mut self.client;
        match kind % 16 {
            0 => {
                client.handle_connected(&who, ProtocolVersion::PREFERRED[usize::from(b) % 3], now);
                if b.is_multiple_of(2) {
                    client.handle_roomy(&who, now);
                }
            }
            1 => client.handle_disconnected(&who, now),
            2 => {
                let patience = [None, Some(Duration::ZERO), Some(Duration::from_secs(3))][usize::from(b) % 3];
                self.sessions.push(client.open_session(SessionOptions { patience }, now));
            }
            3..=5 => {
                if let Some(session) = self.sessions.get(usize::from(a) % self.sessions.len().max(1)) {
                    let wants = (number..number + 5).map(|cid_number| Want {
                        cid: cid(cid_number),
                        priority: i32::from(a) - i32::from(b),
                        size_hint: Some(u64::from(a) * 10_000),
                    });
                    client.want(*session, wants.collect(), now);
                }
            }
            6 => {
                if let Some(session) = self.sessions.get(usize::from(a) % self.sessions.len().max(1)) {
                    client.cancel(*session, &[cid(number), cid(number + 1)], now);
                }
            }
            7 => {
                if !self.sessions.is_empty() {
                    let session = self.sessions.swap_remove(usize::from(a) % self.sessions.len());
                    client.close_session(session, now);
                }
            }
            8 | 9 => {
                let blocks = [(cid(number), usize::from(a) * 100)];
                client.handle_message(&who, &Received { blocks: &blocks, ..Received::default() }, now);
            }
            10 => {
                let haves = [cid(number), cid(number + 1)];
                client.handle_message(&who, &Received { haves: &haves, ..Received::default() }, now);
            }
            11 | 12 => {
                let lacks: Vec<Cid> = (number..number + 6).map(cid).collect();
                client.handle_message(&who, &Received { dont_haves: &lacks, ..Received::default() }, now);
            }
            13 => {
                if let Some((to, token)) = self.sent.pop() {
                    client.handle_send_result(&to, token, !a.is_multiple_of(4), now);
                }
            }
            14 => {
                self.now += Duration::from_millis(u64::from(a) * u64::from(b));
                client.handle_timeout(self.now);
            }
            _ => client.handle_local_blocks(&[cid(number)], now),
        }
    }
}

#[test]
fn fuzz_books_agree_after_anything() {
    bolero::check!().with_type::<Vec<(u8, u8, u8)>>().for_each(|steps| {
        let client = Client::new(ClientOptions::default());
        let mut bench =
            Bench { client, now: Instant::now(), sessions: Vec::new(), sent: Vec::new(), answered: 0 };
        for (kind, a, b) in [(2, 0, 0), (0, 0, 0), (0, 1, 0), (3, 0, 0)].iter().chain(steps) {
            bench.apply(*kind, *a, *b);
            bench.client.check_books();
            bench.drain();
            bench.client.check_books();
        }
        // Whatever is left goes when its sessions do.
        for session in bench.sessions.clone() {
            bench.client.close_session(session, bench.now);
        }
        bench.client.check_books();
        assert_eq!((bench.client.wants.len(), bench.client.in_flight()), (0, 0));
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
    let client = Client::new(ClientOptions::default());
    let mut bench =
        Bench { client, now: Instant::now(), sessions: Vec::new(), sent: Vec::new(), answered: 0 };
    for _ in 0..20_000 {
        let (kind, a, b) = (next(), next(), next());
        bench.apply(kind, a, b);
        bench.drain();
        bench.client.check_books();
    }
    assert!(bench.answered > 1000, "{} answers", bench.answered);
}
