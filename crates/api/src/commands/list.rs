//! `commands`: the table itself.

use serde::{Deserialize, Serialize};

use crate::{Command, nullable};

pub(crate) const COMMANDS: Command = Command::new("commands", "List all commands.")
    .options(&[crate::OptionDef::bool(&["flags", "f"], "List their options, too.")])
    .subcommands(&[COMPLETION])
    .without_repository();

const COMPLETION: Command =
    Command::group("completion", "Print a script that completes commands in a shell.", &[BASH, ZSH, FISH])
        .local_only()
        .without_repository();

const BASH: Command = Command::new("bash", "Print it for bash.").local_only().without_repository();
const ZSH: Command = Command::new("zsh", "Print it for zsh.").local_only().without_repository();
const FISH: Command = Command::new("fish", "Print it for fish.").local_only().without_repository();

/// A command with all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CommandListed {
    /// The last word of its name.
    pub name: String,
    /// The commands below it.
    #[serde(deserialize_with = "nullable::deserialize")]
    pub subcommands: Vec<Self>,
    /// Its options.
    #[serde(deserialize_with = "nullable::deserialize")]
    pub options: Vec<OptionListed>,
}

/// An option.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OptionListed {
    /// All its names.
    pub names: Vec<String>,
}

impl From<&Command> for CommandListed {
    fn from(command: &Command) -> Self {
        let names = |option: &crate::OptionDef| option.names.iter().map(|&name| name.to_owned()).collect();
        Self {
            name: command.name.to_owned(),
            subcommands: command.subcommands.iter().map(Self::from).collect(),
            options: command.options.iter().map(|option| OptionListed { names: names(option) }).collect(),
        }
    }
}
