//! A world of nodes on one thread with its own clock: links have latency, rate and loss, and everything that
//! is random comes from one seed. Blocks are names and lengths; nobody carries bytes.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere, also in what its tests share")]

mod far;
mod fetching;
mod node;
mod promises;
mod serving;
mod trouble;
mod world;

use ipse_base::{Cid, Codec, HashCode, Multihash, PeerId, Want};

/// Numbers that look random and are the same in every run (xorshift).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The name of a made-up block.
pub(crate) fn cid(number: u64) -> Cid {
    let hash = Multihash::digest_of(HashCode::SHA2_256, &number.to_be_bytes()).unwrap();
    Cid::v1(Codec::RAW, hash)
}

pub(crate) fn peer(number: usize) -> PeerId {
    PeerId::new(Multihash::digest_of(HashCode::SHA2_256, &number.to_le_bytes()).unwrap())
}

/// `count` blocks of one length, named from `first` on.
pub(crate) fn blocks(first: u64, count: u64, length: u64) -> Vec<(Cid, u64)> {
    (first..first + count).map(|number| (cid(number), length)).collect()
}

/// Wants for blocks in read order, with their lengths as hints.
pub(crate) fn wants(blocks: &[(Cid, u64)]) -> Vec<Want> {
    let wanted = |(index, (cid, length)): (usize, &(Cid, u64))| Want {
        cid: cid.clone(),
        priority: i32::MAX - index as i32,
        size_hint: Some(*length),
    };
    blocks.iter().enumerate().map(wanted).collect()
}
