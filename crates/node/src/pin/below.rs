//! Below: every block that recursive pins keep and that is no pin itself, each once, in bounded memory.

use std::collections::VecDeque;

use ipse_base::limits::{DAG_DEPTH_MAX, PIN_LIST_LINKS_MAX, PIN_LIST_NAMES_MAX};
use ipse_base::{AbsentReason, Cid, Codec};
use ipse_dag::{Fingerprints, WalkError};
use ipse_store::{PinMode, Pins, Store};

use super::{Pin, PinState};
use crate::ReadError;

/// Pins that are handed out together.
const PAGE: usize = 1024;
/// Links whose blocks are looked up together.
const LOOKED_UP_TOGETHER: usize = 256;
/// Pins that are held in memory, so that what is pinned itself is known without a look-up: 26 MiB at the most. Where
/// there are more, each page is looked up, which is ten times slower.
const PINNED_HELD_MAX: usize = 2 * PIN_LIST_NAMES_MAX;

/// The blocks below recursive pins, a page at a time. Reads only what is here; leaves are not read.
///
/// Memory: what was listed is remembered in 22 bytes a name, and for no more than
/// [`PIN_LIST_NAMES_MAX`] blocks at a time. Where the store holds more, names are divided by their fingerprints into
/// equal shares, and each share is a pass of its own over all inner nodes; inner nodes are remembered in each pass.
/// The links of the nodes that the walk is inside of are bounded by [`PIN_LIST_LINKS_MAX`]. So a list of any
/// length takes about 32 MiB, and 22 bytes for each pin, for up to 1.3 million of them; what grows with the store
/// is time, by one walk of the inner nodes for each further 640,000 blocks.
///
/// Order: a pass lists its share in read order (depth first, a node before its links), pin by pin in the order of
/// their hashes.
pub(super) struct Below {
    store: Store,
    share: u64,
    shares: u64,
    /// The pins of this pass that are still to be walked.
    roots: Pins,
    /// The pin that is being walked.
    root: Option<Cid>,
    /// The nodes that the walk is inside of.
    inside: Vec<Links>,
    links: usize,
    seen: Fingerprints<()>,
    pinned: Option<Fingerprints<()>>,
    begun: bool,
    over: bool,
}

/// The links of a node that are still to come.
struct Links {
    later: std::vec::IntoIter<Cid>,
    /// The next ones, each with whether it is known to have no links.
    next: VecDeque<(Cid, bool)>,
    /// How many there were at first.
    count: usize,
}

impl Below {
    pub(super) fn new(store: Store) -> Self {
        Self {
            roots: store.pins(Some(PinMode::Recursive)),
            store,
            share: 0,
            shares: 1,
            root: None,
            inside: Vec::new(),
            links: 0,
            seen: Fingerprints::new(),
            pinned: None,
            begun: false,
            over: false,
        }
    }

    /// Decides how many passes there are, and learns what is pinned itself.
    fn begin(&mut self, names_max: usize) -> Result<(), ReadError> {
        self.begun = true;
        let blocks = self.store.blocks_at_most().map_err(ReadError::plan)?;
        self.shares = blocks.div_ceil(names_max as u64).max(1);
        let mut pinned = Fingerprints::new();
        for pin in self.store.pins(None) {
            let name = pinned.of(&pin.map_err(ReadError::plan)?.cid);
            pinned.insert(name, ());
            if pinned.len() > PINNED_HELD_MAX {
                return Ok(());
            }
        }
        self.pinned = Some(pinned);
        Ok(())
    }

    fn page(&mut self) -> Result<Vec<Pin>, ReadError> {
        let mut page = Vec::with_capacity(PAGE);
        while page.is_empty() && !self.over {
            while page.len() < PAGE && !self.over {
                self.step(&mut page)?;
            }
            if self.pinned.is_none() {
                let cids: Vec<Cid> = page.iter().map(|pin| pin.cid.clone()).collect();
                let mut pins = self.store.pins_on(&cids).map_err(ReadError::plan)?.into_iter();
                page.retain(|_| pins.next().flatten().is_none());
            }
        }
        Ok(page)
    }

