//! The lists of a page: arguments, options, subcommands.

use ipse_api::{Command, OptionDef};

use super::layout::{align, wrap};

/// `<path>... [<value>]`
fn synopses(command: &Command) -> Vec<String> {
    command.arguments.iter().map(ipse_api::Argument::synopsis).collect()
}

/// What stands behind the command's words, with a blank before it.
pub(super) fn usage(command: &Command) -> String {
    synopses(command).into_iter().map(|argument| format!(" {argument}")).collect()
}

pub(super) fn arguments(command: &Command, width: usize) -> String {
    let mut heads = synopses(command);
    align(&mut heads);
    let lines = heads
        .iter()
        .zip(command.arguments)
        .map(|(head, argument)| wrap(&format!("{head} - "), argument.help, width));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn options(options: &[&OptionDef], width: usize) -> String {
    let mut heads: Vec<String> = options.iter().map(|option| flags(option)).collect();
    align(&mut heads);
    for (head, option) in heads.iter_mut().zip(options) {
        head.push_str("  ");
        head.push_str(option.kind.as_str());
    }
    align(&mut heads);
    let lines = heads
        .iter()
        .zip(options)
        .map(|(head, option)| wrap(&format!("{head} - "), &described(option), width));
    lines.collect::<Vec<_>>().join("\n")
}

/// All names, the short ones first: `-r, --recursive`.
fn flags(option: &OptionDef) -> String {
    let mut names = option.names.to_vec();
    names.sort_by_key(|name| name.len());
    names.into_iter().map(flag).collect::<Vec<_>>().join(", ")
}

/// A name as it is typed.
pub(super) fn flag(name: &str) -> String {
    if name.len() == 1 { format!("-{name}") } else { format!("--{name}") }
}

fn described(option: &OptionDef) -> String {
    match option.default {
        Some(value) => format!("{} Default: {value}.", option.help),
        None => option.help.to_owned(),
    }
}

pub(super) fn subcommands(words: &str, command: &Command, width: usize) -> String {
    let mut subcommands: Vec<&Command> = command.subcommands.iter().collect();
    subcommands.sort_by_key(|command| command.name);
    let mut heads: Vec<String> =
        subcommands.iter().map(|command| format!("{words} {}{}", command.name, usage(command))).collect();
    align(&mut heads);
    let lines = heads
        .iter()
        .zip(subcommands)
        .map(|(head, command)| wrap(&format!("{head} - "), command.summary, width));
    lines.collect::<Vec<_>>().join("\n")
}
