//! `diag`: what a running node counted and does in the background.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Command;

pub(crate) const DIAG: Command = Command::group("diag", "Look into the running node.", &[HOT, WORKERS]);

const HOT: Command = Command::new("hot", "Print what each part of the node counted since its start.").help(
    "Copies, syncs, round trips, cache hits: look before and after some work to see where its time went. \
     Counters only grow; names that end in _peak are the highest level seen.",
);

const WORKERS: Command = Command::new("workers", "List background work with its state and last error.");

/// What every part counted: by the part's name, by the counter's.
pub type HotCounters = BTreeMap<String, Vec<HotCounter>>;

/// One counter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HotCounter {
    /// Its name.
    pub name: String,
    /// The number.
    pub value: u64,
    /// What is counted.
    pub about: String,
}

/// One worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WorkerLine {
    /// Its name.
    pub name: String,
    /// Whether it works at this moment.
    pub working: bool,
    /// What it is at, or was at last.
    pub doing: String,
    /// Turns that ended.
    pub turns: u64,
    /// Those that failed.
    pub failures: u64,
    /// Why the last turn failed; empty if it did not.
    pub last_error: String,
}
