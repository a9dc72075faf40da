//! CAR archives of many tiny blocks, written without holding them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::Outcome;

/// Links of each node of a [`tree`].
const LINKS: u64 = 4000;
/// Bytes of each of its leaves.
const LEAF_BYTES: usize = 32;

/// What an archive holds.
pub(crate) struct Tree {
    /// The node above all.
    pub(crate) root: String,
    /// Blocks, nodes counted.
    pub(crate) blocks: u64,
}

/// Writes so many raw blocks of eight bytes, and gives their names, one a line.
pub(crate) fn leaves(path: &Path, blocks: u64) -> Outcome<Vec<u8>> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut names = Vec::new();
    header(&cid(RAW, &0_u64.to_be_bytes()), &mut out)?;
    for number in 0..blocks {
        let cid = block(RAW, &number.to_be_bytes(), &mut out)?;
        name(&cid, &mut names);
        names.push(b'\n');
    }
    out.flush()?;
    Ok(names)
}

/// Writes a tree of two levels above so many leaves, a node behind what it links to and the root at the end.
pub(crate) fn tree(path: &Path, leaves: u64) -> Outcome<Tree> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    // The header names the root, which is known at the end.
    header(&cid(DAG_PB, b""), &mut out)?;
    let (mut nodes, mut top) = (0, Vec::new());
    let mut number = 0;
    while number < leaves {
        let mut node = Vec::new();
        let end = leaves.min(number + LINKS);
        for number in number..end {
            let mut payload = [0; LEAF_BYTES];
            payload[..8].copy_from_slice(&number.to_be_bytes());
            link(&block(RAW, &payload, &mut out)?, LEAF_BYTES as u64, &mut node);
        }
        let below = (end - number) * LEAF_BYTES as u64;
        number = end;
        folder(&mut node);
        nodes += 1;
        link(&block(DAG_PB, &node, &mut out)?, node.len() as u64 + below, &mut top);
    }
    folder(&mut top);
    let root = block(DAG_PB, &top, &mut out)?;
    let mut file = out.into_inner().map_err(|error| error.into_error())?;
    std::io::Seek::rewind(&mut file)?;
    header(&root, &mut file)?;
    let mut text = Vec::new();
    name(&root, &mut text);
    Ok(Tree { root: String::from_utf8(text)?, blocks: leaves + nodes + 1 })
}

const RAW: u8 = 0x55;
const DAG_PB: u8 = 0x70;

/// {"roots": [cid], "version": 1} in dag-cbor; a Cid is tag 42 over a zero byte and its bytes.
fn header(root: &[u8], out: &mut impl Write) -> Outcome<()> {
    let mut header = b"\xa2eroots\x81\xd8\x2a\x58\x25\x00".to_vec();
    header.extend_from_slice(root);
    header.extend_from_slice(b"gversion\x01");
    out.write_all(&[header.len() as u8])?;
    Ok(out.write_all(&header)?)
}

fn block(codec: u8, payload: &[u8], out: &mut impl Write) -> Outcome<Vec<u8>> {
    let cid = cid(codec, payload);
    let mut length = Vec::new();
    varint((cid.len() + payload.len()) as u64, &mut length);
    out.write_all(&length)?;
    out.write_all(&cid)?;
    out.write_all(payload)?;
    Ok(cid)
}

/// A link of dag-pb: name empty, as files have it.
fn link(cid: &[u8], tsize: u64, node: &mut Vec<u8>) {
    let mut link = vec![0x0a];
    varint(cid.len() as u64, &mut link);
    link.extend_from_slice(cid);
    link.extend_from_slice(&[0x12, 0, 0x18]);
    varint(tsize, &mut link);
    node.push(0x12);
    varint(link.len() as u64, node);
    node.append(&mut link);
}

/// What makes a folder of a node's links.
fn folder(node: &mut Vec<u8>) {
    node.extend_from_slice(&[0x0a, 2, 0x08, 1]);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// CIDv1, SHA-256.
fn cid(codec: u8, payload: &[u8]) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload);
    [&[0x01, codec, 0x12, 0x20], digest.as_ref()].concat()
}

fn name(cid: &[u8], out: &mut Vec<u8>) {
    out.push(b'b');
    let (mut held, mut bits) = (0u32, 0);
    for byte in cid {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(b"abcdefghijklmnopqrstuvwxyz234567"[(held >> bits & 31) as usize]);
        }
    }
    if bits > 0 {
        out.push(b"abcdefghijklmnopqrstuvwxyz234567"[(held << (5 - bits) & 31) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_everyone() {
        let mut text = Vec::new();
        name(&cid(RAW, b"hello world"), &mut text);
        let known = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
        assert_eq!(String::from_utf8(text).unwrap(), known);
    }

    #[test]
    fn archives_have_a_header_and_every_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.car");
        let names = leaves(&path, 3).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(usize::from(bytes[0]), 58);
        assert_eq!(bytes.len(), 1 + 58 + 3 * (1 + 36 + 8));
        assert_eq!(names.split(|byte| *byte == b'\n').filter(|name| !name.is_empty()).count(), 3);

        let tree = tree(&path, LINKS + 1).unwrap();
        assert_eq!((tree.blocks, tree.root.len()), (LINKS + 4, 59));
        // The root is the last block, and the one that the header names.
        let bytes = std::fs::read(&path).unwrap();
        let (head, blocks) = bytes.split_at(50);
        let at = blocks.windows(36).rposition(|window| window == &head[14..]).unwrap();
        assert_eq!(cid(DAG_PB, &blocks[at + 36..]), head[14..]);
    }
}
