//! The codec fixtures of the IPLD project: the same node in several codecs, each file named by its Cid, and bytes
//! and nodes that a codec must refuse.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ipse_base::{Base, Block, Cid, Codec};
use ipse_dag::{PbNode, decode, encode, from_dag_json, links, to_dag_json, transcode};
use serde_json::Value;

fn fixtures(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/codec").join(folder);
    if !path.is_dir() {
        println!("SKIP: {} is not here", path.display());
        return None;
    }
    Some(path)
}

/// The blocks of one fixture folder.
fn blocks(folder: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let cid: Cid = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        assert_eq!(cid.codec().name(), path.extension().unwrap().to_str());
        blocks.push(Block::verify(cid, fs::read(&path).unwrap().into()).unwrap());
    }
    blocks
}

#[test]
fn every_node_is_the_same_in_every_codec() {
    let Some(root) = fixtures("fixtures") else { return };
    let mut checked = 0;
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let blocks = blocks(&folder);
        let json = blocks.iter().find(|block| block.cid().codec() == Codec::DAG_JSON).unwrap();
        for from in &blocks {
            let codec = from.cid().codec();
            assert_eq!(to_dag_json(codec, from.data()).unwrap(), json.data()[..], "{from:?} of {folder:?}");
            assert_eq!(from_dag_json(codec, json.data()).unwrap(), from.data(), "{from:?} of {folder:?}");
            for to in &blocks {
                let bytes = transcode(codec, to.cid().codec(), from.data()).unwrap();
                assert_eq!(bytes, to.data(), "{from:?} to {to:?} of {folder:?}");
            }
            let found: Vec<_> =
                links(from.cid(), from.data()).unwrap().into_iter().map(|link| link.cid).collect();
            let node = decode(codec, from.data()).unwrap();
            assert_eq!(found, node.links().into_iter().map(|link| link.cid).collect::<Vec<_>>());
            checked += 1;
        }
        if let Some(pb) = blocks.iter().find(|block| block.cid().codec() == Codec::DAG_PB) {
            assert_eq!(PbNode::decode(pb.data()).unwrap().encode(), pb.data());
        }
    }
    assert_eq!(checked, 273);
}

/// The cases of a file of things to refuse.
fn cases(file: &str) -> Option<Vec<Value>> {
    let path = fixtures("negative-fixtures")?.join(file);
    Some(serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

#[test]
fn malformed_blocks_are_refused() {
    for (file, codec, says) in [
        ("dag-cbor/decode/duplicate-keys.json", Codec::DAG_CBOR, "map key \"foo\""),
        ("dag-json/decode/duplicate-keys.json", Codec::DAG_JSON, "map key \"foo\""),
        ("dag-pb/decode/edges.json", Codec::DAG_PB, ""),
    ] {
        let Some(cases) = cases(file) else { return };
        for case in &cases {
            let (_, bytes) = Base::decode(&format!("f{}", text(case, "hex"))).unwrap();
            let error = decode(codec, &Bytes::from(bytes)).unwrap_err().to_string();
            let expected = if says.is_empty() { text(case, "error") } else { says };
            let found = error.to_lowercase().contains(&expected.to_lowercase());
            assert!(found, "{}: {error}", text(case, "name"));
        }
    }
}

#[test]
fn nodes_without_a_form_in_dag_pb_are_refused() {
    for file in ["dag-pb/encode/basic-datamodel-kinds.json", "dag-pb/encode/invalid-forms.json"] {
        let Some(cases) = cases(file) else { return };
        for case in &cases {
            let (name, expected) = (text(case, "name"), text(case, "error"));
            let encoded = from_dag_json(Codec::DAG_PB, case["dag-json"].to_string().as_bytes());
            if expected.contains("must be sorted") {
                // Links out of order are put in order, as the codec of the reference node does.
                let node = PbNode::decode(&encoded.unwrap()).unwrap();
                assert!(node.links.is_sorted_by(|a, b| a.name_bytes() <= b.name_bytes()), "{name}");
            } else {
                let error = encoded.unwrap_err().to_string();
                assert!(error.contains(expected), "{name}: {error}");
            }
        }
    }
}

#[test]
fn plain_codecs_read_and_write() {
    let node = decode(Codec::JSON, &Bytes::from_static(b"{\"b\":[1,2.5],\"a\":null}")).unwrap();
    assert_eq!(encode(Codec::JSON, &node).unwrap(), "{\"a\":null,\"b\":[1,2.5]}");
    let cbor = encode(Codec::CBOR, &node).unwrap();
    assert_eq!(transcode(Codec::CBOR, Codec::DAG_JSON, &cbor).unwrap(), "{\"a\":null,\"b\":[1,2.5]}");
    assert_eq!(to_dag_json(Codec::RAW, &"hi".into()).unwrap(), b"{\"/\":{\"bytes\":\"aGk\"}}");
    assert_eq!(from_dag_json(Codec::RAW, b"{\"/\":{\"bytes\":\"aGk\"}}").unwrap(), "hi");
    assert!(from_dag_json(Codec::RAW, b"1").is_err());
    assert!(decode(Codec(0x78), &Bytes::new()).is_err());
}