    /// Moves on by one link, one node or one pin.
    fn step(&mut self, page: &mut Vec<Pin>) -> Result<(), ReadError> {
        let Some(links) = self.inside.last_mut() else { return self.next_root() };
        let Some((cid, is_leaf)) = links.next(&self.store)? else {
            self.links -= links.count;
            self.inside.pop();
            return Ok(());
        };
        let name = self.seen.of(&cid);
        let listed = name.share(self.shares) == self.share;
        if (is_leaf && !listed) || !self.seen.insert(name, ()) {
            return Ok(());
        }
        if listed && self.pinned.as_ref().is_none_or(|pinned| pinned.get(pinned.of(&cid)).is_none()) {
            let root = self.root.clone().unwrap_or_else(|| cid.clone());
            page.push(Pin { cid: cid.clone(), state: PinState::Indirect(root), name: None });
        }
        if is_leaf { Ok(()) } else { self.enter(&cid) }
    }

    fn next_root(&mut self) -> Result<(), ReadError> {
        if let Some(pin) = self.roots.next() {
            let cid = pin.map_err(ReadError::plan)?.cid;
            self.root = Some(cid.clone());
            let name = self.seen.of(&cid);
            return if self.seen.insert(name, ()) { self.enter(&cid) } else { Ok(()) };
        }
        self.share += 1;
        self.over = self.share >= self.shares;
        self.seen.clear();
        self.roots = self.store.pins(Some(PinMode::Recursive));
        Ok(())
    }

    /// Goes inside of a node.
    fn enter(&mut self, cid: &Cid) -> Result<(), ReadError> {
        if cid.codec() == Codec::RAW {
            return Ok(());
        }
        let Some(block) = self.store.get(cid).map_err(ReadError::plan)? else { return self.missing(cid) };
        let targets = ipse_dag::targets(cid, block.data())
            .map_err(|source| ReadError::plan(WalkError::Decode { cid: cid.clone(), source }))?;
        self.links += targets.len();
        if self.inside.len() >= DAG_DEPTH_MAX {
            return Err(ReadError::plan(WalkError::TooDeep(cid.clone())));
        }
        if self.links > PIN_LIST_LINKS_MAX {
            return Err(ReadError::plan(WalkError::TooWide(cid.clone())));
        }
        let count = targets.len();
        self.inside.push(Links { later: targets.into_iter(), next: VecDeque::new(), count });
        Ok(())
    }

    /// What a pin keeps is not here. Where the pin was taken away meanwhile, that is as it should be.
    fn missing(&mut self, cid: &Cid) -> Result<(), ReadError> {
        let root = self.root.clone().unwrap_or_else(|| cid.clone());
        let pin = self.store.pin_of(&root).map_err(ReadError::plan)?;
        if pin.is_some_and(|pin| pin.mode == PinMode::Recursive) {
            return Err(ReadError::Absent { cid: cid.clone(), reason: AbsentReason::Offline });
        }
        self.inside.clear();
        self.links = 0;
        Ok(())
    }
}

impl Iterator for Below {
    type Item = Result<Vec<Pin>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let begun = if self.begun { Ok(()) } else { self.begin(PIN_LIST_NAMES_MAX) };
        let page = begun.and_then(|()| self.page());
        self.over |= page.is_err();
        Some(page).filter(|page| page.as_ref().map_or(true, |pins| !pins.is_empty()))
    }
}

