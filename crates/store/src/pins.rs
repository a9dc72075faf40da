//! Pins: the promise to keep a block, or a block and everything below it.
//!
//! A pin is a record in the log like a block, so blocks and their pin become durable by one sync, in that
//! order. *Indirect* is not stored: it follows from the recursive pins by walking.

use std::collections::BTreeMap;

use ipse_base::limits::PIN_NAME_BYTES_MAX;
use ipse_base::{Block, Cid, ErrorKind, Kind, Multihash};

use crate::core::{Core, WriteError};
use crate::index::{IndexError, value};
use crate::log::{LogError, NewRecord};
use crate::pending::PinChanges;
use crate::record::RecordKind;
use crate::store::Store;

/// How much a pin keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PinMode {
    /// The block alone.
    Direct,
    /// The block and everything below it.
    Recursive,
}

impl std::fmt::Display for PinMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Recursive => "recursive",
        })
    }
}

/// A pin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// What is kept. The two versions of a Cid are two pins, of one block.
    pub cid: Cid,
    /// How much of it.
    pub mode: PinMode,
    /// A label for people.
    pub name: Option<String>,
}

/// Why a pin could not be set or taken away.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PinError {
    /// The block itself is not here.
    #[error("block {0} is not here, so it can't be pinned")]
    Absent(Cid),
    /// A recursive pin keeps more than the direct one that is asked for.
    #[error("{0} already pinned recursively")]
    AlreadyRecursive(Cid),
    /// There is no such pin.
    #[error("not pinned or pinned indirectly")]
    NotPinned(Cid),
    /// The name is longer than allowed.
    #[error("pin name of {length} bytes is over the limit of {limit}")]
    NameTooLong {
        /// Bytes of the name.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<IndexError> for PinError {
    fn from(error: IndexError) -> Self {
        Self::Write(error.into())
    }
}

impl From<LogError> for PinError {
    fn from(error: LogError) -> Self {
        Self::Write(error.into())
    }
}

impl ErrorKind for PinError {
    fn kind(&self) -> Kind {
        match self {
            Self::Absent(_) | Self::NotPinned(_) => Kind::NotFound,
            Self::AlreadyRecursive(_) => Kind::Conflict,
            Self::NameTooLong { .. } => Kind::Invalid,
            Self::Write(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotPinned(_) => Some("`ipse pin ls` shows what is pinned".into()),
            Self::Write(error) => error.hint(),
            _ => None,
        }
    }
}

/// Pins fetched at once while listing, and changed at once: so many hold the appender, and memory for what is
/// not in the index yet.
const PAGE: usize = 1024;
const CHANGED_TOGETHER: usize = 4096;

impl Core {
    /// The pin on exactly this Cid.
    pub(crate) fn pin_of(&self, cid: &Cid) -> Result<Option<Pin>, IndexError> {
        Ok(self.pins_on(&[cid])?.pop().flatten())
    }

    /// The pins on exactly these Cids, in the order in which they are asked for.
    fn pins_on(&self, cids: &[&Cid]) -> Result<Vec<Option<Pin>>, IndexError> {
        let keys: Vec<Vec<u8>> = cids.iter().map(|cid| value::pin_key(cid)).collect();
        // In this order: what goes from the pending changes into the index meanwhile is seen in one of them.
        let pending = self.pending();
        let changes: Vec<_> = keys.iter().map(|key| pending.pin(key)).collect();
        drop(pending);
        let unchanged = keys.iter().zip(&changes).filter(|(_, change)| change.is_none());
        let unchanged: Vec<Vec<u8>> = unchanged.map(|(key, _)| key.clone()).collect();
        let mut indexed = self.index.pins_at(&unchanged)?.into_iter();
        let pin = |(cid, change): (&&Cid, Option<Option<Vec<u8>>>)| match change {
            Some(value) => value.and_then(|value| value::decode_pin((*cid).clone(), &value)),
            None => indexed.next().flatten(),
        };
        Ok(cids.iter().zip(changes).map(pin).collect())
    }

