//! The canonical bytes of a node in DAG-CBOR: shortest numbers, floats of 64 bits, keys by length and then by
//! their bytes.

use std::{slice, vec};

use crate::{FormError, Ipld};

/// What is begun and not ended.
enum Open<'a> {
    List(slice::Iter<'a, Ipld>),
    Map(vec::IntoIter<&'a (Box<str>, Ipld)>),
}

/// Writes a whole block, without recursion.
pub(crate) fn encode(node: &Ipld) -> Result<Vec<u8>, FormError> {
    let mut out = Vec::new();
    let mut open = Vec::new();
    let mut next = Some(node);
    loop {
        if let Some(node) = next.take() {
            open.extend(write_value(node, &mut out)?);
        }
        next = match open.last_mut() {
            None => return Ok(out),
            Some(Open::List(values)) => values.next(),
            Some(Open::Map(entries)) => entries.next().map(|(key, value)| {
                write_text(key, &mut out);
                value
            }),
        };
        if next.is_none() {
            open.pop();
        }
    }
}

/// Writes a value whole, or the head of a map or list whose content is still to come.
fn write_value<'a>(node: &'a Ipld, out: &mut Vec<u8>) -> Result<Option<Open<'a>>, FormError> {
    match node {
        Ipld::Null => out.push(0xf6),
        Ipld::Bool(value) => out.push(0xf4 | u8::from(*value)),
        Ipld::Unsigned(value) => write_head(0, *value, out),
        Ipld::Negative(value) => write_head(1, *value, out),
        Ipld::Float(value) if !value.is_finite() => return Err(FormError::NotFinite),
        Ipld::Float(value) => {
            out.push(0xfb);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Ipld::Text(text) => write_text(text, out),
        Ipld::Bytes(bytes) => {
            write_head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Ipld::Link(cid) => {
            let bytes = cid.to_bytes();
            write_head(6, 42, out);
            write_head(2, bytes.len() as u64 + 1, out);
            out.push(0);
            out.extend_from_slice(&bytes);
        }
        Ipld::List(values) => {
            write_head(4, values.len() as u64, out);
            return Ok(Some(Open::List(values.iter())));
        }
        Ipld::Map(entries) => {
            write_head(5, entries.len() as u64, out);
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_unstable_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            return Ok(Some(Open::Map(sorted.into_iter())));
        }
    }
    Ok(None)
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends the head of an item: its major type and its number in the shortest form.
pub(crate) fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}
