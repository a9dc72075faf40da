//! Writes a node as JSON, byte for byte as the reference codec does: no spaces, keys sorted by their bytes,
//! numbers as JavaScript writes them.

use std::io::Write;
use std::{slice, vec};

use ipse_base::Base;

use super::Dialect;
use crate::{FormError, Ipld};

/// What is begun and not ended.
enum Open<'a> {
    List(slice::Iter<'a, Ipld>),
    Map(vec::IntoIter<&'a (Box<str>, Ipld)>),
}

/// Writes a whole block, without recursion.
pub(crate) fn encode(node: &Ipld, dialect: Dialect) -> Result<Vec<u8>, FormError> {
    let mut out = Vec::new();
    let mut open = Vec::new();
    let mut next = Some(node);
    loop {
        if let Some(node) = next.take() {
            open.extend(write_value(node, dialect, &mut out)?);
        }
        let Some(innermost) = open.last_mut() else { return Ok(out) };
        next = match innermost {
            Open::List(values) => values.next(),
            Open::Map(entries) => entries.next().map(|(key, value)| {
                separate(&mut out);
                write_text(key, &mut out);
                out.push(b':');
                value
            }),
        };
        match (&innermost, &next) {
            (Open::List(_), Some(_)) => separate(&mut out),
            (Open::Map(_), Some(_)) => {}
            (Open::List(_), None) => out.push(b']'),
            (Open::Map(_), None) => out.push(b'}'),
        }
        if next.is_none() {
            open.pop();
        }
    }
}

/// A comma, unless the map or list has just begun.
fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'[' | b'{')) {
        out.push(b',');
    }
}

/// Writes a value whole, or the beginning of a map or list whose content is still to come.
fn write_value<'a>(
    node: &'a Ipld,
    dialect: Dialect,
    out: &mut Vec<u8>,
) -> Result<Option<Open<'a>>, FormError> {
    match node {
        Ipld::Null => out.extend_from_slice(b"null"),
        Ipld::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Ipld::Unsigned(value) => write_display(value, out),
        Ipld::Negative(value) => write_display(&(-1 - i128::from(*value)), out),
        Ipld::Float(value) => write_float(*value, out)?,
        Ipld::Text(text) => write_text(text, out),
        Ipld::Bytes(_) | Ipld::Link(_) if dialect == Dialect::Plain => return Err(FormError::NotPlainJson),
        Ipld::Bytes(bytes) => {
            let base = Base::from_prefix('m').expect("base64 is in the table of bases");
            out.extend_from_slice(b"{\"/\":{\"bytes\":\"");
            out.extend_from_slice(base.encode_bare(bytes).as_bytes());
            out.extend_from_slice(b"\"}}");
        }
        Ipld::Link(cid) => {
            out.extend_from_slice(b"{\"/\":\"");
            write_display(cid, out);
            out.extend_from_slice(b"\"}");
        }
        Ipld::List(values) => {
            out.push(b'[');
            return Ok(Some(Open::List(values.iter())));
        }
        Ipld::Map(entries) => {
            out.push(b'{');
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            return Ok(Some(Open::Map(sorted.into_iter())));
        }
    }
    Ok(None)
}

fn write_display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("writing to memory does not fail");
}

/// The shortest digits that read back the same, with an exponent where JavaScript uses one. A float without a
/// fraction looks like an integer, as it does in the reference codec.
fn write_float(value: f64, out: &mut Vec<u8>) -> Result<(), FormError> {
    let size = value.abs();
    if !value.is_finite() {
        return Err(FormError::NotFinite);
    }
    let text = if size == 0.0 || (1e-6..1e21).contains(&size) {
        even(value.to_string(), value)
    } else {
        even(format!("{value:e}"), value)
    };
    let text = if size >= 1.0 { text.replace('e', "e+") } else { text };
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Of two shortest forms that are equally near, the one that ends in an even digit, as JavaScript and Go have it;
/// the standard library of Rust rounds up.
fn even(text: String, value: f64) -> String {
    let last = text.find('e').unwrap_or(text.len()) - 1;
    let digit = text.as_bytes()[last];
    if digit.is_multiple_of(2) || !lies_in_the_middle(value) {
        return text;
    }
    let mut lower = text.clone();
    lower.replace_range(last..=last, char::from(digit - 1).encode_utf8(&mut [0; 4]));
    // Below a power of two floats lie closer, and the lower form may be that of another.
    if lower.parse() == Ok(value) { lower } else { text }
}

/// Whether a float has exactly one digit more than its shortest form, a five.
fn lies_in_the_middle(value: f64) -> bool {
    let (shortest, exact) = (format!("{value:e}"), format!("{value:.60e}"));
    let mantissa = |text: &str| text.split('e').next().map(|digits| digits.trim_end_matches('0').to_owned());
    let (Some(shortest), Some(exact)) = (mantissa(&shortest), mantissa(&exact)) else { return false };
    exact.len() == shortest.len() + 1 && exact.ends_with('5')
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..' ' | '\u{2028}' | '\u{2029}' => {
                write_display(&format_args!("\\u{:04x}", character as u32), out)
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
