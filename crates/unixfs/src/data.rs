//! Data: the UnixFS message that stands in the data of a dag-pb node (UnixFS specification, `unixfs.proto`).
//!
//! Written byte for byte as the reference node writes it: fields in the order of their numbers, an absent one
//! and an empty one different. Read leniently where others do: any order, unknown fields skipped, packed
//! numbers or not.

use bytes::Bytes;
use ipse_dag::protobuf::{Fields, Value, WireError, write_bytes, write_bytes_prefix, write_varint};

use crate::Mtime;
use crate::metadata::Metadata;

const TYPE: u32 = 1;
const DATA: u32 = 2;
const FILESIZE: u32 = 3;
const BLOCKSIZES: u32 = 4;
const HASH_TYPE: u32 = 5;
const FANOUT: u32 = 6;
const MODE: u32 = 7;
const MTIME: u32 = 8;
const SECONDS: u32 = 1;
const NANOS: u32 = 2;
/// The key of `nanos`, the only field of a fixed width: number and wire type in one byte.
const NANOS_KEY: u8 = (NANOS as u8) << 3 | 5;

/// What a UnixFS node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A leaf of a file in its own right; old files have them. A block of the raw codec counts as one.
    Raw,
    /// All entries of a folder in one node.
    Directory,
    /// A file, or a part of one.
    File,
    /// A file with a media type in front; nobody writes them any more.
    Metadata,
    /// The path that a symbolic link points to.
    Symlink,
    /// A part of a folder whose entries are spread by hash.
    Shard,
}

impl NodeKind {
    const ALL: [Self; 6] =
        [Self::Raw, Self::Directory, Self::File, Self::Metadata, Self::Symlink, Self::Shard];

    /// Whether it is a folder, in one node or sharded.
    pub const fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::Shard)
    }

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "Raw",
            Self::Directory => "Directory",
            Self::File => "File",
            Self::Metadata => "Metadata",
            Self::Symlink => "Symlink",
            Self::Shard => "HAMTShard",
        }
    }
}

/// Why bytes are not a UnixFS message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Not a protobuf message.
    #[error("protobuf: (UnixFSData) {0}")]
    Wire(#[from] WireError),
    /// A field has a type other than its schema's.
    #[error("protobuf: (UnixFSData) invalid wireType for field {field}, got {actual}")]
    WireType {
        /// The field's number.
        field: u32,
        /// The wire type found.
        actual: u8,
    },
    /// The one required field is missing: the node is not UnixFS.
    #[error("proto: required field \"Type\" not set")]
    NoType,
    /// A type that the specification does not have.
    #[error("type: {0} is not valid")]
    UnknownType(u64),
    /// Modes have 32 bits.
    #[error("mode should be a 32 bit value")]
    Mode,
    /// More block sizes than there are links.
    #[error("{sizes} block sizes for {links} links")]
    BlockSizes {
        /// Block sizes read until it was clear.
        sizes: usize,
        /// Links of the node.
        links: usize,
    },
}

/// A UnixFS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) kind: NodeKind,
    pub(crate) data: Option<Bytes>,
    pub(crate) filesize: Option<u64>,
    pub(crate) block_sizes: Vec<u64>,
    pub(crate) hash_type: Option<u64>,
    pub(crate) fanout: Option<u64>,
    pub(crate) metadata: Metadata,
}

