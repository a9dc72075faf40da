//! Shard: one node of a sharded folder as a reader sees it, and the hash that says where an entry lies.
//!
//! A name's hash is read from its highest bit, a few bits a level; they choose the link, whose name starts
//! with them in hexadecimal. A link of just that prefix leads to a deeper shard, a longer one is an entry.
//!
//! Everything is checked: an entry lies where its hash says, no slot is taken twice, and below the root no
//! shard is empty. So a trie has as many entries as it has blocks for, and a hostile one cannot repeat itself
//! without end.

use ipse_base::limits::HAMT_FANOUT_MAX;
use ipse_dag::PbLink;

use crate::folder::Member;
use crate::murmur::murmur3;
use crate::options::is_fanout;
use crate::{NodeKind, UnixfsNode};

/// Multicodec of murmur3-x64-64, the one hash that spreads entries.
pub(crate) const HASH_CODE: u64 = 0x22;

/// Bits of a hash.
pub(crate) const HASH_BITS: u32 = 64;

/// The hash of a name.
pub(crate) fn hash_name(name: &[u8]) -> u64 {
    murmur3(name)
}

/// `count` bits of a hash behind the first `consumed`, which have to be there.
pub(crate) const fn bits_of(hash: u64, consumed: u32, count: u32) -> u64 {
    (hash << consumed) >> (HASH_BITS - count)
}

/// Hexadecimal digits in front of each link's name.
pub(crate) const fn prefix_len(fanout: u64) -> usize {
    (HASH_BITS - (fanout - 1).leading_zeros()).div_ceil(4) as usize
}

/// The digits of one slot.
pub(crate) fn prefix_of(index: u64, fanout: u64) -> String {
    format!("{index:0width$X}", width = prefix_len(fanout))
}

/// What is wrong with a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Another node where a shard should be.
    #[error("node was not a dir shard")]
    NotShard,
    /// Entries are spread by a hash that nobody uses.
    #[error("only murmur3 supported as hash function")]
    HashType,
    /// The fan-out is no power of two, or too large.
    #[error("hamt size should be a power of two from 8 to {HAMT_FANOUT_MAX}")]
    Fanout,
    /// The bit field does not say which links there are.
    #[error("bit field and links contradict each other")]
    BitField,
    /// A link without the digits of a slot, or two links of one slot.
    #[error("invalid link name")]
    LinkName,
    /// An entry or a shard where its hash does not lead.
    #[error("an entry is in the wrong place")]
    Place,
    /// A shard below the root with nothing in it.
    #[error("a shard is empty")]
    Empty,
    /// More levels than the hash has bits for.
    #[error("sharded directory too deep")]
    TooDeep,
}

/// Where a shard lies: which bits the hashes of all names below it start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    prefix: u64,
    consumed: u32,
}

impl Position {
    pub(crate) const ROOT: Self = Self { prefix: 0, consumed: 0 };

    fn child(self, index: u64, bits: u32) -> Self {
        let consumed = self.consumed + bits;
        Self { prefix: self.prefix | index << (HASH_BITS - consumed), consumed }
    }

    fn holds(self, hash: u64) -> bool {
        self.consumed == 0 || (hash ^ self.prefix) >> (HASH_BITS - self.consumed) == 0
    }
}

/// A node of a sharded folder, checked.
#[derive(Debug)]
pub(crate) struct Shard {
    /// In the order of their slots.
    pub(crate) members: Vec<Member>,
    bits: u32,
    position: Position,
    /// Slot numbers, in the same order.
    indices: Vec<u64>,
}

