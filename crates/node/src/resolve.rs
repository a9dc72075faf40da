//! Resolves paths to blocks.

use ipse_base::{Cid, Namespace, Path};
use ipse_unixfs::Resolve;

use crate::source::NodeSource;
use crate::{Node, ReadError, fetch};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The block at its end.
    pub cid: Cid,
    /// What is left of the path behind that block, to be followed inside it.
    pub remainder: Vec<String>,
    /// The last name of the path, as a file name for it.
    pub name: String,
}

impl Node {
    /// Follows a path to its last block; names inside that block are left as remainder.
    ///
    /// # Errors
    /// [`ReadError`]; not found where a name is not there, unavailable where a block can't be had.
    pub async fn resolve(&self, path: &Path) -> Result<Resolved, ReadError> {
        resolve(self.source(), path).await
    }

    /// Follows a path that must end at a block.
    ///
    /// # Errors
    /// As [`Node::resolve`], and [`ReadError::Remainder`] where something of the path is left.
    pub async fn resolve_block(&self, path: &Path) -> Result<Cid, ReadError> {
        resolve_block(self.source(), path).await
    }
}

pub(crate) async fn resolve(source: &NodeSource, path: &Path) -> Result<Resolved, ReadError> {
    source.check_path(path)?;
    let root = match path.root() {
        Namespace::Ipfs(cid) => cid.clone(),
        Namespace::Ipns(_) => return Err(ReadError::Name(path.to_string())),
    };
    if path.segments().is_empty() {
        return Ok(Resolved { cid: root, remainder: Vec::new(), name: path.file_name() });
    }
    let found = fetch::single(Resolve::new(root, path.segments().to_vec()), source).await?;
    Ok(Resolved { cid: found.cid, remainder: found.remainder, name: path.file_name() })
}

pub(crate) async fn resolve_block(source: &NodeSource, path: &Path) -> Result<Cid, ReadError> {
    let mut found = resolve(source, path).await?;
    match found.remainder.is_empty() {
        true => Ok(found.cid),
        false => Err(ReadError::Remainder { name: found.remainder.swap_remove(0), cid: found.cid }),
    }
}
