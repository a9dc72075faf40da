//! A node without a network: what goes in comes out, what is promised is kept.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use ipse_base::{Cid, Codec, ErrorKind, HashCode, Kind, Path, Version};
use ipse_node::{
    AddEvent, AddInput, AddOptions, BlockPutOptions, DagImportEvent, DagImportInput, DagImportOptions,
    ImportOptions, InitOptions, Metadata, Node, NodeKind, OpenOptions, Pin, PinError, PinFilter, PinProgress,
    PinState, RefsOptions, Remedy, TreeEvent, VerifyEvent,
};
use tempfile::TempDir;

async fn node() -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repository");
    Node::init(&root, InitOptions { profiles: "test".into(), ..InitOptions::default() }).unwrap();
    let node = Node::open(&root, OpenOptions::default()).await.unwrap();
    (folder, node)
}

async fn pins(node: &Node, filter: PinFilter) -> Vec<Pin> {
    let pages: Vec<Vec<Pin>> = node.pin_list(filter).map(Result::unwrap).collect().await;
    pages.concat()
}

fn options(import: ImportOptions) -> AddOptions {
    AddOptions {
        import,
        wrap: false,
        pin: true,
        pin_name: None,
        only_hash: false,
        progress: false,
        preserve_mode: false,
        preserve_mtime: false,
    }
}

async fn add(node: &Node, options: AddOptions, files: Vec<(&str, Bytes)>) -> Vec<(String, Cid)> {
    let mut adding = node.add(options).unwrap();
    let input = adding.input.clone();
    drop(std::mem::replace(&mut adding.input, input.clone()));
    let files: Vec<(String, Bytes)> = files.into_iter().map(|(name, data)| (name.to_owned(), data)).collect();
    let pushing = tokio::spawn(async move {
        for (name, data) in files {
            input.send(vec![AddInput::File(name, Metadata::default())]).await.unwrap();
            for start in (0..data.len()).step_by(100_000) {
                let piece = data.slice(start..data.len().min(start + 100_000));
                input.send(vec![AddInput::Data(piece)]).await.unwrap();
            }
            input.send(vec![AddInput::FileEnd]).await.unwrap();
        }
        input.send(vec![AddInput::Finish]).await.unwrap();
    });
    let mut added = Vec::new();
    while let Some(event) = adding.events.recv().await {
        for event in event.unwrap() {
            if let AddEvent::Added { name, cid, .. } = event {
                added.push((name, cid));
            }
        }
    }
    pushing.await.unwrap();
    added
}

