//! From positional arguments to what a command takes: strings that travel with the request, local files, and
//! standard input for what is missing.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

use ipse_api::{Argument, Command, Invocation};

use super::error::ArgumentError;
use crate::error::FileError;

/// What a command line gives to a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// String arguments, in order.
    pub(crate) strings: Vec<String>,
    /// Files to upload, by name.
    pub(crate) files: Vec<FileInput>,
    /// The argument whose values stand on standard input, one a line.
    pub(crate) strings_from_stdin: Option<&'static str>,
}

/// One file to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileInput {
    /// Its name in the upload.
    pub(crate) name: OsString,
    /// Where its bytes are.
    pub(crate) source: Source,
}

/// Where a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the file system; a directory stands for all that is in it.
    Path(PathBuf),
    /// On standard input.
    Stdin,
}

/// Sorts positional arguments into what the command's definition says.
pub(crate) fn gather(invocation: &Invocation, positional: Vec<OsString>) -> Result<Inputs, ArgumentError> {
    let arguments = invocation.command.arguments;
    let variadic = arguments.last().is_some_and(|last| last.variadic);
    if !variadic && positional.len() > arguments.len() {
        return Err(ArgumentError::TooMany { expected: arguments.len(), given: positional.len() });
    }
    let mut gathering = Gathering { invocation, inputs: Inputs::default(), folders: HashMap::new() };
    let filled = gathering.fill(invocation.command, positional)?;
    if let Some(missing) = arguments.get(filled..).into_iter().flatten().find(|argument| argument.required) {
        return Err(ArgumentError::Missing(missing.name));
    }
    gathering.inputs.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(gathering.inputs)
}

struct Gathering<'a> {
    invocation: &'a Invocation,
    inputs: Inputs,
    /// The folder that each file name came from.
    folders: HashMap<OsString, PathBuf>,
}

impl Gathering<'_> {
    /// Gives each word to a definition; returns how many definitions are served.
    fn fill(&mut self, command: &'static Command, positional: Vec<OsString>) -> Result<usize, ArgumentError> {
        let arguments = command.arguments;
        let mut required = arguments.iter().filter(|argument| argument.required).count();
        let mut left = positional.len();
        let mut next = 0;
        for word in positional {
            // An optional argument is passed over where the words are needed for the required ones behind it.
            while left <= required && arguments.get(next).is_some_and(|argument| !argument.required) {
                next += 1;
            }
            let Some(argument) = arguments.get(next).or(arguments.last()) else { break };
            if argument.required {
                required = required.saturating_sub(1);
            }
            self.take(argument, word)?;
            next += 1;
            left -= 1;
        }
        if let Some(argument) =
            arguments.get(next).filter(|argument| argument.stdin && next + 1 == arguments.len())
        {
            self.take_stdin(argument);
            next += 1;
        }
        Ok(next)
    }

    fn take(&mut self, argument: &'static Argument, word: OsString) -> Result<(), ArgumentError> {
        if argument.file {
            return self.take_file(argument, &word);
        }
        let text = word.into_string();
        let text = text.map_err(|word| ArgumentError::NotText(word.to_string_lossy().into_owned()))?;
        self.inputs.strings.push(text);
        Ok(())
    }

    fn take_stdin(&mut self, argument: &'static Argument) {
        if !argument.required {
            return;
        }
        if argument.file {
            let name = self.invocation.string("stdin-name").unwrap_or_default().into();
            self.inputs.files.push(FileInput { name, source: Source::Stdin });
        } else {
            self.inputs.strings_from_stdin = Some(argument.name);
        }
    }

    fn take_file(&mut self, argument: &'static Argument, word: &OsStr) -> Result<(), ArgumentError> {
        if word == "-" {
            let name = self.invocation.string("stdin-name").unwrap_or_default().into();
            self.inputs.files.push(FileInput { name, source: Source::Stdin });
            return Ok(());
        }
        let path = self.locate(Path::new(word))?;
        self.check_directory(argument, &path)?;
        let name = path.file_name().map_or_else(|| path.clone().into_os_string(), OsStr::to_owned);
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        match self.folders.get(&name) {
            // The very same file once more.
            Some(known) if *known == folder => return Ok(()),
            Some(known) => {
                return Err(ArgumentError::SameName {
                    name: name.to_string_lossy().into_owned(),
                    one: shown(&folder),
                    other: shown(known),
                });
            }
            None => self.folders.insert(name.clone(), folder),
        };
        self.inputs.files.push(FileInput { name, source: Source::Path(path) });
        Ok(())
    }

    /// The path to read: without detours, and with links followed where the options say so.
    fn locate(&self, word: &Path) -> Result<PathBuf, ArgumentError> {
        let path = without_detours(word);
        // A path that ends in no name, such as `.` or `..`, takes its name from where it leads.
        if self.invocation.bool("dereference-symlinks") || path.file_name().is_none() {
            return Ok(path.canonicalize().map_err(FileError::at("lstat", &path))?);
        }
        Ok(path)
    }

    fn check_directory(&self, argument: &'static Argument, path: &Path) -> Result<(), ArgumentError> {
        let metadata = fs::symlink_metadata(path).map_err(FileError::at("lstat", path))?;
        if !metadata.is_dir() {
            return Ok(());
        }
        let path = path.display().to_string();
        if !argument.recursive {
            return Err(ArgumentError::NoDirectories { path, argument: argument.name });
        }
        if !self.invocation.bool("recursive") {
            return Err(ArgumentError::NotRecursive(path));
        }
        Ok(())
    }
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() }
}

