//! DAG-CBOR (IPLD specification): the deterministic subset of CBOR, with links under tag 42.
//!
//! Reading refuses what today's reference codec refuses (lengths left open, numbers in more bytes than they need,
//! NaN, infinities, keys twice, tags other than 42, text that is not UTF-8) and takes what it takes for the sake
//! of old data: keys in any order, short floats, `undefined` for null. Writing is canonical.

mod reader;
mod writer;

pub use reader::{CborError, CborFault};
pub(crate) use reader::{Event, Reader};
pub(crate) use writer::{encode, write_head};

use crate::ipld::Builder;
use crate::{DecodeError, Ipld, Link};

/// Reads a whole block.
pub(crate) fn decode(bytes: &[u8]) -> Result<Ipld, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut builder = Builder::default();
    while let Some(event) = reader.next_event()? {
        let value = match event {
            Event::List => {
                builder.begin_list();
                continue;
            }
            Event::Map => {
                builder.begin_map();
                continue;
            }
            Event::Key(key) => {
                builder.key(key);
                continue;
            }
            Event::End => builder.end()?,
            Event::Null => Ipld::Null,
            Event::Bool(value) => Ipld::Bool(value),
            Event::Unsigned(value) => Ipld::Unsigned(value),
            Event::Negative(value) => Ipld::Negative(value),
            Event::Float(value) => Ipld::Float(value),
            Event::Text(text) => Ipld::Text(text.into()),
            Event::Bytes(bytes) => Ipld::Bytes(bytes.into()),
            Event::Link(cid) => Ipld::Link(Box::new(cid)),
        };
        builder.value(value);
    }
    // The reader has counted every item, so there is a root.
    Ok(builder.finish().unwrap_or(Ipld::Null))
}

/// The links of a block, without building the node: a walk over many blocks holds no more than it must.
pub(crate) fn links(bytes: &[u8]) -> Result<Vec<Link>, DecodeError> {
    enum Place<'a> {
        Key(&'a str),
        Index(usize),
    }
    let mut reader = Reader::new(bytes);
    let mut places: Vec<Place<'_>> = Vec::new();
    let mut links = Vec::new();
    while let Some(event) = reader.next_event()? {
        match event {
            Event::Key(key) => {
                if let Some(place) = places.last_mut() {
                    *place = Place::Key(key);
                }
                continue;
            }
            Event::List => {
                places.push(Place::Index(0));
                continue;
            }
            Event::Map => {
                places.push(Place::Key(""));
                continue;
            }
            Event::End => {
                places.pop();
            }
            Event::Link(cid) => {
                let name = match places.last() {
                    Some(Place::Key(key)) => (*key).to_owned(),
                    Some(Place::Index(index)) => index.to_string(),
                    None => String::new(),
                };
                links.push(Link { cid, name, tsize: None });
            }
            _ => {}
        }
        if let Some(Place::Index(index)) = places.last_mut() {
            *index += 1;
        }
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        ipse_base::Base::decode(&format!("f{text}")).unwrap().1
    }

    fn fault(text: &str) -> CborFault {
        match decode(&hex(text)).unwrap_err() {
            DecodeError::Cbor(error) => error.fault,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_not_dag_cbor_is_refused() {
        assert_eq!(fault(""), CborFault::Short);
        assert_eq!(fault("1817"), CborFault::NotMinimal);
        assert_eq!(fault("190017"), CborFault::NotMinimal);
        assert_eq!(fault("580161"), CborFault::NotMinimal);
        assert_eq!(fault("9f01ff"), CborFault::Indefinite);
        assert_eq!(fault("5fff"), CborFault::Indefinite);
        assert_eq!(fault("c000"), CborFault::Tag(0));
        assert_eq!(fault("d82a00"), CborFault::NotALink);
        assert_eq!(fault("d82a410155"), CborFault::NotALink);
        assert_eq!(fault("f97e00"), CborFault::NotFinite);
        assert_eq!(fault("fb7ff0000000000000"), CborFault::NotFinite);
        assert_eq!(fault("61ff"), CborFault::Utf8);
        assert_eq!(fault("a10102"), CborFault::Key);
        assert_eq!(fault("f0"), CborFault::Simple(16));
        assert_eq!(fault("f818"), CborFault::Simple(24));
        assert_eq!(fault("1c"), CborFault::Reserved);
        assert_eq!(fault("0000"), CborFault::Trailing(1));
        // Lengths far beyond the block end it before anything is allocated.
        assert_eq!(fault("5bffffffffffffffff"), CborFault::Short);
        assert_eq!(fault("9bffffffffffffffff"), CborFault::Short);
        assert_eq!(fault("bbffffffffffffffff"), CborFault::Short);
    }

    #[test]
    fn old_data_is_read() {
        assert_eq!(decode(&hex("f7")), Ok(Ipld::Null));
        assert_eq!(decode(&hex("f93800")), Ok(Ipld::Float(0.5)));
        assert_eq!(decode(&hex("f90001")), Ok(Ipld::Float(2f64.powi(-24))));
        assert_eq!(decode(&hex("fa3f000000")), Ok(Ipld::Float(0.5)));
        let unsorted = Ipld::Map([("b".into(), Ipld::Null), ("a".into(), Ipld::Null)].into());
        assert_eq!(decode(&hex("a26162f66161f6")), Ok(unsorted));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0xf6]].concat();
        assert!(decode(&nested(1024)).is_ok());
        assert_eq!(links(&nested(1024)), Ok(vec![]));
        assert!(matches!(decode(&nested(1025)), Err(DecodeError::Cbor(e)) if e.fault == CborFault::TooDeep));
        assert!(decode(&nested(2 << 20)).is_err());
        assert!(links(&nested(2 << 20)).is_err());
    }

    #[test]
    fn fuzz_dag_cbor() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let scanned = links(bytes);
            if let Ok(node) = decode(bytes) {
                assert_eq!(scanned.unwrap(), node.links());
                let canonical = encode(&node).unwrap();
                let again = decode(&canonical).unwrap();
                assert_eq!(encode(&again).unwrap(), canonical);
            }
        });
    }
}
