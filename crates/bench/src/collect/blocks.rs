//! The blocks of the load: their sizes, and folders over them as a toy codec.

use std::str::FromStr;

use bytes::Bytes;
use ipse_base::{Block, Cid, Codec, HashCode};
use ipse_store::LinksError;

use crate::Outcome;
use crate::lab::content::Noise;

/// Inner nodes: the binary Cids of their children, one behind the other.
const NODE: Codec = Codec::DAG_CBOR;

/// How large blocks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// Of a hundred: 90 up to 1 KiB, 8 of 4 KiB, 2 of 16 to 64 KiB; and of a thousand one of 256 KiB.
    Mixed,
    /// All of one size.
    Bytes(usize),
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mixed" => Ok(Self::Mixed),
            number => {
                number.parse().map(Self::Bytes).map_err(|_| format!("neither mixed nor a number: {number}"))
            }
        }
    }
}

impl Sizes {
    fn of(self, noise: &mut Noise) -> usize {
        let of = |most: u64, noise: &mut Noise| (noise.next() % most) as usize;
        match (self, noise.next() % 1000) {
            (Self::Bytes(bytes), _) => bytes.max(8),
            (Self::Mixed, 0) => 256 * 1024,
            (Self::Mixed, 1..=19) => 16 * 1024 + of(48 * 1024, noise),
            (Self::Mixed, 20..=99) => 4096,
            (Self::Mixed, _) => 40 + of(984, noise),
        }
    }

    /// Block number `i`, the same each time.
    pub(crate) fn block(self, i: u64) -> Outcome<Block> {
        let mut noise = Noise::new(i.wrapping_add(0x1234_5678_9abc).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let length = self.of(&mut noise);
        let mut payload = noise.bytes(length);
        payload[..8].copy_from_slice(&i.to_be_bytes());
        Ok(Block::hash(Codec::RAW, HashCode::SHA2_256, payload.into())?)
    }
}

/// A node over children.
pub(crate) fn node(children: &[Cid]) -> Outcome<Block> {
    let mut data = Vec::new();
    for child in children {
        child.write(&mut data);
    }
    Ok(Block::hash(NODE, HashCode::SHA2_256, data.into())?)
}

/// The links of a block.
pub(crate) fn links(cid: &Cid, data: &Bytes) -> Result<Vec<Cid>, LinksError> {
    let mut found = Vec::new();
    let mut rest = if cid.codec() == NODE { &data[..] } else { &[] };
    while !rest.is_empty() {
        let (cid, behind) = Cid::read(rest)?;
        found.push(cid);
        rest = behind;
    }
    Ok(found)
}
