//! Queue: what one peer wants and how far each want has come.
//!
//! A want is looked up, then stands among the blocks or the presences to send, then is being sent; or it is
//! not here and waits. Each stage is an ordered map that names exactly the wants in it, so cancelling one is
//! as cheap as serving it and a flood of wants and cancels leaves nothing behind.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use ipse_base::limits::BITSWAP_MESSAGE_BYTES_TARGET;
use ipse_base::{Cid, PeerId};

use super::output::{LookupToken, ServerOutput};
use super::turns::Place;
use super::waiting::Waiting;
use crate::limits::{HAVE_AS_BLOCK_BYTES_MAX, PRESENCES_PER_SEND_MAX, SEND_ATTEMPTS_MAX};
use crate::{Presence, SendToken, WantEntry, WantType};

/// How far a want has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To be looked up.
    Unknown,
    /// Being looked up.
    Looking(LookupToken),
    /// Not here.
    Waiting,
    /// To be sent as a block of this length.
    Block(u64),
    /// To be answered by HAVE or DONT_HAVE.
    Presence(bool),
    /// In an unfinished message, as a block (with its length) or a presence.
    SendingBlock(SendToken, u64),
    SendingPresence(SendToken, bool),
}

/// Place of a want in the maps: the more urgent first, among equals the older.
type Rank = (Reverse<i32>, u64);

/// Order of being pushed out: what is not here first, then the least urgent; among equals the oldest.
type EvictionRank = (bool, i32, u64);

#[derive(Debug, Clone)]
struct Entry {
    order: u64,
    priority: i32,
    want_type: WantType,
    send_dont_have: bool,
    attempts: u8,
    stage: Stage,
}

impl Entry {
    fn rank(&self) -> Rank {
        (Reverse(self.priority), self.order)
    }

    /// `None` while the want is in an unfinished message.
    fn eviction_rank(&self) -> Option<EvictionRank> {
        match self.stage {
            Stage::Waiting => Some((false, 0, self.order)),
            Stage::SendingBlock(..) | Stage::SendingPresence(..) => None,
            _ => Some((true, self.priority, self.order)),
        }
    }

    /// Whether the block is not known to be here.
    fn awaits_block(&self) -> bool {
        matches!(
            self.stage,
            Stage::Unknown
                | Stage::Looking(_)
                | Stage::Waiting
                | Stage::Presence(false)
                | Stage::SendingPresence(_, false)
        )
    }
}

/// An unfinished message.
#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) token: SendToken,
    pub(super) blocks: Vec<Cid>,
    presences: Vec<Cid>,
    pub(super) bytes: u64,
}

/// What one peer wants.
#[derive(Debug)]
pub(super) struct Queue {
    peer: PeerId,
    entries: HashMap<Cid, Entry>,
    unknown: BTreeMap<Rank, Cid>,
    blocks: BTreeMap<Rank, Cid>,
    block_bytes: u64,
    presences: BTreeMap<Rank, Cid>,
    evictions: BTreeMap<EvictionRank, Cid>,
    looking: Option<LookupToken>,
    sending: Option<Sending>,
    next_order: u64,
    place: Place,
}

impl Queue {
    pub(super) fn new(peer: PeerId) -> Self {
        Self {
            peer,
            entries: HashMap::new(),
            unknown: BTreeMap::new(),
            blocks: BTreeMap::new(),
            block_bytes: 0,
            presences: BTreeMap::new(),
            evictions: BTreeMap::new(),
            looking: None,
            sending: None,
            next_order: 0,
            place: Place::default(),
        }
    }

    pub(super) fn place(&mut self) -> (&PeerId, &mut Place) {
        (&self.peer, &mut self.place)
    }

    pub(super) fn has_lookups(&self) -> bool {
        self.looking.is_none() && !self.unknown.is_empty()
    }

    pub(super) fn has_presences(&self) -> bool {
        !self.presences.is_empty()
    }

