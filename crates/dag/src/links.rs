//! The links of a block, whatever its codec: what every walk, pin and collection follows.

use bytes::Bytes;
use ipse_base::{Cid, Codec};

use crate::{DecodeError, PbLink, PbNode, cbor, decode};

/// A link and what it is called inside its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The block linked to.
    pub cid: Cid,
    /// The link's name in dag-pb; elsewhere the key or the index that it stands under. Not the whole path inside
    /// the block: one long key above many links would make the names larger than any block.
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
        // Plain formats have no links, so that nothing in them needs reading.
        Codec::RAW | Codec::CBOR | Codec::JSON | Codec::LIBP2P_KEY => Ok(Vec::new()),
        Codec::DAG_PB => Ok(PbNode::decode(data)?.links.into_iter().map(of_pb).collect()),
        Codec::DAG_CBOR => cbor::links(data),
        other => Ok(decode(other, data)?.links()),
    }
}

/// The blocks that a block links to, in the order in which they stand: [`links`] without what they are called.
///
/// # Errors
/// As [`links`].
pub fn targets(cid: &Cid, data: &Bytes) -> Result<Vec<Cid>, DecodeError> {
    match cid.codec() {
        Codec::DAG_PB => Ok(PbNode::decode(data)?.links.into_iter().map(|link| link.cid).collect()),
        _ => Ok(links(cid, data)?.into_iter().map(|link| link.cid).collect()),
    }
}

fn of_pb(link: PbLink) -> Link {
    Link { name: link.name_lossy().into_owned(), cid: link.cid, tsize: link.tsize }
}
