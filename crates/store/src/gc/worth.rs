//! Worth: which segments are copied so that their garbage returns.
//!
//! The emptiest go first, and copying ends when nearly all garbage is covered, or when a byte that returns would
//! cost too many copied ones. The bound holds over all that a collection returns, so a segment with little garbage
//! goes along with others that have much. What is left is a small part of the segments it is in, and counts again
//! the next time.

use std::collections::{BTreeMap, BTreeSet};

use crate::segment::SEGMENT_HEADER_BYTES;

/// Of the garbage, one part of so many may be left where it is. More copying would be for crumbs.
const LEFT_PARTS: u64 = 50;

/// How much may be written for the space that returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Bytes that may be copied for a byte that returns.
    per_byte: u64,
    /// Bytes that may be copied in any case: they take a moment.
    free: u64,
}

impl Effort {
    /// Of a collection that somebody asks for: all but what is thinner than one part of twenty returns.
    pub(crate) const THOROUGH: Self = Self { per_byte: 19, free: 64 * 1024 * 1024 };
    /// Of one that runs by itself: it comes again, and the disk has other work.
    pub(crate) const THRIFTY: Self = Self { per_byte: 4, free: 0 };
}

/// What a segment takes on the disk, and what of it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) allocated: u64,
    pub(crate) alive: u64,
}

impl Weight {
    /// Bytes that would return if it were copied.
    pub(crate) fn dead(self) -> u64 {
        self.allocated.saturating_sub(SEGMENT_HEADER_BYTES).saturating_sub(self.alive)
    }

    /// Whether of two the first has the larger part dead, as a key that sorts it first.
    fn emptiness(self) -> std::cmp::Reverse<u64> {
        std::cmp::Reverse(self.dead().saturating_mul(1 << 20) / (self.alive + self.dead()).max(1))
    }
}

/// The segments to copy. Less garbage than `bytes_min` in all is worth nothing.
pub(crate) fn worth_copying(
    segments: &BTreeMap<u32, Weight>,
    returned: u64,
    effort: Effort,
    bytes_min: u64,
) -> BTreeSet<u32> {
    let all: u64 = segments.values().map(|weight| weight.dead()).sum();
    let mut chosen = BTreeSet::new();
    if all < bytes_min {
        return chosen;
    }
    let mut order: Vec<(&u32, &Weight)> = segments.iter().filter(|(_, weight)| weight.dead() > 0).collect();
    // Of equally empty ones the older first: once no older is left, deletions need not be copied along.
    order.sort_by_key(|(id, weight)| (weight.emptiness(), **id));
    let (mut copied, mut returns, mut left) = (0u64, returned, all);
    for (&id, weight) in order {
        let dead = weight.dead();
        let may_copy = effort.free.saturating_add((returns + dead).saturating_mul(effort.per_byte));
        if left.saturating_mul(LEFT_PARTS) <= all + returned || copied + weight.alive > may_copy {
            break;
        }
        chosen.insert(id);
        copied += weight.alive;
        returns += dead;
        left -= dead;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn chosen(weights: &[(u64, u64)], returned: u64, effort: Effort) -> Vec<u32> {
        let weight =
            |&(alive, dead): &(u64, u64)| Weight { allocated: alive + dead + SEGMENT_HEADER_BYTES, alive };
        let segments = (1..).zip(weights.iter().map(weight)).collect();
        worth_copying(&segments, returned, effort, 64 * 1024).into_iter().collect()
    }

    #[test]
    fn a_byte_costs_at_most_so_many() {
        let thin = |percent: u64| [(10 * MIB * (100 - percent), 10 * MIB * percent)];
        assert_eq!(chosen(&thin(20), 0, Effort::THRIFTY), [1]);
        assert_eq!(chosen(&thin(19), 0, Effort::THRIFTY), []);
        assert_eq!(chosen(&thin(5), 0, Effort::THOROUGH), [1]);
        assert_eq!(chosen(&thin(3), 0, Effort::THOROUGH), []);
        // A small repository is copied for little.
        assert_eq!(chosen(&[(60 * MIB, MIB)], 0, Effort::THOROUGH), [1]);
        assert_eq!(chosen(&[(60 * MIB, 1000)], 0, Effort::THOROUGH), []);
    }

    #[test]
    fn thin_garbage_goes_along_with_thick() {
        let weights = [(990 * MIB, 34 * MIB), (100 * MIB, 900 * MIB), (1024 * MIB, 0)];
        assert_eq!(chosen(&weights, 0, Effort::THOROUGH), [1, 2]);
        assert_eq!(chosen(&weights[..1], 100 * MIB, Effort::THOROUGH), [1]);
    }

    #[test]
    fn crumbs_stay() {
        let weights = [(100 * MIB, 900 * MIB), (1020 * MIB, 4 * MIB)];
        assert_eq!(chosen(&weights, 0, Effort::THOROUGH), [1]);
    }
}
