//! PbNode: a dag-pb node (DAG-PB specification), the codec under every UnixFS file and directory, so the hot
//! path of each read and each write.
//!
//! Reading is zero-copy: data and names are slices of the block. It takes what the network's other nodes take,
//! which is more than the specification's canonical form: links may stand before or after the data, though not
//! on both sides of it. Writing gives the canonical bytes: links first, each as Hash, Name, Tsize; then the data.

use std::borrow::Cow;

use bytes::Bytes;
use ipse_base::{Cid, CidError, Version, varint};

use crate::DecodeError;
use crate::protobuf::{self, Fields, Value, WireError};

const DATA: u32 = 1;
const LINKS: u32 = 2;
const HASH: u32 = 1;
const NAME: u32 = 2;
const TSIZE: u32 = 3;

/// A dag-pb node.
///
/// An absent field and an empty one are different bytes, so they are different here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PbNode {
    /// The node's own bytes; in UnixFS a message of its own.
    pub data: Option<Bytes>,
    /// The links, in the order in which they stand in the block.
    pub links: Vec<PbLink>,
}

/// A link of a dag-pb node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PbLink {
    /// The block linked to.
    pub cid: Cid,
    /// The link's name; in UnixFS an entry of a directory. Usually text, by no means always.
    pub name: Option<Bytes>,
    /// Bytes of the whole Dag below, as whoever wrote the link says.
    pub tsize: Option<u64>,
}

/// Why bytes are not a dag-pb node. Texts are those of the reference codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PbError {
    /// Not a protobuf message.
    #[error("protobuf: ({message}) {source}")]
    Wire {
        /// `PBNode` or `PBLink`.
        message: &'static str,
        /// What is wrong with it.
        source: WireError,
    },
    /// A field has a type other than its schema's.
    #[error("protobuf: ({message}) invalid wireType, expected {expected}, got {actual}")]
    WireType {
        /// `PBNode` or `PBLink`.
        message: &'static str,
        /// The schema's wire type.
        expected: u8,
        /// The wire type found.
        actual: u8,
    },
    /// A field that the schema does not have.
    #[error("protobuf: ({message}) invalid fieldNumber, got {number}")]
    FieldNumber {
        /// `PBNode` or `PBLink`.
        message: &'static str,
        /// The number found.
        number: u32,
    },
    /// A field that may stand once stands twice; for links: they are interrupted by the data.
    #[error("protobuf: ({message}) duplicate {field} section")]
    Duplicate {
        /// `PBNode` or `PBLink`.
        message: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// A link's fields stand in another order than Hash, Name, Tsize.
    #[error("protobuf: (PBLink) invalid order, found {found} before {expected}")]
    Order {
        /// The field that came too soon.
        found: &'static str,
        /// The field that should have come before it.
        expected: &'static str,
    },
    /// A link without a Cid.
    #[error("invalid Hash field found in link, expected CID")]
    NoHash,
    /// A link whose Cid is malformed.
    #[error("invalid Hash field found in link, expected CID ({0})")]
    Hash(#[from] CidError),
}

const NODE: &str = "PBNode";
const LINK: &str = "PBLink";

impl PbNode {
    /// Reads a node; its data and names are slices of `block`.
    ///
    /// # Errors
    /// [`DecodeError::Pb`] for anything malformed.
    pub fn decode(block: &Bytes) -> Result<Self, DecodeError> {
        Ok(decode(block)?)
    }

    /// The canonical bytes, with the links in the order in which they are; see [`PbNode::sort_links`].
    pub fn encode(&self) -> Bytes {
        let lengths: Vec<usize> = self.links.iter().map(PbLink::encoded_len).collect();
        let links = lengths.iter().map(|&length| protobuf::bytes_len(LINKS, length)).sum::<usize>();
        let data = self.data.as_ref().map_or(0, |data| protobuf::bytes_len(DATA, data.len()));
        let mut out = Vec::with_capacity(links + data);
        for (link, length) in self.links.iter().zip(lengths) {
            protobuf::write_bytes_prefix(LINKS, length, &mut out);
            link.encode(&mut out);
        }
        if let Some(data) = &self.data {
            protobuf::write_bytes(DATA, data, &mut out);
        }
        debug_assert_eq!(out.len(), links + data);
        out.into()
    }

    /// Puts the links into the order of the specification: by the bytes of their names, those with equal names
    /// as they were. A link without a name goes as one with an empty name.
    pub fn sort_links(&mut self) {
        self.links.sort_by(|a, b| a.name_bytes().cmp(b.name_bytes()));
    }
}

impl PbLink {
    /// The name as text, with a replacement character for what is not UTF-8; empty where there is none.
    pub fn name_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.name_bytes())
    }

    /// The name's bytes; empty where there is none.
    pub fn name_bytes(&self) -> &[u8] {
        self.name.as_deref().unwrap_or_default()
    }

    fn encoded_len(&self) -> usize {
        protobuf::bytes_len(HASH, cid_len(&self.cid))
            + self.name.as_ref().map_or(0, |name| protobuf::bytes_len(NAME, name.len()))
            + self.tsize.map_or(0, |tsize| protobuf::varint_len(TSIZE, tsize))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        protobuf::write_bytes_prefix(HASH, cid_len(&self.cid), out);
        self.cid.write(out);
        if let Some(name) = &self.name {
            protobuf::write_bytes(NAME, name, out);
        }
        if let Some(tsize) = self.tsize {
            protobuf::write_varint(TSIZE, tsize, out);
        }
    }
}

