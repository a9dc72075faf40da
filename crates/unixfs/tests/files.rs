//! Files: what is written is read back, whole and in ranges, whatever the order in which blocks arrive.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

mod support;

use bytes::Bytes;
use ipse_base::limits::DAG_DEPTH_MAX;
use ipse_base::{Cid, Codec, ErrorKind, Kind, Want};
use ipse_dag::protobuf::{write_bytes, write_varint};
use ipse_dag::{Budget, PbLink, PbNode, Planner};
use ipse_unixfs::{FileReader, ImportOptions, ReadError};
use support::{AMPLE, Random, Shelf, fail, finish, missing, run};

/// A file of a few random bytes and much repetition, so that blocks occur more than once.
fn content(random: &mut Random, size: usize) -> Vec<u8> {
    let unit = random.bytes(7);
    unit.into_iter().cycle().take(size).collect()
}

#[test]
fn every_range_is_the_slice_of_what_was_written() {
    type Case = (u16, u8, u8, bool, bool, (u16, u16), (u8, u16), u64);
    bolero::check!().with_type::<Case>().for_each(|case| {
        let &(size, chunk_bytes, links, raw_leaves, repeats, (start, length), (wants, bytes), seed) = case;
        let mut random = Random(seed);
        let size = usize::from(size % 3000);
        let content = if repeats { content(&mut random, size) } else { random.bytes(size) };
        let options = ImportOptions {
            raw_leaves,
            chunk_bytes: usize::from(chunk_bytes) + 1,
            file_links_max: usize::from(links % 20) + 2,
            inline_limit: (seed % 5 == 0).then_some(40),
            ..ImportOptions::unixfs_v0_2015()
        };
        let mut shelf = Shelf::default();
        let added = shelf.add_file(&options, &content);
        assert_eq!(added.content_bytes, size as u64);

        let budget = Budget { wants: usize::from(wants % 40), bytes: u64::from(bytes) };
        let read = |range| finish(FileReader::new(added.cid.clone(), range), &shelf, budget, seed).concat();
        let (start, end) = (u64::from(start % 4000), u64::from(start % 4000) + u64::from(length % 4000));
        let expected = &content[(start as usize).min(size)..(end as usize).min(size)];
        assert_eq!(read(start..end), expected);
        assert_eq!(read(0..u64::MAX), content);
    });
}

#[test]
fn sizes_and_metadata_are_told_with_the_root_and_seeks_keep_it() {
    let options = ImportOptions {
        chunk_bytes: 10,
        file_links_max: 3,
        mode: Some(0o4750),
        mtime: Some((-7, 8)),
        ..ImportOptions::unixfs_v0_2015()
    };
    let content: Vec<u8> = (0..200).collect();
    let mut shelf = Shelf::default();
    let added = shelf.add_file(&options, &content);
    let mut reader = FileReader::new(added.cid.clone(), 150..160);
    assert_eq!((reader.file_size(), reader.mode(), reader.mtime()), (None, None, None));
    let wants = reader.wants(AMPLE);
    assert_eq!(wants[0].cid, added.cid);
    reader.give(shelf.get(&added.cid).unwrap()).unwrap();
    assert_eq!((reader.file_size(), reader.mode(), reader.mtime()), (Some(200), Some(0o4750), Some((-7, 8))));
    let wanted: Vec<Cid> = reader.wants(AMPLE).into_iter().map(|want| want.cid).collect();
    assert_eq!(wanted.len(), 1);
    assert_eq!(reader.seek(20..45).unwrap(), wanted);
    assert_eq!(reader.file_size(), Some(200));
    let bytes = finish(reader, &shelf, AMPLE, 3).concat();
    assert_eq!(bytes, content[20..45]);
}

#[test]
fn the_first_wants_are_the_first_bytes() {
    let options = ImportOptions { chunk_bytes: 10, file_links_max: 5, ..ImportOptions::unixfs_v1_2025() };
    let content = Random(1).bytes(1000);
    let mut shelf = Shelf::default();
    let added = shelf.add_file(&options, &content);
    let mut reader = FileReader::whole(added.cid);
    let budget = Budget { wants: 4, bytes: u64::MAX };
    let mut given = Vec::new();
    while given.len() < 5 {
        let wants = reader.wants(budget);
        assert!(wants.is_sorted_by(|a, b| a.priority >= b.priority));
        let first = shelf.get(&wants[0].cid).unwrap();
        given.push(first.data().len());
        reader.give(first).unwrap();
    }
    // Down to the first leaf, and along.
    assert_eq!(reader.poll_out().unwrap(), content[..10]);
}

