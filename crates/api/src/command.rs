//! What one command is: its name, its arguments, its options and the commands below it.
//!
//! The whole table is constant data. The server parses requests against it, the command line parses its own
//! arguments against it and prints help and completions from it, so that the two can't drift apart.

use crate::OptionDef;

/// Where a command may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the daemon, or in a node of the caller's own process where no daemon runs.
    Anywhere,
    /// In the caller's own process only; the RPC answers 404.
    LocalOnly,
    /// In a daemon only.
    DaemonOnly,
}

/// One command of the table.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The last word of its name.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What a person should know beyond the summary; may be empty.
    pub help: &'static str,
    /// Its arguments in order.
    pub arguments: &'static [Argument],
    /// Its own options; those of [`crate::GLOBAL_OPTIONS`] come on top.
    pub options: &'static [OptionDef],
    /// Where it may run.
    pub place: Place,
    /// Whether it reads or writes a repository. The others work before `init`.
    pub needs_repository: bool,
    /// Whether it does something by itself. A group that doesn't prints its help.
    pub runs: bool,
    /// The commands below it.
    pub subcommands: &'static [Self],
}

impl Command {
    /// A command that runs anywhere on a repository.
    pub(crate) const fn new(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            help: "",
            arguments: &[],
            options: &[],
            place: Place::Anywhere,
            needs_repository: true,
            runs: true,
            subcommands: &[],
        }
    }

    /// A group: nothing but the commands below it.
    pub(crate) const fn group(
        name: &'static str,
        summary: &'static str,
        subcommands: &'static [Self],
    ) -> Self {
        Self { runs: false, subcommands, ..Self::new(name, summary) }
    }

    pub(crate) const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    pub(crate) const fn arguments(self, arguments: &'static [Argument]) -> Self {
        Self { arguments, ..self }
    }

    pub(crate) const fn options(self, options: &'static [OptionDef]) -> Self {
        Self { options, ..self }
    }

    pub(crate) const fn subcommands(self, subcommands: &'static [Self]) -> Self {
        Self { subcommands, ..self }
    }

    pub(crate) const fn local_only(self) -> Self {
        Self { place: Place::LocalOnly, ..self }
    }

    pub(crate) const fn daemon_only(self) -> Self {
        Self { place: Place::DaemonOnly, ..self }
    }

    pub(crate) const fn without_repository(self) -> Self {
        Self { needs_repository: false, ..self }
    }

    /// The command of that name directly below this one.
    pub fn subcommand(&self, name: &str) -> Option<&'static Self> {
        self.subcommands.iter().find(|command| command.name == name)
    }

    /// The option that answers to `name`, own or global.
    pub fn option(&self, name: &str) -> Option<&'static OptionDef> {
        self.options.iter().chain(crate::GLOBAL_OPTIONS).find(|option| option.names.contains(&name))
    }

    /// The argument that takes uploaded files, if there is one.
    pub fn file_argument(&self) -> Option<&'static Argument> {
        self.arguments.iter().find(|argument| argument.file)
    }
}

/// One positional argument.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name, without brackets.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// Whether it takes all that is left; only ever the last one.
    pub variadic: bool,
    /// Whether it names local files whose content is uploaded.
    pub file: bool,
    /// Whether directories are taken too (with `--recursive`).
    pub recursive: bool,
    /// Whether it is read from standard input where it is missing.
    pub stdin: bool,
}

impl Argument {
    /// A string that has to be there.
    pub(crate) const fn required(name: &'static str, help: &'static str) -> Self {
        Self { name, help, required: true, variadic: false, file: false, recursive: false, stdin: false }
    }

    /// A string that may be left out.
    pub(crate) const fn optional(name: &'static str, help: &'static str) -> Self {
        Self { required: false, ..Self::required(name, help) }
    }

    /// A local file whose content is uploaded.
    pub(crate) const fn file(name: &'static str, help: &'static str) -> Self {
        Self { file: true, ..Self::required(name, help) }
    }

    pub(crate) const fn variadic(self) -> Self {
        Self { variadic: true, ..self }
    }

    pub(crate) const fn recursive(self) -> Self {
        Self { recursive: true, ..self }
    }

    pub(crate) const fn stdin(self) -> Self {
        Self { stdin: true, ..self }
    }

    /// The argument as a synopsis shows it: `<path>...`, `[<value>]`.
    pub fn synopsis(&self) -> String {
        let dots = if self.variadic { "..." } else { "" };
        if self.required { format!("<{}>{dots}", self.name) } else { format!("[<{}>]{dots}", self.name) }
    }
}