impl Data {
    pub(crate) const fn new(kind: NodeKind) -> Self {
        Self {
            kind,
            data: None,
            filesize: None,
            block_sizes: Vec::new(),
            hash_type: None,
            fanout: None,
            metadata: Metadata { mode: None, mtime: None },
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let payload = self.data.as_ref().map_or(0, Bytes::len);
        let (mut out, rest) = self.encode_around(self.data.as_ref().map(Bytes::len));
        out.reserve(payload + rest.len());
        out.extend_from_slice(self.data.as_deref().unwrap_or_default());
        out.extend_from_slice(&rest);
        out.into()
    }

    /// What stands before data of so many bytes, and what behind it.
    pub(crate) fn encode_around(&self, data_bytes: Option<usize>) -> (Vec<u8>, Vec<u8>) {
        let mut before = Vec::with_capacity(16);
        write_varint(TYPE, self.kind as u64, &mut before);
        if let Some(length) = data_bytes {
            write_bytes_prefix(DATA, length, &mut before);
        }
        (before, self.encode_behind())
    }

    /// The fields behind the data.
    fn encode_behind(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + 5 * self.block_sizes.len());
        if let Some(filesize) = self.filesize {
            write_varint(FILESIZE, filesize, &mut out);
        }
        for &size in &self.block_sizes {
            write_varint(BLOCKSIZES, size, &mut out);
        }
        if let Some(hash_type) = self.hash_type {
            write_varint(HASH_TYPE, hash_type, &mut out);
        }
        if let Some(fanout) = self.fanout {
            write_varint(FANOUT, fanout, &mut out);
        }
        if let Some(mode) = self.metadata.mode {
            write_varint(MODE, u64::from(mode), &mut out);
        }
        if let Some(mtime) = self.metadata.mtime {
            write_bytes(MTIME, &encode_mtime(mtime), &mut out);
        }
        out
    }

    /// Reads a message of a node with `links` links; more block sizes than that are refused before they are
    /// kept, so that a block cannot take many times its size in memory.
    pub(crate) fn decode(message: &Bytes, links: usize) -> Result<Self, DataError> {
        let mut kind = None;
        let mut out = Self::new(NodeKind::Raw);
        for field in Fields::new(message) {
            let (number, value) = field?;
            match (number, value) {
                (TYPE, Value::Varint(code)) => kind = Some(kind_of(code)?),
                (DATA, Value::Bytes(data)) => out.data = Some(message.slice_ref(data)),
                (FILESIZE, Value::Varint(size)) => out.filesize = Some(size),
                (BLOCKSIZES, Value::Varint(size)) => out.push_block_size(size, links)?,
                (BLOCKSIZES, Value::Bytes(packed)) => out.push_packed(packed, links)?,
                (HASH_TYPE, Value::Varint(code)) => out.hash_type = Some(code),
                (FANOUT, Value::Varint(fanout)) => out.fanout = Some(fanout),
                (MODE, Value::Varint(mode)) => {
                    out.metadata.mode = Some(u32::try_from(mode).map_err(|_| DataError::Mode)?);
                }
                (MTIME, Value::Bytes(time)) => out.metadata.mtime = decode_mtime(time)?,
                (TYPE..=MTIME, value) => {
                    return Err(DataError::WireType { field: number, actual: value.wire_type() });
                }
                _ => {}
            }
        }
        out.kind = kind.ok_or(DataError::NoType)?;
        out.metadata = out.metadata.normalised();
        Ok(out)
    }

    fn push_block_size(&mut self, size: u64, links: usize) -> Result<(), DataError> {
        if self.block_sizes.len() == links {
            return Err(DataError::BlockSizes { sizes: links + 1, links });
        }
        self.block_sizes.push(size);
        Ok(())
    }

    /// Numbers one behind the other, as newer protobuf dialects write repeated fields.
    fn push_packed(&mut self, mut packed: &[u8], links: usize) -> Result<(), DataError> {
        while !packed.is_empty() {
            let (size, rest) = ipse_base::varint::read(packed).map_err(|_| WireError::Short)?;
            self.push_block_size(size, links)?;
            packed = rest;
        }
        Ok(())
    }
}

fn kind_of(code: u64) -> Result<NodeKind, DataError> {
    usize::try_from(code)
        .ok()
        .and_then(|index| NodeKind::ALL.get(index).copied())
        .ok_or(DataError::UnknownType(code))
}

fn encode_mtime(mtime: Mtime) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    // A negative number takes its two's complement, as protobuf's int64 does.
    let (seconds, nanos) = mtime;
    write_varint(SECONDS, seconds as u64, &mut out);
    if nanos > 0 {
        out.push(NANOS_KEY);
        out.extend_from_slice(&nanos.to_le_bytes());
    }
    out
}

