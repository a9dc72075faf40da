//! The links of a block, whatever its codec: what every walk, pin and collection follows.

use bytes::Bytes;
use ipse_base::{Cid, Codec};

use crate::{DecodeError, PbNode};

/// A link and where it stands inside its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The block linked to.
    pub cid: Cid,
    /// The path of the link inside the block: a link's name in dag-pb, keys and indices elsewhere.
    pub name: String,
    /// Bytes of the whole Dag below, where the block says so. Nobody has checked it.
    pub tsize: Option<u64>,
}

/// The links of a block in the order in which they stand.
///
/// # Errors
/// [`DecodeError::UnknownCodec`] for a codec that can't be looked into, the codec's error for malformed bytes.
pub fn links(cid: &Cid, data: &Bytes) -> Result<Vec<Link>, DecodeError> {
    match cid.codec() {
        Codec::RAW => Ok(Vec::new()),
        Codec::DAG_PB => Ok(PbNode::decode(data)?.links.into_iter().map(of_pb).collect()),
        other => Err(DecodeError::UnknownCodec(other)),
    }
}

fn of_pb(link: crate::PbLink) -> Link {
    Link { name: link.name_lossy().into_owned(), cid: link.cid, tsize: link.tsize }
}
