//! Walked: the inner nodes whose links a marking has followed, in memory that has a bound.
//!
//! A node is known by its place, which is exact: what was taken for walked and was not would lose what hangs below.
//! Where there are more nodes than fit, half of them are forgotten. Whoever meets one of those again walks again
//! what is below it and was forgotten too; that costs time and nothing else.

use std::collections::{BTreeSet, HashSet};

use ipse_base::Cid;

use crate::place::Place;

/// Offsets of records are multiples of this power of two.
const ALIGNMENT_BITS: u32 = 3;
/// Nodes remembered under another codec than the one they were stored with. That is rare.
const OTHERS_MAX: usize = 16 * 1024;

pub(super) struct Walked {
    /// Segment and offset in one number; 13 bytes of memory each.
    places: BTreeSet<u64>,
    /// The same with a codec under which a block was not stored: its links lead elsewhere.
    others: HashSet<(u64, u64)>,
    places_max: usize,
    /// How often half was forgotten: a different half each time.
    forgot: u32,
}

/// A place as one number: segments have at most 16 GiB.
fn number(place: &Place) -> u64 {
    u64::from(place.position.segment) << 32 | place.position.offset >> ALIGNMENT_BITS
}

impl Walked {
    pub(super) fn new(places_max: usize) -> Self {
        Self { places: BTreeSet::new(), others: HashSet::new(), places_max, forgot: 0 }
    }

    /// Notes that the block at this place is walked under the codec of this Cid. Answers whether that is new, as far
    /// as it is remembered.
    pub(super) fn insert(&mut self, cid: &Cid, place: &Place) -> bool {
        if cid.codec() != place.codec {
            if self.others.len() >= OTHERS_MAX {
                self.others.clear();
            }
            return self.others.insert((number(place), cid.codec().0));
        }
        let new = self.places.insert(number(place));
        if self.places.len() > self.places_max {
            self.forget_half();
            // Not the one that is about to be walked.
            self.places.insert(number(place));
        }
        new
    }

    pub(super) fn remove(&mut self, cid: &Cid, place: &Place) {
        self.others.remove(&(number(place), cid.codec().0));
        if cid.codec() == place.codec {
            self.places.remove(&number(place));
        }
    }

    fn forget_half(&mut self) {
        let bit = self.forgot % 32;
        self.forgot += 1;
        let mixed = |place: u64| place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (32 + bit);
        self.places.retain(|&place| mixed(place) & 1 == 0);
        // However unlikely, all of them may be on the same side.
        if self.places.len() > self.places_max {
            self.places.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Position;
    use ipse_base::{Codec, HashCode, Multihash, Version};

    fn node(number: u64) -> (Cid, Place) {
        let hash = Multihash::digest_of(HashCode::SHA2_256, &number.to_le_bytes()).unwrap();
        let position = Position { segment: 1 + (number >> 20) as u32, offset: 64 + (number << 6) };
        let codec = Codec::DAG_CBOR;
        (Cid::v1(codec, hash), Place { position, length: 9, version: Version::V1, codec, leaf: false })
    }

    #[test]
    fn nothing_is_taken_for_walked_that_was_not() {
        let mut walked = Walked::new(1000);
        for number in 0..20_000 {
            let (cid, place) = node(number);
            assert!(walked.insert(&cid, &place), "{number}");
            assert!(!walked.insert(&cid, &place), "what was just walked is known");
            assert!(walked.places.len() <= 1001);
        }
    }

    #[test]
    fn a_codec_is_part_of_what_was_walked() {
        let mut walked = Walked::new(1000);
        let (cid, place) = node(7);
        let other = Cid::v1(Codec::DAG_PB, cid.hash().clone());
        assert!(walked.insert(&cid, &place) && walked.insert(&other, &place));
        assert!(!walked.insert(&other, &place));
        walked.remove(&other, &place);
        assert!(walked.insert(&other, &place) && !walked.insert(&cid, &place));
        walked.remove(&cid, &place);
        assert!(walked.insert(&cid, &place));
    }
}
