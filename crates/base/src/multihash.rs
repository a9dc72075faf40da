//! Multihash: a digest that says which hash function made it.

use std::hash::{Hash, Hasher as StdHasher};
use std::sync::Arc;

use crate::limits::{DIGEST_BYTES_MAX, IDENTITY_BYTES_MAX};
use crate::varint::{self, VarintError};

/// The code of a hash function in the multicodec table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashCode(pub u64);

impl HashCode {
    /// The bytes themselves instead of a digest.
    pub const IDENTITY: Self = Self(0x00);
    /// SHA-256.
    pub const SHA2_256: Self = Self(0x12);
    /// SHA-512.
    pub const SHA2_512: Self = Self(0x13);
    /// BLAKE3 with its default length of 32 bytes.
    pub const BLAKE3: Self = Self(0x1e);

    /// Name in the multicodec table, for functions that this node computes or prints.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::IDENTITY => "identity",
            Self::SHA2_256 => "sha2-256",
            Self::SHA2_512 => "sha2-512",
            Self::BLAKE3 => "blake3",
            Self(0x11) => "sha1",
            Self(0x14) => "sha3-512",
            Self(0x15) => "sha3-384",
            Self(0x16) => "sha3-256",
            Self(0x17) => "sha3-224",
            Self(0x18) => "shake-128",
            Self(0x19) => "shake-256",
            Self(0x1a) => "keccak-224",
            Self(0x1b) => "keccak-256",
            Self(0x1c) => "keccak-384",
            Self(0x1d) => "keccak-512",
            Self(0x56) => "dbl-sha2-256",
            Self(0xb220) => "blake2b-256",
            Self(0xb260) => "blake2s-256",
            _ => return None,
        })
    }

    /// The function with this name, whether or not this node computes it; see [`HashCode::is_computable`].
    pub fn from_name(name: &str) -> Option<Self> {
        const CODES: &[u64] = &[
            0x00, 0x12, 0x13, 0x1e, 0x11, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x56,
            0xb220, 0xb260,
        ];
        CODES.iter().map(|&code| Self(code)).find(|code| code.name() == Some(name))
    }

    /// Whether this node can compute the function, and so verify blocks named by it.
    pub const fn is_computable(self) -> bool {
        matches!(self, Self::IDENTITY | Self::SHA2_256 | Self::SHA2_512 | Self::BLAKE3)
    }
}

impl std::fmt::Display for HashCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "hash 0x{:x}", self.0),
        }
    }
}

/// Why bytes are not a multihash, or could not be hashed into one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MultihashError {
    /// A number in front of the digest is malformed.
    #[error("multihash is malformed: {0}")]
    Varint(#[from] VarintError),
    /// The digest is shorter or longer than announced.
    #[error("multihash says {declared} bytes of digest and has {actual}")]
    Length {
        /// Bytes that the multihash announces.
        declared: u64,
        /// Bytes that are there.
        actual: usize,
    },
    /// The digest is longer than any this node takes.
    #[error("digest of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// Bytes of the digest.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// This node does not compute the function.
    #[error("hash function {0} is not supported")]
    Unsupported(HashCode),
}

/// Digests of up to this many bytes live inside the value; longer ones are shared on the heap.
const INLINE_BYTES: usize = 32;

#[derive(Clone)]
enum Digest {
    Inline(u8, [u8; INLINE_BYTES]),
    Heap(Arc<[u8]>),
}

/// A digest with the code of its function. Cheap to clone.
#[derive(Clone)]
pub struct Multihash {
    code: HashCode,
    digest: Digest,
}

impl Multihash {
    /// Wraps a digest that was computed elsewhere.
    ///
    /// # Errors
    /// [`MultihashError::TooLong`] over 64 bytes, or over 128 for the identity function.
    pub fn wrap(code: HashCode, digest: &[u8]) -> Result<Self, MultihashError> {
        let limit = if code == HashCode::IDENTITY { IDENTITY_BYTES_MAX } else { DIGEST_BYTES_MAX };
        if digest.len() > limit {
            return Err(MultihashError::TooLong { length: digest.len(), limit });
        }
        let digest = if digest.len() <= INLINE_BYTES {
            let mut inline = [0; INLINE_BYTES];
            inline[..digest.len()].copy_from_slice(digest);
            Digest::Inline(digest.len() as u8, inline)
        } else {
            Digest::Heap(digest.into())
        };
        Ok(Self { code, digest })
    }

    /// Hashes `data` with the function of the given code.
    ///
    /// # Errors
    /// [`MultihashError::Unsupported`] for a function this node does not compute, [`MultihashError::TooLong`]
    /// for more than 128 bytes under the identity function.
    pub fn digest_of(code: HashCode, data: &[u8]) -> Result<Self, MultihashError> {
        match code {
            HashCode::IDENTITY => Self::wrap(code, data),
            _ => {
                let mut hasher = Hasher::new(code)?;
                hasher.update(data);
                Ok(hasher.finish())
            }
        }
    }

