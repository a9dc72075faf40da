//! Adding many small files.

use super::{Group, MIB};
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::content::footprint;
use crate::lab::limits::settle;

pub(super) const GROUP: Group = Group {
    name: "small",
    about: "add a folder of files of 4 KiB",
    rows: &[
        Row::rate("small.add", "add 20,000 files of 4 KiB", "files/s").aim(&[Target::Ratio(8.0)]),
        Row::cost("small.peak", "peak memory in this add", "MiB").aim(&[Target::AtMost(96.0)]),
        Row::cost("small.disk", "disk taken by them", "MiB"),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let files = round.bench.options.files;
    let folder = round.bench.files(files, 4096, 100)?;
    let node = round.node("small")?;
    // Both read the files out of the page cache.
    content_in_cache(&folder)?;
    settle();
    let ((_, ran), peak) = node.with_peak(|| node.add(&["-r"], &folder))?;
    round.record("small.add", files as f64 / ran.seconds);
    round.record("small.peak", peak);
    round.record("small.disk", footprint(&node.repo).0 as f64 / MIB);
    Ok(())
}

fn content_in_cache(folder: &std::path::Path) -> Outcome<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { content_in_cache(&path)? } else { drop(std::fs::read(&path)?) }
    }
    Ok(())
}
