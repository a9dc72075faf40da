//! `commands completion`: scripts that complete commands in a shell, made from the api's table.

use clap::{Arg, ArgAction, ValueHint};
use clap_complete::Shell;
use ipse_api::{Command, GLOBAL_OPTIONS, OptionDef, OptionKind, ROOT};

use crate::console::Console;
use crate::error::CliError;
use crate::persona::Persona;

/// Prints the script for the shell that the command is named after.
pub(crate) fn run(persona: Persona, shell: &str, console: &mut Console) -> Result<(), CliError> {
    console.out().write_all(&script(persona, shell))?;
    Ok(())
}

fn script(persona: Persona, shell: &str) -> Vec<u8> {
    let shell = match shell {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut tree = tree(&ROOT).name(persona.name());
    tree = tree.args(GLOBAL_OPTIONS.iter().map(|option| argument(option).global(true)));
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut tree, persona.name(), &mut out);
    out
}

fn tree(command: &'static Command) -> clap::Command {
    let mut tree = clap::Command::new(command.name)
        .about(command.summary)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .args(command.options.iter().map(argument));
    for argument in command.arguments {
        let hint = if argument.file { ValueHint::AnyPath } else { ValueHint::Other };
        let positional = Arg::new(argument.name).required(false).value_hint(hint);
        let count = if argument.variadic { ArgAction::Append } else { ArgAction::Set };
        tree = tree.arg(positional.action(count));
    }
    tree.subcommands(command.subcommands.iter().map(self::tree))
}

fn argument(option: &'static OptionDef) -> Arg {
    let action = match option.kind {
        OptionKind::Bool => ArgAction::SetTrue,
        OptionKind::Strings => ArgAction::Append,
        _ => ArgAction::Set,
    };
    // Options and positional arguments share one set of ids.
    let mut argument = Arg::new(format!("--{}", option.name())).help(option.help).action(action);
    let long: Vec<&'static str> = option.names.iter().copied().filter(|name| name.len() > 1).collect();
    if let Some((first, others)) = long.split_first() {
        argument = argument.long(*first).visible_aliases(others.iter().copied());
    }
    if let Some(letter) = option.short() {
        argument = argument.short(letter);
    }
    argument
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_know_commands_and_options() {
        for shell in ["bash", "zsh", "fish"] {
            let text = String::from_utf8(script(Persona::Ipse, shell)).unwrap();
            for word in ["ipse", "bitswap", "recursive", "stdin-name", "completion"] {
                assert!(text.contains(word), "{word} in {shell}");
            }
        }
    }
}