fn decode_mtime(message: &[u8]) -> Result<Option<Mtime>, DataError> {
    let (mut seconds, mut nanos) = (None, 0);
    for field in Fields::new(message) {
        match field? {
            (SECONDS, Value::Varint(value)) => seconds = Some(value as i64),
            (NANOS, Value::Fixed32(value)) => nanos = value,
            (SECONDS | NANOS, value) => {
                return Err(DataError::WireType { field: MTIME, actual: value.wire_type() });
            }
            _ => {}
        }
    }
    Ok(seconds.map(|seconds| (seconds, nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_reference_node() {
        let empty_file = Data { filesize: Some(0), ..Data::new(NodeKind::File) };
        assert_eq!(empty_file.encode(), &[0x08, 2, 0x18, 0][..]);
        assert_eq!(Data::new(NodeKind::Directory).encode(), &[0x08, 1][..]);
        let timed = Data {
            metadata: Metadata { mode: Some(0o755), mtime: Some((-1, 5)) },
            ..Data::new(NodeKind::Directory)
        };
        let mut expected = vec![0x08, 1, 0x38, 0xed, 3, 0x42, 16, 0x08];
        expected.extend([0xff; 9]);
        expected.extend([1, 0x15, 5, 0, 0, 0]);
        assert_eq!(timed.encode(), expected);
        assert_eq!(Data::decode(&expected.into(), 0), Ok(timed));
    }

    #[test]
    fn every_message_reads_back() {
        type Fields = (Vec<u8>, Vec<u64>, u64, Option<(u16, i64, u32)>);
        bolero::check!().with_type::<Fields>().for_each(|(data, sizes, number, metadata)| {
            let metadata = metadata.map_or_else(Metadata::default, |(mode, seconds, nanos)| Metadata {
                mode: Some(u32::from(mode)),
                mtime: Some((seconds, nanos)),
            });
            let message = Data {
                data: Some(data.clone().into()),
                filesize: Some(*number),
                block_sizes: sizes.clone(),
                hash_type: Some(*number),
                fanout: Some(*number),
                metadata: metadata.normalised(),
                ..Data::new(NodeKind::ALL[(number % 6) as usize])
            };
            assert_eq!(Data::decode(&message.encode(), sizes.len()), Ok(message));
        });
    }

    #[test]
    fn block_sizes_are_read_packed_too_and_never_more_than_links() {
        let packed = Bytes::from_static(&[0x22, 3, 1, 0x80, 1, 0x08, 2]);
        assert_eq!(Data::decode(&packed, 2).unwrap().block_sizes, [1, 128]);
        assert_eq!(Data::decode(&packed, 1), Err(DataError::BlockSizes { sizes: 2, links: 1 }));
    }

    #[test]
    fn malformed_messages_are_refused() {
        let decode = |bytes: &'static [u8]| Data::decode(&Bytes::from_static(bytes), 9);
        assert_eq!(decode(&[]), Err(DataError::NoType));
        assert_eq!(decode(&[0x08, 6]), Err(DataError::UnknownType(6)));
        assert_eq!(decode(&[0x0a, 0]), Err(DataError::WireType { field: 1, actual: 2 }));
        assert_eq!(decode(&[0x08]), Err(DataError::Wire(WireError::Short)));
        assert_eq!(decode(&[0x08, 1, 0x38, 0xff, 0xff, 0xff, 0xff, 0x1f]), Err(DataError::Mode));
    }

    #[test]
    fn fuzz_data() {
        bolero::check!().with_type::<(Vec<u8>, u8)>().for_each(|(bytes, links)| {
            if let Ok(data) = Data::decode(&bytes.clone().into(), usize::from(*links)) {
                assert!(data.block_sizes.len() <= usize::from(*links));
                assert_eq!(Data::decode(&data.encode(), usize::from(*links)), Ok(data));
            }
        });
    }
}
