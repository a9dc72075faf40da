//! Lists directories.

use futures::StreamExt;
use futures::stream;
use ipse_base::{Cid, Codec, Path};
use ipse_unixfs::{Entry, ListDirectory, NodeKind, UnixfsNode};

use crate::fetch::{self, Driver, Stream};
use crate::source::NodeSource;
use crate::{Node, ReadError};

/// Entries whose blocks are looked at together, when the listing tells their types.
const RESOLVED_TOGETHER: usize = 64;

/// One entry of a listing.
#[derive(Debug, Clone)]
pub struct ListEntry {
    /// Its name.
    pub name: String,
    /// Its root block.
    pub cid: Cid,
    /// What it is, if the listing was asked to look.
    pub kind: Option<NodeKind>,
    /// Bytes of content of a file, if the listing was asked to look; else the size that the directory's link
    /// tells, which counts the whole Dag.
    pub size: u64,
    /// Where a symbolic link points.
    pub target: Option<String>,
    /// Permission bits, where stored.
    pub mode: Option<u32>,
    /// Seconds and nanoseconds of the last change, where stored.
    pub mtime: Option<(i64, u32)>,
}

impl Node {
    /// The entries of a directory; none for a file. With `look`, each entry's block is read for its type and
    /// size.
    ///
    /// # Errors
    /// [`ReadError`] where the path does not resolve; later errors come in the stream.
    pub async fn ls(&self, path: &Path, look: bool) -> Result<Stream<ListEntry>, ReadError> {
        let stat = self.unixfs_stat(path).await?;
        if !matches!(stat.kind, NodeKind::Directory | NodeKind::Shard) {
            return Ok(stream::empty().boxed());
        }
        let entries = Driver::new(ListDirectory::new(stat.cid), self.source().clone()).into_stream();
        let source = self.source().clone();
        let looked = entries.map(move |entry| describe(source.clone(), entry, look));
        Ok(looked.buffered(if look { RESOLVED_TOGETHER } else { 1 }).boxed())
    }
}

async fn describe(
    source: NodeSource,
    entry: Result<Entry, ReadError>,
    look: bool,
) -> Result<ListEntry, ReadError> {
    let Entry { name, cid, tsize } = entry?;
    let plain = ListEntry { name, cid, kind: None, size: tsize, target: None, mode: None, mtime: None };
    if !look {
        return Ok(plain);
    }
    if plain.cid.codec() == Codec::RAW {
        return Ok(ListEntry { kind: Some(NodeKind::File), ..plain });
    }
    let block = fetch::block(&source, &plain.cid).await?;
    let node = UnixfsNode::decode(&plain.cid, block.data()).map_err(ReadError::plan)?;
    let target = match node.kind() {
        NodeKind::Symlink => node.data().map(|data| String::from_utf8_lossy(data).into_owned()),
        _ => None,
    };
    Ok(ListEntry {
        kind: Some(node.kind()),
        size: node.file_size(),
        target,
        mode: node.mode(),
        mtime: node.mtime(),
        ..plain
    })
}
