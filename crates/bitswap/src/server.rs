//! Server: what peers want from us, and whose turn it is.
//!
//! Path: `net` decodes a message → [`Server::handle_wantlist`] → [`ServerOutput::Lookup`] asks the node which
//! blocks are here and how long they are → [`Server::handle_lookup`] → [`ServerOutput::Send`] names what to
//! write; `net` reads the payload when the stream takes it and says [`Server::handle_sent`].
//!
//! Invariants: a peer's wants are bounded, and what one peer does never makes another's bound smaller than
//! [`WANTS_PER_PEER_MIN`]; one unfinished send a peer; a want stays in the ledger until it is answered with
//! the block or HAVE, is cancelled, or is pushed out by newer ones. Payload is never seen here.
//!
//! Why take turns by bytes: one queue in order of arrival lets a peer that asks for a thousand large blocks
//! stand in front of everybody else for minutes.

mod ledger;
mod output;
mod queue;
#[cfg(test)]
mod tests;
mod turns;
mod waiting;

pub use ledger::Ledger;
pub use output::{LookupToken, SendFailed, ServerOutput};

use std::collections::HashMap;
use std::time::Instant;

use ipse_base::limits::{BITSWAP_WANTS_PER_PEER_MAX, BITSWAP_WANTS_PER_ROOMY_PEER_MAX};
use ipse_base::{Block, Cid, PeerId};

use self::ledger::Ledgers;
use self::queue::Queue;
use self::turns::Turns;
use self::waiting::Waiting;
use crate::limits::{LOOKUP_MAX, PEERS_MAX, SENDING_BYTES_MAX, WANTS_FEW, WANTS_MAX, WANTS_PER_PEER_MIN};
use crate::{SendToken, ServerCounters, WantEntry};

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Payload that all peers' unfinished sends may hold, in bytes.
    ///
    /// Default: 32 MiB. Less makes turns finer and costs throughput over links whose bandwidth times round
    /// trip is larger; more costs memory and lets a newcomer wait longer.
    pub sending_bytes_max: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { sending_bytes_max: SENDING_BYTES_MAX }
    }
}

/// The serving half of the exchange. See the module for the calling order.
#[derive(Debug)]
pub struct Server {
    peers: HashMap<PeerId, Queue>,
    turns: Turns,
    waiting: Waiting,
    ledgers: Ledgers,
    /// Lookups that the node has not answered.
    lookups: HashMap<LookupToken, (PeerId, Vec<Cid>)>,
    next_token: u64,
    now: Option<Instant>,
    counters: ServerCounters,
}

impl Server {
    /// A server without peers.
    pub fn new(options: ServerOptions) -> Self {
        Self {
            peers: HashMap::new(),
            turns: Turns::new(options.sending_bytes_max),
            waiting: Waiting::default(),
            ledgers: Ledgers::default(),
            lookups: HashMap::new(),
            next_token: 0,
            now: None,
            counters: ServerCounters::default(),
        }
    }

    /// Takes a peer's wants and cancels. `full` replaces what the peer wanted before.
    pub fn handle_wantlist(&mut self, peer: &PeerId, entries: &[WantEntry], full: bool, now: Instant) {
        self.now = Some(now);
        self.counters.messages_received += 1;
        if entries.is_empty() && !full {
            return;
        }
        self.ledgers.touch(peer);
        if !self.peers.contains_key(peer) {
            if self.peers.len() >= PEERS_MAX {
                self.counters.wants_dropped += entries.len() as u64;
                return;
            }
            self.peers.insert(peer.clone(), Queue::new(peer.clone()));
        }
        let bound = self.bound();
        let Some(queue) = self.peers.get_mut(peer) else { return };
        if full {
            queue.clear(&mut self.waiting);
        }
        // Cancels first: boxo and Helia put them beside new wants, for which they make room.
        for entry in entries.iter().filter(|entry| entry.cancel) {
            queue.cancel(&entry.cid, &mut self.waiting);
        }
        for entry in entries.iter().filter(|entry| !entry.cancel && !entry.cid.is_identity()) {
            self.counters.wants_dropped += queue.want(entry, bound, &mut self.waiting);
            // The empty block is here by definition; no store has to be asked.
            if Block::implied_by(&entry.cid).is_some() {
                queue.found(&entry.cid, 0, &mut self.waiting);
            }
        }
        self.turns.update(queue);
    }

    /// How many wants a peer may have: more than what all peers of the network expect while there are few in all.
    fn bound(&self) -> usize {
        if self.peers.values().map(Queue::len).sum::<usize>() < WANTS_FEW {
            return BITSWAP_WANTS_PER_ROOMY_PEER_MAX;
        }
        (WANTS_MAX / self.peers.len().max(1)).clamp(WANTS_PER_PEER_MIN, BITSWAP_WANTS_PER_PEER_MAX)
    }

    /// Tells which blocks became available, by arrival or by being added, and how long they are.
    pub fn handle_new_blocks(&mut self, blocks: &[(Cid, u64)], now: Instant) {
        self.now = Some(now);
        for (cid, length) in blocks {
            for peer in self.waiting.peers(cid) {
                if let Some(queue) = self.peers.get_mut(&peer) {
                    queue.found(cid, *length, &mut self.waiting);
                    self.turns.update(queue);
                }
            }
        }
    }