#[test]
fn a_later_node_that_comes_first_leaves_room_for_what_is_read_before_it() {
    let mut shelf = Shelf::default();
    let options =
        ImportOptions { chunk_bytes: 65_536, file_links_max: 64, ..ImportOptions::unixfs_v1_2025() };
    let file = shelf.add_file(&options, &Random(2).bytes(12 << 20));
    let mut reader = FileReader::whole(file.cid);
    let budget = Budget { wants: 1000, bytes: 2 << 20 };
    let give = |reader: &mut FileReader, want: &Want| reader.give(shelf.get(&want.cid).unwrap()).unwrap();
    let root = reader.wants(budget).remove(0);
    give(&mut reader, &root);
    let nodes = reader.wants(budget);
    assert_eq!(nodes.len(), 3);
    give(&mut reader, &nodes[1]);
    let behind = reader.wants(budget);
    assert!((8..=16).contains(&behind.len()), "{} leaves behind a node that is not here", behind.len());
    behind.iter().for_each(|leaf| give(&mut reader, leaf));
    assert!(reader.wants(budget).is_empty() && reader.poll_out().is_none());
    give(&mut reader, &nodes[0]);
    let first = reader.wants(budget).len();
    assert!(first >= 12, "only {first} leaves of the node that is read first");
}

/// A node of a file with the given message fields and links.
#[test]
fn a_want_that_is_handed_out_late_does_not_go_before_earlier_ones() {
    let mut shelf = Shelf::default();
    let options = ImportOptions { chunk_bytes: 512, file_links_max: 32, ..ImportOptions::unixfs_v1_2025() };
    let file = shelf.add_file(&options, &Random(1).bytes(300_000));
    let mut reader = FileReader::whole(file.cid);
    let budget = Budget { wants: 64, bytes: 1 << 20 };
    let root = reader.wants(budget).remove(0);
    reader.give(shelf.get(&root.cid).unwrap()).unwrap();
    // The nodes come in the wrong order.
    for want in reader.wants(budget).into_iter().rev() {
        reader.give(shelf.get(&want.cid).unwrap()).unwrap();
    }
    let mut open = reader.wants(budget);
    let mut last = i32::MAX;
    while !reader.is_done() {
        // What is to be read first is answered first, as a peer does.
        let first = (0..open.len()).max_by_key(|&at| open[at].priority).unwrap();
        let want = open.swap_remove(first);
        assert!(want.priority <= last, "{} after {last}", want.priority);
        last = want.priority;
        reader.give(shelf.get(&want.cid).unwrap()).unwrap();
        while reader.poll_out().is_some() {}
        open.extend(reader.wants(budget));
    }
}

fn file_node(data: &[u8], filesize: Option<u64>, children: &[(Cid, u64)]) -> Bytes {
    let mut message = Vec::new();
    write_varint(1, 2, &mut message);
    if !data.is_empty() {
        write_bytes(2, data, &mut message);
    }
    if let Some(filesize) = filesize {
        write_varint(3, filesize, &mut message);
    }
    for (_, size) in children {
        write_varint(4, *size, &mut message);
    }
    let link = |(cid, _): &(Cid, u64)| PbLink { cid: cid.clone(), name: Some("".into()), tsize: Some(1) };
    PbNode { data: Some(message.into()), links: children.iter().map(link).collect() }.encode()
}

#[test]
fn a_range_deep_in_an_exabyte_needs_one_branch() {
    let mut shelf = Shelf::default();
    let mut size = 10;
    let mut child = shelf.put_bytes(Codec::RAW, "0123456789");
    for _ in 0..50 {
        let node = file_node(b"", Some(2 * size), &[(child.clone(), size), (child, size)]);
        child = shelf.put_bytes(Codec::DAG_PB, node);
        size *= 2;
    }
    let mut reader = FileReader::new(child.clone(), size - 3..size + 100);
    let run = run(&mut reader, &shelf, AMPLE, 1, 1000);
    assert!(matches!(run.end, Some(Ok(()))));
    assert_eq!((run.items.concat(), run.given), (b"789".to_vec(), 51));

    // The sizes of twice as many levels are over any number.
    for _ in 0..20 {
        let node = file_node(b"", None, &[(child.clone(), size), (child, size)]);
        child = shelf.put_bytes(Codec::DAG_PB, node);
        size = size.saturating_mul(2);
    }
    assert_eq!(fail(FileReader::whole(child), &shelf).kind(), Kind::Corrupt);
}

