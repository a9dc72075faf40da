//! Reads files: the bytes of a path, or a range of them.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use ipse_base::limits::CACHED_FILE_BYTES_MAX;
use ipse_base::{Cid, Path};
use ipse_store::Reuse;
use ipse_unixfs::{FileReader, NodeKind, UnixfsNode};

use crate::fetch::{self, Driver, Stream};
use crate::{File, FileCursor, Node, ReadError, steady};

/// A file that is being read.
pub struct FileStream {
    /// The file's root block.
    pub cid: Cid,
    /// The whole file's size in bytes.
    pub size: u64,
    /// Bytes that the stream yields if nothing fails.
    pub length: u64,
    /// The bytes, in order, verified; ends after the first error.
    pub bytes: Stream<Bytes>,
}

impl std::fmt::Debug for FileStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStream")
            .field("cid", &self.cid)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// What stands at the end of a path, as far as its root block tells.
#[derive(Debug, Clone)]
pub struct UnixfsStat {
    /// The root block.
    pub cid: Cid,
    /// File, directory, symbolic link.
    pub kind: NodeKind,
    /// Bytes of content for a file; zero for others.
    pub size: u64,
    /// The decoded root block.
    pub node: UnixfsNode,
}

impl Node {
    /// Reads `length` bytes of a file from `offset`; to the end without a length. A start behind the end
    /// yields nothing.
    ///
    /// # Errors
    /// [`ReadError`] before the first byte; later errors come in the stream.
    pub async fn cat(&self, path: &Path, offset: u64, length: Option<u64>) -> Result<FileStream, ReadError> {
        let stat = self.unixfs_stat(path).await?;
        match stat.kind {
            NodeKind::File | NodeKind::Raw => {
                let file = Arc::new(File::of(&stat)?);
                let (cid, size) = (stat.cid, file.size());
                let start = offset.min(size);
                let end = length.map_or(size, |length| start.saturating_add(length).min(size));
                let cursor = FileCursor::new(file, start, end);
                let bytes = steady::read(self.clone(), cursor, self.inner.readers.clone());
                Ok(FileStream { cid, size, length: end - start, bytes })
            }
            NodeKind::Directory | NodeKind::Shard => Err(ReadError::IsDirectory(stat.cid)),
            NodeKind::Symlink | NodeKind::Metadata => Err(ReadError::NotUnixfs(stat.cid)),
        }
    }

    /// Reads a file whose root and size are known, as a walk that asks peers for many blocks at a time and holds
    /// what it has read ahead.
    pub fn read_file(&self, cid: Cid, size: u64, offset: u64, length: Option<u64>) -> FileStream {
        let start = offset.min(size);
        let end = length.map_or(size, |length| start.saturating_add(length).min(size));
        let bytes = if start == end {
            futures::stream::empty().boxed()
        } else {
            let reuse = if size > CACHED_FILE_BYTES_MAX { Reuse::Once } else { Reuse::Likely };
            let reader = FileReader::new(cid.clone(), start..end);
            Driver::new(reader, self.source().clone()).reusing(reuse).into_stream()
        };
        FileStream { cid, size, length: end - start, bytes }
    }

    /// What stands at the end of a path.
    ///
    /// # Errors
    /// [`ReadError::NotUnixfs`] where it is no UnixFS node, others as [`Node::resolve`].
    pub async fn unixfs_stat(&self, path: &Path) -> Result<UnixfsStat, ReadError> {
        let cid = self.resolve_block(path).await?;
        let block = fetch::block(self.source(), &cid).await?;
        let node = UnixfsNode::decode(&cid, block.data()).map_err(ReadError::plan)?;
        Ok(UnixfsStat { kind: node.kind(), size: node.file_size(), cid, node })
    }
}
