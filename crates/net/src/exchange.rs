//! The exchange: one task that owns the two values that speak bitswap, and sees names and lengths only.
//!
//! In: events of the connections and of the hash threads, requests of sessions, time. Out: messages laid into
//! links, lookups for the blocking pool, word to sessions. The task never waits for any of them, which is what
//! lets everybody else wait for the task: its queue of events is bounded, and connections stop reading when it
//! is full.

mod links;
mod sessions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ipse_base::{Cid, LocalBlocks, PeerId};
use ipse_bitswap::{
    Client, ClientOptions, ClientOutput, LookupToken, Message, Presence, ProtocolVersion, Received,
    SendFailed, Server, ServerOptions, ServerOutput, WantEntry,
};
use libp2p::swarm::ConnectionId;
use tokio::sync::{mpsc, oneshot};

use self::links::Links;
use self::sessions::OpenSessions;
use crate::link::{Job, Link, Token};
use crate::session::{Request, Sessions};
use crate::swarm::Command;

/// Events that wait for the task.
pub(crate) const EVENTS_MAX: usize = 1024;
/// Wants that are taken in before what follows from them is done.
const WANTS_PER_TURN: usize = 2048;
/// How long the task sleeps when the engine has no timer.
const NO_TIMER: Duration = Duration::from_secs(3600);

/// Looks at the engine from outside.
pub(crate) type Inspection = Box<dyn FnOnce(&Client, &Server) + Send>;

/// A block that arrived.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) cid: Cid,
    pub(crate) bytes: usize,
    /// Whether it was wanted and is visible now.
    pub(crate) kept: bool,
}

/// What the task is told.
pub(crate) enum Event {
    /// A connection's peer speaks bitswap, and perhaps says that it takes many wants.
    Up { link: Arc<Link>, version: ProtocolVersion, roomy: bool },
    /// A connection has ended.
    Down { peer: PeerId, connection: ConnectionId },
    /// A peer's wants.
    Wantlist { peer: PeerId, entries: Vec<WantEntry>, full: bool },
    /// A peer's blocks and word of what it has.
    Received { peer: PeerId, blocks: Vec<Taken>, presences: Vec<Presence> },
    /// A peer sent payload that is no block, or a frame that is no message.
    Unusable { peer: PeerId },
    /// A message of a peer is still arriving.
    Progress { peer: PeerId },
    /// A round trip to a peer was measured.
    RoundTrip { peer: PeerId, taken: Duration },
    /// A message is being written (with the payload's bytes), or could not be.
    Sent { peer: PeerId, token: Token, bytes: Option<u64> },
    /// Blocks of an answer are not here any more.
    Missing { peer: PeerId, cids: Vec<Cid> },
    /// A lookup of what a peer wants is done.
    LookedUp { peer: PeerId, token: LookupToken, lengths: Vec<Option<u64>> },
    /// Somebody wants to look.
    Inspect(Inspection),
}

impl Event {
    /// Wants of a peer that it brings.
    fn wants(&self) -> usize {
        if let Self::Wantlist { entries, .. } = self { entries.len() } else { 0 }
    }
}

/// See the module.
pub(crate) struct Exchange {
    client: Client,
    server: Server,
    links: Links,
    open: OpenSessions,
    shared: Arc<Sessions>,
    local: Arc<dyn LocalBlocks>,
    /// Whether wants of peers are answered.
    serve: bool,
    /// For the lookups' answers.
    events: mpsc::WeakSender<Event>,
    commands: mpsc::WeakSender<Command>,
}

impl Exchange {
    pub(crate) fn new(
        shared: Arc<Sessions>,
        serve: bool,
        events: mpsc::WeakSender<Event>,
        commands: mpsc::WeakSender<Command>,
    ) -> Self {
        Self {
            client: Client::new(ClientOptions::default()),
            server: Server::new(ServerOptions::default()),
            links: Links::default(),
            open: OpenSessions::default(),
            local: shared.local.clone(),
            shared,
            serve,
            events,
            commands,
        }
    }

