use super::*;
use ipse_base::{Codec, HashCode, Multihash};

const MARKER: u64 = 0x0123_4567_89ab_cdef;

fn header(kind: RecordKind, payload: &[u8]) -> Header {
    let hash = Multihash::digest_of(HashCode::SHA2_256, payload).unwrap();
    Header {
        kind,
        leaf: kind == RecordKind::Block,
        name: (kind != RecordKind::Mark).then(|| Cid::v1(Codec::DAG_PB, hash)),
        payload_len: payload.len() as u32,
        payload_crc: crc32c::crc32c(payload),
        durable: 4096,
    }
}

const KINDS: [RecordKind; 5] =
    [RecordKind::Block, RecordKind::Tombstone, RecordKind::Pin, RecordKind::Unpin, RecordKind::Mark];

#[test]
fn reads_what_it_writes() {
    for kind in KINDS {
        let header = header(kind, b"payload");
        let mut bytes = Vec::new();
        header.write(MARKER, 64, &mut bytes);
        assert_eq!(bytes.len(), header.header_len());
        assert_eq!(Header::read(&bytes, MARKER, 64).unwrap(), header);
    }
}

#[test]
fn every_flipped_bit_is_seen() {
    for kind in KINDS {
        let mut bytes = Vec::new();
        header(kind, b"payload").write(MARKER, 64, &mut bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::read(&bytes, MARKER, 64).is_err(), "{kind:?}, bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_record_counts_only_where_it_was_written() {
    let mut bytes = Vec::new();
    header(RecordKind::Block, b"payload").write(MARKER, 64, &mut bytes);
    assert_eq!(Header::read(&bytes, MARKER, 72), Err(RecordError::HeaderChecksum));
    assert_eq!(Header::read(&bytes, MARKER ^ 1, 64), Err(RecordError::Marker));
}

#[test]
fn fuzz_record_header() {
    bolero::check!().with_type::<(bool, Vec<u8>)>().for_each(|(sealed, bytes)| {
        let mut bytes = bytes.clone();
        if *sealed && bytes.len() >= HEADER_BYTES {
            // With marker and checksum in place the fields behind them are reached too.
            bytes[..8].copy_from_slice(&MARKER.to_le_bytes());
            let end = (HEADER_BYTES + usize::from(bytes[10])).min(bytes.len());
            let crc = header_crc(&bytes[..end], 64);
            bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        }
        if let Ok(header) = Header::read(&bytes, MARKER, 64) {
            let mut again = Vec::new();
            header.write(MARKER, 64, &mut again);
            assert_eq!(again, bytes[..again.len()]);
            assert!(header.payload_len as usize <= PAYLOAD_BYTES_MAX);
        }
    });
}
