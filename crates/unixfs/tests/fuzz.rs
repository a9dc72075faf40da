//! Hostile Dags: every reader over graphs of malformed, lying and repeating nodes. They may fail; they may
//! not panic, break their budget, or stand still.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

mod support;

use bytes::Bytes;
use ipse_base::{Cid, Codec};
use ipse_dag::protobuf::{write_bytes, write_varint};
use ipse_dag::{Budget, PbLink, PbNode, Planner};
use ipse_unixfs::{DirectoryBuilder, FileReader, ImportOptions, ListDirectory, Resolve, Tree};
use support::{Random, Shelf, missing, run};

/// Blocks given and results taken before a walk is left alone: repeating graphs have no end.
const STEPS: usize = 300;

/// One node: kind, own data, links (target, size, name), fan-out, and what is wrong with it.
type Spec = (u8, Vec<u8>, Vec<(u8, u16, u8)>, u8, u8);

fn block(spec: &Spec, earlier: &[Cid], shelf: &mut Shelf) -> Cid {
    let (kind, data, links, fanout, fault) = spec;
    if kind % 8 == 7 {
        return shelf.put_bytes(Codec::RAW, data.clone());
    }
    let mut message = Vec::new();
    write_varint(1, u64::from(kind % 8), &mut message);
    if !data.is_empty() {
        write_bytes(2, data, &mut message);
    }
    for (_, size, _) in links {
        let size = if fault % 7 == 0 { u64::MAX - u64::from(*size) } else { u64::from(*size) };
        write_varint(4, size, &mut message);
    }
    if kind % 8 == 5 {
        write_varint(5, 0x22, &mut message);
        write_varint(6, 1 << (fanout % 12), &mut message);
    }
    if fault % 11 == 0 {
        message.extend_from_slice(data);
    }
    let link = |&(target, size, name): &(u8, u16, u8)| {
        let name = match name % 4 {
            0 => format!("{name:02X}"),
            1 => format!("{name:02X}entry"),
            2 => "..".to_owned(),
            _ => "name".to_owned(),
        };
        PbLink {
            cid: earlier.get(usize::from(target) % (earlier.len() + 1)).cloned().unwrap_or_else(missing),
            name: (size % 5 > 0).then(|| Bytes::from(name)),
            tsize: (size % 3 > 0).then_some(u64::from(size)),
        }
    };
    let node = PbNode { data: Some(message.into()), links: links.iter().map(link).collect() };
    shelf.put_bytes(Codec::DAG_PB, node.encode())
}

fn exercise<P: Planner>(mut planner: P, shelf: &Shelf, budget: Budget, seed: u64) {
    let run = run(&mut planner, shelf, budget, seed, STEPS);
    assert!(run.given <= STEPS && run.items.len() <= STEPS);
}

#[test]
fn fuzz_graphs() {
    type Case = (Vec<Spec>, u8, u16, u64);
    bolero::check!().with_type::<Case>().for_each(|(specs, wants, bytes, seed)| {
        let mut shelf = Shelf::default();
        let mut cids: Vec<Cid> = Vec::new();
        for spec in specs.iter().take(20) {
            let cid = block(spec, &cids, &mut shelf);
            cids.push(cid);
        }
        let Some(root) = cids.last() else { return };
        let budget = Budget { wants: usize::from(wants % 20), bytes: u64::from(*bytes) };
        exercise(FileReader::new(root.clone(), u64::from(*bytes)..seed % 5000), &shelf, budget, *seed);
        exercise(FileReader::whole(root.clone()), &shelf, budget, *seed);
        exercise(ListDirectory::new(root.clone()), &shelf, budget, *seed);
        exercise(Tree::new(root.clone(), "top"), &shelf, budget, *seed);
        let segments = vec!["name".to_owned(), "entry".to_owned(), "name".to_owned()];
        exercise(Resolve::new(root.clone(), segments), &shelf, budget, *seed);
    });
}

/// Roots of a sharded folder and of a file of many parts, and all their blocks.
fn sound_roots() -> (Shelf, [Cid; 2]) {
    let options = ImportOptions {
        chunk_bytes: 9,
        file_links_max: 4,
        directory_links_max: 2,
        hamt_fanout: 8,
        ..ImportOptions::unixfs_v1_2025()
    };
    let mut shelf = Shelf::default();
    let file = shelf.add_file(&options, &Random(3).bytes(300));
    let mut folder = DirectoryBuilder::new(options).unwrap();
    for index in 0..40 {
        folder.insert(&format!("name{index}"), file.clone()).unwrap();
    }
    let (folder, blocks) = folder.finish().unwrap();
    shelf.put(blocks);
    (shelf, [folder.cid, file.cid])
}

#[test]
fn fuzz_damaged_roots() {
    let (sound, roots) = sound_roots();
    bolero::check!().with_type::<(Vec<(u16, u8)>, bool)>().for_each(|(damages, is_file)| {
        let root = &roots[usize::from(*is_file)];
        let mut bytes = sound.get(root).unwrap().data().to_vec();
        for (place, change) in damages.iter().take(3) {
            let place = usize::from(*place) % bytes.len();
            bytes[place] ^= change;
        }
        let mut shelf = Shelf(sound.0.clone());
        let root = shelf.put_bytes(Codec::DAG_PB, bytes);
        let budget = Budget { wants: 4, bytes: 100 };
        exercise(FileReader::whole(root.clone()), &shelf, budget, 1);
        exercise(ListDirectory::new(root.clone()), &shelf, budget, 1);
        exercise(Tree::new(root.clone(), "top"), &shelf, budget, 1);
        exercise(Resolve::new(root, vec!["name7".to_owned()]), &shelf, budget, 1);
    });
}

#[test]
fn fuzz_bytes() {
    bolero::check!().with_type::<(Vec<u8>, bool)>().for_each(|(bytes, is_cbor)| {
        let mut shelf = Shelf::default();
        let root = shelf.put_bytes(if *is_cbor { Codec::DAG_CBOR } else { Codec::DAG_PB }, bytes.clone());
        let budget = Budget { wants: 4, bytes: 1000 };
        exercise(FileReader::whole(root.clone()), &shelf, budget, 1);
        exercise(ListDirectory::new(root.clone()), &shelf, budget, 1);
        exercise(Tree::new(root.clone(), "top"), &shelf, budget, 1);
        exercise(Resolve::new(root, vec!["a".to_owned(), "b".to_owned()]), &shelf, budget, 1);
    });
}