    /// Reads one multihash from the front; returns it and the bytes behind it.
    ///
    /// # Errors
    /// [`MultihashError`] where a number is malformed or the digest is cut off or too long.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), MultihashError> {
        let (code, rest) = varint::read(bytes)?;
        let (declared, rest) = varint::read(rest)?;
        let Some(digest) = usize::try_from(declared).ok().and_then(|length| rest.get(..length)) else {
            return Err(MultihashError::Length { declared, actual: rest.len() });
        };
        Ok((Self::wrap(HashCode(code), digest)?, &rest[digest.len()..]))
    }

    /// Reads a multihash that takes all of `bytes`.
    ///
    /// # Errors
    /// As [`Multihash::read`], and [`MultihashError::Length`] where bytes are left over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MultihashError> {
        let (hash, rest) = Self::read(bytes)?;
        if rest.is_empty() {
            Ok(hash)
        } else {
            let length = hash.digest().len();
            Err(MultihashError::Length { declared: length as u64, actual: length + rest.len() })
        }
    }

    /// Appends the binary form.
    pub fn write(&self, out: &mut Vec<u8>) {
        varint::write(self.code.0, out);
        varint::write(self.digest().len() as u64, out);
        out.extend_from_slice(self.digest());
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.digest().len() + 4);
        self.write(&mut out);
        out
    }

    /// Which function made the digest.
    pub const fn code(&self) -> HashCode {
        self.code
    }

    /// The digest, or the content itself for the identity function.
    pub fn digest(&self) -> &[u8] {
        match &self.digest {
            Digest::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Digest::Heap(bytes) => bytes,
        }
    }

    /// Whether the content is in the multihash itself.
    pub fn is_identity(&self) -> bool {
        self.code == HashCode::IDENTITY
    }

    /// Whether `data` has this digest.
    ///
    /// # Errors
    /// [`MultihashError::Unsupported`] where the function can't be computed here.
    pub fn matches(&self, data: &[u8]) -> Result<bool, MultihashError> {
        if self.is_identity() {
            return Ok(self.digest() == data);
        }
        let actual = Self::digest_of(self.code, data)?;
        // A truncated digest names the block as well as its length allows.
        let length = self.digest().len();
        Ok(length >= MINIMUM_DIGEST_BYTES && actual.digest().get(..length) == Some(self.digest()))
    }
}

/// Digests cut shorter than this are no proof of anything (20 bytes, as in the reference node).
const MINIMUM_DIGEST_BYTES: usize = 20;

impl PartialEq for Multihash {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code && self.digest() == other.digest()
    }
}

impl Eq for Multihash {}

impl PartialOrd for Multihash {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Multihash {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.code, self.digest()).cmp(&(other.code, other.digest()))
    }
}

impl Hash for Multihash {
    fn hash<H: StdHasher>(&self, state: &mut H) {
        self.code.hash(state);
        self.digest().hash(state);
    }
}

impl std::fmt::Debug for Multihash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.code)?;
        self.digest().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

enum State {
    Aws(HashCode, aws_lc_rs::digest::Context),
    Blake3(Box<blake3::Hasher>),
}

/// Hashes bytes that come in pieces.
pub struct Hasher(State);

impl Hasher {
    /// Starts a digest.
    ///
    /// # Errors
    /// [`MultihashError::Unsupported`] for the identity function and for those not computed here.
    pub fn new(code: HashCode) -> Result<Self, MultihashError> {
        use aws_lc_rs::digest::{Context, SHA256, SHA512};
        Ok(Self(match code {
            HashCode::SHA2_256 => State::Aws(code, Context::new(&SHA256)),
            HashCode::SHA2_512 => State::Aws(code, Context::new(&SHA512)),
            HashCode::BLAKE3 => State::Blake3(Box::default()),
            other => return Err(MultihashError::Unsupported(other)),
        }))
    }

    /// Takes more bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Aws(_, context) => context.update(data),
            State::Blake3(hasher) => {
                hasher.update(data);
            }
        }
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Multihash {
        match self.0 {
            State::Aws(code, context) => sized(code, context.finish().as_ref()),
            State::Blake3(hasher) => sized(HashCode::BLAKE3, hasher.finalize().as_bytes()),
        }
    }
}

/// Wraps the output of one of our own functions, whose lengths are all under the limit.
fn sized(code: HashCode, digest: &[u8]) -> Multihash {
    debug_assert!(digest.len() <= DIGEST_BYTES_MAX);
    let digest = match <[u8; INLINE_BYTES]>::try_from(digest) {
        Ok(inline) => Digest::Inline(INLINE_BYTES as u8, inline),
        Err(_) => Digest::Heap(digest.into()),
    };
    Multihash { code, digest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_never_panics() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            if let Ok((hash, rest)) = Multihash::read(bytes) {
                let mut again = hash.to_bytes();
                again.extend_from_slice(rest);
                assert_eq!(&again, bytes);
            }
        });
    }

    #[test]
    fn every_function_matches_its_own_digest() {
        for code in [HashCode::IDENTITY, HashCode::SHA2_256, HashCode::SHA2_512, HashCode::BLAKE3] {
            let hash = Multihash::digest_of(code, b"hello").unwrap();
            assert_eq!(hash.matches(b"hello"), Ok(true));
            assert_eq!(hash.matches(b"hellO"), Ok(false));
            assert_eq!(Multihash::from_bytes(&hash.to_bytes()).unwrap(), hash);
        }
    }

    #[test]
    fn a_digest_cut_too_short_matches_nothing() {
        let whole = Multihash::digest_of(HashCode::SHA2_256, b"hello").unwrap();
        let cut = |length| Multihash::wrap(HashCode::SHA2_256, &whole.digest()[..length]).unwrap();
        assert_eq!(cut(20).matches(b"hello"), Ok(true));
        assert_eq!(cut(19).matches(b"hello"), Ok(false));
        assert_eq!(cut(0).matches(b"hello"), Ok(false));
    }

    #[test]
    fn limits_hold() {
        assert!(Multihash::digest_of(HashCode::IDENTITY, &[0; 128]).is_ok());
        assert!(Multihash::digest_of(HashCode::IDENTITY, &[0; 129]).is_err());
        assert!(Multihash::digest_of(HashCode(0x16), b"").is_err());
        assert!(Multihash::from_bytes(&[0x12, 0x7f, 1]).is_err());
    }
}
