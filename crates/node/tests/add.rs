//! Adds through the facade: the same bytes by every way in, and ways in that break.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io;

use bytes::Bytes;
use futures::StreamExt;
use ipse_base::{Cid, ErrorKind, Kind, Version};
use ipse_node::{
    AddError, AddEvent, AddInput, AddOptions, FileSource, ImportOptions, InitOptions, Metadata, Node,
    OpenOptions, PinFilter, Remedy, VerifyEvent,
};

async fn node() -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repo");
    Node::init(&repository, InitOptions { profiles: "test".into(), ..InitOptions::default() }).unwrap();
    let node = Node::open(&repository, OpenOptions::default()).await.unwrap();
    (folder, node)
}

fn options(import: ImportOptions) -> AddOptions {
    AddOptions {
        import,
        wrap: false,
        pin: true,
        pin_name: None,
        only_hash: false,
        progress: true,
        preserve_mode: true,
        preserve_mtime: true,
    }
}

async fn add(node: &Node, options: AddOptions, inputs: Vec<AddInput>) -> Result<Vec<AddEvent>, AddError> {
    let mut adding = node.add(options).unwrap();
    adding.input.send(inputs).await.unwrap();
    let mut events = Vec::new();
    while let Some(told) = adding.events.recv().await {
        events.extend(told?);
    }
    Ok(events)
}

