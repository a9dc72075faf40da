//! Chunker and Splitter: a stream of bytes becomes the chunks that become leaves. First stop of the write
//! path.
//!
//! A chunk that lies whole in what was given is a slice of it; only chunks that straddle two pieces are
//! copied.

use bytes::{Buf, Bytes, BytesMut};
use ipse_base::{ErrorKind, Kind};

use crate::CHUNK_BYTES_MAX;

/// Bytes of a chunk where nobody chose.
const DEFAULT_BYTES: usize = 256 * 1024;

/// A rule by which a stream is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunker {
    /// Chunks of one size, in bytes; the last is what is left.
    Size(usize),
}

/// Cuts a stream into chunks of one size.
#[derive(Debug)]
pub struct Splitter {
    chunk_bytes: usize,
    /// Bytes of the chunk that is not whole yet; always fewer than `chunk_bytes`.
    pending: BytesMut,
}

/// Why text does not name a chunker. Texts are those of the reference node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkerError {
    /// No chunker has this name.
    #[error("unrecognized chunker option: {0}")]
    Unknown(String),
    /// A chunker that this node does not have yet.
    #[error("chunker {0} is not supported: use size-N")]
    Unsupported(String),
    /// More or fewer parts than `size-N`.
    #[error("incorrect chunker string format (expected size-{{size}})")]
    Format,
    /// The size is no number.
    #[error("strconv.Atoi: parsing {0:?}: invalid syntax")]
    Number(String),
    /// The size is a number that no machine has.
    #[error("strconv.Atoi: parsing {0:?}: value out of range")]
    Range(String),
    /// A chunk has at least one byte.
    #[error("chunker size must be greater than 0")]
    Empty,
    /// The chunk would not fit in a block.
    #[error("chunker parameters may not exceed the maximum chunk size of {CHUNK_BYTES_MAX}")]
    TooLarge,
}

impl ErrorKind for ChunkerError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unsupported(_) => Kind::Unsupported,
            _ => Kind::Invalid,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("write a chunker as size-262144, with bytes of a chunk".into())
    }
}

impl Chunker {
    /// Reads a chunker's name: `size-N`; `default` and nothing mean 256 KiB.
    ///
    /// # Errors
    /// [`ChunkerError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ChunkerError> {
        let mut parts = text.split('-');
        match parts.next() {
            Some("" | "default") if !text.contains('-') => return Ok(Self::Size(DEFAULT_BYTES)),
            Some("size") => {}
            Some("rabin" | "buzhash") => return Err(ChunkerError::Unsupported(text.to_owned())),
            _ => return Err(ChunkerError::Unknown(text.to_owned())),
        }
        let (Some(number), None) = (parts.next(), parts.next()) else {
            return Err(ChunkerError::Format);
        };
        match number.parse::<i64>() {
            Ok(..=0) => Err(ChunkerError::Empty),
            Ok(size) => usize::try_from(size)
                .ok()
                .filter(|&size| size <= CHUNK_BYTES_MAX)
                .map(Self::Size)
                .ok_or(ChunkerError::TooLarge),
            Err(error) => Err(match error.kind() {
                std::num::IntErrorKind::PosOverflow => ChunkerError::Range(number.to_owned()),
                _ => ChunkerError::Number(number.to_owned()),
            }),
        }
    }
}

impl Splitter {
    /// A splitter into chunks of `chunk_bytes`, or of one byte for zero.
    pub fn new(chunk_bytes: usize) -> Self {
        Self { chunk_bytes: chunk_bytes.max(1), pending: BytesMut::new() }
    }

    /// Takes more of the stream; returns the chunks that are whole now.
    pub fn push(&mut self, mut input: Bytes) -> Vec<Bytes> {
        let mut chunks = Vec::with_capacity((self.pending.len() + input.len()) / self.chunk_bytes);
        if !self.pending.is_empty() {
            // The rest of the chunk gets its room at once. Only now, so that a stream which came in one
            // piece, such as a small file, takes no more than its size.
            self.pending.reserve(self.chunk_bytes.min(CHUNK_BYTES_MAX).saturating_sub(self.pending.len()));
            let missing = (self.chunk_bytes - self.pending.len()).min(input.len());
            self.pending.extend_from_slice(&input[..missing]);
            input.advance(missing);
            if self.pending.len() == self.chunk_bytes {
                chunks.push(std::mem::take(&mut self.pending).freeze());
            }
        }
        while input.len() >= self.chunk_bytes {
            chunks.push(input.split_to(self.chunk_bytes));
        }
        self.pending.extend_from_slice(&input);
        chunks
    }

    /// The last chunk, shorter than the others; nothing where the stream ended between two.
    pub fn finish(&mut self) -> Option<Bytes> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| rest.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_of_the_reference_node() {
        let parse = Chunker::parse;
        assert_eq!(parse(""), Ok(Chunker::Size(262_144)));
        assert_eq!(parse("default"), Ok(Chunker::Size(262_144)));
        assert_eq!(parse("size-1024"), Ok(Chunker::Size(1024)));
        assert_eq!(parse("size-2096896"), Ok(Chunker::Size(CHUNK_BYTES_MAX)));
        assert_eq!(parse("size-2096897"), Err(ChunkerError::TooLarge));
        assert_eq!(parse("size-0"), Err(ChunkerError::Empty));
        assert_eq!(parse("size"), Err(ChunkerError::Format));
        assert_eq!(parse("size-1-2"), Err(ChunkerError::Format));
        assert_eq!(parse("bad").unwrap_err().to_string(), "unrecognized chunker option: bad");
        assert_eq!(parse("default-1"), Err(ChunkerError::Unknown("default-1".into())));
        assert_eq!(parse("size-x").unwrap_err().to_string(), "strconv.Atoi: parsing \"x\": invalid syntax");
        assert_eq!(
            parse("size-99999999999999999999").unwrap_err().to_string(),
            "strconv.Atoi: parsing \"99999999999999999999\": value out of range"
        );
        assert_eq!(parse("rabin-1").unwrap_err().kind(), Kind::Unsupported);
    }

    #[test]
    fn chunks_do_not_depend_on_how_the_stream_came() {
        bolero::check!().with_type::<(u8, Vec<Vec<u8>>)>().for_each(|(size, pieces)| {
            let size = usize::from(*size) + 1;
            let mut splitter = Splitter::new(size);
            let mut chunks: Vec<Bytes> =
                pieces.iter().flat_map(|piece| splitter.push(Bytes::copy_from_slice(piece))).collect();
            chunks.extend(splitter.finish());
            let whole = pieces.concat();
            let expected: Vec<&[u8]> = whole.chunks(size).collect();
            assert_eq!(chunks, expected);
        });
    }
}
