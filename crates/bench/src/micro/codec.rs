//! Reading and writing nodes and archives.

use bytes::Bytes;
use ipld_core::ipld::Ipld as OtherIpld;
use ipld_dagpb::PbNode as OtherPbNode;
use ipse_base::{Block, Cid, Codec, HashCode};
use ipse_dag::{CarItem, CarReader, Ipld, PbLink, PbNode, car, decode, encode};

use super::Case;
use crate::Outcome;

const LINKS: u64 = 1000;
const CAR_BLOCKS: u64 = 10_000;
const CAR_BLOCK_BYTES: usize = 200;

fn leaf(number: u64) -> Outcome<Block> {
    let mut data = vec![0; CAR_BLOCK_BYTES];
    data[..8].copy_from_slice(&number.to_be_bytes());
    Ok(Block::hash(Codec::RAW, HashCode::SHA2_256, data.into())?)
}

/// A folder of so many files.
fn folder() -> Outcome<Bytes> {
    let link = |number| {
        Ok(PbLink {
            cid: leaf(number)?.cid().clone(),
            name: Some(format!("file-{number:06}").into()),
            tsize: Some(1000),
        })
    };
    let links = (0..LINKS).map(link).collect::<Outcome<_>>()?;
    Ok(PbNode { data: Some(Bytes::from_static(&[8, 1])), links }.encode())
}

pub(super) fn cases() -> Outcome<Vec<Case>> {
    let pb = folder()?;
    // The same folder as the other codecs see it: maps in a list.
    let node = decode(Codec::DAG_PB, &pb)?;
    let cbor = encode(Codec::DAG_CBOR, &node)?;
    let json = encode(Codec::DAG_JSON, &node)?;
    let mut cases = pb_cases(pb)?;
    cases.extend([
        reading("dag-cbor: node of 1,000 links read", Codec::DAG_CBOR, cbor.clone()).beside(
            "serde_ipld_dagcbor",
            {
                let data = cbor.clone();
                move || {
                    std::hint::black_box(serde_ipld_dagcbor::from_slice::<OtherIpld>(&data)?);
                    Ok(LINKS as f64)
                }
            },
        ),
        writing("dag-cbor: the same written", Codec::DAG_CBOR, node.clone()).beside("serde_ipld_dagcbor", {
            let node: OtherIpld = serde_ipld_dagcbor::from_slice(&cbor)?;
            move || {
                std::hint::black_box(serde_ipld_dagcbor::to_vec(&node)?);
                Ok(LINKS as f64)
            }
        }),
        reading("dag-json: node of 1,000 links read", Codec::DAG_JSON, json.clone()).beside(
            "serde_ipld_dagjson",
            {
                let data = json.clone();
                move || {
                    std::hint::black_box(serde_ipld_dagjson::from_slice::<OtherIpld>(&data)?);
                    Ok(LINKS as f64)
                }
            },
        ),
        writing("dag-json: the same written", Codec::DAG_JSON, node).beside("serde_ipld_dagjson", {
            let node: OtherIpld = serde_ipld_dagjson::from_slice(&json)?;
            move || {
                std::hint::black_box(serde_ipld_dagjson::to_vec(&node)?);
                Ok(LINKS as f64)
            }
        }),
        archive()?,
    ]);
    Ok(cases)
}

fn pb_cases(data: Bytes) -> Outcome<Vec<Case>> {
    let (node, other) = (PbNode::decode(&data)?, OtherPbNode::from_bytes(data.clone())?);
    let other_data = data.clone();
    Ok(vec![
        Case::new("dag-pb: folder of 1,000 links read", "links/s", move || {
            std::hint::black_box(PbNode::decode(&data)?);
            Ok(LINKS as f64)
        })
        .beside("ipld-dagpb", move || {
            std::hint::black_box(OtherPbNode::from_bytes(other_data.clone())?);
            Ok(LINKS as f64)
        }),
        Case::new("dag-pb: the same written", "links/s", move || {
            std::hint::black_box(node.encode());
            Ok(LINKS as f64)
        })
        .beside("ipld-dagpb", move || {
            std::hint::black_box(other.clone().into_bytes());
            Ok(LINKS as f64)
        }),
    ])
}

fn reading(name: &'static str, codec: Codec, data: Bytes) -> Case {
    Case::new(name, "links/s", move || {
        std::hint::black_box(decode(codec, &data)?);
        Ok(LINKS as f64)
    })
}

fn writing(name: &'static str, codec: Codec, node: Ipld) -> Case {
    Case::new(name, "links/s", move || {
        std::hint::black_box(encode(codec, &node)?);
        Ok(LINKS as f64)
    })
}

/// An archive of small blocks, fed in pieces as they come from a socket. Neither of both hashes.
fn archive() -> Outcome<Case> {
    let blocks = (0..CAR_BLOCKS).map(leaf).collect::<Outcome<Vec<_>>>()?;
    let root: Vec<Cid> = blocks.iter().take(1).map(|block| block.cid().clone()).collect();
    let mut bytes = car::header(&root);
    for block in &blocks {
        bytes.extend_from_slice(&car::frame_prefix(block.cid(), block.data().len()));
        bytes.extend_from_slice(block.data());
    }
    let archive = Bytes::from(bytes);
    let other = archive.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ours = move || {
        let (mut reader, mut count) = (CarReader::new(), 0);
        for start in (0..archive.len()).step_by(64 * 1024) {
            reader.feed(archive.slice(start..archive.len().min(start + 64 * 1024)));
            while let Some(item) = reader.next()? {
                count += u64::from(matches!(item, CarItem::Block { .. }));
            }
        }
        reader.finish()?;
        Ok(count as f64)
    };
    Ok(Case::new("CAR: blocks of 200 bytes read", "blocks/s", ours).beside("iroh-car", move || {
        runtime.block_on(async {
            let mut reader = iroh_car::CarReader::new(&other[..]).await?;
            let mut count = 0;
            while let Some(block) = reader.next_block().await? {
                std::hint::black_box(block);
                count += 1;
            }
            Ok(f64::from(count))
        })
    }))
}
