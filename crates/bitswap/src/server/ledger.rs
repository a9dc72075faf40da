//! Ledger: how much one peer and we have given each other. It decides nothing; people read it.

use std::collections::{BTreeMap, HashMap};

use ipse_base::PeerId;

use crate::limits::LEDGERS_MAX;

/// Payload exchanged with one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Bytes of blocks that we sent.
    pub sent: u64,
    /// Bytes of blocks that we received.
    pub received: u64,
    /// Messages with blocks, in both directions.
    pub exchanges: u64,
}

impl Ledger {
    /// What the peer owes us: above one where it took more than it gave.
    pub fn debt_ratio(&self) -> f64 {
        self.sent as f64 / (self.received as f64 + 1.0)
    }
}

/// Ledgers of the peers that were heard of last.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    ledgers: HashMap<PeerId, (Ledger, u64)>,
    /// By last use, oldest first.
    order: BTreeMap<u64, PeerId>,
    uses: u64,
}

impl Ledgers {
    pub(super) fn get(&self, peer: &PeerId) -> Ledger {
        self.ledgers.get(peer).map(|(ledger, _)| *ledger).unwrap_or_default()
    }

    /// Opens the ledger, or makes it the last to be forgotten.
    pub(super) fn touch(&mut self, peer: &PeerId) -> &mut Ledger {
        self.uses += 1;
        let entry = self.ledgers.entry(peer.clone()).or_insert((Ledger::default(), 0));
        self.order.remove(&entry.1);
        entry.1 = self.uses;
        self.order.insert(self.uses, peer.clone());
        while self.order.len() > LEDGERS_MAX {
            if let Some((_, oldest)) = self.order.pop_first() {
                self.ledgers.remove(&oldest);
            }
        }
        &mut self.ledgers.entry(peer.clone()).or_insert((Ledger::default(), self.uses)).0
    }

    pub(super) fn sent(&mut self, peer: &PeerId, bytes: u64) {
        let ledger = self.touch(peer);
        ledger.sent += bytes;
        ledger.exchanges += 1;
    }

    pub(super) fn received(&mut self, peer: &PeerId, bytes: u64) {
        let ledger = self.touch(peer);
        ledger.received += bytes;
        ledger.exchanges += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipse_base::{HashCode, Multihash};

    fn peer(number: u32) -> PeerId {
        PeerId::new(Multihash::wrap(HashCode::IDENTITY, &number.to_be_bytes()).unwrap())
    }

    #[test]
    fn the_least_recently_heard_of_is_forgotten() {
        let mut ledgers = Ledgers::default();
        ledgers.sent(&peer(0), 7);
        for number in 1..LEDGERS_MAX as u32 {
            ledgers.received(&peer(number), 1);
        }
        ledgers.sent(&peer(0), 3);
        ledgers.sent(&peer(u32::MAX), 1);
        assert_eq!(ledgers.get(&peer(0)), Ledger { sent: 10, received: 0, exchanges: 2 });
        assert_eq!(ledgers.get(&peer(1)), Ledger::default());
        assert_eq!(ledgers.ledgers.len(), LEDGERS_MAX);
        assert_eq!(ledgers.order.len(), LEDGERS_MAX);
        assert_eq!(ledgers.get(&peer(0)).debt_ratio(), 10.0);
    }
}
