//! FileParts: where the bytes of a file's node are, as a table that many readers share. A stream of a file is
//! [`FileReader`](crate::FileReader); this is for readers that go to a position.
//!
//! Invariant: the sizes add up. That a child has as many bytes as the table says is checked when it is read.

use ipse_base::Cid;

use crate::{NodeError, NodeKind, ReadError, UnixfsNode};

/// Where the bytes of one node of a file are: its own first, then those of its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileParts {
    own: u64,
    children: Box<[Child]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Child {
    cid: Cid,
    /// The position behind its last byte.
    end: u64,
}

/// Where one byte of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePart<'a> {
    /// In the node itself.
    Own,
    /// Below a child, which has the bytes from `start` to `end`.
    Child {
        /// The child.
        cid: &'a Cid,
        /// The position of its first byte.
        start: u64,
        /// The position behind its last byte.
        end: u64,
    },
}

impl FileParts {
    /// Reads them from a node.
    ///
    /// # Errors
    /// [`ReadError`] where it is no file, or its sizes contradict each other.
    pub fn of(cid: &Cid, node: &UnixfsNode) -> Result<Self, ReadError> {
        if !matches!(node.kind(), NodeKind::File | NodeKind::Raw) {
            return Err(ReadError::Unexpected { cid: cid.clone(), kind: node.kind().name() });
        }
        // Checks that there is a size for each link, and that they add up without overflow.
        node.content_bytes().ok_or_else(|| NodeError::Sizes { cid: cid.clone() })?;
        let own = node.data().map_or(0, |data| data.len() as u64);
        let mut end = own;
        let children = node.links.iter().zip(&node.message.block_sizes).map(|(link, size)| {
            end += size;
            Child { cid: link.cid.clone(), end }
        });
        Ok(Self { children: children.collect(), own })
    }

    /// Bytes of the file below this node.
    pub fn size(&self) -> u64 {
        self.children.last().map_or(self.own, |last| last.end)
    }

    /// Bytes of memory that the table takes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.children.len() * size_of::<Child>()
    }

    /// Where the byte at a position is; nothing behind the end.
    pub fn at(&self, position: u64) -> Option<FilePart<'_>> {
        if position < self.own {
            return Some(FilePart::Own);
        }
        // Children without bytes are passed over.
        let index = self.children.partition_point(|child| child.end <= position);
        let child = self.children.get(index)?;
        let start = index.checked_sub(1).map_or(self.own, |before| self.children[before].end);
        Some(FilePart::Child { cid: &child.cid, start, end: child.end })
    }
}

#[cfg(test)]
mod tests {
    use ipse_base::{Block, Codec, HashCode};

    use super::*;
    use crate::{FileWriter, ImportOptions};

    fn root(bytes: usize) -> Block {
        let mut options = ImportOptions::unixfs_v1_2025();
        options.chunk_bytes = 1000;
        let mut writer = FileWriter::new(options).unwrap();
        let mut blocks = writer.write(vec![7; bytes]).unwrap();
        let (file, rest) = writer.finish().unwrap();
        blocks.extend(rest);
        blocks.into_iter().find(|block| *block.cid() == file.cid).unwrap()
    }

    fn parts(block: &Block) -> FileParts {
        FileParts::of(block.cid(), &UnixfsNode::decode(block.cid(), block.data()).unwrap()).unwrap()
    }

    #[test]
    fn every_byte_has_its_place() {
        let parts = parts(&root(2500));
        assert_eq!(parts.size(), 2500);
        for (position, want) in [(0, (0, 1000)), (999, (0, 1000)), (1000, (1000, 2000)), (2499, (2000, 2500))]
        {
            let Some(FilePart::Child { start, end, .. }) = parts.at(position) else { panic!("{position}") };
            assert_eq!((start, end), want, "{position}");
        }
        assert_eq!(parts.at(2500), None);
    }

    #[test]
    fn a_leaf_has_its_own() {
        let leaf = Block::hash(Codec::RAW, HashCode::SHA2_256, "hello".into()).unwrap();
        let parts = parts(&leaf);
        assert_eq!((parts.size(), parts.at(4), parts.at(5)), (5, Some(FilePart::Own), None));
    }
}
