//! The short fuzz pass. bolero's targets are ordinary tests that try random
//! input for a second; here each gets longer, and only they run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, process, root};

/// Runs every bolero target of every crate, each for some seconds.
pub(crate) fn run(seconds: u64) -> Outcome<()> {
    let time = (seconds * 1000).to_string();
    for (package, tests) in targets(&root().join("crates"))? {
        println!("{package}: {}", tests.join(" "));
        let mut test = Command::new("cargo");
        test.args(["test", "-q", "-p", &package, "--"]).args(&tests);
        process::stream(test.env("BOLERO_RANDOM_TEST_TIME_MS", &time).current_dir(root()))?;
    }
    Ok(())
}

/// The names of the tests that are fuzz targets, by package.
fn targets(crates: &Path) -> Outcome<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(crates)? {
        let folder = entry?.path();
        let mut tests = Vec::new();
        for file in rust_files(&folder)? {
            tests.extend(targets_in(&std::fs::read_to_string(file)?));
        }
        if !tests.is_empty() {
            tests.sort();
            let noun = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.insert(format!("ipse-{noun}"), tests);
        }
    }
    Ok(found)
}

fn rust_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The functions in which a target is started.
fn targets_in(source: &str) -> Vec<String> {
    let mut function = None;
    let mut found = Vec::new();
    for line in source.lines() {
        if let Some(rest) = line.trim_start().strip_prefix("fn ") {
            function = rest.split(['(', '<']).next().map(str::to_owned);
        }
        if line.contains("bolero::check!") {
            found.extend(function.take());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_function_around_a_target() {
        let source = "fn one() {}\n  fn two() {\n    bolero::check!().with_type::<u8>()\n  }\nfn three() {}";
        assert_eq!(targets_in(source), ["two"]);
    }
}
