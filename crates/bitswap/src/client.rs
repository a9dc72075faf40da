//! Client: what this node wants, from whom it is asked, and when again.
//!
//! Path: a walk hands wants to a session of `net` → [`Client::want`] → [`ClientOutput::Send`] → the peers' answers,
//! blocks hashed, come back through [`Client::handle_message`] → [`ClientOutput::Deliver`].
//!
//! A session's first wants go as want-block to the peer that should be quickest and as want-have to the others;
//! from then on only those who have the content are asked, each for as much as its window takes. DONT_HAVE and
//! silence move a want to the next peer, and when everyone has said no the session's patience decides.
//!
//! Invariants: a want stands in exactly one place ([`Standing`](want::Standing)); a peer has at most
//! 960 wants of ours in its ledger, or four times as many if it says that it takes them; every unanswered ask has
//! a timer; one unfinished message a peer, and no message waits for anything else. No operation looks at all wants:
//! each is a few steps in ordered maps.
//!
//! Why windows and not one queue a peer: a peer that is asked for everything at once drops what is over its
//! limit, and what it was asked for can't be asked of a quicker one.

mod asking;
mod dispatch;
mod idle;
mod meter;
mod output;
mod peer;
mod receive;
mod recent;
mod session;
#[cfg(test)]
mod tests;
mod timeout;
mod want;

pub use output::{ClientOutput, DropReason, Received, SessionId, SessionOptions};

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use ipse_base::limits::{BITSWAP_CID_BYTES_MAX, BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX};
use ipse_base::{AbsentReason, Block, Cid, PeerId, Want};

use self::peer::{Outgoing, Peer, PeerKey};
use self::recent::Recent;
use self::session::Session;
use self::timeout::Timer;
use self::want::{WantId, WantState};
use crate::limits::{CANCELS_BESIDE_WANTS_MAX, ENTRIES_PER_SEND_MAX, PEERS_MAX};
use crate::{ClientCounters, Message, ProtocolVersion, SendToken, WantEntry, WantType};

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Longest pause before all peers are asked again for a block that nobody had, while a session waits for
    /// it. The first pause is two seconds, each further one twice as long.
    ///
    /// Default: 30 s, as the reference node. Peers that keep wants tell by themselves when they get the block,
    /// so less helps only with those that forget, and costs every peer a lookup each time.
    pub ask_all_again: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { ask_all_again: crate::limits::ASK_ALL_AGAIN }
    }
}

/// The asking half of the exchange. See the module for the way through it.
///
/// How much it holds is bounded by the peers and by what the sessions' walks want at once.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    peers: BTreeMap<PeerKey, Peer>,
    keys: HashMap<PeerId, PeerKey>,
    wants: HashMap<WantId, WantState>,
    ids: HashMap<Cid, WantId>,
    /// Wants that every peer said no to.
    exhausted: BTreeSet<WantId>,
    sessions: BTreeMap<SessionId, Session>,
    recent: Recent,
    timers: BTreeSet<(Instant, Timer)>,
    /// Peers with something to say whose stream is free.
    talkers: BTreeSet<PeerKey>,
    outputs: VecDeque<ClientOutput>,
    /// Whether anything happened that lets more be asked.
    dirty: bool,
    /// Whether the timer for asking everybody again is set.
    asking_all: bool,
    ask_all_after: Duration,
    next_number: u64,
    counters: ClientCounters,
}

impl Client {
    /// A client without peers and sessions.
    pub fn new(options: ClientOptions) -> Self {
        Self {
            ask_all_after: crate::limits::ASK_ALL_FIRST.min(options.ask_all_again),
            options,
            peers: BTreeMap::new(),
            keys: HashMap::new(),
            wants: HashMap::new(),
            ids: HashMap::new(),
            exhausted: BTreeSet::new(),
            sessions: BTreeMap::new(),
            recent: Recent::default(),
            timers: BTreeSet::new(),
            talkers: BTreeSet::new(),
            outputs: VecDeque::new(),
            dirty: false,
            asking_all: false,
            next_number: 0,
            counters: ClientCounters::default(),
        }
    }

    /// A peer can be asked from now on. Told again, it corrects the version.
    pub fn handle_connected(&mut self, peer: &PeerId, version: ProtocolVersion, now: Instant) {
        if let Some(known) = self.keys.get(peer).and_then(|key| self.peers.get_mut(key)) {
            known.version = version;
            return;
        }
        if self.peers.len() >= PEERS_MAX {
            return;
        }
        let key = PeerKey(self.number());
        self.keys.insert(peer.clone(), key);
        self.peers.insert(key, Peer::new(peer.clone(), version, now));
        self.introduce(key, now);
        self.dispatch(now);
    }