    /// The pins of a block under all its names.
    pub(crate) fn pins_of(&self, hash: &Multihash) -> Result<Vec<Pin>, IndexError> {
        let changes = self.pending().pins_of(&hash.to_bytes());
        let pins = self.index.pins_of(hash)?;
        Ok(merged(pins, changes))
    }

    fn set_pins(&self, pins: &[Pin]) -> Result<(), PinError> {
        self.make_room_to_grow()?;
        let mut appender = self.log.appender();
        let cids: Vec<&Cid> = pins.iter().map(|pin| &pin.cid).collect();
        let old = self.pins_on(&cids)?;
        // A pin that dangles must never be in the log, so the look is under the appender's lock.
        let places = self.places(&cids.iter().map(|cid| cid.hash()).collect::<Vec<_>>())?;
        let mut values = Vec::with_capacity(pins.len());
        for ((pin, old), place) in pins.iter().zip(old).zip(places) {
            let length = pin.name.as_ref().map_or(0, String::len);
            if length > PIN_NAME_BYTES_MAX {
                return Err(PinError::NameTooLong { length, limit: PIN_NAME_BYTES_MAX });
            }
            if place.is_none() && Block::implied_by(&pin.cid).is_none() {
                return Err(PinError::Absent(pin.cid.clone()));
            }
            match old {
                Some(old) if old == *pin => continue,
                Some(old) if old.mode == PinMode::Recursive && pin.mode == PinMode::Direct => {
                    return Err(PinError::AlreadyRecursive(pin.cid.clone()));
                }
                _ => values.push((&pin.cid, value::encode_pin(pin.mode, pin.name.as_deref()))),
            }
        }
        let records: Vec<_> =
            values.iter().map(|(cid, value)| NewRecord::new(RecordKind::Pin, Some(cid), value)).collect();
        Ok(self.grow(&mut appender, &records)?)
    }

    fn unset_pins(&self, cids: &[Cid]) -> Result<(), PinError> {
        self.make_room()?;
        let mut appender = self.log.appender();
        let pins = self.pins_on(&cids.iter().collect::<Vec<_>>())?;
        if let Some((cid, _)) = cids.iter().zip(pins).find(|(_, pin)| pin.is_none()) {
            return Err(PinError::NotPinned(cid.clone()));
        }
        let records: Vec<_> =
            cids.iter().map(|cid| NewRecord::new(RecordKind::Unpin, Some(cid), &[])).collect();
        self.write(&mut appender, &records)?;
        self.quota.loosened_unknown();
        Ok(())
    }

    /// Pins behind `after` in the order of their keys, up to `PAGE` of them, and where the next page begins.
    pub(crate) fn pins_page(&self, after: Option<&Cid>) -> Result<(Vec<Pin>, Option<Cid>), IndexError> {
        let after = after.map(value::pin_key);
        let changes = self.pending().pins_behind(after.as_deref(), PAGE);
        let mut pins = self.index.pins(after.as_deref(), PAGE)?;
        // Each of both may go on behind what was taken of it; the page ends where the first of them breaks off.
        let last_pin = pins.last().filter(|_| pins.len() == PAGE).map(|pin| value::pin_key(&pin.cid));
        let last_change =
            changes.last_key_value().filter(|_| changes.len() == PAGE).map(|(key, _)| key.clone());
        let end = last_pin.into_iter().chain(last_change).min();
        if changes.is_empty() {
            let next = end.and_then(|key| value::decode_pin_key(&key));
            return Ok((pins, next));
        }
        let mut changes = changes;
        if let Some(end) = &end {
            pins.retain(|pin| value::pin_key(&pin.cid) <= *end);
            changes.retain(|key, _| key <= end);
        }
        Ok((merged(pins, changes), end.and_then(|key| value::decode_pin_key(&key))))
    }
}

/// What the index says, with what is newer.
fn merged(pins: Vec<Pin>, changes: PinChanges) -> Vec<Pin> {
    if changes.is_empty() {
        return pins;
    }
    let mut by_key: BTreeMap<_, _> = pins.into_iter().map(|pin| (value::pin_key(&pin.cid), pin)).collect();
    for (key, change) in changes {
        let pin = change.and_then(|bytes| value::decode_pin(value::decode_pin_key(&key)?, &bytes));
        match pin {
            Some(pin) => by_key.insert(key, pin),
            None => by_key.remove(&key),
        };
    }
    by_key.into_values().collect()
}

impl Store {
    /// Pins a block and makes this and everything written before durable, with one sync. For a recursive pin
    /// the caller has seen that everything below is here, and holds a
    /// [`temporary_pin`](Store::temporary_pin) on it meanwhile.
    ///
    /// # Errors
    /// [`PinError`]; nothing is pinned then.
    pub fn pin(&self, cid: &Cid, mode: PinMode, name: Option<&str>) -> Result<(), PinError> {
        self.commit_with_pins(&[Pin { cid: cid.clone(), mode, name: name.map(str::to_owned) }])
    }

