//! The world: events in order of time, links, and the loop that `net` would be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use ipse_base::{Cid, PeerId, Want};
use ipse_bitswap::{
    ClientOutput, LookupToken, Message, Presence, ProtocolVersion, Received, SendFailed, SendToken,
    ServerOutput, SessionId, SessionOptions, WantType,
};

use crate::node::{Behaviour, Node};
use crate::{Random, cid, peer};

/// One direction of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) latency: Duration,
    /// Bytes a second.
    pub(crate) rate: f64,
    /// Messages in a hundred that are lost after they were written.
    pub(crate) loss_percent: u64,
    pub(crate) version: ProtocolVersion,
    /// Whether both ends say that they take many wants.
    pub(crate) roomy: bool,
}

impl Link {
    pub(crate) fn new(latency_ms: u64, rate: f64) -> Self {
        let latency = Duration::from_millis(latency_ms);
        Self { latency, rate, loss_percent: 0, version: ProtocolVersion::V1_2, roomy: false }
    }

    pub(crate) fn losing(self, loss_percent: u64) -> Self {
        Self { loss_percent, ..self }
    }

    pub(crate) fn roomy(self) -> Self {
        Self { roomy: true, ..self }
    }

    pub(crate) fn speaking(self, version: ProtocolVersion) -> Self {
        Self { version, ..self }
    }
}

struct Wire {
    link: Link,
    busy_until: Instant,
    /// Messages to lose, and to refuse, whatever the odds.
    lose: u32,
    refuse: u32,
    /// Told apart from a later connection of the same two.
    epoch: u64,
}

#[derive(Debug, Clone)]
enum Packet {
    Wants(Message),
    Answer { blocks: Vec<(Cid, u64)>, presences: Vec<Presence> },
}

enum Event {
    Arrive {
        from: usize,
        to: usize,
        epoch: u64,
        packet: Packet,
    },
    WantsWritten {
        from: usize,
        to: usize,
        epoch: u64,
        token: SendToken,
        ok: bool,
    },
    AnswerWritten {
        from: usize,
        to: usize,
        epoch: u64,
        token: SendToken,
        bytes: u64,
        ok: bool,
    },
    LookedUp {
        node: usize,
        token: LookupToken,
        sizes: Vec<Option<u64>>,
    },
    /// A part of a message is there.
    Progress {
        from: usize,
        to: usize,
        epoch: u64,
    },
    Tick(usize),
}

/// How often a receiver says that a message is arriving.
const PROGRESS: Duration = Duration::from_millis(200);

/// How long the store takes to look up.
const LOOKUP: Duration = Duration::from_micros(50);

pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    start: Instant,
    pub(crate) now: Instant,
    random: Random,
    wires: BTreeMap<(usize, usize), Wire>,
    events: BTreeMap<u64, Event>,
    order: BinaryHeap<Reverse<(Instant, u64)>>,
    next: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            nodes: Vec::new(),
            start,
            now: start,
            random: Random::new(seed),
            wires: BTreeMap::new(),
            events: BTreeMap::new(),
            order: BinaryHeap::new(),
            next: 0,
        }
    }

    pub(crate) fn node(&mut self) -> usize {
        self.node_that_is(Behaviour::Honest)
    }

    pub(crate) fn node_that_is(&mut self, behaviour: Behaviour) -> usize {
        self.nodes.push(Node::new(peer(self.nodes.len()), behaviour));
        self.nodes.len() - 1
    }

    /// A node with these blocks.
    pub(crate) fn node_with(&mut self, blocks: &[(Cid, u64)]) -> usize {
        let node = self.node();
        self.nodes[node].store.extend(blocks.iter().cloned());
        node
    }

    /// Adds blocks to a running node.
    pub(crate) fn add(&mut self, node: usize, blocks: &[(Cid, u64)]) {
        self.nodes[node].store.extend(blocks.iter().cloned());
        let cids: Vec<Cid> = blocks.iter().map(|(cid, _)| cid.clone()).collect();
        self.nodes[node].server.handle_new_blocks(blocks, self.now);
        self.nodes[node].client.handle_local_blocks(&cids, self.now);
        self.drain(node);
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize, link: &Link) {
        self.next += 1;
        for (from, to) in [(a, b), (b, a)] {
            let wire =
                Wire { link: link.clone(), busy_until: self.now, lose: 0, refuse: 0, epoch: self.next };
            self.wires.insert((from, to), wire);
            let id = self.nodes[to].id.clone();
            self.nodes[from].client.handle_connected(&id, link.version, self.now);
            if link.roomy {
                self.nodes[from].client.handle_roomy(&id, self.now);
            }
            self.drain(from);
        }
    }

    pub(crate) fn disconnect(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            self.wires.remove(&(from, to));
            let id = self.nodes[to].id.clone();
            self.nodes[from].client.handle_disconnected(&id, self.now);
            self.nodes[from].server.handle_disconnected(&id);
            self.drain(from);
        }
    }

    /// Loses the next messages of one direction after they were written.
    pub(crate) fn lose_next(&mut self, from: usize, to: usize, count: u32) {
        self.wires.get_mut(&(from, to)).unwrap().lose = count;
    }

    /// Changes how fast one direction is, for what is sent from now on.
    pub(crate) fn set_rate(&mut self, from: usize, to: usize, rate: f64) {
        self.wires.get_mut(&(from, to)).unwrap().link.rate = rate;
    }

    /// Fails the next messages of one direction.
    pub(crate) fn refuse_next(&mut self, from: usize, to: usize, count: u32) {
        self.wires.get_mut(&(from, to)).unwrap().refuse = count;
    }

    pub(crate) fn fetch(&mut self, node: usize, wants: Vec<Want>, patience: Option<Duration>) -> SessionId {
        let now = self.now;
        let client = &mut self.nodes[node].client;
        let session = client.open_session(SessionOptions { patience }, now);
        client.want(session, wants, now);
        self.drain(node);
        session
    }

    pub(crate) fn with_client(&mut self, node: usize, act: impl FnOnce(&mut ipse_bitswap::Client, Instant)) {
        act(&mut self.nodes[node].client, self.now);
        self.drain(node);
    }

    /// Time since the world began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Lets time pass until the condition holds; whether it did within the bound.
    pub(crate) fn run_until(&mut self, bound: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + bound;
        while !done(self) {
            match self.order.peek() {
                Some(Reverse((at, _))) if *at <= end => self.step(),
                _ => {
                    self.now = end;
                    return done(self);
                }
            }
        }
        true
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until the session has all blocks; how long that took.
    pub(crate) fn run_to_delivery(
        &mut self,
        node: usize,
        session: SessionId,
        count: usize,
        bound: Duration,
    ) -> Duration {
        let begin = self.elapsed();
        let done = self.run_until(bound, |world| world.delivered(node, session) >= count);
        assert!(done, "{} of {count} blocks after {:?}", self.delivered(node, session), self.elapsed());
        self.elapsed() - begin
    }

    pub(crate) fn delivered(&self, node: usize, session: SessionId) -> usize {
        self.nodes[node].delivered.get(&session).map_or(0, BTreeMap::len)
    }

    pub(crate) fn absent(&self, node: usize, session: SessionId) -> usize {
        self.nodes[node].absent.get(&session).map_or(0, BTreeMap::len)
    }

    fn step(&mut self) {
        let Some(Reverse((at, number))) = self.order.pop() else { return };
        self.now = self.now.max(at);
        let Some(event) = self.events.remove(&number) else { return };
        match event {
            Event::Arrive { from, to, epoch, packet } => {
                if self.is_open(from, to, epoch) {
                    self.arrive(from, to, packet);
                }
            }
            Event::WantsWritten { from, to, epoch, token, ok } => {
                if self.is_open(from, to, epoch) {
                    let id = self.nodes[to].id.clone();
                    self.nodes[from].client.handle_send_result(&id, token, ok, self.now);
                    self.drain(from);
                }
            }
            Event::AnswerWritten { from, to, epoch, token, bytes, ok } => {
                if self.is_open(from, to, epoch) {
                    let id = self.nodes[to].id.clone();
                    let result = if ok { Ok(bytes) } else { Err(SendFailed) };
                    self.nodes[from].server.handle_sent(&id, token, result, self.now);
                    self.drain(from);
                }
            }
            Event::LookedUp { node, token, sizes } => {
                self.nodes[node].server.handle_lookup(token, &sizes, self.now);
                self.drain(node);
            }
            Event::Progress { from, to, epoch } => {
                if self.is_open(from, to, epoch) {
                    let id = self.nodes[from].id.clone();
                    self.nodes[to].client.handle_progress(&id, self.now);
                    self.drain(to);
                }
            }
            // A tick that was moved forward leaves its old event behind.
            Event::Tick(node) if self.nodes[node].next_tick == Some(at) => self.tick(node),
            Event::Tick(_) => {}
        }
    }

    fn is_open(&self, from: usize, to: usize, epoch: u64) -> bool {
        self.wires.get(&(from, to)).is_some_and(|wire| wire.epoch == epoch)
    }

    fn tick(&mut self, node: usize) {
        let now = self.now;
        let state = &mut self.nodes[node];
        state.next_tick = None;
        state.client.handle_timeout(now);
        state.server.handle_timeout(now);
        self.drain(node);
    }

    fn arrive(&mut self, from: usize, to: usize, packet: Packet) {
        let id = self.nodes[from].id.clone();
        let now = self.now;
        match packet {
            Packet::Wants(message) => match self.nodes[to].behaviour {
                Behaviour::Honest => {
                    let node = &mut self.nodes[to];
                    node.server.handle_wantlist(&id, &message.wantlist, message.full, now);
                    node.wantlist_max = node.wantlist_max.max(node.server.wantlist(&id).len());
                }
                Behaviour::Silent => {}
                Behaviour::Liar => {
                    let junk = cid(u64::MAX - self.random.below(1 << 40));
                    self.transmit(
                        to,
                        from,
                        Packet::Answer { blocks: vec![(junk, 1000)], presences: Vec::new() },
                        1000,
                    );
                }
                Behaviour::Braggart => {
                    let haves = message.wantlist.iter().filter(|entry| !entry.cancel);
                    let presences =
                        haves.map(|entry| Presence { cid: entry.cid.clone(), have: true }).collect();
                    self.transmit(to, from, Packet::Answer { blocks: Vec::new(), presences }, 1000);
                }
            },
            Packet::Answer { blocks, presences } => self.take_answer(to, &id, &blocks, &presences),
        }
        self.drain(to);
    }

    fn take_answer(&mut self, to: usize, id: &PeerId, blocks: &[(Cid, u64)], presences: &[Presence]) {
        let now = self.now;
        let node = &mut self.nodes[to];
        let pick = |have: bool| -> Vec<Cid> {
            presences
                .iter()
                .filter(|presence| presence.have == have)
                .map(|presence| presence.cid.clone())
                .collect()
        };
        let (haves, dont_haves) = (pick(true), pick(false));
        node.client.handle_message(
            id,
            &Received { haves: &haves, dont_haves: &dont_haves, blocks: &[] },
            now,
        );
        // One by one, as the hash workers finish.
        for (cid, length) in blocks {
            *node.received_from.entry(id.clone()).or_default() += length;
            if node.client.is_wanted(cid) {
                node.store.insert(cid.clone(), *length);
                node.server.handle_new_blocks(&[(cid.clone(), *length)], now);
                node.server.handle_received(id, *length);
            }
            let one = [(cid.clone(), *length as usize)];
            node.client.handle_message(id, &Received { blocks: &one, ..Received::default() }, now);
        }
    }

    /// Does what both halves of a node ask for, as `net` would.
    fn drain(&mut self, index: usize) {
        loop {
            if let Some(output) = self.nodes[index].client.poll_output() {
                self.do_for_client(index, output);
            } else if let Some(output) = self.nodes[index].server.poll_output() {
                self.do_for_server(index, output);
            } else {
                break;
            }
        }
        let node = &mut self.nodes[index];
        let due = [node.client.poll_timeout(), node.server.poll_timeout()].into_iter().flatten().min();
        if let Some(at) = due.filter(|at| node.next_tick.is_none_or(|tick| *at < tick)) {
            node.next_tick = Some(at);
            self.schedule(at, Event::Tick(index));
        }
    }

    fn do_for_client(&mut self, index: usize, output: ClientOutput) {
        let elapsed = self.elapsed();
        match output {
            ClientOutput::Send { peer, token, message } => {
                let to = self.index(&peer);
                self.nodes[index].wantlists_sent += 1;
                let Some(wire) = self.wires.get(&(index, to)) else { return };
                let (epoch, version) = (wire.epoch, wire.link.version);
                let frame = message.encode(version).to_bytes();
                let length = frame.len() as u64;
                let read = Message::decode(frame).unwrap();
                if version != ProtocolVersion::V1_2 {
                    assert!(read.wantlist.iter().all(|entry| entry.want_type == WantType::Block));
                }
                let (at, ok) = self.transmit(index, to, Packet::Wants(read), length);
                self.schedule(at, Event::WantsWritten { from: index, to, epoch, token, ok });
            }
            ClientOutput::Deliver { session, cid } => {
                let again =
                    self.nodes[index].delivered.entry(session).or_default().insert(cid.clone(), elapsed);
                assert!(again.is_none(), "{cid} was delivered twice");
            }
            ClientOutput::Absent { session, cid, .. } => {
                self.nodes[index].absent.entry(session).or_default().insert(cid, elapsed);
            }
            ClientOutput::Drop { peer, .. } => {
                let other = self.index(&peer);
                self.nodes[index].dropped.insert(peer);
                self.disconnect(index, other);
            }
        }
    }

    fn do_for_server(&mut self, index: usize, output: ServerOutput) {
        match output {
            ServerOutput::Lookup { token, cids, .. } => {
                let sizes = cids.iter().map(|cid| self.nodes[index].store.get(cid).copied()).collect();
                self.schedule(self.now + LOOKUP, Event::LookedUp { node: index, token, sizes });
            }
            ServerOutput::Send { token, peer, blocks, presences, .. } => {
                let to = self.index(&peer);
                let Some(wire) = self.wires.get(&(index, to)) else { return };
                let (epoch, version) = (wire.epoch, wire.link.version);
                let blocks: Vec<(Cid, u64)> =
                    blocks.into_iter().map(|cid| (cid.clone(), self.nodes[index].store[&cid])).collect();
                let bytes: u64 = blocks.iter().map(|(_, length)| length).sum();
                let overhead = 48 * (blocks.len() + presences.len()) as u64;
                let presences = if version.has_presences() { presences } else { Vec::new() };
                let (at, ok) =
                    self.transmit(index, to, Packet::Answer { blocks, presences }, bytes + overhead);
                self.schedule(at, Event::AnswerWritten { from: index, to, epoch, token, bytes, ok });
            }
        }
    }

    /// Puts a message on the wire: when it is written, and whether it could be.
    fn transmit(&mut self, from: usize, to: usize, packet: Packet, length: u64) -> (Instant, bool) {
        let now = self.now;
        let shared = self.nodes[from].uplink.map(|rate| {
            let begin = self.nodes[from].uplink_busy_until.map_or(now, |busy| busy.max(now));
            begin + Duration::from_secs_f64(length as f64 / rate)
        });
        let Some(wire) = self.wires.get_mut(&(from, to)) else { return (now, false) };
        if wire.refuse > 0 {
            wire.refuse -= 1;
            return (now, false);
        }
        let begin = wire.busy_until.max(now);
        let mut written = begin + Duration::from_secs_f64(length as f64 / wire.link.rate);
        if let Some(shared) = shared {
            written = written.max(shared);
            self.nodes[from].uplink_busy_until = Some(shared);
        }
        wire.busy_until = written;
        let (epoch, latency, loss) = (wire.epoch, wire.link.latency, wire.link.loss_percent);
        let lost = if wire.lose > 0 {
            wire.lose -= 1;
            true
        } else {
            self.random.percent(loss)
        };
        if !lost {
            let mut part = begin + PROGRESS;
            while part < written {
                self.schedule(part + latency, Event::Progress { from, to, epoch });
                part += PROGRESS;
            }
            self.schedule(written + latency, Event::Arrive { from, to, epoch, packet });
        }
        (written, true)
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.next += 1;
        self.events.insert(self.next, event);
        self.order.push(Reverse((at, self.next)));
    }

    fn index(&self, id: &PeerId) -> usize {
        self.nodes.iter().position(|node| node.id == *id).unwrap()
    }
}