fn noise(seed: u64, bytes: usize) -> Bytes {
    let mut state = 2 * seed + 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

async fn read(node: &Node, path: &Path) -> Bytes {
    let file = node.cat(path, 0, None).await.unwrap();
    let pieces: Vec<Bytes> = file.bytes.map(Result::unwrap).collect().await;
    pieces.concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_in_and_comes_out() {
    let (_folder, node) = node().await;
    let big = noise(1, 3_000_000);
    let files =
        vec![("d/big", big.clone()), ("d/sub/small", Bytes::from("small")), ("d/empty", Bytes::new())];
    for import in [ImportOptions::unixfs_v0_2015(), ImportOptions::unixfs_v1_2025()] {
        let added = add(&node, options(import), files.clone()).await;
        let names: Vec<&str> = added.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["d/big", "d/sub/small", "d/empty", "d/sub", "d"]);
        let root = added.last().unwrap().1.clone();
        let below = |name: &str| format!("/ipfs/{root}/{name}").parse::<Path>().unwrap();
        assert_eq!(read(&node, &below("big")).await, big);
        assert_eq!(read(&node, &below("sub/small")).await, "small");
        assert_eq!(read(&node, &below("empty")).await, "");
        let part = node.cat(&below("big"), 262_000, Some(500_000)).await.unwrap();
        let part: Vec<Bytes> = part.bytes.map(Result::unwrap).collect().await;
        assert_eq!(part.concat(), big[262_000..762_000]);
        let listed: Vec<_> =
            node.ls(&Path::of(root.clone()), true).await.unwrap().map(Result::unwrap).collect().await;
        let listed: Vec<_> =
            listed.iter().map(|entry| (entry.name.as_str(), entry.kind, entry.size)).collect();
        let wanted = [
            ("big", Some(NodeKind::File), 3_000_000),
            ("empty", Some(NodeKind::File), 0),
            ("sub", Some(NodeKind::Directory), 0),
        ];
        assert_eq!(listed, wanted);
        let events: Vec<TreeEvent> =
            node.tree(&Path::of(root.clone())).await.unwrap().map(Result::unwrap).collect().await;
        let bytes: usize = events
            .iter()
            .map(|event| if let TreeEvent::Bytes(bytes) = event { bytes.len() } else { 0 })
            .sum();
        assert_eq!(bytes, 3_000_005);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_is_wrong() {
    let (_folder, node) = node().await;
    let root =
        add(&node, options(ImportOptions::unixfs_v0_2015()), vec![("d/a", "a".into())]).await[1].1.clone();
    let fails = async |text: String| node.cat(&text.parse().unwrap(), 0, None).await.unwrap_err();
    let error = fails(format!("/ipfs/{root}/nope")).await;
    assert_eq!(error.to_string(), format!("no link named \"nope\" under {root}"));
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(fails(root.to_string()).await.to_string(), "this dag node is a directory");
    let missing = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEJ";
    let error = fails(missing.into()).await;
    assert_eq!(
        error.to_string(),
        format!("block was not found locally (offline): ipld: could not find {missing}")
    );
    assert!(error.hint().is_some());
    assert_eq!(fails("/ipns/example.org".into()).await.kind(), Kind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_that_is_given_up_pins_nothing() {
    let (_folder, node) = node().await;
    let adding = node.add(options(ImportOptions::unixfs_v0_2015())).unwrap();
    let begun = vec![AddInput::File("a".into(), Metadata::default()), AddInput::Data("abc".into())];
    adding.input.send(begun).await.unwrap();
    drop(adding);
    let mut bad = node.add(options(ImportOptions::unixfs_v0_2015())).unwrap();
    let leaving = vec![AddInput::File("../a".into(), Metadata::default()), AddInput::FileEnd];
    bad.input.send(leaving).await.unwrap();
    assert_eq!(bad.events.recv().await.unwrap().unwrap_err().kind(), Kind::Invalid);
    assert_eq!(pins(&node, PinFilter::All).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_keep_and_collection_takes_the_rest() {
    let (_folder, node) = node().await;
    let big = noise(2, 1_000_000);
    let kept =
        add(&node, options(ImportOptions::unixfs_v0_2015()), vec![("kept", big.clone())]).await[0].1.clone();
    let loose = AddOptions { pin: false, ..options(ImportOptions::unixfs_v0_2015()) };
    let lost = add(&node, loose, vec![("lost", noise(3, 1_000_000))]).await[0].1.clone();
    let before = node.repo_stat().await.unwrap().blocks;
    let removed: Vec<Cid> = node.collect().map(Result::unwrap).collect().await;
    assert_eq!(node.repo_stat().await.unwrap().blocks + removed.len() as u64, before);
    assert_eq!(removed.len(), 5);
    assert_eq!(read(&node, &Path::of(kept.clone())).await, big);
    assert!(node.cat(&Path::of(lost), 0, None).await.is_err());

    let listed = pins(&node, PinFilter::All).await;
    assert_eq!(listed[0].state, PinState::Recursive);
    assert_eq!(listed.len(), 5);
    let leaf = listed[1].cid.clone();
    let refused = node.block_remove(vec![leaf.clone()], false).await.unwrap();
    assert_eq!(refused[0].1.as_ref().unwrap_err().to_string(), format!("pinned: indirect through {kept}"));
    node.pin_remove(vec![kept.clone()], true).await.unwrap();
    assert_eq!(
        node.pin_remove(vec![kept.clone()], true).await.unwrap_err().to_string(),
        "not pinned or pinned indirectly"
    );
    node.pin_add(vec![kept.clone()], true, Some("again".into()), Arc::new(PinProgress::default()))
        .await
        .unwrap();
    let again = node.pin_add(vec![kept.clone()], false, None, Arc::default()).await.unwrap_err();
    assert_eq!(again.to_string(), format!("pin: {kept} already pinned recursively"));
    let refs = node.refs(&Path::of(kept), RefsOptions { unique: true, depth_max: None }).await.unwrap();
    assert_eq!(refs.count().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_moves_a_dag() {
    let (_folder, from) = node().await;
    let (_other, to) = node().await;
    let big = noise(4, 1_000_000);
    let root =
        add(&from, options(ImportOptions::unixfs_v1_2025()), vec![("d/a", big.clone())]).await[1].1.clone();
    let archive: Vec<Bytes> = from.dag_export(root.clone(), false).map(Result::unwrap).collect().await;
    let options = DagImportOptions { pin_roots: true, allow_big: false, local_only: false };
    let mut importing = to.dag_import(options);
    for piece in archive.concat().chunks(70_000) {
        importing.input.send(DagImportInput::Data(Bytes::copy_from_slice(piece))).await.unwrap();
    }
    importing.input.send(DagImportInput::End).await.unwrap();
    importing.input.send(DagImportInput::Finish).await.unwrap();
    let first = importing.events.recv().await.unwrap().unwrap();
    assert_eq!(first, DagImportEvent::Root { cid: root.clone(), error: None });
    assert_eq!(read(&to, &format!("{root}/a").parse().unwrap()).await, big);
    let stat = to.dag_stat(vec![root], |_| {}).await.unwrap();
    assert_eq!(stat.unique_blocks, 2);

    let mut importing = to.dag_import(options);
    importing.input.send(DagImportInput::Data("not a car".into())).await.unwrap();
    importing.input.send(DagImportInput::End).await.unwrap();
    assert!(importing.events.recv().await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let (folder, node) = node().await;
    let put = BlockPutOptions {
        codec: Codec::RAW,
        hash: HashCode::SHA2_256,
        version: Version::V1,
        pin: true,
        allow_big: false,
    };
    let cid = node.block_put("block".into(), put.clone()).await.unwrap();
    let too_big = node.block_put(vec![0; 2_200_000].into(), put).await.unwrap_err();
    assert_eq!(too_big.kind(), Kind::Invalid);
    let root = folder.path().join("repository");
    let busy = Node::open(&root, OpenOptions::default()).await.unwrap_err();
    assert_eq!(busy.kind(), Kind::Busy);
    assert!(busy.to_string().ends_with("someone else has the lock"), "{busy}");
    node.shutdown().await.unwrap();
    drop(node);
    let node = Node::open(&root, OpenOptions::default()).await.unwrap();
    assert_eq!(node.block_get(&cid).await.unwrap().data(), "block");
    assert_eq!(pins(&node, PinFilter::Direct).await.len() + pins(&node, PinFilter::Recursive).await.len(), 1);
    let damaged = |event: VerifyEvent| matches!(event, VerifyEvent::Damaged { .. });
    assert!(node.verify(Remedy::Report).all(async |event| !damaged(event.unwrap())).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pins_are_set_in_order_up_to_the_first_that_fails() {
    let (_folder, node) = node().await;
    let put = |number: u32| {
        let options = BlockPutOptions {
            codec: Codec::RAW,
            hash: HashCode::SHA2_256,
            version: Version::V1,
            pin: false,
            allow_big: false,
        };
        node.block_put(Bytes::copy_from_slice(&number.to_le_bytes()), options)
    };
    let mut cids = Vec::new();
    for number in 0..50 {
        cids.push(put(number).await.unwrap());
    }
    let absent = ipse_base::Block::hash(Codec::RAW, HashCode::SHA2_256, "absent".into()).unwrap();
    let mut asked = cids.clone();
    asked.insert(30, absent.cid().clone());
    let pinned =
        async || pins(&node, PinFilter::Direct).await.into_iter().map(|pin| pin.cid).collect::<Vec<_>>();
    let error = node.pin_add(asked.clone(), false, None, Arc::default()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(pinned().await.len(), 30);
    assert!(pinned().await.iter().all(|cid| cids[..30].contains(cid)));
    // The same names twice are one pin.
    let twice = [&cids[..], &cids[..]].concat();
    node.pin_add(twice.clone(), false, None, Arc::default()).await.unwrap();
    assert_eq!(pinned().await.len(), 50);
    let error = node.pin_remove(asked, true).await.unwrap_err();
    assert_eq!(error.to_string(), "not pinned or pinned indirectly");
    assert_eq!(pinned().await.len(), 20);
    node.pin_add(cids.clone(), true, None, Arc::default()).await.unwrap();
    assert!(matches!(node.pin_remove(twice.clone(), false).await.unwrap_err(), PinError::IsRecursive(_)));
    node.pin_remove(twice, true).await.unwrap();
    assert_eq!(pins(&node, PinFilter::All).await.len(), 0);
}
