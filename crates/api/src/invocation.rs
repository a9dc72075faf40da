//! An invocation: one command with its arguments and options, as it travels from the command line to the server.
//!
//! The command line builds one from its own arguments and writes it as an address; the server reads it back
//! from the address. Both check it against the table, so a bad option reads the same on either side.

use ipse_base::{ErrorKind, Kind};

use crate::{Command, OptionValue, Place, ROOT, query};

/// One command to be run.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The command.
    pub command: &'static Command,
    /// The words of its name.
    pub path: Vec<&'static str>,
    /// Its arguments that are strings, in order.
    pub arguments: Vec<String>,
    options: Vec<(&'static str, OptionValue)>,
}

/// Why a request names no command that could run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// There is no such command, or it never runs over the RPC.
    #[error("404 page not found")]
    UnknownCommand,
    /// A scalar option stands there more than once.
    #[error("expected key {option} to have only a single value, received [{}]", values.join(" "))]
    Repeated {
        /// The option.
        option: &'static str,
        /// All its values.
        values: Vec<String>,
    },
    /// An option stands there by its long and by its short name.
    #[error("duplicate command options were provided ({long:?} and {short:?})")]
    TwoNames {
        /// One of its names.
        long: &'static str,
        /// Another one.
        short: String,
    },
    /// An option's value is not of its kind.
    #[error("could not convert {} to type {kind:?} (for option \"-{option}\")", quoted(value))]
    Value {
        /// The option.
        option: &'static str,
        /// The kind it should be of.
        kind: &'static str,
        /// The text that is not.
        value: String,
    },
    /// An argument is missing.
    #[error("argument {0:?} is required")]
    MissingArgument(&'static str),
    /// A file that should have been uploaded is missing.
    #[error("file argument '{0}' is required")]
    MissingFile(&'static str),
}

impl ErrorKind for InvocationError {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownCommand => Kind::NotFound,
            _ => Kind::Invalid,
        }
    }
}

fn quoted(value: &str) -> String {
    if value.is_empty() { "empty value".to_owned() } else { format!("value {value:?}") }
}

impl Invocation {
    /// A command without arguments and options.
    pub const fn new(command: &'static Command, path: Vec<&'static str>) -> Self {
        Self { command, path, arguments: Vec::new(), options: Vec::new() }
    }

    /// Reads an invocation from an address below `/api/v0/`: `path` without that prefix, `query` without `?`.
    ///
    /// # Errors
    /// [`InvocationError`] where the table has no such command or the options are not what it says.
    pub fn from_address(path: &str, query: &str) -> Result<Self, InvocationError> {
        let mut invocation = Self::resolve(path)?;
        let mut given: Vec<(&'static crate::OptionDef, String, Vec<String>)> = Vec::new();
        for (key, value) in query::parse(query) {
            if key == "arg" {
                invocation.arguments.push(value);
            } else if let Some(option) = invocation.command.option(&key) {
                match given.iter_mut().find(|(known, ..)| known.name() == option.name()) {
                    Some((_, name, values)) if *name == key => values.push(value),
                    Some((_, name, _)) => {
                        return Err(InvocationError::TwoNames {
                            long: option.name(),
                            short: pick_alias(name, key, option.name()),
                        });
                    }
                    None => given.push((option, key, vec![value])),
                }
            }
        }
        for (option, _, values) in given {
            invocation.set_texts(option, values)?;
        }
        Ok(invocation)
    }

    /// Follows the words of a path. A last word that is no command is the first argument.
    fn resolve(path: &str) -> Result<Self, InvocationError> {
        let mut invocation = Self::new(&ROOT, Vec::new());
        let mut words = path.split('/').peekable();
        while let Some(word) = words.next() {
            if let Some(command) = invocation.command.subcommand(word) {
                invocation.command = command;
                invocation.path.push(command.name);
            } else if words.peek().is_none() && invocation.command.runs && !invocation.path.is_empty() {
                invocation
                    .arguments
                    .push(query::decode(&word.replace('+', "%2B")).ok_or(InvocationError::UnknownCommand)?);
            } else {
                return Err(InvocationError::UnknownCommand);
            }
            if invocation.command.place == Place::LocalOnly {
                return Err(InvocationError::UnknownCommand);
            }
        }
        Ok(invocation)
    }

    fn set_texts(
        &mut self,
        option: &'static crate::OptionDef,
        values: Vec<String>,
    ) -> Result<(), InvocationError> {
        let value = if option.kind == crate::OptionKind::Strings {
            OptionValue::Strings(values)
        } else if let [value] = values.as_slice() {
            option.parse(value)?
        } else {
            return Err(InvocationError::Repeated { option: option.name(), values });
        };
        self.set(option.name(), value);
        Ok(())
    }

    /// Sets an option by the name that requests carry; a list takes the new items at its end.
    pub fn set(&mut self, name: &'static str, value: OptionValue) {
        match (self.options.iter_mut().find(|(known, _)| *known == name).map(|(_, old)| old), value) {
            (Some(OptionValue::Strings(old)), OptionValue::Strings(new)) => old.extend(new),
            (Some(old), value) => *old = value,
            (None, value) => self.options.push((name, value)),
        }
    }

    /// Checks that every argument that has to be there is there. `files` says whether files come along.
    ///
    /// # Errors
    /// [`InvocationError::MissingArgument`] or [`InvocationError::MissingFile`].
    pub fn check_arguments(&self, files: bool) -> Result<(), InvocationError> {
        let mut strings = self.arguments.len();
        for argument in self.command.arguments.iter().filter(|argument| argument.required) {
            if argument.file {
                if !files {
                    return Err(InvocationError::MissingFile(argument.name));
                }
            } else if !(files && self.arguments_come_in_body()) {
                strings = strings.checked_sub(1).ok_or(InvocationError::MissingArgument(argument.name))?;
            }
        }
        Ok(())
    }

    /// Whether a body that comes along holds this command's arguments, one a line: it takes them from standard
    /// input, and the address has none.
    pub fn arguments_come_in_body(&self) -> bool {
        let takes_lines = self.command.arguments.iter().any(|argument| argument.stdin && !argument.file);
        takes_lines && self.arguments.is_empty()
    }

    /// The address below `/api/v0/` that reads back as this invocation.
    pub fn to_address(&self) -> String {
        let mut out = self.path.join("/");
        let arguments = self.arguments.iter().map(|argument| ("arg", argument.clone()));
        let options = self
            .options
            .iter()
            .flat_map(|(name, value)| value.to_texts().into_iter().map(move |text| (*name, text)));
        for (place, (key, value)) in arguments.chain(options).enumerate() {
            out.push(if place == 0 { '?' } else { '&' });
            out.push_str(key);
            out.push('=');
            out.push_str(&query::encode(&value));
        }
        out
    }

    /// What was given for an option, or its default.
    pub fn value(&self, name: &str) -> Option<OptionValue> {
        self.given(name).cloned().or_else(|| {
            let option = self.command.option(name)?;
            option.parse(option.default?).ok()
        })
    }

    /// What was given for an option, without its default.
    pub fn given(&self, name: &str) -> Option<&OptionValue> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// A switch: given, or its default, or false.
    pub fn bool(&self, name: &str) -> bool {
        matches!(self.value(name), Some(OptionValue::Bool(true)))
    }

    /// A switch where "not given" differs from false.
    pub fn optional_bool(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            OptionValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Text: given, or its default.
    pub fn string(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            OptionValue::String(value) => Some(value),
            _ => None,
        }
    }

    /// A whole number: given, or its default.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            OptionValue::Int(value) => Some(value),
            _ => None,
        }
    }

    /// All texts of a list.
    pub fn strings(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(OptionValue::Strings(values)) => values,
            _ => Vec::new(),
        }
    }
}

