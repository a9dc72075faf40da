//! A crate depends only on lower floors, never sideways; and the pure floors
//! have no runtime in their manifest.

use std::collections::BTreeMap;

use crate::crates::{BESIDE, Crate};
use crate::obey;

/// Crates without sockets, files, clocks or a runtime: a thousand nodes made
/// of them run in one test thread.
pub(crate) const PURE: &[&str] =
    &["base", "dag", "bitswap", "api", "denylist", "unixfs", "kad", "names", "tlog"];

const RUNTIMES: &[&str] =
    &["tokio", "async-std", "smol", "mio", "hyper", "libp2p", "reqwest", "axum", "socket2", "rustix"];

#[test]
fn every_crate_names_its_floor() {
    let broken: Vec<String> = Crate::all()
        .iter()
        .filter(|one| one.floor().is_none())
        .map(|one| format!("crates/{}/Cargo.toml", one.noun))
        .collect();
    obey("A crate does not say on which floor it is:", "Add [package.metadata.house] with a floor.", &broken);
}

#[test]
fn a_crate_depends_on_lower_floors_only() {
    let all = Crate::all();
    let floors: BTreeMap<&str, i64> =
        all.iter().map(|one| (one.package(), one.floor().unwrap_or(BESIDE))).collect();
    let mut broken = Vec::new();
    for one in all.iter().filter(|one| one.floor() != Some(BESIDE)) {
        let floor = floors[one.package()];
        for needed in one.dependencies() {
            match floors.get(needed.as_str()) {
                Some(&BESIDE) => {
                    broken.push(format!("{} needs {needed}, which is never shipped", one.package()))
                }
                Some(&other) if other >= floor => {
                    broken.push(format!("{} (floor {floor}) needs {needed} (floor {other})", one.package()));
                }
                _ => {}
            }
        }
        if one.dependencies().iter().any(|needed| needed == "xtask") {
            broken.push(format!("{} needs xtask, which is never shipped", one.package()));
        }
    }
    let remedy = "Move what is shared down a floor, or hand it in from above through a seam. \
                  What only tests need belongs into [dev-dependencies].";
    obey("A crate depends on its own floor or a higher one:", remedy, &broken);
}

#[test]
fn pure_crates_have_no_runtime() {
    let mut broken = Vec::new();
    for one in Crate::all().iter().filter(|one| PURE.contains(&one.noun.as_str())) {
        for needed in one.dependencies() {
            let family = |name: &&str| needed == **name || needed.starts_with(&format!("{name}-"));
            if RUNTIMES.iter().any(family) {
                broken.push(format!("crates/{}/Cargo.toml: {needed}", one.noun));
            }
        }
    }
    let remedy =
        "Take time and bytes as arguments and give out events; net and node do the input and output.";
    obey("A pure crate depends on a runtime:", remedy, &broken);
}