fn noise(bytes: usize) -> Bytes {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Bytes in memory that claim to be `length`, and are read a little at a time.
struct Lying {
    bytes: Bytes,
    length: u64,
}

impl FileSource for Lying {
    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(out.len()).min(70_000);
        out[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

const STAMP: Metadata = Metadata { mode: Some(0o640), mtime: Some((1_700_000_000, 5)) };

fn source(bytes: &Bytes) -> AddInput {
    let source = Lying { bytes: bytes.clone(), length: bytes.len() as u64 };
    AddInput::Source("d/f".into(), Box::new(source), STAMP)
}

fn streamed(bytes: &Bytes, piece: usize) -> Vec<AddInput> {
    let pieces = bytes.chunks(piece).map(|piece| AddInput::Data(Bytes::copy_from_slice(piece)));
    let begin = AddInput::File("d/f".into(), STAMP);
    std::iter::once(begin).chain(pieces).chain([AddInput::FileEnd]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_the_same_events_by_every_way_in() {
    let (_folder, node) = node().await;
    let raw = ImportOptions { raw_leaves: true, cid_version: Version::V1, ..ImportOptions::unixfs_v0_2015() };
    let inline = ImportOptions { inline_limit: Some(32), ..raw.clone() };
    for import in [ImportOptions::unixfs_v0_2015(), ImportOptions::unixfs_v1_2025(), raw, inline] {
        for length in [0, 1, 20, 262_143, 262_144, 262_145, 1 << 20, 3_000_000, 50_000_000] {
            let bytes = noise(length);
            let whole =
                add(&node, options(import.clone()), vec![source(&bytes), AddInput::Finish]).await.unwrap();
            let mut inputs = streamed(&bytes, 100_003);
            inputs.push(AddInput::Finish);
            let pieces = add(&node, options(import.clone()), inputs).await.unwrap();
            assert_eq!(whole, pieces, "{length} bytes, {import:?}");
        }
    }
    let damaged = node
        .verify(Remedy::Report)
        .filter(|checked| std::future::ready(matches!(checked, Err(_) | Ok(VerifyEvent::Damaged { .. }))));
    assert_eq!(damaged.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_come_out_in_the_order_in_which_they_went_in() {
    let (_folder, node) = node().await;
    let mut inputs = Vec::new();
    for n in 0..3000_u32 {
        inputs.push(AddInput::File(format!("d/{n:05}"), Metadata::default()));
        inputs.push(AddInput::Data(n.to_le_bytes().repeat(n as usize % 50 + 1).into()));
        inputs.push(AddInput::FileEnd);
    }
    inputs.push(AddInput::Finish);
    let events =
        add(&node, AddOptions { progress: false, ..options(ImportOptions::unixfs_v0_2015()) }, inputs).await;
    let names: Vec<_> = events
        .unwrap()
        .into_iter()
        .map(|event| match event {
            AddEvent::Added { name, .. } => name,
            AddEvent::Progress { .. } => panic!("nobody asked for progress"),
        })
        .collect();
    let expected: Vec<_> = (0..3000).map(|n| format!("d/{n:05}")).chain(["d".to_owned()]).collect();
    assert_eq!(names, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_shrinks_or_fails_ends_the_add_and_pins_nothing() {
    let (_folder, node) = node().await;
    let bytes = noise(3_000_000);
    let shrunk = Lying { bytes: bytes.clone(), length: 5_000_000 };
    let inputs =
        vec![source(&bytes), AddInput::Source("d/g".into(), Box::new(shrunk), STAMP), AddInput::Finish];
    let error = add(&node, options(ImportOptions::unixfs_v0_2015()), inputs).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Conflict, "d/g changed while it was read"));

    struct Failing;
    impl FileSource for Failing {
        fn length(&self) -> io::Result<u64> {
            Ok(1 << 40)
        }
        fn read_at(&self, _offset: u64, _out: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let inputs = vec![AddInput::Source("x".into(), Box::new(Failing), STAMP), AddInput::Finish];
    let error = add(&node, options(ImportOptions::unixfs_v0_2015()), inputs).await.unwrap_err();
    assert_eq!(error.to_string(), "read x: the disk is gone");
    assert_eq!(node.pin_list(PinFilter::All).count().await, 0);
}

/// Never ends, and says when it is let go of.
struct Endless(tokio::sync::mpsc::Sender<()>);

impl FileSource for Endless {
    fn length(&self) -> io::Result<u64> {
        Ok(u64::MAX / 2)
    }

    fn read_at(&self, _offset: u64, out: &mut [u8]) -> io::Result<usize> {
        // One sees the first read; the bytes differ so that none are duplicates for long.
        let _ = self.0.try_send(());
        Ok(out.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_goes_away_ends_even_an_endless_file() {
    let (_folder, node) = node().await;
    let (reads, mut read) = tokio::sync::mpsc::channel(1);
    let only_hash = AddOptions {
        only_hash: true,
        pin: false,
        progress: false,
        ..options(ImportOptions::unixfs_v0_2015())
    };
    let adding = node.add(only_hash).unwrap();
    adding.input.send(vec![AddInput::Source("x".into(), Box::new(Endless(reads)), STAMP)]).await.unwrap();
    read.recv().await.unwrap();
    drop(adding);
    // The source is dropped with the importer, and only then does the channel end.
    while read.recv().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_inside_of_a_file_are_refused() {
    let (_folder, node) = node().await;
    let begin = || AddInput::File("a".into(), STAMP);
    for wrong in [begin(), AddInput::Directory("d".into(), STAMP), AddInput::Finish, source(&Bytes::new())] {
        let error =
            add(&node, options(ImportOptions::unixfs_v0_2015()), vec![begin(), wrong]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_hashing_keeps_nothing() {
    let (_folder, node) = node().await;
    let bytes = noise(1_000_000);
    let only = AddOptions { only_hash: true, pin: false, ..options(ImportOptions::unixfs_v0_2015()) };
    let named = add(&node, only, vec![source(&bytes), AddInput::Finish]).await.unwrap();
    assert_eq!(node.repo_stat().await.unwrap().blocks, 0);
    let kept =
        add(&node, options(ImportOptions::unixfs_v0_2015()), vec![source(&bytes), AddInput::Finish]).await;
    let root = |events: &[AddEvent]| -> Vec<Cid> {
        let added = events.iter().filter_map(|event| match event {
            AddEvent::Added { cid, .. } => Some(cid.clone()),
            AddEvent::Progress { .. } => None,
        });
        added.collect()
    };
    assert_eq!(root(&named), root(&kept.unwrap()));
}