/// Bytes of the binary form of a Cid.
fn cid_len(cid: &Cid) -> usize {
    let digest = cid.hash().digest().len();
    let hash = varint::len(cid.hash().code().0) + varint::len(digest as u64) + digest;
    if cid.version() == Version::V0 { hash } else { 1 + varint::len(cid.codec().0) + hash }
}

fn decode(block: &Bytes) -> Result<PbNode, PbError> {
    let mut node = PbNode::default();
    let mut links_ended = false;
    for field in Fields::new(block) {
        let (number, value) = field.map_err(|source| PbError::Wire { message: NODE, source })?;
        let bytes = bytes_of(NODE, value)?;
        match number {
            DATA if node.data.is_some() => return Err(PbError::Duplicate { message: NODE, field: "Data" }),
            DATA => {
                node.data = Some(block.slice_ref(bytes));
                links_ended = !node.links.is_empty();
            }
            LINKS if links_ended => return Err(PbError::Duplicate { message: NODE, field: "Links" }),
            LINKS => node.links.push(decode_link(block, bytes)?),
            number => return Err(PbError::FieldNumber { message: NODE, number }),
        }
    }
    Ok(node)
}

fn decode_link(block: &Bytes, message: &[u8]) -> Result<PbLink, PbError> {
    let (mut cid, mut name, mut tsize) = (None, None, None);
    for field in Fields::new(message) {
        let (number, value) = field.map_err(|source| PbError::Wire { message: LINK, source })?;
        match number {
            HASH => {
                in_order("Hash", cid.is_some(), &[("Name", name.is_some()), ("Tsize", tsize.is_some())])?;
                // Bytes behind the Cid are ignored, as the reference codec does.
                cid = Some(Cid::read(bytes_of(LINK, value)?)?.0);
            }
            NAME => {
                in_order("Name", name.is_some(), &[("Tsize", tsize.is_some())])?;
                name = Some(block.slice_ref(bytes_of(LINK, value)?));
            }
            TSIZE => {
                in_order("Tsize", tsize.is_some(), &[])?;
                let Value::Varint(number) = value else {
                    return Err(PbError::WireType { message: LINK, expected: 0, actual: value.wire_type() });
                };
                tsize = Some(number);
            }
            number => return Err(PbError::FieldNumber { message: LINK, number }),
        }
    }
    Ok(PbLink { cid: cid.ok_or(PbError::NoHash)?, name, tsize })
}

