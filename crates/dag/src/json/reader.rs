//! Reads JSON (RFC 8259) into a node: one pass over the bytes, nesting on a stack of its own and bounded.

use ipse_base::limits::DAG_DEPTH_MAX;
use ipse_base::{Base, BaseError, CidError};

use super::Dialect;
use crate::ipld::Builder;
use crate::{DecodeError, Ipld};

/// Why bytes are not DAG-JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("json: {fault} (byte {offset})")]
pub struct JsonError {
    /// Where reading stopped.
    pub offset: usize,
    /// What is wrong there.
    pub fault: JsonFault,
}

/// What can be wrong with DAG-JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// The bytes end inside a value.
    #[error("unexpected end of data")]
    Short,
    /// A byte that can't stand where it does.
    #[error("unexpected byte 0x{0:02x}")]
    Unexpected(u8),
    /// Something follows the value.
    #[error("unexpected content after end of json object")]
    Trailing,
    /// Text that is not UTF-8, or an escape that is no character.
    #[error("text is not Unicode")]
    Text,
    /// A number beyond what any codec here can hold.
    #[error("number is out of range")]
    Number,
    /// A link that is not a Cid.
    #[error("link: {0}")]
    Link(#[from] CidError),
    /// Bytes that are not in base64.
    #[error("bytes: {0}")]
    Bytes(#[from] BaseError),
    /// Maps and lists inside each other beyond the limit.
    #[error("message structure exceeded maximum nesting depth")]
    TooDeep,
}

/// What may come next.
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// Reads a whole block.
pub(crate) fn decode(bytes: &[u8], dialect: Dialect) -> Result<Ipld, DecodeError> {
    let mut reader = Reader { bytes, at: 0, dialect };
    let mut builder = Builder::default();
    let mut expect = Expect::Value;
    while !(matches!(expect, Expect::CommaOrEnd) && builder.depth() == 0) {
        expect = reader.advance(&mut builder, expect)?;
    }
    reader.skip_space();
    if reader.at < bytes.len() {
        return Err(reader.error(JsonFault::Trailing).into());
    }
    // Outside of every map and list a value has been read, so there is a root.
    Ok(builder.finish().unwrap_or(Ipld::Null))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    dialect: Dialect,
}

impl Reader<'_> {
    fn error(&self, fault: JsonFault) -> JsonError {
        JsonError { offset: self.at, fault }
    }

    /// Reads one token and says what may follow it.
    fn advance(&mut self, builder: &mut Builder, expect: Expect) -> Result<Expect, DecodeError> {
        self.skip_space();
        let byte = self.peek().map_err(|fault| self.error(fault))?;
        match (expect, byte) {
            (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') if builder.in_map() => self.end(builder),
            (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') if !builder.in_map() => self.end(builder),
            (Expect::CommaOrEnd, b',') => {
                self.at += 1;
                Ok(if builder.in_map() { Expect::Key } else { Expect::Value })
            }
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                let key = self.text().map_err(|fault| self.error(fault))?;
                builder.key(&key);
                self.skip_space();
                self.word(b":").map_err(|fault| self.error(fault))?;
                Ok(Expect::Value)
            }
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') if builder.depth() == DAG_DEPTH_MAX => {
                Err(self.error(JsonFault::TooDeep).into())
            }
            (Expect::Value | Expect::ValueOrEnd, b'{') => {
                self.at += 1;
                builder.begin_map();
                Ok(Expect::KeyOrEnd)
            }
            (Expect::Value | Expect::ValueOrEnd, b'[') => {
                self.at += 1;
                builder.begin_list();
                Ok(Expect::ValueOrEnd)
            }
            (Expect::Value | Expect::ValueOrEnd, byte) => {
                builder.value(self.scalar(byte).map_err(|fault| self.error(fault))?);
                Ok(Expect::CommaOrEnd)
            }
            (_, byte) => Err(self.error(JsonFault::Unexpected(byte)).into()),
        }
    }

    /// Ends a map or list; in DAG-JSON it may turn out to be a link or bytes.
    fn end(&mut self, builder: &mut Builder) -> Result<Expect, DecodeError> {
        self.at += 1;
        let mut value = builder.end()?;
        if self.dialect == Dialect::Dag
            && let Some(special) = special(&value).map_err(|fault| self.error(fault))?
        {
            value = special;
        }
        builder.value(value);
        Ok(Expect::CommaOrEnd)
    }

    fn scalar(&mut self, byte: u8) -> Result<Ipld, JsonFault> {
        match byte {
            b'n' => self.word(b"null").map(|()| Ipld::Null),
            b't' => self.word(b"true").map(|()| Ipld::Bool(true)),
            b'f' => self.word(b"false").map(|()| Ipld::Bool(false)),
            b'"' => self.text().map(|text| Ipld::Text(text.into())),
            b'-' | b'0'..=b'9' => self.number(),
            other => Err(JsonFault::Unexpected(other)),
        }
    }

    fn peek(&self) -> Result<u8, JsonFault> {
        self.bytes.get(self.at).copied().ok_or(JsonFault::Short)
    }

    fn skip_space(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|&byte| !keep(byte)).unwrap_or(rest.len());
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonFault> {
        for &expected in word {
            match self.peek()? {
                byte if byte == expected => self.at += 1,
                byte => return Err(JsonFault::Unexpected(byte)),
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Ipld, JsonFault> {
        let start = self.at;
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut whole = true;
        if self.peek() == Ok(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Ok(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Ok(b'+' | b'-')));
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| JsonFault::Number)?;
        if !whole {
            let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
            return float.map(Ipld::Float).ok_or(JsonFault::Number);
        }
        let value: i128 = text.parse().map_err(|_| JsonFault::Number)?;
        let integer = if value < 0 {
            u64::try_from(-1 - value).map(Ipld::Negative)
        } else {
            value.try_into().map(Ipld::Unsigned)
        };
        integer.map_err(|_| JsonFault::Number)
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        match self.peek()? {
            b'0'..=b'9' => {
                self.skip_while(|byte| byte.is_ascii_digit());
                Ok(())
            }
            other => Err(JsonFault::Unexpected(other)),
        }
    }

    fn text(&mut self) -> Result<String, JsonFault> {
        self.word(b"\"")?;
        let mut text = String::new();
        loop {
            let start = self.at;
            self.skip_while(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
            text.push_str(std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| JsonFault::Text)?);
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Ok(text),
                b'\\' => text.push(self.escape()?),
                other => return Err(JsonFault::Unexpected(other)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let units = if matches!(first, 0xd800..0xdc00) {
                    self.word(b"\\u")?;
                    vec![first, self.unit()?]
                } else {
                    vec![first]
                };
                match char::decode_utf16(units).next() {
                    Some(Ok(character)) => character,
                    _ => return Err(JsonFault::Text),
                }
            }
            other => return Err(JsonFault::Unexpected(other)),
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, JsonFault> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.peek()?;
            let digit = char::from(byte).to_digit(16).ok_or(JsonFault::Unexpected(byte))?;
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// The link or the bytes that a map with the only key `/` stands for.
fn special(value: &Ipld) -> Result<Option<Ipld>, JsonFault> {
    match only(value, "/") {
        Some(Ipld::Text(cid)) => Ok(Some(Ipld::Link(Box::new(cid.parse()?)))),
        Some(inner) => match only(inner, "bytes") {
            Some(Ipld::Text(text)) => Ok(Some(Ipld::Bytes(base64(text)?.into()))),
            _ => Ok(None),
        },
        None => Ok(None),
    }
}

fn only<'a>(value: &'a Ipld, key: &str) -> Option<&'a Ipld> {
    match value {
        Ipld::Map(entries) if entries.len() == 1 => value.get(key),
        _ => None,
    }
}

/// Base64 without padding, as it is written; with padding, as others may have written it.
fn base64(text: &str) -> Result<Vec<u8>, BaseError> {
    let prefix = if text.ends_with('=') { 'M' } else { 'm' };
    Base::from_prefix(prefix)?.decode_bare(text)
}
