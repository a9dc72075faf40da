//! `config`: the node's settings.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Argument, Command, OptionDef};

pub(crate) const CONFIG: Command = Command::new("config", "Print or set a setting.")
    .help("Private keys and other secrets are never shown, and the identity can't be set.")
    .arguments(&[
        Argument::required("key", "Name of the setting, such as Addresses.API."),
        Argument::optional("value", "What to set it to."),
    ])
    .options(&[
        OptionDef::bool(&["bool"], "The value is true or false."),
        OptionDef::bool(&["json"], "The value is JSON."),
    ])
    .subcommands(&[SHOW, REPLACE, EDIT, PROFILE]);

const SHOW: Command = Command::new("show", "Print all settings, without secrets.");

const REPLACE: Command = Command::new("replace", "Take all settings from a file.")
    .help("The identity stays as it is.")
    .arguments(&[Argument::file("file", "File with the settings.").stdin()]);

const EDIT: Command = Command::new("edit", "Open the settings in $EDITOR.").local_only();

const PROFILE: Command = Command::group("profile", "Change settings that belong together.", &[APPLY]);

const APPLY: Command = Command::new("apply", "Apply a profile, such as server, lowpower or test.")
    .arguments(&[Argument::required("profile", "Name of the profile.")])
    .options(&[OptionDef::bool(&["dry-run"], "Print what would change, and change nothing.")]);

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConfigField {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// All settings before and after a profile, without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConfigUpdate {
    /// Before.
    pub old_cfg: Value,
    /// After.
    pub new_cfg: Value,
}
