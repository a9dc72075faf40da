//! The protobuf wire format, as far as the formats of IPFS use it: fields of a message as slices of the bytes
//! they came in. Knows no schema; what a field means and how often it may stand is its reader's business.
//!
//! Numbers are read as leniently as other implementations read them (up to ten bytes, shortest form or not), so
//! that a block which they hold can be read here too. Writing always takes the shortest form.

use ipse_base::varint;

/// Why bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside a field.
    #[error("unexpected end of message")]
    Short,
    /// A number has more than 64 bits.
    #[error("variable length integer overflow")]
    Overflow,
    /// Field numbers start at one.
    #[error("invalid field number")]
    FieldNumber,
    /// A wire type that the formats of IPFS never use.
    #[error("invalid wire type {0}")]
    WireType(u8),
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: bytes, text or a message inside.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

impl Value<'_> {
    /// The number of its wire type.
    pub const fn wire_type(&self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Fixed32(_) => 5,
        }
    }
}

/// The fields of a message in the order in which they stand, by number. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads a whole message.
    pub const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), WireError> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| WireError::FieldNumber)?;
        if number == 0 || number > i32::MAX as u32 {
            return Err(WireError::FieldNumber);
        }
        let value = match (tag & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(usize::try_from(length).map_err(|_| WireError::Short)?)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(WireError::WireType(other)),
        };
        Ok((number, value))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().enumerate() {
            // The tenth byte holds the 64th bit and nothing else.
            if index == 9 && byte > 1 {
                return Err(WireError::Overflow);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(WireError::Short)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Appends a field of wire type 0.
pub fn write_varint(number: u32, value: u64, out: &mut Vec<u8>) {
    varint::write(u64::from(number) << 3, out);
    varint::write(value, out);
}

/// Appends a field of wire type 2.
pub fn write_bytes(number: u32, value: &[u8], out: &mut Vec<u8>) {
    write_bytes_prefix(number, value.len(), out);
    out.extend_from_slice(value);
}

/// Appends what stands in front of the bytes of a field of wire type 2.
pub fn write_bytes_prefix(number: u32, length: usize, out: &mut Vec<u8>) {
    varint::write(u64::from(number) << 3 | 2, out);
    varint::write(length as u64, out);
}

/// Bytes that [`write_varint`] takes.
pub const fn varint_len(number: u32, value: u64) -> usize {
    varint::len((number as u64) << 3) + varint::len(value)
}

/// Bytes that [`write_bytes`] takes for a value of `length` bytes.
pub const fn bytes_len(number: u32, length: usize) -> usize {
    varint::len((number as u64) << 3) + varint::len(length as u64) + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        bolero::check!().with_type::<(u32, u64, Vec<u8>)>().for_each(|(number, value, bytes)| {
            let number = number % (i32::MAX as u32) + 1;
            let mut out = Vec::new();
            write_varint(number, *value, &mut out);
            assert_eq!(out.len(), varint_len(number, *value));
            write_bytes(number, bytes, &mut out);
            assert_eq!(out.len(), varint_len(number, *value) + bytes_len(number, bytes.len()));
            let mut fields = Fields::new(&out);
            assert_eq!(fields.next(), Some(Ok((number, Value::Varint(*value)))));
            assert_eq!(fields.next(), Some(Ok((number, Value::Bytes(bytes)))));
            assert_eq!(fields.next(), None);
        });
    }

    #[test]
    fn fuzz_fields() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let fields: Vec<_> = Fields::new(bytes).collect();
            assert!(fields.len() <= bytes.len());
        });
    }

    #[test]
    fn malformed_messages_are_refused() {
        let only = |bytes: &[u8]| Fields::new(bytes).last().and_then(Result::err);
        assert_eq!(only(&[0x80]), Some(WireError::Short));
        assert_eq!(only(&[0x0a, 5, 1]), Some(WireError::Short));
        assert_eq!(only(&[0x0d, 5, 1]), Some(WireError::Short));
        assert_eq!(only(&[0x02, 0]), Some(WireError::FieldNumber));
        assert_eq!(only(&[0x0b]), Some(WireError::WireType(3)));
        assert_eq!(only(&[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]), Some(WireError::Overflow));
    }
}