fn bytes_of<'a>(message: &'static str, value: Value<'a>) -> Result<&'a [u8], PbError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        other => Err(PbError::WireType { message, expected: 2, actual: other.wire_type() }),
    }
}

fn in_order(field: &'static str, again: bool, later: &[(&'static str, bool)]) -> Result<(), PbError> {
    if again {
        return Err(PbError::Duplicate { message: LINK, field });
    }
    match later.iter().find(|(_, seen)| *seen) {
        Some((found, _)) => Err(PbError::Order { found, expected: field }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipse_base::{Codec, HashCode, Multihash};

    fn link(seed: &[u8], name: Option<&[u8]>, tsize: Option<u64>) -> PbLink {
        let hash = Multihash::digest_of(HashCode::SHA2_256, seed).unwrap();
        let cid =
            if seed.len().is_multiple_of(2) { Cid::v0(hash).unwrap() } else { Cid::v1(Codec::RAW, hash) };
        PbLink { cid, name: name.map(Bytes::copy_from_slice), tsize }
    }

    #[test]
    fn reads_what_it_writes() {
        type Shape = (Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>, Option<u64>)>);
        bolero::check!().with_type::<Shape>().for_each(|(data, links)| {
            let links = links
                .iter()
                .map(|(seed, name, tsize)| link(seed, name.as_deref(), *tsize))
                .collect::<Vec<_>>();
            let mut node = PbNode { data: data.clone().map(Bytes::from), links };
            assert_eq!(PbNode::decode(&node.encode()).as_ref(), Ok(&node));
            node.sort_links();
            assert!(node.links.is_sorted_by(|a, b| a.name_bytes() <= b.name_bytes()));
            assert_eq!(PbNode::decode(&node.encode()), Ok(node));
        });
    }

    #[test]
    fn fuzz_dag_pb() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            if let Ok(node) = PbNode::decode(&Bytes::copy_from_slice(bytes)) {
                assert_eq!(PbNode::decode(&node.encode()), Ok(node));
            }
        });
    }

    #[test]
    fn data_may_come_before_the_links() {
        let node = PbNode { data: Some("data".into()), links: vec![link(b"ab", Some(b"n"), Some(7))] };
        let canonical = node.encode();
        let mut other = canonical[canonical.len() - 6..].to_vec();
        other.extend_from_slice(&canonical[..canonical.len() - 6]);
        assert_eq!(PbNode::decode(&other.into()), Ok(node));
    }

    #[test]
    fn equal_names_keep_their_order() {
        let mut node = PbNode {
            data: None,
            links: vec![
                link(b"1", Some(b"b"), None),
                link(b"2", Some(b"a"), None),
                link(b"3", Some(b"a"), None),
            ],
        };
        node.links.push(link(b"4", None, None));
        node.sort_links();
        let order: Vec<_> = ["4", "2", "3", "1"].map(|seed| link(seed.as_bytes(), None, None).cid).into();
        assert_eq!(node.links.iter().map(|link| link.cid.clone()).collect::<Vec<_>>(), order);
    }

    #[test]
    fn fields_out_of_place_are_refused() {
        let decode = |bytes: &[u8]| decode(&Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(decode(&[0x0a, 0, 0x0a, 0]), PbError::Duplicate { message: NODE, field: "Data" });
        assert_eq!(decode(&[0x08, 0]), PbError::WireType { message: NODE, expected: 2, actual: 0 });
        assert_eq!(decode(&[0x1a, 0]), PbError::FieldNumber { message: NODE, number: 3 });
        assert_eq!(
            decode(&[0x12, 6, 0x12, 0, 0x0a, 2, 1, 0x55]),
            PbError::Order { found: "Name", expected: "Hash" }
        );
    }
}
