//! The little of protocol buffers that a message needs: fields read off a frame without copying, and lengths
//! and keys written.
//!
//! Why by hand: a generated decoder first builds every entry of a hostile frame (two bytes on the wire, fifty
//! in memory), and a generated encoder copies the payload. Here the caller counts while it reads, and payload
//! stays where it is.

use bytes::Bytes;

use super::DecodeError;

/// The value of one field.
pub(super) enum Value {
    /// A number: `int32`, `bool`, `enum`.
    Number(u64),
    /// Bytes or a nested message.
    Bytes(Bytes),
    /// Eight or four bytes, which no known field has.
    Fixed,
}

impl Value {
    /// The number, where the field must be one.
    pub(super) fn number(self) -> Result<u64, DecodeError> {
        if let Self::Number(value) = self { Ok(value) } else { Err(DecodeError::WireType) }
    }

    /// The bytes, where the field must have some.
    pub(super) fn bytes(self) -> Result<Bytes, DecodeError> {
        if let Self::Bytes(value) = self { Ok(value) } else { Err(DecodeError::WireType) }
    }
}

/// Fields of one message, in the order of the wire.
pub(super) struct Fields(pub(super) Bytes);

impl Fields {
    /// The next field's number and value; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value)>, DecodeError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = key >> 3;
        if field == 0 || field > MAX_FIELD {
            return Err(DecodeError::Field(field));
        }
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.skip(8)?,
            2 => Value::Bytes(self.slice()?),
            5 => self.skip(4)?,
            _ => return Err(DecodeError::WireType),
        };
        Ok(Some((field, value)))
    }

    /// Protocol buffers write negative numbers in ten bytes and tolerate padded ones, so this is not the varint
    /// of multiformats.
    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (index, &byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or(0);
            if byte & 0x80 == 0 {
                if index == 9 && byte > 1 {
                    return Err(DecodeError::Varint);
                }
                let _ = self.0.split_to(index + 1);
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 { DecodeError::Short } else { DecodeError::Varint })
    }

    fn slice(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::Short)?;
        if length > self.0.len() {
            return Err(DecodeError::Short);
        }
        Ok(self.0.split_to(length))
    }

    fn skip(&mut self, length: usize) -> Result<Value, DecodeError> {
        if length > self.0.len() {
            return Err(DecodeError::Short);
        }
        let _ = self.0.split_to(length);
        Ok(Value::Fixed)
    }
}

/// Field numbers have 29 bits.
const MAX_FIELD: u64 = (1 << 29) - 1;

/// Bytes of a length-delimited field with a field number below 16.
pub(super) fn field_len(content: usize) -> usize {
    1 + ipse_base::varint::len(content as u64) + content
}

/// Bytes of a number field with a field number below 16; a zero is not written.
pub(super) fn number_len(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + ipse_base::varint::len(value) }
}

/// Writes the key and length of a length-delimited field.
pub(super) fn write_length(field: u8, length: usize, out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    ipse_base::varint::write(length as u64, out);
}

/// Writes a number field, unless it is zero.
pub(super) fn write_number(field: u8, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        out.push(field << 3);
        ipse_base::varint::write(value, out);
    }
}
