//! The two headers of an archive: roots and version in DAG-CBOR, and the places in an archive of version 2.

use ipse_base::Cid;

use super::CarError;
use crate::cbor::{Event, Reader};

/// The header of version 1, or what stands for it in version 2 (a version and nothing else).
pub(super) struct Header {
    pub(super) version: u64,
    pub(super) roots: Option<Vec<Cid>>,
}

impl Header {
    /// Reads the header event by event: 32 MiB of roots never become a tree.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CarError> {
        let mut reader = Reader::new(bytes);
        let mut next = || reader.next_event()?.ok_or(CarError::Header);
        let (mut version, mut roots) = (None, None);
        if next()? != Event::Map {
            return Err(CarError::Header);
        }
        loop {
            match next()? {
                Event::Key("version") if version.is_none() => match next()? {
                    Event::Unsigned(number) => version = Some(number),
                    _ => return Err(CarError::Header),
                },
                Event::Key("roots") if roots.is_none() => {
                    let mut cids = Vec::new();
                    if next()? != Event::List {
                        return Err(CarError::Header);
                    }
                    loop {
                        match next()? {
                            Event::Link(cid) => cids.push(cid),
                            Event::End => break,
                            _ => return Err(CarError::Header),
                        }
                    }
                    roots = Some(cids);
                }
                Event::End => break,
                _ => return Err(CarError::Header),
            }
        }
        if reader.next_event()?.is_some() {
            return Err(CarError::Header);
        }
        Ok(Self { version: version.ok_or(CarError::Header)?, roots })
    }
}

/// Bytes of the fixed header of version 2, behind the pragma.
pub(super) const FIXED_BYTES: usize = 40;

/// Where the archive of version 1 lies inside one of version 2, counted from the start of the file.
pub(super) struct Places {
    pub(super) data_offset: u64,
    pub(super) data_bytes: u64,
}

impl Places {
    /// Reads the fixed header, which ends so many bytes into the file.
    pub(super) fn decode(bytes: &[u8], fixed_end: u64) -> Result<Self, CarError> {
        // Sixteen bytes of characteristics come first, the place of the index last; neither matters here.
        let number = |from: usize| {
            let field = bytes.get(from..).and_then(|rest| rest.first_chunk());
            field.map(|field| u64::from_le_bytes(*field)).ok_or(CarError::Layout)
        };
        let places = Self { data_offset: number(16)?, data_bytes: number(24)? };
        let end = places.data_offset.checked_add(places.data_bytes);
        if places.data_offset < fixed_end || end.is_none() { Err(CarError::Layout) } else { Ok(places) }
    }
}
