//! Keeping what is there: verification, scrub, backup and restore, collection.
//!
//! What a program has no command for stays empty in its column. The scrub is paced in a node, so it is measured here
//! without its pace, straight through the store, over the repository that the program made.

use std::path::Path;
use std::time::Instant;

use super::Group;
use crate::Outcome;
use crate::compare::bench::Bench;
use crate::compare::round::{Limits, Round};
use crate::compare::row::{Row, Target};
use crate::lab::{content, disk, limits};

use ipse_store::{Checked, Position, Store, StoreOptions};

const SHA_ONE: &str = "sha256 on one core, MiB/s";
const READ: &str = "disk: a file that is in no cache read, MiB/s";
const WRITE: &str = "disk";
const MIB: u64 = 1 << 20;
/// Bytes of one step of a scrub, as a node takes them.
const SCRUB_BYTES: u64 = 64 * MIB;

pub(super) const GROUP: Group = Group {
    name: "keep",
    about: "verify, scrub, back up, restore and collect what one large file left",
    rows: &[
        Row::rate("keep.verify", "`repo verify` of 1 GiB, in the page cache", "MiB/s").beside(SHA_ONE),
        Row::rate("keep.verify.cold", "`repo verify` of 1 GiB, in no cache", "MiB/s").beside("disk read"),
        Row::rate("keep.scrub.cold", "scrub of 1 GiB without its pace, in no cache", "MiB/s")
            .beside("disk read"),
        Row::rate("keep.backup", "`backup` of 1 GiB", "MiB/s").beside(WRITE),
        Row::cost("keep.backup.again", "`backup` again with nothing new", "s"),
        Row::rate("keep.restore.check", "`restore --verify` of it", "MiB/s").beside(SHA_ONE),
        Row::rate("keep.restore", "`restore` of it", "MiB/s").beside(WRITE),
        Row::cost("keep.gc", "`repo gc` of 1 GiB that nothing keeps", "s").aim(&[Target::Ratio(1.0)]),
    ],
    limits: Some(machine),
    measure,
};

fn machine(bench: &Bench, limits: &mut Limits) -> Outcome<()> {
    limits.insert(SHA_ONE, limits::sha256_mib_s(1));
    limits.insert(READ, disk::read_mib_s(&bench.file(bench.options.size * MIB)?)?);
    Ok(())
}

fn measure(round: &mut Round) -> Outcome<()> {
    let mebibytes = round.bench.options.size;
    let rate = |seconds: f64| mebibytes as f64 / seconds;
    let file = round.bench.file(mebibytes * MIB)?;
    let mut node = round.node("keep")?;
    let (root, _) = node.add(&[], &file)?;
    limits::settle();
    if round.wants("keep.verify") || round.wants("keep.verify.cold") {
        let seconds = node.run_quietly(&["repo", "verify"])?.seconds;
        round.record_beside("keep.verify", rate(seconds), round.limit(SHA_ONE));
        disk::forget_folder(&node.repo)?;
        let seconds = node.run_quietly(&["repo", "verify"])?.seconds;
        round.record_beside("keep.verify.cold", rate(seconds), round.limit(READ));
    }
    if node.run_quietly(&["backup", "--help"]).is_ok() {
        back_up(round, &node, rate)?;
        if round.wants("keep.scrub.cold") {
            node.stop()?;
            disk::forget_folder(&node.repo)?;
            let seconds = scrub(&node.repo)?;
            round.record_beside("keep.scrub.cold", rate(seconds), round.limit(READ));
            node.start()?;
        }
    }
    if round.wants("keep.gc") {
        node.run_quietly(&["pin", "rm", &root])?;
        limits::settle();
        let seconds = node.run_quietly(&["repo", "gc"])?.seconds;
        round.record("keep.gc", seconds);
    }
    Ok(())
}

/// A backup of a running node, once more with nothing new, its check, and a repository out of it.
fn back_up(round: &mut Round, node: &crate::lab::node::Node, rate: impl Fn(f64) -> f64) -> Outcome<()> {
    let rows = ["keep.backup", "keep.backup.again", "keep.restore", "keep.restore.check"];
    if !rows.iter().any(|row| round.wants(row)) {
        return Ok(());
    }
    let name = &round.program().name;
    let (folder, again) =
        (round.bench.place(&format!("{name}-backup")), round.bench.place(&format!("{name}-again")));
    for path in [&folder, &again] {
        if path.exists() {
            content::lay_aside(path);
        }
    }
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or("a path that is not UTF-8");
    let (folder_text, again_text) = (text(&folder)?, text(&again)?);
    let disk = round.disk(round.bench.options.size)?;
    let seconds = node.run_quietly(&["backup", &folder_text])?.seconds;
    round.record_beside("keep.backup", rate(seconds), Some(disk));
    let seconds = node.run_quietly(&["backup", &folder_text])?.seconds;
    round.record("keep.backup.again", seconds);
    let seconds = node.run_quietly(&["restore", "--verify", &folder_text])?.seconds;
    round.record_beside("keep.restore.check", rate(seconds), round.limit(SHA_ONE));
    let disk = round.disk(round.bench.options.size)?;
    let seconds = node.run_quietly(&["restore", "--repo-dir", &again_text, &folder_text])?.seconds;
    round.record_beside("keep.restore", rate(seconds), Some(disk));
    for path in [&folder, &again] {
        content::lay_aside(path);
    }
    Ok(())
}

/// Seconds of a scrub of all that is in a repository.
fn scrub(repo: &Path) -> Outcome<f64> {
    // What blocks link to is of no interest here.
    let store = Store::open(repo, StoreOptions::new(|_, _| Ok(Vec::new())))?;
    let start = Instant::now();
    let mut next = Some(Position::default());
    while let Some(from) = next {
        let scrubbed = store.scrub(from, SCRUB_BYTES)?;
        if let Some(damage) = scrubbed.damages.first() {
            return Err(format!("damage: {:?}", Checked::Damaged(damage.clone())).into());
        }
        next = scrubbed.next;
    }
    Ok(start.elapsed().as_secs_f64())
}
