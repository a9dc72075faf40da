//! `log`: how much the daemon tells about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Argument, Command};

pub(crate) const LOG: Command = Command::group("log", "Work with the daemon's log.", &[LEVEL, LS]);

const LEVEL: Command = Command::new("level", "Print or set how much a part of the daemon logs.")
    .arguments(&[
        Argument::optional("subsystem", "The part; all or * for every one. Default: the level of the rest."),
        Argument::optional("level", "One of error, warn, info, debug, trace."),
    ])
    .daemon_only();

const LS: Command = Command::new("ls", "List the parts that log.");

/// A sentence about what was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Message {
    /// The sentence, with its line end.
    pub message: String,
}

/// Levels by part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogLevels {
    /// By part.
    pub levels: BTreeMap<String, String>,
}