impl Links {
    fn next(&mut self, store: &Store) -> Result<Option<(Cid, bool)>, ReadError> {
        if let Some(next) = self.next.pop_front() {
            return Ok(Some(next));
        }
        let cids: Vec<Cid> = self.later.by_ref().take(LOOKED_UP_TOGETHER).collect();
        // Raw blocks are leaves whatever the index says.
        let inner: Vec<Cid> = cids.iter().filter(|cid| cid.codec() != Codec::RAW).cloned().collect();
        let known =
            if inner.is_empty() { Vec::new() } else { store.look_up(&inner).map_err(ReadError::plan)? };
        let mut known = known.into_iter();
        self.next.extend(cids.into_iter().map(|cid| {
            let is_leaf = cid.codec() == Codec::RAW
                || known.next().flatten().and_then(|known| known.leaf).unwrap_or(false);
            (cid, is_leaf)
        }));
        Ok(self.next.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ipse_base::{Block, BlockSink, HashCode};
    use ipse_store::{Repo, StoreOptions};

    use super::*;

    fn store(folder: &std::path::Path) -> Store {
        let links = |cid: &Cid, data: &bytes::Bytes| Ok(ipse_dag::targets(cid, data)?);
        let repo = Repo::init(&folder.join("repository"), b"{}", b"{}").unwrap();
        Store::open_in(repo, StoreOptions::new(links)).unwrap()
    }

    fn leaf(number: u32) -> Block {
        Block::hash(Codec::RAW, HashCode::SHA2_256, number.to_le_bytes().to_vec().into()).unwrap()
    }

    fn node(number: u32, below: &[Block]) -> Block {
        let link = |block: &Block| ipse_dag::PbLink { cid: block.cid().clone(), name: None, tsize: None };
        let data = Some(number.to_le_bytes().to_vec().into());
        let node = ipse_dag::PbNode { data, links: below.iter().map(link).collect() };
        Block::hash(Codec::DAG_PB, HashCode::SHA2_256, node.encode()).unwrap()
    }

    fn listed(store: &Store, names_max: usize) -> (u64, Vec<Cid>) {
        let mut below = Below::new(store.clone());
        below.begin(names_max).unwrap();
        let shares = below.shares;
        let pages: Vec<Vec<Pin>> = below.map(Result::unwrap).collect();
        (shares, pages.concat().into_iter().map(|pin| pin.cid).collect())
    }

    #[test]
    fn whatever_memory_allows_each_block_is_listed_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let leaves: Vec<Block> = (0..3000).map(leaf).collect();
        // Two trees that share most of what they have; leaves without links in a codec that has them.
        let empty: Vec<Block> = (0..500).map(|number| node(number, &[])).collect();
        let inner: Vec<Block> = leaves.chunks(100).zip(7000..).map(|(some, n)| node(n, some)).collect();
        let low = node(9000, &[inner.clone(), empty.clone()].concat());
        let high = node(9001, &[low.clone(), inner[3].clone(), leaves[7].clone()]);
        let all = [leaves.clone(), empty.clone(), inner.clone(), vec![low.clone(), high.clone()]].concat();
        store.put(&all).unwrap();
        for root in [&low, &high] {
            store.pin(root.cid(), PinMode::Recursive, None).unwrap();
        }
        // One that is pinned itself, and a leaf that is.
        store.pin(inner[0].cid(), PinMode::Direct, None).unwrap();
        store.pin(leaves[0].cid(), PinMode::Direct, None).unwrap();
        let mut expected: BTreeSet<Cid> = all.iter().map(|block| block.cid().clone()).collect();
        for pinned in [&low, &high, &inner[0], &leaves[0]] {
            expected.remove(pinned.cid());
        }
        for (names_max, passes) in [(1_000_000, 1), (1000, 4), (100, 36)] {
            let (shares, cids) = listed(&store, names_max);
            assert_eq!(shares, passes);
            assert_eq!(cids.len(), expected.len());
            assert_eq!(cids.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }

    #[test]
    fn what_is_missing_is_an_error_while_its_pin_stands() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let below = node(1, &[leaf(1)]);
        let (lost, whole) = (node(2, &[below]), node(3, &[leaf(3)]));
        store.put(&[lost.clone(), whole.clone(), leaf(3)]).unwrap();
        for root in [&lost, &whole] {
            store.pin(root.cid(), PinMode::Recursive, None).unwrap();
        }
        assert!(Below::new(store.clone()).any(|page| page.is_err()));
        // The walk has begun inside of a pin that is then taken away.
        let mut walk = Below::new(store.clone());
        walk.begin(1000).unwrap();
        let mut page = Vec::new();
        while walk.root.as_ref() != Some(lost.cid()) || walk.inside.is_empty() {
            walk.step(&mut page).unwrap();
        }
        store.unpin(std::slice::from_ref(lost.cid())).unwrap();
        while !walk.over {
            walk.step(&mut page).unwrap();
        }
        assert!(page.iter().any(|pin| pin.cid == *leaf(3).cid()));
    }
}
