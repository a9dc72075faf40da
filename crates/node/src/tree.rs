//! Reads whole folders, for `get` and for archives.

use ipse_base::Path;
use ipse_unixfs::{Tree, TreeEvent};

use crate::fetch::{Driver, Stream};
use crate::{Node, ReadError};

impl Node {
    /// Everything below a path, in depth-first order: directories, files with their bytes, symbolic links.
    /// Paths in the events start with the name that the path ends in.
    ///
    /// # Errors
    /// [`ReadError`] where the path does not resolve; later errors come in the stream.
    pub async fn tree(&self, path: &Path) -> Result<Stream<TreeEvent>, ReadError> {
        let root = self.resolve_block(path).await?;
        Ok(Driver::new(Tree::new(root, path.file_name()), self.source().clone()).into_stream())
    }
}