/// The path without `.`, doubled slashes, and `x/..`; purely by its text.
fn without_detours(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::parse;

    fn inputs(words: &[&str]) -> Result<Inputs, ArgumentError> {
        let line = parse(&words.iter().map(OsString::from).collect::<Vec<_>>())?;
        gather(&line.invocation, line.positional)
    }

    #[test]
    fn strings_and_what_is_missing() {
        assert_eq!(inputs(&["cat", "a", "b"]).unwrap().strings, ["a", "b"]);
        assert_eq!(inputs(&["cat"]).unwrap().strings_from_stdin, Some("ipfs-path"));
        assert_eq!(inputs(&["pin", "ls"]).unwrap().strings_from_stdin, None);
        assert_eq!(inputs(&["config"]).unwrap_err().to_string(), r#"argument "key" is required"#);
        assert_eq!(inputs(&["version", "x"]).unwrap_err().to_string(), "expected 0 argument(s), got 1");
    }

    #[test]
    fn files_from_paths_and_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "a").unwrap();
        let path = file.to_str().unwrap();
        let expected = FileInput { name: "a.txt".into(), source: Source::Path(file.clone()) };
        assert_eq!(inputs(&["add", path, path]).unwrap().files, [expected]);
        let stdin = |name: &str| FileInput { name: name.into(), source: Source::Stdin };
        assert_eq!(inputs(&["add"]).unwrap().files, [stdin("")]);
        assert_eq!(inputs(&["add", "--stdin-name=x", "-"]).unwrap().files, [stdin("x")]);
    }

    #[test]
    fn directories_want_to_be_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let text = format!("'{path}' is a directory, use the '-r' flag to specify directories");
        assert_eq!(inputs(&["add", path]).unwrap_err().to_string(), text);
        assert_eq!(inputs(&["add", "-r", path]).unwrap().files.len(), 1);
        let error = inputs(&["block", "put", path]).unwrap_err();
        assert!(matches!(error, ArgumentError::NoDirectories { .. }), "{error}");
        let text = inputs(&["add", "missing.txt"]).unwrap_err().to_string();
        assert_eq!(text, "lstat missing.txt: no such file or directory");
    }

    #[test]
    fn one_name_from_two_places_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["one", "two"].map(|name| {
            fs::create_dir(folder.path().join(name)).unwrap();
            let path = folder.path().join(name).join("x");
            fs::write(&path, name).unwrap();
            path.to_str().unwrap().to_owned()
        });
        assert!(matches!(inputs(&["add", &paths[0], &paths[1]]), Err(ArgumentError::SameName { .. })));
    }

    #[test]
    fn detours_are_dropped() {
        for (path, straight) in
            [("./a//b/", "a/b"), ("a/../b", "b"), ("../x", "../x"), ("/../x", "/x"), ("", ".")]
        {
            assert_eq!(without_detours(Path::new(path)), Path::new(straight), "{path}");
        }
    }
}
