//! A folder over many nodes: a trie over the hashes of the names, a few bits a level. An entry lies as high
//! as it is alone with its prefix, so the trie is the same whatever the order of insertion.

use std::collections::BTreeMap;

use bytes::Bytes;
use ipse_base::{Block, Cid, Codec};
use ipse_dag::{PbLink, PbNode};

use super::{Child, Root};
use crate::data::Data;
use crate::layout::keep;
use crate::metadata::Metadata;
use crate::shard::{HASH_BITS, HASH_CODE, bits_of, hash_name, prefix_of};
use crate::{ImportOptions, NodeKind, WriteError};

/// An entry and the hash of its name.
struct Hashed {
    hash: u64,
    name: String,
    child: Child,
}

pub(super) fn write(
    options: &ImportOptions,
    entries: BTreeMap<String, Child>,
) -> Result<(Root, Vec<Block>), WriteError> {
    let hashed =
        entries.into_iter().map(|(name, child)| Hashed { hash: hash_name(name.as_bytes()), name, child });
    let mut entries: Vec<Hashed> = hashed.collect();
    entries.sort_unstable_by_key(|entry| entry.hash);
    let mut trie = Trie { options, fanout: options.hamt_fanout, blocks: Vec::new() };
    let root = trie.shard(&entries, 0, options.metadata())?;
    Ok((root, trie.blocks))
}

struct Trie<'a> {
    options: &'a ImportOptions,
    fanout: u64,
    blocks: Vec<Block>,
}

impl Trie<'_> {
    /// Writes the shard of entries that agree in the first `consumed` bits of their hashes, in the order of
    /// those. Recursion ends with the bits of the hash: 21 levels at the smallest fan-out.
    fn shard(&mut self, entries: &[Hashed], consumed: u32, metadata: Metadata) -> Result<Root, WriteError> {
        let bits = self.fanout.trailing_zeros();
        if let (Some(entry), true) = (entries.first(), consumed + bits > HASH_BITS) {
            return Err(WriteError::TooDeep(entry.name.clone()));
        }
        let mut field = vec![0u8; (self.fanout / 8) as usize];
        let mut links = Vec::new();
        let mut linked_bytes = 0;
        let index_of = |entry: &Hashed| bits_of(entry.hash, consumed, bits);
        for group in entries.chunk_by(|a, b| index_of(a) == index_of(b)) {
            let index = index_of(&group[0]);
            let mut name = prefix_of(index, self.fanout);
            let child: (Cid, u64) = if let [only] = group {
                name.push_str(&only.name);
                (only.child.cid.clone(), only.child.dag_bytes)
            } else {
                let root = self.shard(group, consumed + bits, Metadata::default())?;
                (root.cid, root.dag_bytes)
            };
            linked_bytes += child.1;
            links.push(PbLink { cid: child.0, name: Some(name.into()), tsize: Some(child.1) });
            let index = index as usize;
            let place = field.len() - 1 - index / 8;
            field[place] |= 1 << (index % 8);
        }
        self.node(links, trim(field), linked_bytes, metadata)
    }

    fn node(
        &mut self,
        links: Vec<PbLink>,
        field: Option<Bytes>,
        linked_bytes: u64,
        metadata: Metadata,
    ) -> Result<Root, WriteError> {
        let message = Data {
            data: field,
            hash_type: Some(HASH_CODE),
            fanout: Some(self.fanout),
            metadata,
            ..Data::new(NodeKind::Shard)
        };
        let node = PbNode { data: Some(message.encode()), links };
        let block = self.options.block(Codec::DAG_PB, node.encode())?;
        let root = Root { cid: block.cid().clone(), dag_bytes: linked_bytes + block.data().len() as u64 };
        keep(block, &mut self.blocks);
        Ok(root)
    }
}

/// The bit field is a big-endian number without its leading zero bytes.
fn trim(field: Vec<u8>) -> Option<Bytes> {
    let start = field.iter().position(|&byte| byte != 0)?;
    Some(Bytes::from(field).slice(start..))
}
