//! The codec against an independent protobuf implementation, against its limits, and against anything at all.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere, also in what its tests share")]

use bytes::Bytes;
use ipse_base::limits::{BITSWAP_CID_BYTES_MAX, BITSWAP_MESSAGE_BYTES_MAX};
use ipse_base::{Cid, Codec, HashCode, Multihash, Version};
use ipse_bitswap::{CidPrefix, Message, Presence, ProtocolVersion, WantEntry, WantType};
use prost::Message as _;

/// The messages of the specification, as a generator would write them.
mod pb {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Message {
        #[prost(message, optional, tag = "1")]
        pub(super) wantlist: Option<Wantlist>,
        #[prost(bytes = "vec", repeated, tag = "2")]
        pub(super) blocks: Vec<Vec<u8>>,
        #[prost(message, repeated, tag = "3")]
        pub(super) payload: Vec<Block>,
        #[prost(message, repeated, tag = "4")]
        pub(super) presences: Vec<Presence>,
        #[prost(int32, tag = "5")]
        pub(super) pending_bytes: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Wantlist {
        #[prost(message, repeated, tag = "1")]
        pub(super) entries: Vec<Entry>,
        #[prost(bool, tag = "2")]
        pub(super) full: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Entry {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) block: Vec<u8>,
        #[prost(int32, tag = "2")]
        pub(super) priority: i32,
        #[prost(bool, tag = "3")]
        pub(super) cancel: bool,
        #[prost(int32, tag = "4")]
        pub(super) want_type: i32,
        #[prost(bool, tag = "5")]
        pub(super) send_dont_have: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Block {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) prefix: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) data: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Presence {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) cid: Vec<u8>,
        #[prost(int32, tag = "2")]
        pub(super) kind: i32,
    }
}

fn cid(seed: u64) -> Cid {
    let hash = Multihash::digest_of(HashCode::SHA2_256, &seed.to_be_bytes()).unwrap();
    if seed.is_multiple_of(3) { Cid::v0(hash).unwrap() } else { Cid::v1(Codec::RAW, hash) }
}

/// A message out of a few numbers.
fn message(seeds: &[(u64, i32, u8)], full: bool, pending_bytes: i32) -> Message {
    let mut message = Message { full, pending_bytes, ..Message::default() };
    for (seed, number, kind) in seeds {
        let cid = cid(*seed);
        match kind % 5 {
            0 => message.wantlist.push(WantEntry::block(cid, *number)),
            1 => message.wantlist.push(WantEntry::have(cid, *number)),
            2 => message.wantlist.push(WantEntry::cancel(cid)),
            3 => message.presences.push(Presence { cid, have: *number > 0 }),
            _ => {
                let data = vec![*kind; *number as usize % 40_000];
                message.blocks.push((CidPrefix::of(&cid), data.into()));
            }
        }
    }
    message
}

fn to_pb(message: &Message) -> pb::Message {
    let entries = message.wantlist.iter().map(|entry| pb::Entry {
        block: entry.cid.to_bytes(),
        priority: entry.priority,
        cancel: entry.cancel,
        want_type: i32::from(entry.want_type == WantType::Have),
        send_dont_have: entry.send_dont_have,
    });
    let payload = message.blocks.iter().map(|(prefix, data)| {
        let mut bytes = Vec::new();
        prefix.write(&mut bytes);
        pb::Block { prefix: bytes, data: data.to_vec() }
    });
    let presences = message
        .presences
        .iter()
        .map(|presence| pb::Presence { cid: presence.cid.to_bytes(), kind: i32::from(!presence.have) });
    pb::Message {
        wantlist: Some(pb::Wantlist { entries: entries.collect(), full: message.full }),
        blocks: Vec::new(),
        payload: payload.collect(),
        presences: presences.collect(),
        pending_bytes: message.pending_bytes,
    }
}

#[test]
fn another_implementation_reads_and_writes_the_same() {
    bolero::check!().with_type::<(Vec<(u64, i32, u8)>, bool, i32)>().for_each(|(seeds, full, pending)| {
        let message = message(seeds, *full, *pending);
        let encoded = message.encode(ProtocolVersion::V1_2);
        let bytes = encoded.to_bytes();
        assert_eq!(encoded.len(), bytes.len());
        let mut read = pb::Message::decode(&bytes[..]).unwrap();
        read.wantlist.get_or_insert_default();
        assert_eq!(read, to_pb(&message));
        let written = Bytes::from(to_pb(&message).encode_to_vec());
        assert_eq!(Message::decode(written).unwrap(), message);
    });
}

