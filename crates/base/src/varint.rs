//! Unsigned varints of the multiformats specification: little-endian groups of seven bits, minimal form, at
//! most nine bytes.

/// Why a varint could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VarintError {
    /// The bytes end inside the number.
    #[error("varint is cut off")]
    Short,
    /// More than nine bytes.
    #[error("varint is longer than nine bytes")]
    Long,
    /// A shorter form of the same number exists.
    #[error("varint is not in its shortest form")]
    NotMinimal,
}

/// Reads one varint from the front; returns the number and the bytes behind it.
///
/// # Errors
/// [`VarintError`] where the bytes are cut off, too long, or not minimal.
pub fn read(bytes: &[u8]) -> Result<(u64, &[u8]), VarintError> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().enumerate() {
        if index == 9 {
            return Err(VarintError::Long);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(VarintError::NotMinimal);
            }
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err(if bytes.len() > 9 { VarintError::Long } else { VarintError::Short })
}

/// Appends `value` in its shortest form.
pub fn write(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`write()`] takes for `value`.
pub const fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_of_every_length() {
        bolero::check!().with_type::<u64>().for_each(|&value| {
            let value = value >> 1;
            let mut out = Vec::new();
            write(value, &mut out);
            assert_eq!(out.len(), len(value));
            assert_eq!(read(&out), Ok((value, &[][..])));
        });
    }

    #[test]
    fn refuses_what_the_specification_refuses() {
        assert_eq!(read(&[]), Err(VarintError::Short));
        assert_eq!(read(&[0x80]), Err(VarintError::Short));
        assert_eq!(read(&[0x81, 0x00]), Err(VarintError::NotMinimal));
        assert_eq!(read(&[0xff; 10]), Err(VarintError::Long));
    }
}
