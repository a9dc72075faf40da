//! Following a path inside one block, up to the next block.
//!
//! In dag-pb a segment is the name of a link; where there is none by that name, it leads into the node's form in
//! the data model (`Links/0/Hash`). Elsewhere it is a map's key or a list's index.

use bytes::Bytes;
use ipse_base::{Cid, Codec, ErrorKind, Kind};

use crate::{DecodeError, Ipld, PbNode, decode};

/// Where a path segment leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// To another block.
    Link(Cid),
    /// To a value inside the same block.
    Inside(Ipld),
}

/// Why a segment leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The block has nothing by that name. The text is that of the reference node.
    #[error("no link named {name:?} under {cid}")]
    NoLink {
        /// The name asked for.
        name: String,
        /// The block that was looked into.
        cid: Cid,
    },
    /// The block could not be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl ErrorKind for StepError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoLink { .. } => Kind::NotFound,
            Self::Decode(source) => source.kind(),
        }
    }
}

/// Follows one segment from the root of a block.
///
/// # Errors
/// [`StepError::NoLink`] where it leads nowhere, [`StepError::Decode`] where the block can't be read.
pub fn step(cid: &Cid, data: &Bytes, segment: &str) -> Result<Step, StepError> {
    if cid.codec() != Codec::DAG_PB {
        return below(cid, decode(cid.codec(), data)?, segment);
    }
    let node = PbNode::decode(data)?;
    match node.links.iter().find(|link| link.name_bytes() == segment.as_bytes()) {
        Some(link) => Ok(Step::Link(link.cid.clone())),
        None => below(cid, Ipld::from(&node), segment),
    }
}

/// Follows segments from the root of a block until one leads to another block or none is left; tells how many
/// were followed. Without segments it is the block's whole node.
///
/// # Errors
/// As [`step`].
pub fn follow(cid: &Cid, data: &Bytes, segments: &[String]) -> Result<(Step, usize), StepError> {
    let Some((first, rest)) = segments.split_first() else {
        return Ok((Step::Inside(decode(cid.codec(), data)?), 0));
    };
    let mut step = step(cid, data, first)?;
    for (followed, segment) in rest.iter().enumerate() {
        match step {
            Step::Link(_) => return Ok((step, followed + 1)),
            Step::Inside(node) => step = below(cid, node, segment)?,
        }
    }
    Ok((step, segments.len()))
}

fn below(cid: &Cid, node: Ipld, segment: &str) -> Result<Step, StepError> {
    match node.into_below(segment) {
        Some(Ipld::Link(target)) => Ok(Step::Link(*target)),
        Some(inside) => Ok(Step::Inside(inside)),
        None => Err(StepError::NoLink { name: segment.to_owned(), cid: cid.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PbLink, from_dag_json};
    use ipse_base::{Block, HashCode};

    const LEAF: &str = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4";

    fn block(codec: Codec, data: Bytes) -> Block {
        Block::hash(codec, HashCode::SHA2_256, data).unwrap()
    }

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn a_path_ends_at_the_next_block() {
        let text = format!(r#"{{"a":{{"b":[1,{{"/":"{LEAF}"}}]}}}}"#);
        let data = from_dag_json(Codec::DAG_CBOR, text.as_bytes()).unwrap();
        let block = block(Codec::DAG_CBOR, data);
        let follow = |text: &str| follow(block.cid(), block.data(), &path(text));
        assert_eq!(follow("a/b/1/beyond/it"), Ok((Step::Link(LEAF.parse().unwrap()), 3)));
        assert_eq!(follow("a/b/0"), Ok((Step::Inside(Ipld::Unsigned(1)), 3)));
        assert_eq!(
            follow("a/c").unwrap_err().to_string(),
            format!("no link named \"c\" under {}", block.cid())
        );
    }

    #[test]
    fn dag_pb_goes_by_name_first_and_by_form_second() {
        let link = |name: &'static str| PbLink {
            cid: LEAF.parse().unwrap(),
            name: Some(name.into()),
            tsize: Some(3),
        };
        let mut node = PbNode { data: None, links: vec![link("Data"), link("a.txt")] };
        let first = block(Codec::DAG_PB, node.encode());
        let leaf = || Step::Link(LEAF.parse().unwrap());
        assert_eq!(step(first.cid(), first.data(), "a.txt"), Ok(leaf()));
        assert_eq!(step(first.cid(), first.data(), "Data"), Ok(leaf()));
        assert_eq!(follow(first.cid(), first.data(), &path("Links/1/Hash/x")), Ok((leaf(), 3)));
        assert!(step(first.cid(), first.data(), "nope").is_err());

        node.data = Some("x".into());
        node.links.remove(0);
        let second = block(Codec::DAG_PB, node.encode());
        assert_eq!(step(second.cid(), second.data(), "Data"), Ok(Step::Inside(Ipld::Bytes((*b"x").into()))));
    }
}
