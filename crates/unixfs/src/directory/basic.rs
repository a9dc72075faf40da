//! A folder in one node: its links in the order of their names.

use std::collections::BTreeMap;

use ipse_base::{Block, Codec, varint};
use ipse_dag::protobuf::{bytes_len, varint_len};
use ipse_dag::{PbLink, PbNode};

use super::{Child, Root};
use crate::data::Data;
use crate::layout::keep;
use crate::metadata::Metadata;
use crate::{ImportOptions, NodeKind, WriteError};

pub(super) fn write(
    options: &ImportOptions,
    entries: BTreeMap<String, Child>,
) -> Result<(Root, Vec<Block>), WriteError> {
    let linked_bytes: u64 = entries.values().map(|child| child.dag_bytes).sum();
    let links = entries.into_iter().map(|(name, child)| PbLink {
        cid: child.cid,
        name: Some(name.into()),
        tsize: Some(child.dag_bytes),
    });
    let message = Data { metadata: options.metadata(), ..Data::new(NodeKind::Directory) };
    let node = PbNode { data: Some(message.encode()), links: links.collect() };
    let block = options.block(Codec::DAG_PB, node.encode())?;
    let root = Root { cid: block.cid().clone(), dag_bytes: linked_bytes + block.data().len() as u64 };
    let mut blocks = Vec::new();
    keep(block, &mut blocks);
    Ok((root, blocks))
}

/// Bytes that a link adds to the node.
pub(super) fn link_len(name: &str, child: &Child) -> u64 {
    const HASH: u32 = 1;
    const NAME: u32 = 2;
    const TSIZE: u32 = 3;
    const LINKS: u32 = 2;
    let link = bytes_len(HASH, child.cid.to_bytes().len())
        + bytes_len(NAME, name.len())
        + varint_len(TSIZE, child.dag_bytes);
    bytes_len(LINKS, link) as u64
}

/// Bytes of the node without its links.
pub(super) fn data_len(metadata: Metadata) -> u64 {
    let message = Data { metadata, ..Data::new(NodeKind::Directory) }.encode();
    (1 + varint::len(message.len() as u64) + message.len()) as u64
}
