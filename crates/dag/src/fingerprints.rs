//! Fingerprints: a set of names in some 22 bytes each, for walks that must not visit a block twice.
//!
//! Names are kept as 96 bits of a hash that is universal under keys drawn for each set: whatever two names somebody
//! makes up beforehand, they look the same with a chance of 2⁻⁹⁶. That any two of a hundred million names do has a
//! chance of less than 10⁻¹³, so the set is as good as exact.
//!
//! The set is many small tables. A table that grows is there twice for a moment, and a small one takes little then.
//! Some get more names than others, the first half as many as the last, so that one after the other doubles: all at
//! once they would take 15 bytes a name before it and 30 behind it.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use ipse_base::{Cid, Version};

/// What stands for a name in one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u32; 3]);

impl std::hash::Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.word());
    }
}

impl Fingerprint {
    const fn new(words: [u64; 2]) -> Self {
        Self([words[0] as u32, (words[0] >> 32) as u32, (words[1] >> 32) as u32])
    }

    const fn word(self) -> u64 {
        self.0[0] as u64 | (self.0[1] as u64) << 32
    }

    /// The table that it is in. A table itself looks at the lowest bits and at the highest ones.
    const fn table(self) -> usize {
        let middle = (self.0[1] & 0xffff) as usize;
        TABLE_AT[(middle * PARTS) >> 16] as usize
    }

    /// Which of so many equal shares of all names this one falls into.
    pub const fn share(self, shares: u64) -> u64 {
        ((self.0[2] as u128 * shares as u128) >> 32) as u64
    }
}

/// A fingerprint is a hash already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        debug_assert!(false, "only whole words are hashed here");
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// Tables of a set. The first gets so many parts of all names, each further one a part more.
const TABLES: usize = 64;
const PARTS: usize = TABLES * TABLES + TABLES * (TABLES - 1) / 2;

/// The table that a part of all names is in.
static TABLE_AT: [u8; PARTS] = {
    let mut tables = [0; PARTS];
    let (mut table, mut at) = (0, 0);
    while table < TABLES {
        let end = at + TABLES + table;
        while at < end {
            tables[at] = table as u8;
            at += 1;
        }
        table += 1;
    }
    tables
};

/// Words that are hashed: version, codec and hash function, then a digest of 32 bytes.
const WORDS: usize = 7;

/// Names with something about each.
pub struct Fingerprints<T> {
    keys: [[u128; WORDS + 1]; 2],
    others: [RandomState; 2],
    held: [HashMap<Fingerprint, T, BuildHasherDefault<AsIs>>; TABLES],
}

impl<T> Default for Fingerprints<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Fingerprints<T> {
    /// An empty set with keys of its own.
    pub fn new() -> Self {
        let others = [RandomState::new(), RandomState::new()];
        let word = |of: usize, number: u64| u128::from(others[of].hash_one(number));
        let key = |of, at: usize| (word(of, 2 * at as u64) << 64) | word(of, 2 * at as u64 + 1);
        let keys = std::array::from_fn(|of| std::array::from_fn(|at| key(of, at)));
        Self { keys, others, held: std::array::from_fn(|_| HashMap::default()) }
    }

    /// What stands for a name here.
    pub fn of(&self, cid: &Cid) -> Fingerprint {
        let Ok(digest) = <&[u8; 32]>::try_from(cid.hash().digest()) else {
            return Fingerprint::new([self.others[0].hash_one(cid), self.others[1].hash_one(cid)]);
        };
        let mut words = [0; WORDS];
        words[0] = u64::from(cid.version() == Version::V1);
        words[1] = cid.codec().0;
        words[2] = cid.hash().code().0;
        for (word, bytes) in words[3..].iter_mut().zip(digest.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Fingerprint::new(self.keys.each_ref().map(|keys| multilinear(keys, &words)))
    }

    /// What is held about a name.
    pub fn get(&self, name: Fingerprint) -> Option<&T> {
        self.held[name.table()].get(&name)
    }

    /// Holds something about a name; whether the name is new.
    pub fn insert(&mut self, name: Fingerprint, value: T) -> bool {
        self.held[name.table()].insert(name, value).is_none()
    }

    /// Names held.
    pub fn len(&self) -> usize {
        self.held.iter().map(HashMap::len).sum()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held.iter().all(HashMap::is_empty)
    }

    /// Forgets all names and keeps the memory.
    pub fn clear(&mut self) {
        self.held.iter_mut().for_each(HashMap::clear);
    }
}

/// The upper half of a sum of products (Lemire and Kaser, "Strongly universal string hashing is fast").
fn multilinear(keys: &[u128; WORDS + 1], words: &[u64; WORDS]) -> u64 {
    let products = keys[1..].iter().zip(words).map(|(key, &word)| key.wrapping_mul(u128::from(word)));
    (products.fold(keys[0], u128::wrapping_add) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipse_base::{Codec, HashCode, Multihash};

    #[test]
    fn names_that_differ_in_anything_differ() {
        let mut set = Fingerprints::new();
        let digest = |data: &[u8], code| Multihash::digest_of(code, data).unwrap();
        let mut names = vec![Cid::v0(digest(b"0", HashCode::SHA2_256)).unwrap()];
        for code in [HashCode::SHA2_256, HashCode::SHA2_512, HashCode::BLAKE3, HashCode::IDENTITY] {
            for codec in [Codec::RAW, Codec::DAG_PB] {
                names.extend((0..100_u8).map(|number| Cid::v1(codec, digest(&[number], code))));
            }
        }
        for name in &names {
            assert!(set.insert(set.of(name), ()), "{name}");
        }
        assert!(names.iter().all(|name| set.get(set.of(name)).is_some()));
        assert_eq!(set.len(), names.len());
    }

    #[test]
    fn tables_get_one_to_two_parts_of_all_names() {
        let mut set = Fingerprints::<()>::new();
        for number in 0..100_000_u32 {
            let digest = number.to_le_bytes().repeat(8);
            let name = set.of(&Cid::v1(Codec::RAW, Multihash::wrap(HashCode::SHA2_256, &digest).unwrap()));
            set.insert(name, ());
        }
        let sizes = set.held.each_ref().map(HashMap::len);
        let part = 100_000 / PARTS;
        assert!((part * TABLES * 8 / 10..part * TABLES * 13 / 10).contains(&sizes[0]), "{sizes:?}");
        let last = part * (2 * TABLES - 1);
        assert!((last * 8 / 10..last * 13 / 10).contains(&sizes[TABLES - 1]), "{sizes:?}");
        assert_eq!(set.len(), 100_000);
    }

    #[test]
    fn shares_are_about_equal() {
        let set = Fingerprints::<()>::new();
        let mut counts = [0_u32; 4];
        for number in 0..4000_u32 {
            let hash = Multihash::digest_of(HashCode::SHA2_256, &number.to_le_bytes()).unwrap();
            counts[set.of(&Cid::v1(Codec::RAW, hash)).share(4) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
