//! The files of a crate as its `mod` lines lead to them. What no line leads to
//! is dead; what a line under `#[cfg(test)]` leads to is test code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::code;
use crate::crates::{Crate, root, show};
use crate::obey;

/// One file of a crate that people get, without its tests.
pub(crate) struct Source {
    /// From the workspace down.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Comments, literals and tests blanked.
    pub(crate) code: String,
}

/// The sources of a crate, files of tests left out.
pub(crate) fn sources(one: &Crate) -> Vec<Source> {
    let mut files: Vec<PathBuf> = Vec::new();
    walk(one, |path, tested| {
        if !tested {
            files.push(path.to_path_buf());
        }
    });
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            Source { path: show(&file), code: code::shipped(&text), text }
        })
        .collect()
}

/// Follows the `mod` lines from every root of a crate.
fn walk(one: &Crate, mut found: impl FnMut(&Path, bool)) {
    let src = one.folder.join("src");
    let mut roots = vec![src.join("lib.rs"), src.join("main.rs")];
    if let Ok(programs) = fs::read_dir(src.join("bin")) {
        roots.extend(programs.map(|entry| entry.unwrap().path()));
    }
    let mut pending: Vec<(PathBuf, bool)> =
        roots.into_iter().filter(|file| file.is_file()).map(|file| (file, false)).collect();
    while let Some((file, tested)) = pending.pop() {
        found(&file, tested);
        let text = fs::read_to_string(&file).unwrap();
        for Declared { name, path, only_tests } in declared(&text) {
            let child = match path {
                Some(path) => file.parent().map(|folder| folder.join(path)),
                None => child(&file, &name),
            };
            if let Some(child) = child {
                let named_so = matches!(child.file_stem().and_then(|stem| stem.to_str()), Some("tests"));
                pending.push((child, tested || only_tests || named_so));
            }
        }
    }
}

/// A line like `pub(crate) mod name;` with the attributes above it.
#[derive(Debug, PartialEq)]
struct Declared {
    name: String,
    /// `#[path = "…"]`
    path: Option<String>,
    /// `#[cfg(test)]`
    only_tests: bool,
}

fn declared(text: &str) -> Vec<Declared> {
    let mut found = Vec::new();
    let mut attributes = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") && line.ends_with(']') {
            attributes.push_str(line);
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["mod", name] | [_, "mod", name] = words[..]
            && let Some(name) = name.strip_suffix(';')
        {
            let path = attributes.split_once("#[path = \"").and_then(|(_, rest)| rest.split_once('"'));
            found.push(Declared {
                name: name.to_owned(),
                path: path.map(|(path, _)| path.to_owned()),
                only_tests: attributes.contains("#[cfg(test)]"),
            });
        }
        attributes.clear();
    }
    found
}

/// The file of the module `name` that `parent` declares.
fn child(parent: &Path, name: &str) -> Option<PathBuf> {
    let folder = parent.parent()?;
    let stem = parent.file_stem()?.to_str()?;
    let in_bin = folder.ends_with("src/bin");
    let below = match stem {
        "lib" | "main" | "mod" => folder.to_path_buf(),
        _ if in_bin => folder.to_path_buf(),
        _ => folder.join(stem),
    };
    [below.join(format!("{name}.rs")), below.join(name).join("mod.rs")]
        .into_iter()
        .find(|file| file.is_file())
}

fn files_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.insert(path);
        }
    }
}

#[test]
fn no_file_is_dead() {
    let mut broken = Vec::new();
    for one in Crate::all().into_iter().chain([Crate::read(&root().join("xtask"))]) {
        let mut files = BTreeSet::new();
        files_below(&one.folder.join("src"), &mut files);
        walk(&one, |path, _| {
            files.remove(path);
        });
        broken.extend(files.iter().map(|file| show(file)));
    }
    obey("No mod line leads to a file:", "Declare it in its parent, or delete it.", &broken);
}

#[test]
fn mod_lines_are_read() {
    let text =
        "mod a;\n#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod tests;\npub(crate) mod b;\nmod c { }\nuse d;";
    let read: Vec<_> = declared(text).into_iter().map(|one| (one.name, one.path, one.only_tests)).collect();
    let expected = [("a", None, false), ("tests", Some("a_tests.rs"), true), ("b", None, false)];
    assert_eq!(read, expected.map(|(name, path, tests)| (name.to_owned(), path.map(str::to_owned), tests)));
}
