//! CarReader: takes an archive in pieces of any size and gives its header and blocks as they become whole. Holds
//! what was fed and not yet taken, so a caller that takes everything after each piece holds one block at most.

use bytes::Bytes;
use ipse_base::Cid;
use ipse_base::limits::{BITSWAP_CID_BYTES_MAX, BLOCK_BYTES_MAX, CAR_HEADER_BYTES_MAX};

use super::CarError;
use super::header::{FIXED_BYTES, Header, Places};
use super::rope::Rope;

/// Largest block that is read where the caller allows blocks over the limit of the network, in bytes.
const BIG_BLOCK_BYTES_MAX: usize = 2 * BLOCK_BYTES_MAX;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarItem {
    /// Comes first, once.
    Header {
        /// 1 or 2.
        version: u64,
        /// What the archive is said to be about; it need not hold them.
        roots: Vec<Cid>,
    },
    /// A block. That the bytes match the name is not checked here.
    Block {
        /// Its name.
        cid: Cid,
        /// Its bytes.
        data: Bytes,
    },
}

/// What stands next.
#[derive(Clone, Copy)]
enum State {
    /// The header of version 1, or the pragma of version 2.
    Start,
    /// The fixed header of version 2, so many bytes into the file once it is read.
    Fixed { end: u64 },
    /// Bytes of version 2 in front of the archive inside.
    Padding { left: u64 },
    /// The header of the archive inside one of version 2.
    Inner,
    /// Blocks.
    Blocks,
    /// Whatever follows the archive inside one of version 2.
    Tail,
}

/// Reads an archive that is pushed into it.
///
/// ```
/// use ipse_dag::{CarItem, CarReader, car};
///
/// let mut reader = CarReader::new();
/// reader.feed(car::header(&[]).into());
/// assert_eq!(reader.next()?, Some(CarItem::Header { version: 1, roots: vec![] }));
/// assert_eq!(reader.next()?, None);
/// reader.finish()?;
/// # Ok::<(), ipse_dag::CarError>(())
/// ```
pub struct CarReader {
    rope: Rope,
    state: State,
    version: u64,
    /// Bytes of the archive of version 1 that were not taken yet, where version 2 says how many there are.
    inner_left: Option<u64>,
    block_bytes_max: usize,
    failed: Option<CarError>,
}

impl Default for CarReader {
    fn default() -> Self {
        Self::new()
    }
}

impl CarReader {
    /// A reader at the start of an archive, for blocks of up to 2 MiB.
    pub fn new() -> Self {
        Self {
            rope: Rope::default(),
            state: State::Start,
            version: 1,
            inner_left: None,
            block_bytes_max: BLOCK_BYTES_MAX,
            failed: None,
        }
    }

    /// Takes blocks of up to 4 MiB, which the network's peers refuse.
    #[must_use]
    pub const fn allow_big_blocks(mut self) -> Self {
        self.block_bytes_max = BIG_BLOCK_BYTES_MAX;
        self
    }

    /// Takes the next piece of the archive.
    pub fn feed(&mut self, piece: Bytes) {
        self.rope.push(piece);
    }

    /// The next item that is whole; `None` until more is fed.
    ///
    /// # Errors
    /// [`CarError`] where the archive is malformed, and the same again at every call after that.
    #[expect(clippy::should_implement_trait, reason = "`None` means not yet, which an iterator can't say")]
    pub fn next(&mut self) -> Result<Option<CarItem>, CarError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = self.read();
        self.failed = next.as_ref().err().cloned();
        next
    }

    /// Says that nothing more will be fed.
    ///
    /// # Errors
    /// [`CarError::Short`] where something was still to come, or the error that reading ended with.
    pub fn finish(&mut self) -> Result<(), CarError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let whole = match self.state {
            State::Tail => true,
            State::Blocks => self.rope.len() == 0 && self.inner_left.is_none_or(|left| left == 0),
            _ => false,
        };
        if whole { Ok(()) } else { Err(CarError::Short) }
    }

    fn read(&mut self) -> Result<Option<CarItem>, CarError> {
        loop {
            match self.state {
                State::Start => match self.header()? {
                    None => return Ok(None),
                    Some((header, bytes)) if header.version == 2 && header.roots.is_none() => {
                        self.state = State::Fixed { end: bytes + FIXED_BYTES as u64 };
                        self.version = 2;
                    }
                    Some((header, _)) => return self.begin(header).map(Some),
                },
                State::Fixed { end } => {
                    let Some(fixed) = self.rope.take(FIXED_BYTES) else { return Ok(None) };
                    let places = Places::decode(&fixed, end)?;
                    self.inner_left = Some(places.data_bytes);
                    self.state = State::Padding { left: places.data_offset - end };
                }
                State::Padding { left } => {
                    let left = left - self.rope.skip(left);
                    self.state = if left == 0 { State::Inner } else { State::Padding { left } };
                    if left > 0 {
                        return Ok(None);
                    }
                }
                State::Inner => match self.header()? {
                    None => return Ok(None),
                    Some((header, _)) => return self.begin(header).map(Some),
                },
                State::Blocks if self.inner_left == Some(0) => self.state = State::Tail,
                State::Blocks => return self.block(),
                State::Tail => {
                    self.rope.skip(u64::MAX);
                    return Ok(None);
                }
            }
        }
    }

    /// A header and the bytes it took.
    fn header(&mut self) -> Result<Option<(Header, u64)>, CarError> {
        let section = self.section(CAR_HEADER_BYTES_MAX, CarError::HeaderTooLarge)?;
        section.map(|(bytes, taken)| Ok((Header::decode(&bytes)?, taken))).transpose()
    }

    fn begin(&mut self, header: Header) -> Result<CarItem, CarError> {
        if header.version != 1 {
            return Err(CarError::Version(header.version));
        }
        self.state = State::Blocks;
        Ok(CarItem::Header { version: self.version, roots: header.roots.ok_or(CarError::Header)? })
    }

    fn block(&mut self) -> Result<Option<CarItem>, CarError> {
        let limit = self.block_bytes_max + BITSWAP_CID_BYTES_MAX;
        let Some((section, _)) = self.section(limit, CarError::SectionTooLarge)? else { return Ok(None) };
        let (cid, data) = Cid::read(&section)?;
        if data.len() > self.block_bytes_max {
            return Err(CarError::SectionTooLarge(section.len() as u64));
        }
        let data = section.slice_ref(data);
        Ok(Some(CarItem::Block { cid, data }))
    }

    /// The next bytes behind a length of their own, once they are whole. The length is checked as soon as it is
    /// here, so that no more than the limit is ever waited for.
    fn section(
        &mut self,
        limit: usize,
        too_large: fn(u64) -> CarError,
    ) -> Result<Option<(Bytes, u64)>, CarError> {
        let Some((declared, prefix)) = self.rope.peek_varint()? else { return Ok(None) };
        let length = usize::try_from(declared).ok().filter(|&length| length <= limit);
        let taken = length.ok_or(too_large(declared))? + prefix;
        if self.inner_left.is_some_and(|left| left < taken as u64) {
            return Err(CarError::Short);
        }
        let Some(mut section) = self.rope.take(taken) else { return Ok(None) };
        self.inner_left = self.inner_left.map(|left| left - taken as u64);
        Ok(Some((section.split_off(prefix), taken as u64)))
    }
}
