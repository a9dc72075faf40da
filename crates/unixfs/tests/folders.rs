//! Folders: listing, path resolution and whole trees, plain and sharded; and the Cids that the reference node
//! gives to sharded ones.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use ipse_base::limits::DAG_DEPTH_MAX;
use ipse_base::{Cid, Codec, ErrorKind, Kind, Version};
use ipse_dag::protobuf::{write_bytes, write_varint};
use ipse_dag::{Budget, PbLink, PbNode};
use ipse_unixfs::{
    Added, DirectoryBuilder, Entry, ImportOptions, ListDirectory, Naming, ReadError, Resolve, Resolved, Tree,
    TreeEvent, symlink,
};
use support::{AMPLE, Random, Shelf, fail, finish, missing};

fn add_folder<'a>(
    shelf: &mut Shelf,
    options: &ImportOptions,
    entries: impl IntoIterator<Item = (&'a str, Added)>,
) -> Added {
    let mut builder = DirectoryBuilder::new(options.clone()).unwrap();
    for (name, added) in entries {
        builder.insert(name, added).unwrap();
    }
    let (added, blocks) = builder.finish().unwrap();
    shelf.put(blocks);
    added
}

fn resolve(shelf: &Shelf, root: &Cid, path: &str) -> Result<Resolved, String> {
    let segments = path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let mut planner = Resolve::new(root.clone(), segments);
    let mut run = support::run(&mut planner, shelf, AMPLE, 1, 10_000);
    match run.end.unwrap() {
        Ok(()) => Ok(run.items.remove(0)),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn every_name_is_listed_once_and_found() {
    type Case = (BTreeSet<String>, u8, u8, (u8, u16), u64);
    bolero::check!().with_type::<Case>().for_each(|(names, more, width, (wants, bytes), seed)| {
        let is_name = |name: &&String| {
            !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']) && name.len() < 4096
        };
        let mut names: BTreeSet<String> = names.iter().filter(is_name).cloned().collect();
        names.extend((0..*more).map(|index| format!("n{index}")));
        let options = ImportOptions {
            hamt_fanout: 8 << (width % 8),
            directory_links_max: 3,
            ..ImportOptions::unixfs_v0_2015()
        };
        let mut shelf = Shelf::default();
        let files: BTreeMap<&str, Added> =
            names.iter().map(|name| (name.as_str(), shelf.add_file(&options, name.as_bytes()))).collect();
        let folder = add_folder(&mut shelf, &options, files.clone());

        let budget = Budget { wants: usize::from(wants % 40), bytes: u64::from(*bytes) };
        let entries = finish(ListDirectory::new(folder.cid.clone()), &shelf, budget, *seed);
        assert_eq!(entries.len(), names.len());
        for Entry { name, cid, tsize } in entries {
            let file = &files[name.as_str()];
            assert_eq!((cid, tsize), (file.cid.clone(), file.dag_bytes));
        }
        for (name, file) in &files {
            let found = resolve(&shelf, &folder.cid, name).unwrap();
            assert_eq!((found.cid, found.remainder.len()), (file.cid.clone(), 0));
        }
        let absent = "a name that nobody has";
        let text = format!("no link named {absent:?} under {}", folder.cid);
        assert_eq!(resolve(&shelf, &folder.cid, absent), Err(text));
    });
}

/// Entries as the recipes of the recorded table make them.
fn recipe(shelf: &mut Shelf, options: &ImportOptions, count: usize) -> Added {
    use ipse_base::{HashCode, Multihash};
    let files: Vec<(String, Added)> = (0..count)
        .map(|index| {
            let hash = |part| {
                let text = format!("ipse-1/e{index}/{part}");
                Multihash::digest_of(HashCode::SHA2_256, text.as_bytes()).unwrap().digest().to_vec()
            };
            let content = [hash(0), hash(1)].concat();
            let name = format!("entry-{index:05}-{}", "x".repeat(index % 23));
            (name, shelf.add_file(options, &content[..index % 40]))
        })
        .collect();
    add_folder(shelf, options, files.iter().map(|(name, added)| (name.as_str(), added.clone())))
}

/// Recorded with Kubo 0.44.0: `ipfs add -Qr` of the recipe's folder.
#[test]
fn sharded_folders_have_the_names_of_the_reference_node() {
    let legacy = ImportOptions::unixfs_v0_2015;
    let links =
        |directory_links_max, hamt_fanout| ImportOptions { directory_links_max, hamt_fanout, ..legacy() };
    let version_1 = Naming { cid_version: Some(Version::V1), ..Naming::default() };
    let inlined = |options| ImportOptions { inline_limit: Some(32), ..options };
    for (count, options, expected) in [
        (40, links(10, 8), "QmahDmeZV7QGvWXhaTHQphbmLbECzKgNLUd6VaQrCpFJSE"),
        (3000, links(1000, 256), "QmZTJ6DyYjmpEaVLxf6YQG9wai6FWcSod92XQCJdHMWubE"),
        (3000, links(100, 64), "QmebDP14VShfBvRyCTcpB4uTqoVcgPcZNpaXDCW7RV5dYF"),
        (3000, links(100, 8), "Qmc3L38uTcwp7rTUqRKBYVct2qzdZ2vuKw6EXbBTCS8b2e"),
        (3000, links(100, 1024), "QmXK2yHzWTnwHDJ8xeMYdksFfdx38P85GfuHVnHgrQprpS"),
        (4200, legacy(), "QmVEzQnsQiJ3MwudenLyDPvPXYVm8D57KmYCDWc83aCvMc"),
        (
            4200,
            legacy().with_naming(version_1).unwrap(),
            "bafybeibuxolo4f3wt3gredmgxvjuqhzz3pwah6m27rnjmgi7mvk2w7s3v4",
        ),
        (
            4200,
            ImportOptions::unixfs_v1_2025(),
            "bafybeidmwcipxua2a6ureg5t2eclyjefvpoikjpu32lcoi77vykczfuqey",
        ),
        (4200, inlined(legacy()), "QmZPWsGRYX9x31NZWETLfBey6fWyoSj6MQHtomK7DYpuyu"),
        (8000, inlined(legacy()), "QmNrqRo4h7v5g4Db72Rir74XuLDPW3xMtcBXto9jz5i5pe"),
        (
            4200,
            inlined(ImportOptions::unixfs_v1_2025()),
            "bafybeihnqfg76vf7vsydg4udlgtaopaahjqzgkbh465qgp2n3sv4csroca",
        ),
    ] {
        let mut shelf = Shelf::default();
        let added = recipe(&mut shelf, &options, count);
        assert_eq!(added.cid.to_string(), expected, "{count} entries, {options:?}");
        let listed = finish(ListDirectory::new(added.cid), &shelf, AMPLE, 1);
        assert_eq!(listed.len(), count);
    }
}

/// Two folders, one sharded, with files of one and of many leaves, and a symlink.
fn sample(shelf: &mut Shelf) -> Added {
    let options = ImportOptions {
        chunk_bytes: 8,
        file_links_max: 3,
        directory_links_max: 4,
        mode: Some(0o700),
        mtime: Some((5, 0)),
        ..ImportOptions::unixfs_v0_2015()
    };
    let small = shelf.add_file(&options, b"small");
    let large = shelf.add_file(&options, &Random(7).bytes(500));
    let empty = shelf.add_file(&options, b"");
    let (link, block) = symlink(&options, "../elsewhere").unwrap();
    shelf.put(vec![block]);
    let names: Vec<String> = (0..50).map(|index| format!("f{index}")).collect();
    let sharded = add_folder(shelf, &options, names.iter().map(|name| (name.as_str(), large.clone())));
    add_folder(shelf, &options, [("a", small), ("empty", empty), ("link", link), ("many", sharded)])
}

#[test]
fn a_tree_is_read_depth_first_whatever_the_order_of_arrival() {
    let mut shelf = Shelf::default();
    let root = sample(&mut shelf);
    let read = |budget, seed| finish(Tree::new(root.cid.clone(), "top"), &shelf, budget, seed);
    let events = merge(read(AMPLE, 1));
    for seed in 2..20 {
        let budget = Budget { wants: seed as usize % 7, bytes: 1 << (seed % 16) };
        assert_eq!(merge(read(budget, seed)), events);
    }
    let (mode, mtime) = (Some(0o700), Some((5, 0)));
    let file = |path: &str, size| TreeEvent::File { path: path.into(), size, mode, mtime };
    let folder = |path: &str| TreeEvent::Directory { path: path.into(), mode, mtime };
    let target = "../elsewhere".to_owned();
    let expected = [
        folder("top"),
        file("top/a", 5),
        TreeEvent::Bytes("small".into()),
        TreeEvent::FileEnd,
        file("top/empty", 0),
        TreeEvent::FileEnd,
        TreeEvent::Symlink { path: "top/link".into(), target, mtime },
        folder("top/many"),
    ];
    assert_eq!(&events[..expected.len()], expected);
    let content = TreeEvent::Bytes(Random(7).bytes(500).into());
    assert_eq!(events.iter().filter(|event| **event == content).count(), 50);
    assert_eq!(events.len(), expected.len() + 50 * 3);
}

/// Joins the bytes of each file.
fn merge(events: Vec<TreeEvent>) -> Vec<TreeEvent> {
    let mut merged: Vec<TreeEvent> = Vec::new();
    for event in events {
        match (merged.last_mut(), event) {
            (Some(TreeEvent::Bytes(before)), TreeEvent::Bytes(more)) => {
                *before = [&before[..], &more[..]].concat().into();
            }
            (_, event) => merged.push(event),
        }
    }
    merged
}

#[test]
fn a_root_without_a_name_has_bare_paths_below() {
    let mut shelf = Shelf::default();
    let root = sample(&mut shelf);
    let events = finish(Tree::new(root.cid, ""), &shelf, AMPLE, 1);
    assert!(matches!(&events[0], TreeEvent::Directory { path, .. } if path.is_empty()));
    assert!(matches!(&events[1], TreeEvent::File { path, .. } if path == "a"));
}

#[test]
fn paths_go_through_every_kind_of_node() {
    let mut shelf = Shelf::default();
    let root = sample(&mut shelf);
    let file = resolve(&shelf, &root.cid, "many/f7").unwrap();
    assert_eq!((file.name.as_deref(), &file.remainder[..]), (Some("f7"), &[][..]));
    let text = format!(r#"{{"x":{{"to":{{"/":"{}"}},"n":5}}}}"#, root.cid);
    let cbor = ipse_dag::from_dag_json(Codec::DAG_CBOR, text.as_bytes()).unwrap();
    let cbor = shelf.put_bytes(Codec::DAG_CBOR, cbor);
    assert_eq!(resolve(&shelf, &cbor, "x/to/many/f7").unwrap(), file);
    assert_eq!(resolve(&shelf, &cbor, "x/to").unwrap().cid, root.cid);
    let inside = resolve(&shelf, &cbor, "x/n").unwrap();
    assert_eq!((inside.cid, inside.remainder.join("/")), (cbor.clone(), "x/n".to_owned()));
    assert_eq!(resolve(&shelf, &cbor, "x/q"), Err(format!("no link named \"q\" under {cbor}")));
    assert_eq!(resolve(&shelf, &file.cid, "x"), Err(format!("no link named \"x\" under {}", file.cid)));
    assert_eq!(resolve(&shelf, &cbor, "").unwrap().cid, cbor);

    // A dag-pb node that is no UnixFS has links with names all the same.
    let link = PbLink { cid: root.cid.clone(), name: Some("here".into()), tsize: None };
    let plain = PbNode { data: None, links: vec![link] };
    let plain = shelf.put_bytes(Codec::DAG_PB, plain.encode());
    assert_eq!(resolve(&shelf, &plain, "here/many/f7").unwrap(), file);
}

fn message(kind: u64, data: &[u8], fanout: Option<u64>) -> bytes::Bytes {
    let mut out = Vec::new();
    write_varint(1, kind, &mut out);
    if !data.is_empty() {
        write_bytes(2, data, &mut out);
    }
    if let Some(fanout) = fanout {
        write_varint(5, 0x22, &mut out);
        write_varint(6, fanout, &mut out);
    }
    out.into()
}

fn node(message: bytes::Bytes, links: &[(&str, &Cid)]) -> bytes::Bytes {
    let link = |(name, cid): &(&str, &Cid)| PbLink {
        cid: (*cid).clone(),
        name: Some(bytes::Bytes::copy_from_slice(name.as_bytes())),
        tsize: Some(1),
    };
    PbNode { data: Some(message), links: links.iter().map(link).collect() }.encode()
}

#[test]
fn shards_that_repeat_or_contradict_themselves_are_refused() {
    let mut shelf = Shelf::default();
    let leaf = shelf.put_bytes(Codec::RAW, "x");
    let mut shard = |field: &[u8], fanout, links: &[(&str, &Cid)]| {
        shelf.put_bytes(Codec::DAG_PB, node(message(5, field, Some(fanout)), links))
    };
    let empty = shard(&[], 256, &[]);
    let bombs = [
        // An empty shard below another; two slots with one name; no such slot; a field of other slots.
        shard(&[1], 256, &[("00", &empty)]),
        shard(&[1], 256, &[("00", &leaf), ("00", &leaf)]),
        shard(&[1], 256, &[("0g", &leaf)]),
        shard(&[1], 256, &[("0", &leaf)]),
        shard(&[2], 256, &[("00x", &leaf)]),
        shard(&[3], 256, &[("00x", &leaf)]),
        shard(&[1; 33], 256, &[("00x", &leaf)]),
        // An entry in a slot that its hash does not lead to.
        shard(&[1], 256, &[("00x", &leaf)]),
        // Widths that no node follows.
        shard(&[1], 2048, &[("000x", &leaf)]),
        shard(&[1], 24, &[("00x", &leaf)]),
        shard(&[], 0, &[]),
    ];
    for bomb in bombs {
        let error = fail(ListDirectory::new(bomb.clone()), &shelf);
        assert!(matches!(error, ReadError::Shard { .. }), "{error}");
        assert_eq!(error.kind(), Kind::Corrupt);
        let error = fail(Tree::new(bomb, "x"), &shelf);
        assert!(matches!(error, ReadError::Shard { .. }), "{error}");
    }
    assert!(finish(ListDirectory::new(empty), &shelf, AMPLE, 1).is_empty());
}

#[test]
fn names_that_leave_their_folder_are_not_read() {
    for name in ["", ".", "..", "../x", "/", "a/b", "a\0", &"x".repeat(20_000)] {
        let mut shelf = Shelf::default();
        let leaf = shelf.put_bytes(Codec::RAW, "x");
        let folder = shelf.put_bytes(Codec::DAG_PB, node(message(1, b"", None), &[(name, &leaf)]));
        assert!(matches!(fail(Tree::new(folder, "top"), &shelf), ReadError::Name { .. }), "{name:?}");
    }
}

#[test]
fn folders_deeper_than_any_reader_follows_end_with_an_error() {
    let mut shelf = Shelf::default();
    let mut child = shelf.put_bytes(Codec::RAW, "x");
    for _ in 0..DAG_DEPTH_MAX {
        child = shelf.put_bytes(Codec::DAG_PB, node(message(1, b"", None), &[("d", &child)]));
    }
    assert!(matches!(fail(Tree::new(child, "top"), &shelf), ReadError::TooDeep(_)));
}

#[test]
fn a_file_lists_its_parts_and_a_missing_folder_is_told() {
    let mut shelf = Shelf::default();
    let options = ImportOptions { chunk_bytes: 10, ..ImportOptions::unixfs_v1_2025() };
    let file = shelf.add_file(&options, &[1; 25]);
    let parts = finish(ListDirectory::new(file.cid), &shelf, AMPLE, 1);
    let sizes: Vec<u64> = parts.iter().map(|part| part.tsize).collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(fail(ListDirectory::new(missing()), &shelf).kind(), Kind::Unavailable);
    assert!(resolve(&shelf, &missing(), "x").is_err());
}
