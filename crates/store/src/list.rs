//! List: the blocks that are here, a page at a time.

use ipse_base::{Cid, Multihash};

use crate::core::{Core, WriteError};
use crate::index::IndexError;
use crate::place::Place;
use crate::store::Store;

/// Blocks fetched at once.
const PAGE: usize = 1024;

/// Every block that is in the index, with its place, in the order of the keys. Bounded memory, no lock held
/// between pages; what is deleted meanwhile is left out.
pub(crate) struct Places<'a> {
    core: &'a Core,
    page: std::vec::IntoIter<(Multihash, Place)>,
    after: Option<Multihash>,
    done: bool,
}

impl<'a> Places<'a> {
    pub(crate) fn new(core: &'a Core) -> Self {
        Self { core, page: Vec::new().into_iter(), after: None, done: false }
    }

    pub(crate) fn next(&mut self) -> Result<Option<(Multihash, Place)>, IndexError> {
        loop {
            for (hash, place) in self.page.by_ref() {
                let newer = self.core.pending().place_quiet(&hash);
                match newer {
                    None => return Ok(Some((hash, place))),
                    Some(Some(place)) => return Ok(Some((hash, place))),
                    Some(None) => {}
                }
            }
            if self.done {
                return Ok(None);
            }
            let mut page = self.core.index.places(self.after.as_ref(), PAGE)?;
            self.done = page.len() < PAGE;
            let end = page.last().map(|(hash, _)| hash.clone()).or(self.after.clone());
            if self.core.log.is_read_only() {
                self.add_unindexed(&mut page, end.as_ref())?;
            }
            self.after = end;
            self.page = page.into_iter();
        }
    }

    /// Adds what belongs to a page and is in no index, which stays so on a disk that takes no writes.
    fn add_unindexed(
        &self,
        page: &mut Vec<(Multihash, Place)>,
        end: Option<&Multihash>,
    ) -> Result<(), IndexError> {
        let (start, end) = (self.after.as_ref().map(Multihash::to_bytes), end.map(Multihash::to_bytes));
        let belongs = |(hash, _): &(Multihash, Place)| {
            let key = Some(hash.to_bytes());
            key > start && (self.done || key <= end)
        };
        page.extend(self.core.unindexed()?.into_iter().filter(belongs));
        page.sort_by_key(|(hash, _)| hash.to_bytes());
        Ok(())
    }

    /// The next page in the order in which the blocks stand on the disk, so that reading them is one way;
    /// empty at the end.
    pub(crate) fn next_page_by_place(&mut self) -> Result<Vec<(Multihash, Place)>, IndexError> {
        let mut page = Vec::with_capacity(PAGE);
        while page.len() < PAGE {
            let Some(entry) = self.next()? else { break };
            page.push(entry);
        }
        page.sort_unstable_by_key(|(_, place)| place.position);
        Ok(page)
    }
}

/// The names of the blocks that are here; see [`Store::iter`].
pub struct LocalCids {
    store: Store,
    page: std::vec::IntoIter<Cid>,
    after: Option<Multihash>,
    done: bool,
}

impl Store {
    /// The names of all blocks that are here: version 1, with the codec under which each was first stored.
    /// Blocks put after the call may be missed.
    ///
    /// # Errors
    /// [`WriteError`] where the index can't be brought up to date first.
    pub fn iter(&self) -> Result<LocalCids, WriteError> {
        self.core().checkpoint()?;
        Ok(LocalCids { store: self.clone(), page: Vec::new().into_iter(), after: None, done: false })
    }
}

impl Iterator for LocalCids {
    type Item = Result<Cid, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(cid) = self.page.next() {
                return Some(Ok(cid));
            }
            if self.done {
                return None;
            }
            let core = self.store.core();
            let mut places =
                Places { core, page: Vec::new().into_iter(), after: self.after.take(), done: false };
            let mut page = Vec::with_capacity(PAGE);
            while page.len() < PAGE {
                match places.next() {
                    Ok(Some((hash, place))) => {
                        self.after = Some(hash.clone());
                        page.push(place.cid(hash));
                    }
                    Ok(None) => {
                        self.done = true;
                        break;
                    }
                    Err(error) => {
                        self.done = true;
                        return Some(Err(error));
                    }
                }
            }
            self.page = page.into_iter();
        }
    }
}
