//! From the words of a command line to an invocation and its positional arguments.

use std::ffi::{OsStr, OsString};

use ipse_api::{Command, GLOBAL_OPTIONS, Invocation, OptionDef, OptionKind, OptionValue, ROOT, suggestions};

use super::caller::{CALLER_OPTIONS, NEVER_SENT};
use super::error::ArgumentError;

/// Which help was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HelpSize {
    /// `-h`
    Short,
    /// `--help`
    Long,
}

/// A command line, read.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// The command with the options that travel.
    pub(crate) invocation: Invocation,
    /// Positional arguments as they were typed; file names may hold any bytes.
    pub(crate) positional: Vec<OsString>,
    /// Whether help was asked for.
    pub(crate) help: Option<HelpSize>,
    /// Options that only the caller acts on.
    local: Vec<(&'static str, OptionValue)>,
}

impl CommandLine {
    /// Text of an option that only the caller acts on.
    pub(crate) fn local_string(&self, name: &str) -> Option<&str> {
        match self.local.iter().find(|(known, _)| *known == name) {
            Some((_, OptionValue::String(value))) => Some(value),
            _ => None,
        }
    }

    /// A switch that only the caller acts on.
    pub(crate) fn local_bool(&self, name: &str) -> bool {
        matches!(self.local.iter().find(|(known, _)| *known == name), Some((_, OptionValue::Bool(true))))
    }
}

/// Reads a command line without its first word.
pub(crate) fn parse(words: &[OsString]) -> Result<CommandLine, ArgumentError> {
    let mut parser = Parser {
        line: CommandLine {
            invocation: Invocation::new(&ROOT, Vec::new()),
            positional: Vec::new(),
            help: None,
            local: Vec::new(),
        },
        parents: vec![&ROOT],
        rest: words.iter(),
    };
    while let Some(word) = parser.rest.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            parser.line.positional.extend(parser.rest.by_ref().cloned());
        } else if let Some(long) = text.strip_prefix("--") {
            parser.long(long)?;
        } else if let Some(short) = text.strip_prefix('-').filter(|short| !short.is_empty()) {
            parser.short(short)?;
        } else {
            parser.word(word, &text)?;
        }
    }
    Ok(parser.line)
}

struct Parser<'a> {
    line: CommandLine,
    /// The commands of the path so far: an option of each of them is taken.
    parents: Vec<&'static Command>,
    rest: std::slice::Iter<'a, OsString>,
}

impl Parser<'_> {
    fn word(&mut self, word: &OsStr, text: &str) -> Result<(), ArgumentError> {
        if let Some(command) = self.line.invocation.command.subcommand(text) {
            self.line.invocation.command = command;
            self.line.invocation.path.push(command.name);
            self.parents.push(command);
        } else if self.line.invocation.path.is_empty() {
            return Err(ArgumentError::UnknownCommand {
                word: text.to_owned(),
                suggestions: suggestions(&ROOT, text),
            });
        } else {
            self.line.positional.push(word.to_owned());
        }
        Ok(())
    }

    fn option(&self, name: &str) -> Option<&'static OptionDef> {
        let own = self.parents.iter().rev().flat_map(|command| command.options);
        own.chain(GLOBAL_OPTIONS).chain(CALLER_OPTIONS).find(|option| option.names.contains(&name))
    }

    fn long(&mut self, text: &str) -> Result<(), ArgumentError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let option = self.option(name).ok_or_else(|| ArgumentError::UnknownOption(name.to_owned()))?;
        let value = match value {
            Some(value) => value,
            None if option.kind == OptionKind::Bool => "true".to_owned(),
            None => self.next_value(name)?,
        };
        self.set(option, name, &value)
    }

    fn short(&mut self, text: &str) -> Result<(), ArgumentError> {
        let unknown = || ArgumentError::UnknownOption(text.to_owned());
        if let Some((name, value)) = text.split_once('=') {
            let option = self.option(name).ok_or_else(|| ArgumentError::UnknownOption(name.to_owned()))?;
            return self.set(option, name, value);
        }
        for (place, letter) in text.char_indices() {
            let behind = place + letter.len_utf8();
            let name = &text[place..behind];
            let option = self.option(name).ok_or_else(unknown)?;
            if option.kind == OptionKind::Bool {
                self.set(option, name, "true")?;
                continue;
            }
            // The rest of the bundle is the value, or else the next word.
            let value = match &text[behind..] {
                "" => self.next_value(text)?,
                rest => rest.to_owned(),
            };
            return self.set(option, name, &value);
        }
        Ok(())
    }

    fn next_value(&mut self, name: &str) -> Result<String, ArgumentError> {
        let word = self.rest.next().ok_or_else(|| ArgumentError::MissingValue(name.to_owned()))?;
        word.to_str()
            .map(str::to_owned)
            .ok_or_else(|| ArgumentError::NotText(word.to_string_lossy().into_owned()))
    }

    fn set(&mut self, option: &'static OptionDef, name: &str, text: &str) -> Result<(), ArgumentError> {
        let value = value_of(option, text)?;
        let key = option.name();
        if key == "help" {
            if value == OptionValue::Bool(true) {
                self.line.help = Some(if name == "help" { HelpSize::Long } else { HelpSize::Short });
            }
        } else if NEVER_SENT.contains(&key) {
            if self.line.local.iter().any(|(known, _)| *known == key) {
                return Err(ArgumentError::Repeated(key));
            }
            self.line.local.push((key, value));
        } else {
            if option.kind != OptionKind::Strings && self.line.invocation.given(key).is_some() {
                return Err(ArgumentError::Repeated(key));
            }
            self.line.invocation.set(key, value);
        }
        Ok(())
    }
}

