//! Filter: a set of hashes that never forgets one and takes a fixed amount of memory.
//!
//! A Bloom filter. Where it is wrong it says "kept" of garbage, which then stays until the next collection: each
//! filter has a salt of its own, so the same block is not unlucky twice. Entering is a few atomic operations, so
//! readers do it under a shared lock.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use ipse_base::Multihash;
use ipse_base::limits::COLLECTION_FILTER_BYTES_MAX;

/// Bits set for an entry. With 16 bits of memory an entry, one in a thousand others is taken for it.
const PROBES: u64 = 6;
/// Memory an entry is meant to have.
const BITS_PER_ENTRY: u64 = 16;
/// The smallest filter of a collection.
const BYTES_MIN: usize = 64 * 1024;

pub(crate) struct Filter {
    words: Vec<AtomicU64>,
    salt: RandomState,
}

impl Filter {
    /// A filter for so many hashes, as large as it should be or as it may be.
    pub(crate) fn for_entries(entries: u64) -> Self {
        let bytes = usize::try_from(entries.saturating_mul(BITS_PER_ENTRY) / 8).unwrap_or(usize::MAX);
        Self::of_bytes(bytes.clamp(BYTES_MIN, COLLECTION_FILTER_BYTES_MAX))
    }

    /// A filter of so much memory.
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        let words = (0..bytes / 8).map(|_| AtomicU64::new(0)).collect();
        Self { words, salt: RandomState::new() }
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    /// Enters a hash. Answers whether it was new for certain.
    pub(crate) fn insert(&self, hash: &Multihash) -> bool {
        let mut new = false;
        for (word, bit) in self.probes(hash) {
            new |= self.words[word].fetch_or(bit, Ordering::Relaxed) & bit == 0;
        }
        new
    }

    /// Whether a hash was entered; sometimes also where it was not.
    pub(crate) fn contains(&self, hash: &Multihash) -> bool {
        self.probes(hash).all(|(word, bit)| self.words[word].load(Ordering::Relaxed) & bit != 0)
    }

    fn probes(&self, hash: &Multihash) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bits = self.words.len() as u64 * 64;
        let first = self.salt.hash_one(hash.digest());
        // The second sequence is odd, so that it visits different bits.
        let step = first.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..PROBES).map(move |probe| {
            let mixed = first.wrapping_add(step.wrapping_mul(probe));
            let bit = ((u128::from(mixed) * u128::from(bits)) >> 64) as u64;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipse_base::HashCode;

    fn hash(number: u64) -> Multihash {
        Multihash::digest_of(HashCode::SHA2_256, &number.to_le_bytes()).unwrap()
    }

    #[test]
    fn nothing_is_forgotten_and_little_is_made_up() {
        let filter = Filter::for_entries(100_000);
        for number in 0..100_000 {
            filter.insert(&hash(number));
        }
        assert!((0..100_000).all(|number| filter.contains(&hash(number))));
        let wrong = (100_000..200_000).filter(|&number| filter.contains(&hash(number))).count();
        assert!(wrong < 500, "{wrong} of 100,000");
    }

    #[test]
    fn memory_is_bounded() {
        assert_eq!(Filter::for_entries(u64::MAX).bytes(), COLLECTION_FILTER_BYTES_MAX);
        assert!(Filter::for_entries(1_000_000).bytes() <= 2 << 20);
    }
}