    pub(super) fn has_blocks(&self) -> bool {
        !self.blocks.is_empty()
    }

    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    pub(super) fn sending(&self) -> Option<&Sending> {
        self.sending.as_ref()
    }

    pub(super) fn is_unused(&self) -> bool {
        self.entries.is_empty() && self.sending.is_none() && !self.place.is_listed()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn cids(&self) -> Vec<Cid> {
        self.entries.keys().cloned().collect()
    }

    /// Takes a want; returns how many wants had to go to stay within `bound` (this one included).
    pub(super) fn want(&mut self, want: &WantEntry, bound: usize, waiting: &mut Waiting) -> u64 {
        let dropped = match self.take_out(&want.cid) {
            Some(entry) => {
                self.want_again(want, entry, waiting);
                return 0;
            }
            None => match self.make_room(want.priority, bound, waiting) {
                Ok(dropped) => dropped,
                Err(dropped) => return dropped + 1,
            },
        };
        self.next_order += 1;
        let entry = Entry {
            order: self.next_order,
            priority: want.priority,
            want_type: want.want_type,
            send_dont_have: want.send_dont_have,
            attempts: 0,
            stage: Stage::Unknown,
        };
        waiting.add(&want.cid, &self.peer);
        self.put_in(want.cid.clone(), entry);
        dropped
    }

    /// A want that is known already: it may have become more urgent, or ask for more than before.
    fn want_again(&mut self, want: &WantEntry, mut entry: Entry, waiting: &mut Waiting) {
        let upgraded = want.want_type == WantType::Block && entry.want_type == WantType::Have;
        entry.priority = if upgraded { want.priority } else { entry.priority.max(want.priority) };
        entry.want_type = entry.want_type.min(want.want_type);
        entry.send_dont_have |= want.send_dont_have;
        let answered = match entry.stage {
            // A block that is on its way answers every kind of want.
            Stage::Unknown | Stage::Looking(_) | Stage::Block(_) | Stage::SendingBlock(..) => false,
            Stage::Presence(_) | Stage::SendingPresence(..) => upgraded,
            Stage::Waiting => true,
        };
        if answered {
            entry.stage = Stage::Unknown;
            waiting.add(&want.cid, &self.peer);
        }
        self.put_in(want.cid.clone(), entry);
    }

    /// Pushes out the wants that matter least until one more fits. An error says that the newcomer would
    /// matter least.
    fn make_room(&mut self, priority: i32, bound: usize, waiting: &mut Waiting) -> Result<u64, u64> {
        let mut dropped = 0;
        while self.entries.len() >= bound {
            match self.evictions.first_key_value() {
                Some((&(is_here, least, _), cid)) if !is_here || least <= priority => {
                    let cid = cid.clone();
                    self.cancel(&cid, waiting);
                    dropped += 1;
                }
                _ => return Err(dropped),
            }
        }
        Ok(dropped)
    }

    /// Forgets a want, if it is not in an unfinished message's bytes already.
    pub(super) fn cancel(&mut self, cid: &Cid, waiting: &mut Waiting) {
        if self.take_out(cid).is_some() {
            waiting.remove(cid, &self.peer);
        }
    }

    /// Forgets all wants.
    pub(super) fn clear(&mut self, waiting: &mut Waiting) {
        for cid in self.cids() {
            self.cancel(&cid, waiting);
        }
    }

    /// The next wants to look up.
    pub(super) fn start_lookup(&mut self, token: LookupToken, max: usize) -> Vec<Cid> {
        let cids: Vec<Cid> = self.unknown.values().take(max).cloned().collect();
        for cid in &cids {
            self.move_to(cid, Stage::Looking(token));
        }
        self.looking = (!cids.is_empty()).then_some(token);
        cids
    }

    /// A lookup found the block's length, or no block.
    pub(super) fn looked_up(
        &mut self,
        cid: &Cid,
        token: LookupToken,
        length: Option<u64>,
        waiting: &mut Waiting,
    ) {
        // The want may have been cancelled or served since.
        let current = self.entries.get(cid).is_some_and(|entry| entry.stage == Stage::Looking(token));
        match length {
            Some(length) if current => self.found(cid, length, waiting),
            None if current => self.absent(cid),
            _ => {}
        }
    }

    pub(super) fn lookup_done(&mut self, token: LookupToken) {
        if self.looking == Some(token) {
            self.looking = None;
        }
    }

    /// The block is here.
    pub(super) fn found(&mut self, cid: &Cid, length: u64, waiting: &mut Waiting) {
        let Some(entry) = self.entries.get(cid).filter(|entry| entry.awaits_block()) else { return };
        let as_block = entry.want_type == WantType::Block || length <= HAVE_AS_BLOCK_BYTES_MAX;
        waiting.remove(cid, &self.peer);
        self.move_to(cid, if as_block { Stage::Block(length) } else { Stage::Presence(true) });
    }

    fn absent(&mut self, cid: &Cid) {
        let Some(entry) = self.entries.get(cid) else { return };
        let stage = if entry.send_dont_have { Stage::Presence(false) } else { Stage::Waiting };
        self.move_to(cid, stage);
    }

    /// The block was here and is gone.
    pub(super) fn missing(&mut self, cid: &Cid, waiting: &mut Waiting) {
        let sending = matches!(self.entries.get(cid), Some(Entry { stage: Stage::SendingBlock(..), .. }));
        if sending {
            waiting.add(cid, &self.peer);
            self.absent(cid);
        }
    }

    /// How many blocks go into the next message, and their bytes.
    pub(super) fn next_message(&self) -> (usize, u64) {
        let (mut count, mut bytes) = (0, 0);
        for length in self.blocks.values().map_while(|cid| self.block_len(cid)) {
            if count > 0 && bytes + length > BITSWAP_MESSAGE_BYTES_TARGET as u64 {
                break;
            }
            count += 1;
            bytes += length;
        }
        (count, bytes)
    }

    fn block_len(&self, cid: &Cid) -> Option<u64> {
        match self.entries.get(cid)?.stage {
            Stage::Block(length) => Some(length),
            _ => None,
        }
    }

    /// Makes a message of the presences and the first `count` blocks.
    pub(super) fn start_send(&mut self, token: SendToken, count: usize) -> ServerOutput {
        let blocks: Vec<Cid> = self.blocks.values().take(count).cloned().collect();
        let mut bytes = 0;
        for cid in &blocks {
            let length = self.block_len(cid).unwrap_or(0);
            bytes += length;
            self.move_to(cid, Stage::SendingBlock(token, length));
        }
        let answered: Vec<Cid> = self.presences.values().take(PRESENCES_PER_SEND_MAX).cloned().collect();
        let mut presences = Vec::with_capacity(answered.len());
        for cid in &answered {
            if let Some(Stage::Presence(have)) = self.entries.get(cid).map(|entry| entry.stage) {
                presences.push(Presence { cid: cid.clone(), have });
                self.move_to(cid, Stage::SendingPresence(token, have));
            }
        }
        self.sending = Some(Sending { token, blocks: blocks.clone(), presences: answered, bytes });
        let pending_bytes = i32::try_from(self.block_bytes).unwrap_or(i32::MAX);
        ServerOutput::Send { token, peer: self.peer.clone(), blocks, bytes, presences, pending_bytes }
    }

    /// Settles the unfinished message; `None` if it is not this one.
    pub(super) fn finish(&mut self, token: SendToken, ok: bool, waiting: &mut Waiting) -> Option<Sending> {
        let sending = self.sending.take_if(|sending| sending.token == token)?;
        for cid in sending.blocks.iter().chain(&sending.presences) {
            // What was cancelled, asked for again or found missing since has another stage.
            let next = match self.entries.get(cid).map(|entry| entry.stage) {
                Some(Stage::SendingBlock(by, length)) if by == token => (Stage::Block(length), true),
                Some(Stage::SendingPresence(by, have)) if by == token => (Stage::Presence(have), have),
                _ => continue,
            };
            match (ok, next) {
                (true, (_, true)) => self.cancel(cid, waiting),
                (true, (_, false)) => self.move_to(cid, Stage::Waiting),
                (false, (stage, _)) => self.try_again(cid, stage, waiting),
            }
        }
        Some(sending)
    }

    fn try_again(&mut self, cid: &Cid, stage: Stage, waiting: &mut Waiting) {
        let Some(mut entry) = self.take_out(cid) else { return };
        entry.attempts += 1;
        if entry.attempts < SEND_ATTEMPTS_MAX {
            entry.stage = stage;
            self.put_in(cid.clone(), entry);
        } else {
            waiting.remove(cid, &self.peer);
        }
    }

    fn move_to(&mut self, cid: &Cid, stage: Stage) {
        if let Some(mut entry) = self.take_out(cid) {
            entry.stage = stage;
            self.put_in(cid.clone(), entry);
        }
    }

    /// Enters a want in the maps of its stage.
    fn put_in(&mut self, cid: Cid, entry: Entry) {
        if let Some(rank) = entry.eviction_rank() {
            self.evictions.insert(rank, cid.clone());
        }
        match entry.stage {
            Stage::Unknown => drop(self.unknown.insert(entry.rank(), cid.clone())),
            Stage::Presence(_) => drop(self.presences.insert(entry.rank(), cid.clone())),
            Stage::Block(length) => {
                self.block_bytes += length;
                self.blocks.insert(entry.rank(), cid.clone());
            }
            _ => {}
        }
        self.entries.insert(cid, entry);
    }

    /// Takes a want out of every map.
    fn take_out(&mut self, cid: &Cid) -> Option<Entry> {
        let entry = self.entries.remove(cid)?;
        if let Some(rank) = entry.eviction_rank() {
            self.evictions.remove(&rank);
        }
        match entry.stage {
            Stage::Unknown => drop(self.unknown.remove(&entry.rank())),
            Stage::Presence(_) => drop(self.presences.remove(&entry.rank())),
            Stage::Block(length) => {
                self.block_bytes -= length;
                self.blocks.remove(&entry.rank());
            }
            _ => {}
        }
        Some(entry)
    }
}

#[cfg(test)]
impl Queue {
    pub(super) fn peer(&self) -> PeerId {
        self.peer.clone()
    }

