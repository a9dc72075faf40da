//! Denylist: all rules of a node, ready to be asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use ipse_base::{Cid, Codec, HashCode, Multihash, Namespace, Path};

use crate::hidden::Mark;
use crate::item::{About, Item, Pattern, Root};

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The list's name.
    pub list: &'a str,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.list, self.line)
    }
}

/// A rule's line, counted over all lists one behind the other, so that the later rule has the higher number: the
/// last rule that matches decides. The lowest bit says whether the rule allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u32);

impl Rank {
    const fn new(line: u32, allows: bool) -> Self {
        Self(line << 1 | allows as u32)
    }

    const fn allows(self) -> bool {
        self.0 & 1 == 1
    }

    const fn line(self) -> u32 {
        self.0 >> 1
    }
}

/// What the operator refuses to provide. Empty where there are no lists.
#[derive(Debug, Default)]
pub struct Denylist {
    paths: HashMap<Root, Vec<(Pattern, Rank)>>,
    hidden: HashMap<Mark, Rank>,
    /// The functions that hidden paths were hashed by.
    functions: Vec<HashCode>,
    has_anchors: bool,
    /// Name and first line of each list, counted over all.
    lists: Vec<(String, u32)>,
    rules: usize,
}

impl Denylist {
    /// The rule that denies a path, if one does. The whole path is looked at as it was asked for; what it leads to
    /// is asked for with [`Denylist::find_block`].
    pub fn find(&self, path: &Path) -> Option<Place<'_>> {
        let segments = path.segments().join("/");
        match path.root() {
            Namespace::Ipfs(cid) if is_empty_content(cid.hash()) => None,
            Namespace::Ipfs(cid) => self.decide(&Root::Block(cid.hash().clone()), cid.codec(), &segments),
            Namespace::Ipns(name) => self.decide(&Root::of_name(name), Codec::LIBP2P_KEY, &segments),
        }
    }

    /// The rule that denies a block, however it was come by.
    pub fn find_block(&self, cid: &Cid) -> Option<Place<'_>> {
        if self.is_empty() || is_empty_content(cid.hash()) {
            return None;
        }
        self.decide(&Root::Block(cid.hash().clone()), cid.codec(), "")
    }

    /// Whether there are no rules.
    pub const fn is_empty(&self) -> bool {
        self.rules == 0
    }

    /// How many rules there are.
    pub const fn len(&self) -> usize {
        self.rules
    }

    fn decide(&self, root: &Root, codec: Codec, path: &str) -> Option<Place<'_>> {
        let named = self.paths.get(root).into_iter().flatten();
        let named = named.filter(|(pattern, _)| pattern.matches(path)).map(|(_, rank)| *rank);
        let hashed = self.functions.iter().filter_map(|&function| Mark::of_path(function, root, path));
        let anchor = self.has_anchors.then(|| Mark::of_anchor(root, codec, path)).flatten();
        let hidden = hashed.chain(anchor).filter_map(|mark| self.hidden.get(&mark).copied());
        let last = named.chain(hidden).max()?;
        (!last.allows()).then(|| self.place(last))
    }

    fn place(&self, rank: Rank) -> Place<'_> {
        let after = self.lists.partition_point(|(_, first)| *first <= rank.line());
        match after.checked_sub(1).and_then(|at| self.lists.get(at)) {
            Some((name, first)) => Place { list: name, line: rank.line() - first + 1 },
            None => Place { list: "", line: rank.line() },
        }
    }

    pub(crate) fn begin(&mut self, name: &str, first_line: u32) {
        self.lists.push((name.to_owned(), first_line));
    }

    pub(crate) fn insert(&mut self, item: Item, line: u32) {
        let rank = Rank::new(line, item.allows);
        self.rules += 1;
        match item.about {
            About::Path(root, pattern) => self.paths.entry(root).or_default().push((pattern, rank)),
            About::Hidden { path, anchor } => {
                self.has_anchors |= anchor.is_some();
                if let Some((function, _)) = path
                    && !self.functions.contains(&function)
                {
                    self.functions.push(function);
                }
                for mark in path.map(|(_, mark)| mark).into_iter().chain(anchor) {
                    // Rules come in order: the later one is the one that counts.
                    self.hidden.insert(mark, rank);
                }
            }
        }
    }
}

/// Whether this is what every empty file and folder is named: a rule that denies it would deny half of the world.
/// What a Cid carries in itself is not provided by anybody either.
fn is_empty_content(hash: &Multihash) -> bool {
    /// Of dag-pb a folder and a file, of dag-cbor and dag-json a map, and no bytes at all.
    const EMPTY: [&[u8]; 5] = [b"\x0a\x02\x08\x01", b"\x0a\x04\x08\x02\x18\x00", b"\xa0", b"{}", b""];
    static NAMES: LazyLock<Vec<Multihash>> = LazyLock::new(|| {
        EMPTY.iter().filter_map(|content| Multihash::digest_of(HashCode::SHA2_256, content).ok()).collect()
    });
    hash.is_identity() || NAMES.contains(hash)
}