#[test]
fn fuzz_decode() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        if let Ok(message) = Message::decode(Bytes::from(bytes.clone())) {
            let again = message.encode(ProtocolVersion::V1_2).to_bytes();
            assert_eq!(Message::decode(again), Ok(message));
        }
    });
}

#[test]
fn fuzz_decode_of_damaged_messages() {
    type Damage = Vec<(u16, u8)>;
    bolero::check!().with_type::<(Vec<(u64, i32, u8)>, Damage, u16)>().for_each(|(seeds, damage, cut)| {
        let mut bytes = message(seeds, false, 7).encode(ProtocolVersion::V1_2).to_bytes().to_vec();
        for (place, byte) in damage {
            if let Some(target) = bytes.get_mut(usize::from(*place)) {
                *target ^= byte;
            }
        }
        bytes.truncate(bytes.len().saturating_sub(usize::from(*cut) % 16));
        if let Ok(message) = Message::decode(bytes.into()) {
            let again = message.encode(ProtocolVersion::V1_2).to_bytes();
            assert_eq!(Message::decode(again), Ok(message));
        }
    });
}

#[test]
fn payload_is_never_copied() {
    let data = Bytes::from(vec![7; 100_000]);
    let message = Message {
        wantlist: vec![WantEntry::block(cid(1), 5)],
        blocks: vec![(CidPrefix::of(&cid(1)), data.clone()), (CidPrefix::of(&cid(2)), data.clone())],
        ..Message::default()
    };
    let encoded = message.encode(ProtocolVersion::V1_1);
    let same = |piece: &&Bytes| piece.as_ptr() == data.as_ptr() && piece.len() == data.len();
    assert_eq!(encoded.pieces().iter().filter(same).count(), 2);

    let frame = encoded.to_bytes();
    let range = frame.as_ptr_range();
    let read = Message::decode(frame.clone()).unwrap();
    assert_eq!(read.blocks.len(), 2);
    for (_, slice) in read.blocks {
        assert_eq!(slice, data);
        assert!(range.contains(&slice.as_ptr()), "a decoded block is a slice of its frame");
    }
}

#[test]
fn small_blocks_are_gathered_into_one_piece() {
    let block = |seed| (CidPrefix::of(&cid(seed)), Bytes::from(vec![1; 4096]));
    let message = Message { blocks: (0..60).map(block).collect(), ..Message::default() };
    assert_eq!(message.encode(ProtocolVersion::V1_2).pieces().len(), 1);
}

#[test]
fn older_versions_hear_only_what_they_understand() {
    let v0 = cid(0);
    let v1 = cid(1);
    let message = Message {
        wantlist: vec![
            WantEntry::block(v0.clone(), 9),
            WantEntry::block(v1.clone(), 8),
            WantEntry::have(v0.clone(), 7),
            WantEntry::cancel(v0.clone()),
        ],
        blocks: vec![(CidPrefix::of(&v0), "zero".into()), (CidPrefix::of(&v1), "one".into())],
        presences: vec![Presence { cid: v0.clone(), have: true }],
        pending_bytes: 9,
        full: true,
    };
    let read = |version| Message::decode(message.encode(version).to_bytes()).unwrap();
    let older = read(ProtocolVersion::V1_1);
    assert_eq!(older.wantlist.len(), 3);
    assert!(older.wantlist.iter().all(|entry| entry.want_type == WantType::Block && !entry.send_dont_have));
    assert_eq!((older.blocks.len(), older.presences.len(), older.pending_bytes), (2, 0, 0));
    let oldest = read(ProtocolVersion::V1_0);
    assert!(oldest.wantlist.iter().all(|entry| entry.cid == v0));
    assert_eq!((oldest.wantlist.len(), oldest.full), (2, true));
    assert_eq!(oldest.blocks, [(CidPrefix::V0, Bytes::from("zero"))]);
    let bytes = message.encode(ProtocolVersion::V1_0).to_bytes();
    assert_eq!(pb::Message::decode(&bytes[..]).unwrap().blocks, [b"zero".to_vec()]);
}

#[test]
fn a_block_names_itself() {
    let data = Bytes::from("content");
    for version in [Version::V0, Version::V1] {
        let hash = Multihash::digest_of(HashCode::SHA2_256, &data).unwrap();
        let name = Cid::v0(hash).unwrap().to_version(version).unwrap();
        let message = Message { blocks: vec![(CidPrefix::of(&name), data.clone())], ..Message::default() };
        let read = Message::decode(message.encode(ProtocolVersion::V1_2).to_bytes()).unwrap();
        let (prefix, payload) = read.blocks[0].clone();
        assert_eq!(prefix.cid_of(&payload).unwrap(), name);
        assert_eq!(prefix.block_of(payload).unwrap().cid(), &name);
    }
}

