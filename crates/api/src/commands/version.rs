//! `version`: which programs these are.

use serde::{Deserialize, Serialize};

use crate::{Command, OptionDef};

pub(crate) const VERSION: Command = Command::new("version", "Print versions.")
    .options(&[
        OptionDef::bool(&["number", "n"], "Print only the number."),
        OptionDef::bool(&["commit"], "Print the commit, too."),
        OptionDef::bool(&["repo"], "Print the version of the repository."),
        OptionDef::bool(&["all"], "Print all versions."),
    ])
    .without_repository();

/// Versions. [`VersionInfo::version`] is the reference version that this node is compatible with, since clients
/// decide by it what they may send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VersionInfo {
    /// The compatible reference version.
    pub version: String,
    /// The commit this was built from.
    pub commit: String,
    /// The version of the repository that tools know.
    pub repo: String,
    /// Processor and system, `amd64/linux`.
    pub system: String,
    /// The compiler: the field's name is the reference node's.
    pub golang: String,
}
