//! `resolve`: where a path leads.

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef};

pub(crate) const RESOLVE: Command = Command::new("resolve", "Print the CID path that a path leads to.")
    .arguments(&[Argument::required("name", "Path to follow.").stdin()])
    .options(&[OptionDef::bool(&["recursive", "r"], "Follow names until there is a CID.").default("true")]);

/// Where a path leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Resolved {
    /// A path that starts at a Cid.
    pub path: String,
}