    /// Runs until nobody can tell it anything any more.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let shared = self.shared.clone();
        let mut timer = std::pin::pin!(tokio::time::sleep(NO_TIMER));
        loop {
            let deadline = self.deadline();
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle(event, Instant::now()),
                    None => return,
                },
                () = shared.requested() => {}
                () = &mut timer => {
                    let now = Instant::now();
                    self.client.handle_timeout(now);
                    self.server.handle_timeout(now);
                }
            }
            // After the events, so that what arrived for a session is counted before the session ends.
            let now = Instant::now();
            let mut wants = 0;
            for _ in 0..EVENTS_MAX {
                let Ok(event) = events.try_recv() else { break };
                wants += event.wants();
                self.handle(event, now);
                if wants > WANTS_PER_TURN {
                    break;
                }
            }
            for session in self.open.lagging() {
                self.shared.counters.pauses.one();
                self.client.pause(session, true, now);
            }
            shared.take_requests().into_iter().for_each(|request| self.obey(request, now));
            self.act();
        }
    }

    fn deadline(&self) -> tokio::time::Instant {
        let timers = [self.client.poll_timeout(), self.server.poll_timeout()];
        let next = timers.into_iter().flatten().min();
        next.unwrap_or_else(|| Instant::now() + NO_TIMER).into()
    }

    fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Up { link, version, roomy } => {
                let peer = link.peer.clone();
                if self.links.up(link, version) {
                    self.client.handle_connected(&peer, version, now);
                }
                if roomy {
                    self.client.handle_roomy(&peer, now);
                }
            }
            Event::Down { peer, connection } => self.down(&peer, connection, now),
            Event::Wantlist { peer, entries, full } if self.serve => {
                self.server.handle_wantlist(&peer, &entries, full, now);
            }
            Event::Wantlist { .. } => {}
            Event::Received { peer, blocks, presences } => self.received(&peer, &blocks, presences, now),
            Event::Unusable { peer } => self.client.handle_bad_block(&peer, now),
            Event::Progress { peer } => self.client.handle_progress(&peer, now),
            Event::RoundTrip { peer, taken } => self.client.handle_rtt(&peer, taken),
            Event::Sent { peer, token, bytes } => {
                self.links.sent(token);
                self.sent(&peer, token, bytes, now);
            }
            Event::Missing { peer, cids } => self.server.handle_missing(&peer, &cids),
            Event::LookedUp { peer, token, lengths } => {
                let misses = lengths.iter().filter(|length| length.is_none()).count();
                self.links.missed(&peer, misses as u64);
                self.server.handle_lookup(token, &lengths, now);
            }
            Event::Inspect(inspection) => inspection(&self.client, &self.server),
        }
    }

    fn down(&mut self, peer: &PeerId, connection: ConnectionId, now: Instant) {
        let lost = self.links.down(peer, connection);
        if self.links.has(peer) {
            lost.into_iter().for_each(|token| self.sent(peer, token, None, now));
        } else {
            self.client.handle_disconnected(peer, now);
            self.server.handle_disconnected(peer);
        }
    }

    fn sent(&mut self, peer: &PeerId, token: Token, bytes: Option<u64>, now: Instant) {
        match token {
            Token::Wants(token) => self.client.handle_send_result(peer, token, bytes.is_some(), now),
            Token::Answer(token) => self.server.handle_sent(peer, token, bytes.ok_or(SendFailed), now),
        }
    }

    fn received(&mut self, peer: &PeerId, taken: &[Taken], presences: Vec<Presence>, now: Instant) {
        let blocks: Vec<(Cid, usize)> = taken.iter().map(|one| (one.cid.clone(), one.bytes)).collect();
        let (haves, dont_haves): (Vec<_>, Vec<_>) = presences.into_iter().partition(|presence| presence.have);
        let cids =
            |presences: Vec<Presence>| presences.into_iter().map(|presence| presence.cid).collect::<Vec<_>>();
        let (haves, dont_haves) = (cids(haves), cids(dont_haves));
        let received = Received { blocks: &blocks, haves: &haves, dont_haves: &dont_haves };
        self.client.handle_message(peer, &received, now);
        let kept: Vec<(Cid, u64)> =
            taken.iter().filter(|one| one.kept).map(|one| (one.cid.clone(), one.bytes as u64)).collect();
        if !kept.is_empty() {
            self.links.gave(peer);
            self.server.handle_received(peer, kept.iter().map(|(_, bytes)| bytes).sum());
            self.server.handle_new_blocks(&kept, now);
        }
    }

    fn obey(&mut self, request: Request, now: Instant) {
        match request {
            Request::Open(inbox, options) => {
                let session = self.client.open_session(options, now);
                self.open.insert(session, inbox);
            }
            Request::Want(number, wants) => {
                if let Some(session) = self.open.id(number) {
                    self.client.want(session, wants, now);
                }
            }
            Request::Cancel(number, cids) => {
                if let Some(session) = self.open.id(number) {
                    self.client.cancel(session, &cids, now);
                }
            }
            Request::CaughtUp(number) => {
                if let Some(session) = self.open.id(number) {
                    self.client.pause(session, false, now);
                }
            }
            Request::Close(number) => {
                if let Some(session) = self.open.remove(number) {
                    self.client.close_session(session, now);
                }
            }
            Request::Added(blocks) => {
                let cids: Vec<Cid> = blocks.iter().map(|(cid, _)| cid.clone()).collect();
                self.client.handle_local_blocks(&cids, now);
                self.server.handle_new_blocks(&blocks, now);
            }
        }
    }

    /// Does all that the engine asks for.
    fn act(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Send { peer, token, message } => {
                    let counters = &self.shared.counters;
                    counters.wantlists_out.one();
                    counters.wants_out.add(message.wantlist.len() as u64);
                    counters.wants_in_flight_peak.raise_to(self.client.in_flight() as u64);
                    self.links.send(
                        &peer,
                        Job { token: Token::Wants(token), message, blocks: Vec::new(), bytes: 0 },
                    );
                }
                // The hash threads have delivered what arrived; this finds what became visible by another way.
                ClientOutput::Deliver { session, cid } => {
                    self.open.stored(session, cid, &self.shared.registry)
                }
                ClientOutput::Absent { session, cid, reason } => {
                    self.open.absent(session, cid, reason, &self.shared.registry);
                }
                ClientOutput::Drop { peer, reason } => {
                    tracing::warn!(%peer, ?reason, "peer dropped");
                    self.disconnect(peer);
                }
            }
        }
        while let Some(output) = self.server.poll_output() {
            match output {
                ServerOutput::Lookup { token, peer, cids } => self.look_up(peer, token, cids),
                ServerOutput::Send { token, peer, blocks, bytes, presences, pending_bytes } => {
                    let message = Message { presences, pending_bytes, ..Message::default() };
                    self.links.send(&peer, Job { token: Token::Answer(token), message, blocks, bytes });
                }
            }
        }
    }

    fn disconnect(&mut self, peer: PeerId) {
        let (reply, _) = oneshot::channel();
        let command = Command::Disconnect { peer, address: None, reply };
        // Where the swarm has more to do than it can queue, the peer's next bad block tries again.
        let _ = self.commands.upgrade().map(|commands| commands.try_send(command));
    }

    /// The engine has one lookup a peer under way, so the pool's queue is bounded by the peers.
    fn look_up(&self, peer: PeerId, token: LookupToken, cids: Vec<Cid>) {
        self.shared.counters.lookups.one();
        let local = self.local.clone();
        let Some(events) = self.events.upgrade() else { return };
        tokio::task::spawn_blocking(move || {
            let length = |cid: &Cid| {
                local.local_size(cid).unwrap_or_else(|error| {
                    tracing::warn!(%cid, %error, "block that a peer asked for could not be looked up");
                    None
                })
            };
            let lengths = cids.iter().map(length).collect();
            // The exchange is gone only when the net is shutting down.
            let _ = events.blocking_send(Event::LookedUp { peer, token, lengths });
        });
    }
}