fn value_of(option: &'static OptionDef, text: &str) -> Result<OptionValue, ArgumentError> {
    let lower = text.to_lowercase();
    let spelled = if option.kind == OptionKind::Bool { &lower } else { text };
    option.parse(spelled).map_err(|_| ArgumentError::Value {
        kind: option.kind,
        value: text.to_owned(),
        range: text.parse::<i128>().is_ok() && option.kind != OptionKind::Bool,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<CommandLine, ArgumentError> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn refused(line: &str) -> String {
        read(line).unwrap_err().to_string()
    }

    #[test]
    fn options_stand_anywhere() {
        for line in [
            "add -rw dir",
            "add dir -r -w",
            "-r add dir -w",
            "add --recursive=true --wrap-with-directory dir",
        ] {
            let Ok(read) = read(line) else {
                assert!(line.starts_with('-'), "an option of a command stands behind its name: {line}");
                continue;
            };
            assert_eq!(read.invocation.path, ["add"]);
            assert!(
                read.invocation.bool("recursive") && read.invocation.bool("wrap-with-directory"),
                "{line}"
            );
            assert_eq!(read.positional, ["dir"]);
        }
    }

    #[test]
    fn values_in_every_spelling() {
        for line in ["cat -o 2 -l 3 x", "cat -o2 -l3 x", "cat --offset=2 --length 3 x", "cat -o=2 -l=3 x"] {
            let read = read(line).unwrap();
            assert_eq!(
                (read.invocation.int("offset"), read.invocation.int("length")),
                (Some(2), Some(3)),
                "{line}"
            );
        }
        assert!(!read("add --pin=false x").unwrap().invocation.bool("pin"));
        assert!(!read("add --pin=FALSE x").unwrap().invocation.bool("pin"));
    }

    #[test]
    fn two_dashes_end_the_options() {
        assert_eq!(read("add -- -r --x").unwrap().positional, ["-r", "--x"]);
        assert_eq!(read("add -").unwrap().positional, ["-"]);
    }

    #[test]
    fn what_the_caller_acts_on_does_not_travel() {
        let line = read("--api /ip4/1.2.3.4/tcp/5 --offline cat --repo-dir=x y").unwrap();
        assert_eq!(line.local_string("api"), Some("/ip4/1.2.3.4/tcp/5"));
        assert_eq!(line.local_string("repo-dir"), Some("x"));
        assert_eq!(line.invocation.to_address(), "cat?offline=true");
    }

    #[test]
    fn help_comes_in_two_sizes() {
        assert_eq!(read("add -h").unwrap().help, Some(HelpSize::Short));
        assert_eq!(read("--help").unwrap().help, Some(HelpSize::Long));
        assert_eq!(read("add x").unwrap().help, None);
    }

    #[test]
    fn refusals_read_as_the_reference_node_writes_them() {
        for (line, text) in [
            ("add --nope x", r#"unknown option "nope""#),
            ("add -rZ x", r#"unknown option "rZ""#),
            ("cat -o 1 -o 2 x", r#"multiple values for option "offset""#),
            ("cat -o", r#"missing argument for option "o""#),
            ("cat --offset=abc x", r#"strconv.ParseInt: parsing "abc": invalid syntax"#),
            ("add --pin=maybe x", r#"strconv.ParseBool: parsing "maybe": invalid syntax"#),
            (
                "add --cid-version=99999999999 x",
                r#"strconv.ParseInt: parsing "99999999999": value out of range"#,
            ),
            ("nosuchcommand", "Unknown Command \"nosuchcommand\"\n"),
            ("urlstore add", "Unknown Command \"urlstore\"\n\nDid you mean this?\n\n\tls"),
        ] {
            assert_eq!(refused(line), text, "{line}");
        }
    }

    #[test]
    fn hostile_words_never_panic() {
        bolero::check!().with_type::<Vec<String>>().for_each(|words| {
            let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let _ = parse(&words);
            words.insert(0, "add".into());
            let _ = parse(&words);
        });
    }
}
