//! Lists the links of Dags, and the blocks that are here.

use futures::stream::{self, BoxStream, StreamExt};
use ipse_base::{Cid, Codec, Path};
use ipse_dag::{Leaves, Walk, WalkOptions};
use ipse_store::IndexError;

use crate::fetch::{self, Driver, Stream};
use crate::{Node, ReadError, RepoError};

/// One link, as `refs` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The block that links.
    pub source: Cid,
    /// The block that is linked.
    pub target: Cid,
    /// The link's name in its block.
    pub name: String,
}

/// How `refs` walks.
#[derive(Debug, Clone, Copy)]
pub struct RefsOptions {
    /// Whether each block is listed once only.
    pub unique: bool,
    /// Levels to follow; 1 lists the direct links, `None` everything.
    pub depth_max: Option<usize>,
}

impl Node {
    /// The links below a path, depth first.
    ///
    /// # Errors
    /// [`ReadError`] where the path does not resolve; later errors come in the stream.
    pub async fn refs(&self, path: &Path, options: RefsOptions) -> Result<Stream<Reference>, ReadError> {
        let root = self.resolve_block(path).await?;
        // A raw root links nothing, and is still no answer where it can't be had.
        fetch::block(self.source(), &root).await?;
        let walk = Walk::new(
            vec![root],
            WalkOptions {
                leaves: Leaves::Name,
                unique: options.unique,
                depth_max: options.depth_max,
                ..WalkOptions::default()
            },
        );
        let visits = Driver::new(walk, self.source().clone()).into_stream();
        let links = visits.filter_map(async |visit| match visit {
            Err(error) => Some(Err(error)),
            // The root itself is nobody's link.
            Ok(visit) => {
                visit.parent.map(|source| Ok(Reference { source, target: visit.cid, name: visit.name }))
            }
        });
        Ok(links.boxed())
    }

    /// Every block that is here, in no order, as version 1 Cids of raw bytes, as the reference node lists them:
    /// a block is kept by its hash, and the same bytes may be known under several codecs.
    pub fn refs_local(&self) -> BoxStream<'static, Result<Cid, RepoError>> {
        let node = self.clone();
        let opened = tokio::task::spawn_blocking(move || node.store().iter());
        stream::once(async move {
            match opened.await {
                Ok(Ok(cids)) => crate::blocking::stream(cids, as_raw),
                Ok(Err(error)) => stream::iter([Err(RepoError::Write(error))]).boxed(),
                Err(_) => stream::iter([Err(RepoError::Stopping)]).boxed(),
            }
        })
        .flatten()
        .boxed()
    }
}

fn as_raw(cid: Result<Cid, IndexError>) -> Result<Cid, RepoError> {
    cid.map(|cid| Cid::v1(Codec::RAW, cid.hash().clone())).map_err(RepoError::Index)
}