    pub(super) fn check(&self, waiting: &Waiting) {
        let mut stages = [0usize; 4];
        let mut bytes = 0;
        for (cid, entry) in &self.entries {
            if let Some(rank) = entry.eviction_rank() {
                stages[0] += 1;
                assert_eq!(self.evictions[&rank], *cid);
            }
            match entry.stage {
                Stage::Unknown => {
                    stages[1] += 1;
                    assert_eq!(self.unknown[&entry.rank()], *cid);
                }
                Stage::Presence(_) => {
                    stages[2] += 1;
                    assert_eq!(self.presences[&entry.rank()], *cid);
                }
                Stage::Block(length) => {
                    stages[3] += 1;
                    bytes += length;
                    assert_eq!(self.blocks[&entry.rank()], *cid);
                }
                Stage::SendingBlock(token, _) | Stage::SendingPresence(token, _) => {
                    assert_eq!(self.sending.as_ref().map(|sending| sending.token), Some(token));
                }
                Stage::Looking(token) => assert_eq!(self.looking, Some(token)),
                Stage::Waiting => {}
            }
            assert_eq!(waiting.peers(cid).contains(&self.peer), entry.awaits_block(), "{entry:?}");
        }
        let maps = [self.evictions.len(), self.unknown.len(), self.presences.len(), self.blocks.len()];
        assert_eq!((stages, bytes), (maps, self.block_bytes));
    }
}
