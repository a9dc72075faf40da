//! The text alphabets that binary names are printed in (multibase).

use multibase::Base as Table;

/// One of the bases of the multibase table that the reference node lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    prefix: char,
    name: &'static str,
    table: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table(Table),
    Identity,
}

/// Why text is not in a base.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// No base has this name.
    #[error("unknown multibase {0:?}")]
    UnknownName(String),
    /// No base has this prefix.
    #[error("unknown multibase prefix {0:?}")]
    UnknownPrefix(char),
    /// There is no text.
    #[error("multibase text is empty")]
    Empty,
    /// A character is not in the alphabet, or the padding is wrong.
    #[error("text is not valid {0}")]
    Malformed(&'static str),
}

const BASE32_LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

const fn base(prefix: char, name: &'static str, table: Table) -> Base {
    Base { prefix, name, table: Kind::Table(table) }
}

impl Base {
    /// Lower-case hexadecimal.
    pub const BASE16: Self = base('f', "base16", Table::Base16Lower);
    /// Lower-case base32 without padding, the usual base of a version 1 Cid.
    pub const BASE32: Self = base('b', "base32", Table::Base32Lower);
    /// Lower-case base36, for names in host labels.
    pub const BASE36: Self = base('k', "base36", Table::Base36Lower);
    /// The Bitcoin alphabet, the only base of a version 0 Cid.
    pub const BASE58BTC: Self = base('z', "base58btc", Table::Base58Btc);
    /// Base64 with padding, as keys are written in configurations.
    pub const BASE64PAD: Self = base('M', "base64pad", Table::Base64Pad);
    /// Base64 with the URL-safe alphabet and no padding.
    pub const BASE64URL: Self = base('u', "base64url", Table::Base64Url);

    /// Every base this node reads and prints, by prefix.
    pub const ALL: &'static [Self] = &[
        Self { prefix: '\0', name: "identity", table: Kind::Identity },
        base('0', "base2", Table::Base2),
        Self::BASE32,
        base('B', "base32upper", Table::Base32Upper),
        base('c', "base32pad", Table::Base32PadLower),
        base('C', "base32padupper", Table::Base32PadUpper),
        Self::BASE16,
        base('F', "base16upper", Table::Base16Upper),
        Self::BASE36,
        base('K', "base36upper", Table::Base36Upper),
        base('m', "base64", Table::Base64),
        Self::BASE64PAD,
        base('t', "base32hexpad", Table::Base32HexPadLower),
        base('T', "base32hexpadupper", Table::Base32HexPadUpper),
        Self::BASE64URL,
        base('U', "base64urlpad", Table::Base64UrlPad),
        base('v', "base32hex", Table::Base32HexLower),
        base('V', "base32hexupper", Table::Base32HexUpper),
        Self::BASE58BTC,
        base('Z', "base58flickr", Table::Base58Flickr),
        base('\u{1F680}', "base256emoji", Table::Base256Emoji),
    ];

    /// The base with this name.
    ///
    /// # Errors
    /// [`BaseError::UnknownName`].
    pub fn from_name(name: &str) -> Result<Self, BaseError> {
        Self::ALL
            .iter()
            .find(|base| base.name == name)
            .copied()
            .ok_or_else(|| BaseError::UnknownName(name.to_owned()))
    }

    /// The base with this prefix.
    ///
    /// # Errors
    /// [`BaseError::UnknownPrefix`].
    pub fn from_prefix(prefix: char) -> Result<Self, BaseError> {
        Self::ALL.iter().find(|base| base.prefix == prefix).copied().ok_or(BaseError::UnknownPrefix(prefix))
    }

    /// Its name in the multibase table.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The character in front of text in this base.
    pub const fn prefix(self) -> char {
        self.prefix
    }

    /// Text with its prefix.
    pub fn encode(self, bytes: &[u8]) -> String {
        match self.table {
            Kind::Table(table) => multibase::encode(table, bytes),
            // Identity text is the bytes themselves; what is not UTF-8 can't be text.
            Kind::Identity => format!("\0{}", String::from_utf8_lossy(bytes)),
        }
    }

    /// Appends text with its prefix. The usual base has a way of its own, since listings print nothing else.
    pub fn encode_into(self, bytes: &[u8], out: &mut String) {
        if self != Self::BASE32 {
            out.push_str(&self.encode(bytes));
            return;
        }
        out.reserve(1 + bytes.len().div_ceil(5) * 8);
        out.push(self.prefix);
        for group in bytes.chunks(5) {
            let mut whole = [0; 8];
            whole[3..3 + group.len()].copy_from_slice(group);
            let bits = u64::from_be_bytes(whole);
            let letters: [u8; 8] =
                std::array::from_fn(|at| BASE32_LETTERS[(bits >> (35 - 5 * at)) as usize & 31]);
            let used = (group.len() * 8).div_ceil(5);
            out.extend(letters[..used].iter().map(|&letter| char::from(letter)));
        }
    }

    /// Text without its prefix.
    pub fn encode_bare(self, bytes: &[u8]) -> String {
        let text = self.encode(bytes);
        text.get(self.prefix.len_utf8()..).unwrap_or_default().to_owned()
    }

    /// Reads text that starts with a prefix; returns the base it names and the bytes.
    ///
    /// # Errors
    /// [`BaseError`] for an unknown prefix or text outside the alphabet.
    pub fn decode(text: &str) -> Result<(Self, Vec<u8>), BaseError> {
        let prefix = text.chars().next().ok_or(BaseError::Empty)?;
        let base = Self::from_prefix(prefix)?;
        Ok((base, base.decode_bare(&text[prefix.len_utf8()..])?))
    }

    /// Reads text without its prefix.
    ///
    /// # Errors
    /// [`BaseError::Malformed`] for text outside the alphabet.
    pub fn decode_bare(self, text: &str) -> Result<Vec<u8>, BaseError> {
        let table = match self.table {
            Kind::Table(table) => table,
            Kind::Identity => return Ok(text.as_bytes().to_vec()),
        };
        table.decode(text).map_err(|_| BaseError::Malformed(self.name))
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_base_reads_what_it_writes() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let bytes = &bytes[..bytes.len().min(200)];
            for base in &Base::ALL[1..] {
                let text = base.encode(bytes);
                let mut appended = String::from("x");
                base.encode_into(bytes, &mut appended);
                assert_eq!(appended.strip_prefix('x'), Some(text.as_str()));
                let (named, back) = Base::decode(&text).unwrap();
                assert_eq!((named.name(), &back[..]), (base.name(), bytes));
            }
        });
    }

    #[test]
    fn never_panics_on_text() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = Base::decode(text);
        });
    }
}