/// Of two spellings of one option, the one that is not its first name.
fn pick_alias(one: &str, other: String, first: &str) -> String {
    if other == first { one.to_owned() } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> Result<Invocation, InvocationError> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        Invocation::from_address(path, query)
    }

    #[test]
    fn arguments_options_and_defaults() {
        let cat = read("cat?arg=/ipfs/x&offset=0x10&bogus=1").unwrap();
        assert_eq!(cat.path, ["cat"]);
        assert_eq!(cat.arguments, ["/ipfs/x"]);
        assert_eq!((cat.int("offset"), cat.int("length")), (Some(16), None));
        assert!(read("add").unwrap().bool("pin"), "pin is on by default");
        assert!(!read("add?pin=false").unwrap().bool("pin"));
        assert_eq!(read("cat?arg=x&o=2").unwrap().int("offset"), Some(2));
    }

    #[test]
    fn the_last_word_may_be_an_argument() {
        assert_eq!(read("refs/QmX").unwrap().arguments, ["QmX"]);
        assert_eq!(read("refs/local").unwrap().path, ["refs", "local"]);
        assert_eq!(read("version/foo").unwrap().path, ["version"]);
        for unknown in ["", "nosuch", "cat/a/b", "pin/nosuch", "config/edit", "daemon", "init"] {
            assert_eq!(read(unknown).unwrap_err(), InvocationError::UnknownCommand, "{unknown}");
        }
    }

    #[test]
    fn refusals_read_as_the_reference_node_writes_them() {
        for (address, text) in [
            ("cat?offset=1&offset=2", "expected key offset to have only a single value, received [1 2]"),
            ("cat?offset=1&o=2", r#"duplicate command options were provided ("offset" and "o")"#),
            (
                "pin/add?recursive=maybe",
                r#"could not convert value "maybe" to type "bool" (for option "-recursive")"#,
            ),
        ] {
            assert_eq!(read(address).unwrap_err().to_string(), text);
        }
        assert_eq!(
            read("cat").unwrap().check_arguments(false).unwrap_err().to_string(),
            r#"argument "ipfs-path" is required"#
        );
        assert_eq!(
            read("add").unwrap().check_arguments(false).unwrap_err().to_string(),
            "file argument 'path' is required"
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut invocation = read("pin/add?arg=a%20b&arg=%26%3D").unwrap();
        invocation.set("name", OptionValue::String("ä&b=c d".into()));
        invocation.set("recursive", OptionValue::Bool(false));
        let again = read(&invocation.to_address()).unwrap();
        assert_eq!(again.arguments, ["a b", "&="]);
        assert_eq!(again.string("name").as_deref(), Some("ä&b=c d"));
        assert!(!again.bool("recursive"));
    }

    #[test]
    fn hostile_addresses_never_panic() {
        bolero::check!().with_type::<(String, String)>().for_each(|(path, query)| {
            for path in [path.as_str(), "cat", "add"] {
                if let Ok(invocation) = Invocation::from_address(path, query) {
                    let _ = invocation.check_arguments(false);
                    let _ = read(&invocation.to_address());
                }
            }
        });
    }
}