impl Shard {
    pub(crate) fn read(node: UnixfsNode, position: Position) -> Result<Self, ShardError> {
        if node.kind() != NodeKind::Shard {
            return Err(ShardError::NotShard);
        }
        if node.message.hash_type != Some(HASH_CODE) {
            return Err(ShardError::HashType);
        }
        let fanout = node.message.fanout.filter(|&fanout| is_fanout(fanout)).ok_or(ShardError::Fanout)?;
        let bits = fanout.trailing_zeros();
        let field = node.message.data.unwrap_or_default();
        if position.consumed + bits > HASH_BITS {
            return Err(ShardError::TooDeep);
        }
        if position != Position::ROOT && node.links.is_empty() {
            return Err(ShardError::Empty);
        }
        let mut links = node
            .links
            .into_iter()
            .map(|link| Ok((slot_number(&link, fanout)?, link)))
            .collect::<Result<Vec<(u64, PbLink)>, ShardError>>()?;
        links.sort_by_key(|(index, _)| *index);
        if links.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(ShardError::LinkName);
        }
        let indices: Vec<u64> = links.iter().map(|(index, _)| *index).collect();
        check_bit_field(&field, fanout, &indices)?;
        let members = links
            .into_iter()
            .map(|(index, link)| member(link, prefix_len(fanout), position, position.child(index, bits)))
            .collect::<Result<_, _>>()?;
        Ok(Self { members, bits, position, indices })
    }

    /// The slot that a name lies in, or below; an entry there may have another name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Member> {
        let index = bits_of(hash_name(name), self.position.consumed, self.bits);
        let place = self.indices.binary_search(&index).ok()?;
        self.members.get(place)
    }
}

fn slot_number(link: &PbLink, fanout: u64) -> Result<u64, ShardError> {
    let digits = link.name_bytes().get(..prefix_len(fanout)).ok_or(ShardError::LinkName)?;
    if !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')) {
        return Err(ShardError::LinkName);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| ShardError::LinkName)?;
    let index = u64::from_str_radix(digits, 16).map_err(|_| ShardError::LinkName)?;
    if index < fanout { Ok(index) } else { Err(ShardError::LinkName) }
}

fn member(link: PbLink, prefix_len: usize, shard: Position, child: Position) -> Result<Member, ShardError> {
    let tsize = link.tsize.unwrap_or_default();
    let name = link.name.unwrap_or_default().slice(prefix_len..);
    if name.is_empty() {
        return Ok(Member::Shard { cid: link.cid, tsize, position: child });
    }
    debug_assert!(child.consumed > shard.consumed);
    if !child.holds(hash_name(&name)) {
        return Err(ShardError::Place);
    }
    Ok(Member::Entry { name, cid: link.cid, tsize })
}

/// A big-endian number without its leading zero bytes, with one bit a link.
fn check_bit_field(field: &[u8], fanout: u64, indices: &[u64]) -> Result<(), ShardError> {
    let ones: u32 = field.iter().map(|byte| byte.count_ones()).sum();
    let has = |index: u64| {
        let from_end = (index / 8) as usize;
        from_end < field.len() && field[field.len() - 1 - from_end] >> (index % 8) & 1 == 1
    };
    let agrees = field.len() as u64 <= fanout / 8
        && ones as usize == indices.len()
        && indices.iter().all(|&index| has(index));
    if agrees { Ok(()) } else { Err(ShardError::BitField) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_from_the_highest() {
        let hash = 0xABCD_EF01_2345_6789;
        assert_eq!(bits_of(hash, 0, 8), 0xAB);
        assert_eq!(bits_of(hash, 8, 8), 0xCD);
        assert_eq!(bits_of(hash, 56, 8), 0x89);
        assert_eq!(bits_of(hash, 10, 10), hash >> 44 & 0x3ff);
        assert_eq!(bits_of(hash, 60, 3), 0b100);
    }

    #[test]
    fn prefixes_are_as_wide_as_the_largest() {
        assert_eq!(prefix_of(7, 8), "7");
        assert_eq!(prefix_of(10, 16), "A");
        assert_eq!(prefix_of(10, 64), "0A");
        assert_eq!(prefix_of(255, 256), "FF");
        assert_eq!(prefix_of(10, 1024), "00A");
    }

    #[test]
    fn positions_hold_the_hashes_that_start_with_them() {
        let below = Position::ROOT.child(0xAB, 8).child(0xC, 4);
        assert!(Position::ROOT.holds(u64::MAX));
        assert!(below.holds(0xABC0_0000_0000_0000));
        assert!(!below.holds(0xABD0_0000_0000_0000));
        let deepest = (0..8).fold(Position::ROOT, |position, _| position.child(0xff, 8));
        assert!(deepest.holds(u64::MAX));
        assert!(!deepest.holds(u64::MAX - 1));
    }
}