    /// As [`Store::pin`], for any number of pins and one sync. A direct pin becomes a recursive one where that
    /// is asked for; an equal pin is left as it is. Written 4,096 at a time, so that others get at the log
    /// between.
    ///
    /// # Errors
    /// [`PinError`]; the pins of the 4,096 that it is about are not set then, those before are.
    pub fn commit_with_pins(&self, pins: &[Pin]) -> Result<(), PinError> {
        let written = pins.chunks(CHANGED_TOGETHER).try_for_each(|some| self.core().set_pins(some));
        // What was written before an error is there, so it has to stay there.
        self.core().commit()?;
        written
    }

    /// Takes any number of pins away, durably, with one sync; written as those of [`Store::commit_with_pins`].
    ///
    /// # Errors
    /// [`PinError::NotPinned`] where one is not there; none of its 4,096 is taken away then, those before are.
    pub fn unpin(&self, cids: &[Cid]) -> Result<(), PinError> {
        let written = cids.chunks(CHANGED_TOGETHER).try_for_each(|some| self.core().unset_pins(some));
        self.core().commit()?;
        written
    }

    /// The pins on exactly these Cids, in the order in which they are asked for.
    ///
    /// # Errors
    /// [`IndexError`] where the index could not be read.
    pub fn pins_on(&self, cids: &[Cid]) -> Result<Vec<Option<Pin>>, IndexError> {
        self.core().pins_on(&cids.iter().collect::<Vec<_>>())
    }

    /// The pin on exactly this Cid.
    ///
    /// # Errors
    /// [`IndexError`] where the index could not be read.
    pub fn pin_of(&self, cid: &Cid) -> Result<Option<Pin>, IndexError> {
        self.core().pin_of(cid)
    }

    /// All pins of one mode, or of both. Reads a page at a time and holds no lock between; pins that come or go
    /// meanwhile may or may not be seen.
    pub fn pins(&self, mode: Option<PinMode>) -> Pins {
        Pins { pages: self.pin_pages(mode), page: Vec::new().into_iter() }
    }

    /// As [`Store::pins`], up to a thousand at a time, for those who have many to go through.
    pub fn pin_pages(&self, mode: Option<PinMode>) -> PinPages {
        PinPages { store: self.clone(), mode, next: Some(None) }
    }
}

/// See [`Store::pins`].
pub struct Pins {
    pages: PinPages,
    page: std::vec::IntoIter<Pin>,
}

impl Iterator for Pins {
    type Item = Result<Pin, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pin) = self.page.next() {
                return Some(Ok(pin));
            }
            match self.pages.next()? {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// See [`Store::pin_pages`].
pub struct PinPages {
    store: Store,
    mode: Option<PinMode>,
    /// Behind which pin the next page begins, if there is one; the first begins behind none.
    next: Option<Option<Cid>>,
}

impl Iterator for PinPages {
    type Item = Result<Vec<Pin>, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let after = self.next.take()?;
            let (mut page, next) = match self.store.core().pins_page(after.as_ref()) {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            self.next = next.map(Some);
            if let Some(mode) = self.mode {
                page.retain(|pin| pin.mode == mode);
            }
            if !page.is_empty() {
                return Some(Ok(page));
            }
        }
    }
}