#[test]
fn a_part_of_another_size_than_its_parent_says_is_named() {
    let mut shelf = Shelf::default();
    let leaf = shelf.put_bytes(Codec::RAW, "hello");
    let inner = shelf.put_bytes(Codec::DAG_PB, file_node(b"", Some(5), &[(leaf.clone(), 5)]));
    for (part, says) in [(&leaf, 4), (&leaf, 6), (&inner, 4), (&inner, u64::MAX)] {
        let root = shelf.put_bytes(Codec::DAG_PB, file_node(b"", None, &[(part.clone(), says)]));
        let error = fail(FileReader::whole(root), &shelf);
        assert_eq!(error, ReadError::Size { cid: part.clone(), expected: says, actual: 5 });
    }
    let lying = shelf.put_bytes(Codec::DAG_PB, file_node(b"", Some(6), &[(leaf.clone(), 5)]));
    assert_eq!(fail(FileReader::whole(lying), &shelf).kind(), Kind::Corrupt);
    let unsized_link = PbLink { cid: leaf, name: None, tsize: None };
    let node = PbNode { data: Some(Bytes::from_static(&[8, 2])), links: vec![unsized_link] };
    let root = shelf.put_bytes(Codec::DAG_PB, node.encode());
    assert_eq!(fail(FileReader::whole(root), &shelf).kind(), Kind::Corrupt);
}

#[test]
fn own_bytes_come_before_those_of_children_and_empty_parts_are_not_fetched() {
    let mut shelf = Shelf::default();
    let leaf = shelf.put_bytes(Codec::RAW, "world");
    let node = file_node(b"hello ", Some(11), &[(missing(), 0), (leaf, 5), (missing(), 0)]);
    let root = shelf.put_bytes(Codec::DAG_PB, node);
    assert_eq!(finish(FileReader::whole(root.clone()), &shelf, AMPLE, 1).concat(), b"hello world");
    assert_eq!(finish(FileReader::new(root, 4..8), &shelf, AMPLE, 1).concat(), b"o wo");
}

#[test]
fn trees_deeper_than_any_file_end_with_an_error() {
    let mut shelf = Shelf::default();
    let mut child = shelf.put_bytes(Codec::RAW, "x");
    for _ in 0..DAG_DEPTH_MAX {
        child = shelf.put_bytes(Codec::DAG_PB, file_node(b"", Some(1), &[(child, 1)]));
    }
    assert!(matches!(fail(FileReader::whole(child), &shelf), ReadError::TooDeep(_)));
}

#[test]
fn what_is_no_file_is_told_by_name() {
    let mut shelf = Shelf::default();
    let folder = shelf.put_bytes(Codec::DAG_PB, vec![0x0a, 2, 8, 1]);
    let error = fail(FileReader::whole(folder.clone()), &shelf);
    assert_eq!(error.to_string(), "this dag node is a directory");
    let part = shelf.put_bytes(Codec::DAG_PB, file_node(b"", None, &[(folder.clone(), 5)]));
    let kind = "Directory";
    assert_eq!(fail(FileReader::whole(part), &shelf), ReadError::Unexpected { cid: folder, kind });
    assert_eq!(fail(FileReader::whole(missing()), &shelf).kind(), Kind::Unavailable);
}

#[test]
fn a_node_of_fifty_thousand_links_stays_within_the_budget() {
    let mut shelf = Shelf::default();
    let leaf = shelf.put_bytes(Codec::RAW, "x");
    let inner = file_node(b"", Some(40_000), &vec![(leaf, 1); 40_000]);
    let inner = shelf.put_bytes(Codec::DAG_PB, inner);
    let root = file_node(b"", Some(1_600_000_000), &vec![(inner, 40_000); 40_000]);
    let root = shelf.put_bytes(Codec::DAG_PB, root);
    let mut reader = FileReader::whole(root);
    let budget = Budget { wants: 16, bytes: 1 << 20 };
    let run = run(&mut reader, &shelf, budget, 1, 500);
    assert!(run.end.is_none());
    assert!(run.items.len() > 100);
}