    /// Takes the answer to a [`ServerOutput::Lookup`]: the lengths in the order of its Cids, `None` for what
    /// is not here. Missing answers count as not here.
    pub fn handle_lookup(&mut self, token: LookupToken, lengths: &[Option<u64>], now: Instant) {
        self.now = Some(now);
        let Some((peer, cids)) = self.lookups.remove(&token) else { return };
        let Some(queue) = self.peers.get_mut(&peer) else { return };
        let answers = lengths.iter().copied().chain(std::iter::repeat(None));
        for (cid, length) in cids.iter().zip(answers) {
            queue.looked_up(cid, token, length, &mut self.waiting);
        }
        queue.lookup_done(token);
        self.turns.update(queue);
    }

    /// Tells that a send's stream has taken all of it (with the payload bytes written), or that it failed.
    pub fn handle_sent(
        &mut self,
        peer: &PeerId,
        token: SendToken,
        result: Result<u64, SendFailed>,
        now: Instant,
    ) {
        self.now = Some(now);
        let Some(queue) = self.peers.get_mut(peer) else { return };
        let Some(sending) = queue.finish(token, result.is_ok(), &mut self.waiting) else { return };
        self.turns.finished(queue, &sending);
        if let Ok(bytes) = result {
            self.counters.blocks_sent += sending.blocks.len() as u64;
            self.counters.bytes_sent += bytes;
            if !sending.blocks.is_empty() {
                self.ledgers.sent(peer, bytes);
            }
        }
        self.drop_if_unused(peer);
    }

    /// Tells that blocks of an unfinished send are gone from the store: they are answered as not here.
    pub fn handle_missing(&mut self, peer: &PeerId, cids: &[Cid]) {
        if let Some(queue) = self.peers.get_mut(peer) {
            for cid in cids {
                queue.missing(cid, &mut self.waiting);
            }
            self.turns.update(queue);
        }
    }

    /// Notes payload that a peer sent us and that was of use.
    pub fn handle_received(&mut self, peer: &PeerId, bytes: u64) {
        self.ledgers.received(peer, bytes);
    }

    /// Forgets what a peer wanted. Its ledger stays.
    pub fn handle_disconnected(&mut self, peer: &PeerId) {
        if let Some(mut queue) = self.peers.remove(peer) {
            queue.clear(&mut self.waiting);
            self.turns.forget(&mut queue);
        }
    }

    /// When [`Server::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.turns.poll_timeout()
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = Some(now);
        self.turns.handle_timeout(now);
    }

    /// What to do next; `None` until something else is handled.
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        self.poll_lookup().or_else(|| self.poll_presences()).or_else(|| self.poll_blocks())
    }

    fn poll_lookup(&mut self) -> Option<ServerOutput> {
        while let Some(peer) = self.turns.next_lookup(&mut self.peers) {
            let Some(queue) = self.peers.get_mut(&peer) else { continue };
            let token = LookupToken(self.next_token);
            self.next_token += 1;
            let cids = queue.start_lookup(token, LOOKUP_MAX);
            if cids.is_empty() {
                continue;
            }
            self.lookups.insert(token, (peer.clone(), cids.clone()));
            return Some(ServerOutput::Lookup { token, peer, cids });
        }
        None
    }

    /// Word of what is here is small and what the other side plans by, so it waits for nobody's bytes.
    fn poll_presences(&mut self) -> Option<ServerOutput> {
        while let Some(peer) = self.turns.next_presences(&mut self.peers) {
            let Some(queue) = self.peers.get_mut(&peer) else { continue };
            if queue.has_presences() && !queue.is_sending() {
                let token = SendToken(self.next_token);
                self.next_token += 1;
                return Some(queue.start_send(token, 0));
            }
        }
        None
    }

    fn poll_blocks(&mut self) -> Option<ServerOutput> {
        let (peer, count) = self.turns.next_sender(&mut self.peers)?;
        let queue = self.peers.get_mut(&peer)?;
        let token = SendToken(self.next_token);
        self.next_token += 1;
        let send = queue.start_send(token, count);
        self.turns.started(token, queue.sending().map_or(0, |sending| sending.bytes), self.now);
        Some(send)
    }

    /// A queue without wants holds nothing worth keeping, and peers without one don't count for the bound.
    fn drop_if_unused(&mut self, peer: &PeerId) {
        let unused = self.peers.get(peer).is_some_and(|queue| queue.is_unused());
        if unused {
            self.peers.remove(peer);
        }
    }

    /// Bytes and messages exchanged with a peer, also after it left, as long as it is remembered.
    pub fn ledger(&self, peer: &PeerId) -> Ledger {
        self.ledgers.get(peer)
    }

    /// What a peer wants and has not got.
    pub fn wantlist(&self, peer: &PeerId) -> Vec<Cid> {
        self.peers.get(peer).map(Queue::cids).unwrap_or_default()
    }

    /// Totals since the start.
    pub fn counters(&self) -> ServerCounters {
        self.counters.clone()
    }
}
