//! Why a command line makes no sense, in the words that scripts know.

use ipse_api::OptionKind;
use ipse_base::{ErrorKind, Kind};

use crate::error::FileError;

/// Why a command line makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// No command has this name.
    #[error("{}", unknown_command(word, suggestions))]
    UnknownCommand {
        /// What was typed.
        word: String,
        /// What may have been meant.
        suggestions: Vec<&'static str>,
    },
    /// The command takes no such option.
    #[error("unknown option {0:?}")]
    UnknownOption(String),
    /// An option stands there twice.
    #[error("multiple values for option {0:?}")]
    Repeated(&'static str),
    /// An option's value is missing.
    #[error("missing argument for option {0:?}")]
    MissingValue(String),
    /// An option's value is not of its kind.
    #[error("strconv.{}: parsing {value:?}: {}", conversion(*kind), if *range { "value out of range" } else { "invalid syntax" })]
    Value {
        /// What the option takes.
        kind: OptionKind,
        /// What was given.
        value: String,
        /// Whether it is a number, only too large.
        range: bool,
    },
    /// More arguments than the command takes.
    #[error("expected {expected} argument(s), got {given}")]
    TooMany {
        /// As many as it takes.
        expected: usize,
        /// As many as there are.
        given: usize,
    },
    /// An argument is missing.
    #[error("argument {0:?} is required")]
    Missing(&'static str),
    /// An argument that is no file name holds bytes that are not UTF-8.
    #[error("argument {0:?} is not valid UTF-8")]
    NotText(String),
    /// A duration such as `30s` that can't be read.
    #[error("time: invalid duration {0:?}")]
    Duration(String),
    /// A directory, and nobody said `-r`.
    #[error("'{0}' is a directory, use the '-r' flag to specify directories")]
    NotRecursive(String),
    /// A directory, where only files make sense.
    #[error("invalid path '{path}', argument '{argument}' does not support directories")]
    NoDirectories {
        /// The directory.
        path: String,
        /// The argument it was given for.
        argument: &'static str,
    },
    /// Two files of one name from different places would become one entry.
    #[error("file name {name} repeated under different import directories: {one} and {other}")]
    SameName {
        /// The name.
        name: String,
        /// A directory that has it.
        one: String,
        /// The other one.
        other: String,
    },
    /// A file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ErrorKind for ArgumentError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::UnknownCommand { .. } => Kind::NotFound,
            _ => Kind::Invalid,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownCommand { suggestions, .. } if suggestions.is_empty() => {
                Some("`ipse commands` lists all commands".into())
            }
            Self::UnknownOption(_) | Self::Value { .. } => {
                Some("add --help to see the options of a command".into())
            }
            Self::Duration(_) => Some("durations look like 30s, 1m30s or 2h".into()),
            _ => None,
        }
    }
}

fn unknown_command(word: &str, suggestions: &[&str]) -> String {
    match suggestions {
        [] => format!("Unknown Command \"{word}\"\n"),
        [one] => format!("Unknown Command \"{word}\"\n\nDid you mean this?\n\n\t{one}"),
        many => {
            format!("Unknown Command \"{word}\"\n\nDid you mean any of these?\n\n\t{}", many.join("\n\t"))
        }
    }
}

/// The Go function whose error the reference node shows.
const fn conversion(kind: OptionKind) -> &'static str {
    match kind {
        OptionKind::Bool => "ParseBool",
        OptionKind::Float => "ParseFloat",
        OptionKind::Uint => "ParseUint",
        _ => "ParseInt",
    }
}
