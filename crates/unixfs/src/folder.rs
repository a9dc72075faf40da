//! Folder: one node of a folder, plain or sharded, as what comes next in it. Shared by all that read folders.

use bytes::Bytes;
use ipse_base::Cid;

use crate::shard::{Position, Shard};
use crate::{NodeKind, ReadError, UnixfsNode};

/// What comes next in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Member {
    Entry {
        name: Bytes,
        cid: Cid,
        tsize: u64,
    },
    /// More of the same folder.
    Shard {
        cid: Cid,
        tsize: u64,
        position: Position,
    },
}

/// What comes next in a folder, in the order in which it is listed. A node that is no folder has its links as
/// they are.
pub(crate) fn members(cid: &Cid, node: UnixfsNode) -> Result<Vec<Member>, ReadError> {
    if node.kind() == NodeKind::Shard {
        return shard_members(cid, node, Position::ROOT);
    }
    let entries = node.links.into_iter().map(|link| Member::Entry {
        name: link.name.unwrap_or_default(),
        cid: link.cid,
        tsize: link.tsize.unwrap_or_default(),
    });
    Ok(entries.collect())
}

/// The same, of a shard that lies below the root.
pub(crate) fn shard_members(
    cid: &Cid,
    node: UnixfsNode,
    position: Position,
) -> Result<Vec<Member>, ReadError> {
    match Shard::read(node, position) {
        Ok(shard) => Ok(shard.members),
        Err(source) => Err(ReadError::Shard { cid: cid.clone(), source }),
    }
}
