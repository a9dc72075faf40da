//! Help: what a command is and takes, printed from the api's table in the reference node's layout.

mod layout;
mod lists;
mod synopsis;

use ipse_api::{Command, GLOBAL_OPTIONS, OptionDef, ROOT};

use crate::args::{CALLER_OPTIONS, HelpSize};
use crate::persona::Persona;
use layout::{indent, wrap};

/// Columns that a line may take.
const WIDTH: usize = 80;
/// What all sections are indented by.
const INDENT: &str = "  ";

/// The help of the command with these words.
pub(crate) fn help(
    persona: Persona,
    path: &[&'static str],
    command: &'static Command,
    size: HelpSize,
) -> String {
    let page = Page { persona, path, command };
    match size {
        HelpSize::Long => page.long(),
        HelpSize::Short => page.short(),
    }
}

/// One command's page.
struct Page<'a> {
    persona: Persona,
    path: &'a [&'static str],
    command: &'static Command,
}

impl Page<'_> {
    fn long(&self) -> String {
        let mut out = format!("USAGE\n{}\n\nSYNOPSIS\n{}\n\n", self.usage(), indent(&self.synopsis()));
        let mut section = |title: &str, text: String| {
            if !text.is_empty() {
                out.push_str(&format!("{title}\n\n{}\n\n", indent(&text)));
            }
        };
        section("ARGUMENTS", lists::arguments(self.command, width()));
        section("OPTIONS", lists::options(&self.options(), width()));
        section("DESCRIPTION", self.description());
        if !self.command.subcommands.is_empty() {
            out.push_str(&format!("SUBCOMMANDS\n{}\n\n{}\n", self.subcommands(), self.more()));
        }
        out
    }

    fn short(&self) -> String {
        let mut out = format!("USAGE\n{}\n\n{}\n", self.usage(), indent(&self.synopsis()));
        if !self.command.help.is_empty() {
            out.push_str(&format!("\n{}\n", indent(&self.description())));
        }
        if !self.command.subcommands.is_empty() {
            out.push_str(&format!("\nSUBCOMMANDS\n{}\n", self.subcommands()));
        }
        if !self.is_root() {
            out.push_str(&format!("\n{}\n", self.more()));
        }
        out
    }

    fn is_root(&self) -> bool {
        std::ptr::eq(self.command, &raw const ROOT)
    }

    /// The command's own options; at the root, those that all commands take.
    fn options(&self) -> Vec<&'static OptionDef> {
        if self.is_root() {
            GLOBAL_OPTIONS.iter().chain(CALLER_OPTIONS).collect()
        } else {
            self.command.options.iter().collect()
        }
    }

    /// The command's text, each of its lines wrapped for itself.
    fn description(&self) -> String {
        self.command.help.lines().map(|line| wrap("", line, width())).collect::<Vec<_>>().join("\n")
    }

    /// The words that call the command.
    fn words(&self) -> String {
        std::iter::once(self.persona.name()).chain(self.path.iter().copied()).collect::<Vec<_>>().join(" ")
    }

    fn usage(&self) -> String {
        // The root has no words of its own, and yet the blank that would stand before them.
        let blank = if self.path.is_empty() { " " } else { "" };
        let arguments = lists::usage(self.command);
        let head = format!("{}{blank}{arguments} - ", self.words());
        indent(&wrap(&head, self.command.summary, width()))
    }

    fn synopsis(&self) -> String {
        let mut text = synopsis::synopsis(&self.words(), &self.options(), self.command, width());
        if self.is_root() {
            text.push_str(" <command> ...");
        }
        text
    }

    fn subcommands(&self) -> String {
        indent(&lists::subcommands(&self.words(), self.command, width()))
    }

    fn more(&self) -> String {
        format!(
            "{INDENT}For more information about each command, use:\n{INDENT}'{} <subcmd> --help'\n",
            self.words()
        )
    }
}

const fn width() -> usize {
    WIDTH - INDENT.len()
}

#[cfg(test)]
mod tests;