/// A wantlist with one entry of these bytes.
fn want_of(cid: &[u8]) -> Bytes {
    let entry = pb::Entry { block: cid.to_vec(), priority: 1, ..pb::Entry::default() };
    let wantlist = Some(pb::Wantlist { entries: vec![entry], full: false });
    pb::Message { wantlist, ..pb::Message::default() }.encode_to_vec().into()
}

fn presence_of(cid: &[u8]) -> Bytes {
    let presences = vec![pb::Presence { cid: cid.to_vec(), kind: 0 }];
    pb::Message { presences, ..pb::Message::default() }.encode_to_vec().into()
}

#[test]
fn identity_and_oversized_names_are_left_out() {
    let inline = Cid::v1(Codec::RAW, Multihash::digest_of(HashCode::IDENTITY, b"inline").unwrap()).to_bytes();
    let oversized_digest = [&[1, 0x55, 0x13, 100][..], &[9; 100]].concat();
    let oversized_inline = [&[1, 0x55, 0x00, 0x8c, 0x01][..], &[9; 140]].concat();
    let oversized = vec![1; BITSWAP_CID_BYTES_MAX + 1];
    for name in [inline, oversized_digest, oversized_inline, oversized] {
        assert_eq!(Message::decode(want_of(&name)).unwrap().wantlist, []);
        assert_eq!(Message::decode(presence_of(&name)).unwrap().presences, []);
    }
}

#[test]
fn one_malformed_entry_refuses_the_message() {
    let good = cid(1).to_bytes();
    assert_eq!(Message::decode(want_of(&good)).unwrap().wantlist.len(), 1);
    for name in [&[][..], &[1], &good[..20], &[2, 0x55, 0x12, 0], &[good.as_slice(), &[0]].concat()] {
        assert!(Message::decode(want_of(name)).is_err(), "{name:?}");
        assert!(Message::decode(presence_of(name)).is_err(), "{name:?}");
    }
    let blocks = |prefix: &[u8]| {
        let payload = vec![pb::Block { prefix: prefix.to_vec(), data: b"x".to_vec() }];
        Bytes::from(pb::Message { payload, ..pb::Message::default() }.encode_to_vec())
    };
    assert!(Message::decode(blocks(&[1, 0x55, 0x12, 32])).is_ok());
    assert!(Message::decode(blocks(&[1, 0x55, 0x12])).is_err());
    // A length field of the wrong type, a group, and a field without a number.
    for bytes in [&[0x08, 0x01][..], &[0x0b], &[0x02, 0x00], &[0x0a, 0x05, 0x00]] {
        assert!(Message::decode(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
    }
    // Unknown fields of every type that exists are for later versions.
    let unknown =
        [&[0x78, 0x01][..], &[0x7a, 0x01, 0xff], &[0x7d, 0, 0, 0, 0], &[0x79, 0, 0, 0, 0, 0, 0, 0, 0]];
    assert!(Message::decode(unknown.concat().into()).unwrap().is_empty());
}

#[test]
fn lists_and_frames_are_bounded() {
    let too_long = Bytes::from(vec![0; BITSWAP_MESSAGE_BYTES_MAX + 1]);
    assert!(Message::decode(too_long).is_err());
    // Two bytes an entry on the wire: the list is refused before it takes fifty times that in memory.
    let empty_blocks: Vec<u8> = [0x12, 0x00].repeat(ipse_bitswap::limits::MESSAGE_ITEMS_MAX + 1);
    assert!(Message::decode(empty_blocks.clone().into()).is_err());
    assert!(Message::decode(empty_blocks[2..].to_vec().into()).is_ok());
    // So are entries that are left out.
    let inline = want_of(&[1, 0x55, 0, 0]);
    let entry = &inline[2..];
    let many = entry.repeat(ipse_bitswap::limits::MESSAGE_ITEMS_MAX + 1);
    let mut frame = vec![0x0a];
    ipse_base::varint::write(many.len() as u64, &mut frame);
    frame.extend(many);
    assert!(Message::decode(frame.into()).is_err());
}

#[test]
fn negative_priorities_take_ten_bytes_and_come_back() {
    let message = Message { wantlist: vec![WantEntry::block(cid(1), -3)], ..Message::default() };
    let bytes = message.encode(ProtocolVersion::V1_2).to_bytes();
    assert_eq!(Message::decode(bytes).unwrap(), message);
}
