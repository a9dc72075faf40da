//! `stats`: counts of the running node.

use serde::{Deserialize, Serialize};

use super::{BITSWAP_STAT, REPO_STAT};
use crate::{Command, OptionDef};

pub(crate) const STATS: Command = Command::group(
    "stats",
    "Print counts of the node.",
    &[BW, Command { name: "repo", ..REPO_STAT }, Command { name: "bitswap", ..BITSWAP_STAT }],
);

const BW: Command = Command::new("bw", "Print traffic with peers.").options(&[
    OptionDef::bool(&["poll"], "Print it again and again."),
    OptionDef::string(&["interval", "i"], "Time between two prints, such as 500ms or 2s.").default("1s"),
]);

/// Traffic with all peers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Bandwidth {
    /// Bytes received.
    pub total_in: u64,
    /// Bytes sent.
    pub total_out: u64,
    /// Bytes received per second.
    #[serde(serialize_with = "crate::number::serialize")]
    pub rate_in: f64,
    /// Bytes sent per second.
    #[serde(serialize_with = "crate::number::serialize")]
    pub rate_out: f64,
}
