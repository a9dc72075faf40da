//! `ping`: round-trip times.

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef};

pub(crate) const PING: Command = Command::new("ping", "Measure the round-trip time to a peer.")
    .arguments(&[Argument::required("peer ID", "The peer.").variadic().stdin()])
    .options(&[OptionDef::int(&["count", "n"], "How often to measure.").default("10")]);

/// One line of the reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Pinged {
    /// Whether this is good news.
    pub success: bool,
    /// The round-trip time in nanoseconds; 0 in lines of text.
    pub time: u64,
    /// The line, where it is not a measurement.
    pub text: String,
}
