//! The archives of the gateway conformance suite: every block is what its name says, its links can be read, and
//! a walk from the roots finds what is in the archive.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use ipse_base::{AbsentReason, Block, Cid};
use ipse_dag::{Budget, CarItem, CarReader, Planner, Walk, WalkOptions, car};

/// Version, roots and blocks, fed in pieces of an odd size.
fn read(archive: &Bytes) -> (u64, Vec<Cid>, Vec<Block>) {
    let mut reader = CarReader::new();
    let (mut header, mut blocks) = (None, Vec::new());
    for piece in archive.chunks(1021) {
        reader.feed(archive.slice_ref(piece));
        while let Some(item) = reader.next().unwrap() {
            match item {
                CarItem::Header { version, roots } => header = Some((version, roots)),
                CarItem::Block { cid, data } => blocks.push(Block::verify(cid, data).unwrap()),
            }
        }
    }
    reader.finish().unwrap();
    let (version, roots) = header.unwrap();
    (version, roots, blocks)
}

#[test]
fn archives_hold_what_their_roots_lead_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/gateway");
    if !folder.is_dir() {
        println!("SKIP: {} is not here", folder.display());
        return;
    }
    let mut archives = 0;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "car") {
            continue;
        }
        let bytes = Bytes::from(fs::read(&path).unwrap());
        let (version, roots, blocks) = read(&bytes);
        let by_cid: HashMap<_, _> = blocks.iter().map(|block| (block.cid().clone(), block)).collect();

        let mut walk =
            Walk::new(roots.clone(), WalkOptions { tolerate_absent: true, ..WalkOptions::default() });
        let mut found = 0;
        while !walk.is_done() {
            for want in walk.wants(Budget { wants: 100, bytes: 1 << 20 }) {
                let implied = Block::implied_by(&want.cid);
                match by_cid.get(&want.cid).map(|&block| block.clone()).or(implied) {
                    Some(block) => walk.give(block).unwrap(),
                    None => walk.absent(&want.cid, AbsentReason::Offline).unwrap(),
                }
            }
            let visits: Vec<_> = std::iter::from_fn(|| walk.poll_out()).collect();
            found += visits.iter().filter(|visit| by_cid.contains_key(&visit.cid)).count();
        }
        assert_eq!(found, by_cid.len(), "{}", path.display());

        if version == 1 {
            let mut written = car::header(&roots);
            for block in &blocks {
                written.extend(car::frame_prefix(block.cid(), block.data().len()));
                written.extend_from_slice(block.data());
            }
            assert_eq!(written, bytes, "{}", path.display());
        }
        archives += 1;
    }
    assert_eq!(archives, 26);
}
