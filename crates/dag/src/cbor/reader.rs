//! Reader: CBOR items one by one, as slices of the block. Nothing is allocated by a length that a block
//! declares, and nesting is a counter, not recursion.

use ipse_base::limits::DAG_DEPTH_MAX;
use ipse_base::{Cid, CidError};

/// Why bytes are not DAG-CBOR, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cbor: {fault} (byte {offset})")]
pub struct CborError {
    /// Where reading stopped.
    pub offset: usize,
    /// What is wrong there.
    pub fault: CborFault,
}

/// What can be wrong with DAG-CBOR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborFault {
    /// The bytes end inside an item, or an item declares more than there is.
    #[error("unexpected end of data")]
    Short,
    /// Bytes follow the item.
    #[error("unexpected content after end of cbor object, {0} bytes")]
    Trailing(usize),
    /// A number or length takes more bytes than it needs.
    #[error("number is not in its shortest form")]
    NotMinimal,
    /// A length that is left open.
    #[error("indefinite lengths are not allowed")]
    Indefinite,
    /// A head that CBOR keeps for later.
    #[error("reserved head")]
    Reserved,
    /// A tag other than that of a link.
    #[error("unhandled cbor tag {0}")]
    Tag(u64),
    /// The tag of a link around something that is not a binary Cid behind a zero byte.
    #[error("invalid multibase on IPLD link")]
    NotALink,
    /// A link whose Cid is malformed.
    #[error("link: {0}")]
    Link(CidError),
    /// Not a number, or without end.
    #[error("NaN and infinities are not allowed")]
    NotFinite,
    /// A simple value other than false, true and null.
    #[error("simple value {0} is not allowed")]
    Simple(u8),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
    /// A map's key that is not text.
    #[error("map key is not text")]
    Key,
    /// Maps and lists inside each other beyond the limit.
    #[error("message structure exceeded maximum nesting depth")]
    TooDeep,
}

/// One item, or the end of a map or list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Link(Cid),
    List,
    Map,
    Key(&'a str),
    End,
}

/// A map or list that is begun: the items that are still to come in it, keys counted.
struct Open {
    is_map: bool,
    left: usize,
}

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, open: Vec::new() }
    }

    /// The next event; `None` when the one item of the block has ended.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'a>>, CborError> {
        self.event().map_err(|fault| CborError { offset: self.at, fault })
    }

    fn event(&mut self) -> Result<Option<Event<'a>>, CborFault> {
        let Some(open) = self.open.last_mut() else {
            if self.at == 0 {
                return self.item().map(Some);
            }
            let trailing = self.bytes.len() - self.at;
            return if trailing == 0 { Ok(None) } else { Err(CborFault::Trailing(trailing)) };
        };
        if open.left == 0 {
            self.open.pop();
            return Ok(Some(Event::End));
        }
        let is_key = open.is_map && open.left.is_multiple_of(2);
        open.left -= 1;
        match (is_key, self.item()?) {
            (true, Event::Text(key)) => Ok(Some(Event::Key(key))),
            (true, _) => Err(CborFault::Key),
            (false, item) => Ok(Some(item)),
        }
    }

    fn item(&mut self) -> Result<Event<'a>, CborFault> {
        let [head] = self.array()?;
        let (major, info) = (head >> 5, head & 0x1f);
        if major == 7 {
            return self.simple(info);
        }
        let argument = self.argument(info)?;
        match major {
            0 => Ok(Event::Unsigned(argument)),
            1 => Ok(Event::Negative(argument)),
            2 => self.take(argument).map(Event::Bytes),
            3 => std::str::from_utf8(self.take(argument)?).map(Event::Text).map_err(|_| CborFault::Utf8),
            4 => self.begin(false, argument),
            5 => self.begin(true, argument.checked_mul(2).ok_or(CborFault::Short)?),
            _ => self.link(argument),
        }
    }

    fn begin(&mut self, is_map: bool, items: u64) -> Result<Event<'a>, CborFault> {
        if self.open.len() == DAG_DEPTH_MAX {
            return Err(CborFault::TooDeep);
        }
        // Every item takes a byte at least.
        let left = usize::try_from(items).ok().filter(|&items| items <= self.bytes.len() - self.at);
        self.open.push(Open { is_map, left: left.ok_or(CborFault::Short)? });
        Ok(if is_map { Event::Map } else { Event::List })
    }

    fn link(&mut self, tag: u64) -> Result<Event<'a>, CborFault> {
        const LINK: u64 = 42;
        if tag != LINK {
            return Err(CborFault::Tag(tag));
        }
        let [head] = self.array()?;
        if head >> 5 != 2 {
            return Err(CborFault::NotALink);
        }
        let length = self.argument(head & 0x1f)?;
        let cid = self.take(length)?.strip_prefix(&[0]).ok_or(CborFault::NotALink)?;
        Cid::from_bytes(cid).map(Event::Link).map_err(CborFault::Link)
    }

    fn simple(&mut self, info: u8) -> Result<Event<'a>, CborFault> {
        let float = match info {
            20 => return Ok(Event::Bool(false)),
            21 => return Ok(Event::Bool(true)),
            22 | 23 => return Ok(Event::Null),
            25 => half(u16::from_be_bytes(self.array()?)),
            26 => f64::from(f32::from_be_bytes(self.array()?)),
            27 => f64::from_be_bytes(self.array()?),
            24 => return Err(CborFault::Simple(self.array::<1>()?[0])),
            31 => return Err(CborFault::Indefinite),
            other => return Err(CborFault::Simple(other)),
        };
        if float.is_finite() { Ok(Event::Float(float)) } else { Err(CborFault::NotFinite) }
    }

    fn argument(&mut self, info: u8) -> Result<u64, CborFault> {
        let (value, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(self.array::<1>()?[0]), 24),
            25 => (u64::from(u16::from_be_bytes(self.array()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.array()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.array()?), 1 << 32),
            31 => return Err(CborFault::Indefinite),
            _ => return Err(CborFault::Reserved),
        };
        if value < least { Err(CborFault::NotMinimal) } else { Ok(value) }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborFault> {
        let rest = &self.bytes[self.at..];
        let taken =
            usize::try_from(length).ok().and_then(|length| rest.get(..length)).ok_or(CborFault::Short)?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CborFault> {
        let taken = self.bytes[self.at..].first_chunk().ok_or(CborFault::Short)?;
        self.at += N;
        Ok(*taken)
    }
}

/// A float of 16 bits (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 => f64::INFINITY,
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { size } else { -size }
}
