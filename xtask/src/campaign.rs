//! The campaigns: the fault tests of the store and of the daemon at their full count. The suite runs the same tests
//! at a small one.

use std::process::Command;
use std::time::Instant;

use crate::{Outcome, process, root};

/// A test, and the variable that says how often it repeats.
struct Campaign {
    what: &'static str,
    package: &'static str,
    test: &'static str,
    /// A part of the names of those of its tests that are run; all where it is empty.
    only: &'static str,
    variable: &'static str,
    count: u64,
}

/// The first one runs its count for each of five ways in which a disk fails.
const CAMPAIGNS: [Campaign; 5] = [
    Campaign {
        what: "a disk that fails and forgets, then power loss: 10,000 runs",
        package: "ipse-store",
        test: "crash",
        only: "power_loss",
        variable: "IPSE_STORE_CRASHES",
        count: 2000,
    },
    Campaign {
        what: "flipped bits in log and index",
        package: "ipse-store",
        test: "damage",
        only: "",
        variable: "IPSE_STORE_FLIPS",
        count: 1000,
    },
    Campaign {
        what: "adds that deduplicate against garbage while it is collected",
        package: "ipse-store",
        test: "interleave",
        only: "adders",
        variable: "IPSE_STORE_TRIALS",
        count: 10_000,
    },
    Campaign {
        what: "a writer that is killed",
        package: "ipse-store",
        test: "kill",
        only: "",
        variable: "IPSE_STORE_KILLS",
        count: 200,
    },
    Campaign {
        what: "a busy daemon that is killed",
        package: "ipse-cli",
        test: "kills",
        only: "",
        variable: "IPSE_CLI_KILLS",
        count: 200,
    },
];

/// Runs all of them, one after the other, and tells how long each took.
pub(crate) fn run() -> Outcome<()> {
    for campaign in &CAMPAIGNS {
        println!("{} ({}={})", campaign.what, campaign.variable, campaign.count);
        let begun = Instant::now();
        let mut test = Command::new("cargo");
        test.args(["test", "-q", "--release", "-p", campaign.package, "--test", campaign.test]);
        test.arg(campaign.only).env(campaign.variable, campaign.count.to_string()).current_dir(root());
        process::stream(&mut test)?;
        println!("passed in {} s, building included\n", begun.elapsed().as_secs());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_campaign_reads_its_variable() {
        for Campaign { package, test, variable, .. } in CAMPAIGNS {
            let noun = package.trim_start_matches("ipse-");
            let path = root().join("crates").join(noun).join("tests").join(format!("{test}.rs"));
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(source.contains(variable), "{} does not read {variable}", path.display());
        }
    }
}