    /// A connected peer says that its ledger takes more wants than usual
    /// ([`BITSWAP_ROOMY_PROTOCOL`](ipse_base::limits::BITSWAP_ROOMY_PROTOCOL)). One that loses wants all the same
    /// gets no more than any other.
    pub fn handle_roomy(&mut self, peer: &PeerId, now: Instant) {
        let Some(known) = self.keys.get(peer).and_then(|key| self.peers.get_mut(key)) else { return };
        if known.is_short || known.wants_max == BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX {
            return;
        }
        known.wants_max = BITSWAP_WANTS_SENT_PER_ROOMY_PEER_MAX;
        known.filling = true;
        self.dirty = true;
        self.dispatch(now);
    }

    /// A peer can't be asked any more. What it was asked for is asked of others.
    pub fn handle_disconnected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(key) = self.keys.get(peer).copied() {
            self.disconnect(key, now);
            self.dispatch(now);
        }
    }

    /// A round trip that was measured by other means, such as a ping.
    pub fn handle_rtt(&mut self, peer: &PeerId, round_trip: Duration) {
        if let Some(known) = self.keys.get(peer).and_then(|key| self.peers.get_mut(key)) {
            known.meter.answered(round_trip);
        }
    }

    /// Opens a session.
    pub fn open_session(&mut self, options: SessionOptions, _now: Instant) -> SessionId {
        let id = SessionId(self.number());
        self.sessions.insert(id, Session::new(options));
        id
    }

    /// Adds wants to a session. A block that is wanted already keeps its place and takes the higher priority.
    pub fn want(&mut self, session: SessionId, wants: Vec<Want>, now: Instant) {
        if !self.sessions.contains_key(&session) {
            return;
        }
        for want in wants {
            // Neither is ever asked of a peer: the first follow from their names, the others nobody takes.
            if Block::implied_by(&want.cid).is_some() {
                self.outputs.push_back(ClientOutput::Deliver { session, cid: want.cid });
            } else if want.cid.to_bytes().len() > BITSWAP_CID_BYTES_MAX
                || !want.cid.hash().code().is_computable()
            {
                let reason = AbsentReason::Failed;
                self.outputs.push_back(ClientOutput::Absent { session, cid: want.cid, reason });
            } else {
                self.add_want(session, want, now);
            }
        }
        self.dispatch(now);
    }

    /// Takes wants of a session back; unknown ones are ignored.
    pub fn cancel(&mut self, session: SessionId, cids: &[Cid], now: Instant) {
        for cid in cids {
            if let Some(id) = self.ids.get(cid).copied() {
                self.leave(session, id);
            }
        }
        self.dispatch(now);
    }

    /// Tells that a session's walk lags, or lags no longer. Meanwhile nothing more is asked for on its account;
    /// what is asked for already comes.
    pub fn pause(&mut self, session: SessionId, paused: bool, now: Instant) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.paused = paused;
            self.dirty |= !paused;
        }
        self.dispatch(now);
    }

    /// Ends a session and takes back all that it wants.
    pub fn close_session(&mut self, session: SessionId, now: Instant) {
        let wants = self.sessions.get(&session).map(|session| session.wants.clone()).unwrap_or_default();
        wants.into_iter().for_each(|id| self.leave(session, id));
        self.sessions.remove(&session);
        self.dispatch(now);
    }

    /// Whether any session wants the block. What nobody wants must not be kept.
    pub fn is_wanted(&self, cid: &Cid) -> bool {
        self.ids.contains_key(cid)
    }

    /// Takes what a peer's message said.
    pub fn handle_message(&mut self, peer: &PeerId, received: &Received<'_>, now: Instant) {
        let Some(key) = self.keys.get(peer).copied() else { return };
        self.hear(key, now);
        for (cid, length) in received.blocks {
            self.take_block(key, cid, *length as u64, now);
        }
        for cid in received.haves {
            self.take_have(key, cid, now);
        }
        for cid in received.dont_haves {
            self.take_dont_have(key, cid, now);
        }
        self.dispatch(now);
    }

    /// Bytes of a message arrive that is not complete: over a slow link one block may take seconds, and a peer that
    /// is sending is not silent.
    pub fn handle_progress(&mut self, peer: &PeerId, now: Instant) {
        if let Some(key) = self.keys.get(peer).copied() {
            self.hear(key, now);
            self.dispatch(now);
        }
    }

    /// A peer sent something that is not what it says: a block that can't be hashed, a malformed message.
    pub fn handle_bad_block(&mut self, peer: &PeerId, now: Instant) {
        if let Some(key) = self.keys.get(peer).copied() {
            self.strike(key, now);
            self.dispatch(now);
        }
    }

    /// Blocks came from elsewhere, such as an import: sessions that want them have them.
    pub fn handle_local_blocks(&mut self, cids: &[Cid], now: Instant) {
        for cid in cids {
            if let Some(id) = self.ids.get(cid).copied() {
                self.deliver(id);
                self.finish_want(id, None);
            }
        }
        self.dispatch(now);
    }

    /// Tells whether a message was written. What a failed one said is said again.
    pub fn handle_send_result(&mut self, peer: &PeerId, token: SendToken, ok: bool, now: Instant) {
        let Some(key) = self.keys.get(peer).copied() else { return };
        let Some(known) = self.peers.get_mut(&key) else { return };
        let Some(outgoing) = known.outgoing.take_if(|outgoing| outgoing.token == token) else { return };
        known.sent(ok, now);
        for number in outgoing.asks {
            match known.asks.get_mut(&number) {
                Some(ask) if ok => ask.at = now,
                Some(_) => {
                    known.unsent.insert(number);
                    self.counters.wants_repeated += 1;
                }
                None => {}
            }
        }
        if !ok {
            let asked_again = |cid: &Cid| {
                self.ids
                    .get(cid)
                    .and_then(|id| self.wants.get(id))
                    .is_some_and(|want| want.ask_of(key).is_some())
            };
            known.cancels.extend(outgoing.cancels.into_iter().filter(|cid| !asked_again(cid)));
        }
        if let Some(until) = known.paused_until {
            self.arm(key, until);
        }
        self.note(key);
    }

    /// When [`Client::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Lets time pass: asks again for what is overdue, and gives up on what nobody has.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, timer));
                break;
            }
            self.fire(timer, now);
        }
        self.dispatch(now);
    }

    /// What to do next; `None` until something else is handled.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let key = self.talkers.pop_first()?;
        self.compose(key)
    }

    /// Makes a peer's next message.
    fn compose(&mut self, key: PeerKey) -> Option<ClientOutput> {
        let token = SendToken(self.number());
        let peer = self.peers.get_mut(&key)?;
        let mut cancels = Vec::new();
        while cancels.len() < ENTRIES_PER_SEND_MAX / 2 {
            let Some(cid) = peer.cancels.pop_first() else { break };
            cancels.push(cid);
        }
        let mut asks = Vec::new();
        if cancels.len() <= CANCELS_BESIDE_WANTS_MAX {
            while asks.len() < ENTRIES_PER_SEND_MAX / 2 {
                let Some(number) = peer.unsent.pop_first() else { break };
                asks.push(number);
            }
        }
        let wants = asks.iter().filter_map(|number| {
            let ask = peer.asks.get(number)?;
            let want = self.wants.get(&ask.want)?;
            let (cid, priority) = (want.cid.clone(), want.priority);
            Some(match ask.want_type {
                WantType::Block => WantEntry::block(cid, priority),
                WantType::Have => WantEntry::have(cid, priority),
            })
        });
        let wantlist: Vec<_> = wants.chain(cancels.iter().cloned().map(WantEntry::cancel)).collect();
        self.counters.messages_sent += 1;
        self.counters.wants_sent += asks.len() as u64;
        self.counters.cancels_sent += cancels.len() as u64;
        let message = Message { wantlist, full: peer.is_new, ..Message::default() };
        peer.outgoing = Some(Outgoing { token, asks, cancels });
        Some(ClientOutput::Send { peer: peer.id.clone(), token, message })
    }

    /// All blocks wanted.
    pub fn wantlist(&self) -> Vec<Cid> {
        let mut ids: Vec<_> = self.wants.iter().collect();
        ids.sort_unstable_by_key(|(id, _)| **id);
        ids.into_iter().map(|(_, want)| want.cid.clone()).collect()
    }

    /// All peers that can be asked.
    pub fn peers(&self) -> Vec<PeerId> {
        self.peers.values().map(|peer| peer.id.clone()).collect()
    }

    /// Totals since the start.
    pub fn counters(&self) -> ClientCounters {
        self.counters.clone()
    }

    /// Wants that are asked of someone and not answered.
    pub fn in_flight(&self) -> usize {
        self.peers.values().map(|peer| peer.asks.len()).sum()
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}
