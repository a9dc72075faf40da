//! Writes archives of version 1: a header, then for each block a prefix and its bytes, which the caller writes
//! from where they are.

use ipse_base::{Cid, varint};

use crate::cbor::write_head;

/// The header of an archive with these roots, its length in front.
pub fn header(roots: &[Cid]) -> Vec<u8> {
    let mut body = Vec::with_capacity(32 + roots.len() * 48);
    write_head(5, 2, &mut body);
    write_text("roots", &mut body);
    write_head(4, roots.len() as u64, &mut body);
    for root in roots {
        let bytes = root.to_bytes();
        write_head(6, 42, &mut body);
        write_head(2, bytes.len() as u64 + 1, &mut body);
        body.push(0);
        body.extend_from_slice(&bytes);
    }
    write_text("version", &mut body);
    write_head(0, 1, &mut body);

    let mut out = Vec::with_capacity(body.len() + 4);
    varint::write(body.len() as u64, &mut out);
    out.extend_from_slice(&body);
    out
}

/// What stands in front of a block's bytes: the length of the section, and the Cid.
pub fn frame_prefix(cid: &Cid, data_len: usize) -> Vec<u8> {
    let name = cid.to_bytes();
    let mut out = Vec::with_capacity(name.len() + 4);
    varint::write((name.len() + data_len) as u64, &mut out);
    out.extend_from_slice(&name);
    out
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}
