//! Keys and values of the index as bytes. Layout: `docs/formats/index.md`.

use ipse_base::{Cid, Codec, Multihash, Version, varint};

use super::{Checkpoint, Totals};
use crate::pins::{Pin, PinMode};
use crate::place::{Place, Position};

const FLAG_LEAF: u8 = 1;
const FLAG_V0: u8 = 2;

fn u32_le(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(word, rest)| (u32::from_le_bytes(*word), rest))
}

fn u64_le(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk().map(|(word, rest)| (u64::from_le_bytes(*word), rest))
}

/// The value of a block: segment, offset, length, flags, codec.
pub(crate) fn encode_place(place: &Place) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    out.extend_from_slice(&place.position.segment.to_le_bytes());
    out.extend_from_slice(&place.position.offset.to_le_bytes());
    out.extend_from_slice(&place.length.to_le_bytes());
    let leaf = if place.leaf { FLAG_LEAF } else { 0 };
    let version = if place.version == Version::V0 { FLAG_V0 } else { 0 };
    out.push(leaf | version);
    varint::write(place.codec.0, &mut out);
    out
}

/// `None` where the bytes are no such value.
pub(crate) fn decode_place(bytes: &[u8]) -> Option<Place> {
    let (segment, rest) = u32_le(bytes)?;
    let (offset, rest) = u64_le(rest)?;
    let (length, rest) = u32_le(rest)?;
    let (&flags, rest) = rest.split_first()?;
    let (codec, rest) = varint::read(rest).ok()?;
    let sound = rest.is_empty() && flags & !(FLAG_LEAF | FLAG_V0) == 0;
    let version = if flags & FLAG_V0 != 0 { Version::V0 } else { Version::V1 };
    sound.then_some(Place {
        position: Position { segment, offset },
        length,
        version,
        codec: Codec(codec),
        leaf: flags & FLAG_LEAF != 0,
    })
}

/// The key of a pin: hash, version, codec. The hash stands first, so all pins of one block are neighbours.
pub(crate) fn pin_key(cid: &Cid) -> Vec<u8> {
    let mut key = cid.hash().to_bytes();
    key.push(u8::from(cid.version() == Version::V1));
    varint::write(cid.codec().0, &mut key);
    key
}

/// The Cid in the key of a pin.
pub(crate) fn decode_pin_key(key: &[u8]) -> Option<Cid> {
    let (hash, rest) = Multihash::read(key).ok()?;
    let (&version, rest) = rest.split_first()?;
    let (codec, rest) = varint::read(rest).ok()?;
    let cid = match version {
        0 => Cid::v0(hash).ok()?,
        1 => Cid::v1(Codec(codec), hash),
        _ => return None,
    };
    rest.is_empty().then_some(cid)
}

/// The value of a pin, which is the payload of its record too: mode, then the name as text.
pub(crate) fn encode_pin(mode: PinMode, name: Option<&str>) -> Vec<u8> {
    let mut out = vec![match mode {
        PinMode::Direct => 0,
        PinMode::Recursive => 1,
    }];
    out.extend_from_slice(name.unwrap_or_default().as_bytes());
    out
}

/// `None` where the bytes are no such value.
pub(crate) fn decode_pin(cid: Cid, value: &[u8]) -> Option<Pin> {
    let (&mode, name) = value.split_first()?;
    let mode = match mode {
        0 => PinMode::Direct,
        1 => PinMode::Recursive,
        _ => return None,
    };
    let name = std::str::from_utf8(name).ok()?;
    Some(Pin { cid, mode, name: (!name.is_empty()).then(|| name.to_owned()) })
}

/// An entry of the table of uses: segment, and the generation in which it was used last.
pub(crate) fn encode_use(segment: u32, last: u64) -> ([u8; 4], [u8; 8]) {
    (segment.to_be_bytes(), last.to_le_bytes())
}

/// `None` where the bytes are no such entry.
pub(crate) fn decode_use(key: &[u8], value: &[u8]) -> Option<(u32, u64)> {
    Some((u32::from_be_bytes(key.try_into().ok()?), u64::from_le_bytes(value.try_into().ok()?)))
}

/// The state of the index: checkpoint and totals.
pub(crate) fn encode_state(checkpoint: &Checkpoint, totals: &Totals) -> Vec<u8> {
    let mut out = Vec::with_capacity(36);
    out.extend_from_slice(&checkpoint.position.segment.to_le_bytes());
    out.extend_from_slice(&checkpoint.position.offset.to_le_bytes());
    out.extend_from_slice(&checkpoint.marker.to_le_bytes());
    out.extend_from_slice(&totals.blocks.to_le_bytes());
    out.extend_from_slice(&totals.bytes.to_le_bytes());
    out
}

/// `None` where the bytes are no such value.
pub(crate) fn decode_state(bytes: &[u8]) -> Option<(Checkpoint, Totals)> {
    let (segment, rest) = u32_le(bytes)?;
    let (offset, rest) = u64_le(rest)?;
    let (marker, rest) = u64_le(rest)?;
    let (blocks, rest) = u64_le(rest)?;
    let (bytes, rest) = u64_le(rest)?;
    let position = Position { segment, offset };
    rest.is_empty().then_some((Checkpoint { position, marker }, Totals { blocks, bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipse_base::HashCode;

    #[test]
    fn fuzz_index_values() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            if let Some(place) = decode_place(bytes) {
                assert_eq!(&encode_place(&place), bytes);
            }
            if let Some((checkpoint, totals)) = decode_state(bytes) {
                assert_eq!(&encode_state(&checkpoint, &totals), bytes);
            }
            if let Some(cid) = decode_pin_key(bytes) {
                assert_eq!(decode_pin_key(&pin_key(&cid)), Some(cid.clone()));
                if let Some(pin) = decode_pin(cid, bytes) {
                    assert_eq!(&encode_pin(pin.mode, pin.name.as_deref()), bytes);
                }
            }
        });
    }

    #[test]
    fn the_pins_of_one_block_are_neighbours() {
        let hash = Multihash::digest_of(HashCode::SHA2_256, b"x").unwrap();
        let cids = [Cid::v0(hash.clone()).unwrap(), Cid::v1(Codec::RAW, hash.clone())];
        for cid in cids {
            assert!(pin_key(&cid).starts_with(&hash.to_bytes()));
            assert_eq!(decode_pin_key(&pin_key(&cid)), Some(cid));
        }
    }
}
