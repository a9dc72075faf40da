//! Files of at most 600 lines and functions of at most 70, tests aside.

use crate::code::{closing, find_word, line_of, shipped_lines};
use crate::crates::{Crate, root};
use crate::modules::{Source, sources};
use crate::obey;

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 70;

fn everything() -> Vec<Source> {
    let crates = Crate::all().into_iter().chain([Crate::read(&root().join("xtask"))]);
    crates.flat_map(|one| sources(&one)).collect()
}

#[test]
fn files_are_small() {
    let broken: Vec<String> = everything()
        .iter()
        .map(|source| (source, shipped_lines(&source.text)))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path))
        .collect();
    let remedy = "Split it by noun into a folder of that name.";
    obey("A file is longer than 600 lines:", remedy, &broken);
}

#[test]
fn functions_are_small() {
    let broken: Vec<String> = everything()
        .iter()
        .flat_map(|source| {
            let long = functions(&source.code).into_iter().filter(|(_, _, lines)| *lines > LONGEST_FUNCTION);
            long.map(|(name, line, lines)| format!("{}:{line}: {name}, {lines} lines", source.path))
        })
        .collect();
    let remedy = "Give its steps names of their own.";
    obey("A function is longer than 70 lines:", remedy, &broken);
}

/// Name, first line and length of every function, from the line of its
/// signature to that of its closing brace.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let text: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    for at in find_word(code, "fn ") {
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let start = code[..at].chars().count();
        let Some(open) = body(&text, start) else { continue };
        let end = closing(&text, open);
        let lines = text[start..end].iter().filter(|c| **c == '\n').count() + 1;
        if !name.is_empty() {
            found.push((name, line_of(code, at), lines));
        }
    }
    found
}

/// The brace that opens the body of the function at `start`; None if it is
/// only declared. A semicolon may stand inside the signature, in `[u8; 4]`.
fn body(text: &[char], start: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in text.iter().enumerate().skip(start) {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(i),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn functions_are_measured() {
    let code = "trait A {\n fn none(&self);\n}\nfn one(a: [u8; 4]) {}\n\nfn three<T>()\nwhere T: A {\n}\n";
    let found = functions(code);
    assert_eq!(found, [("one".into(), 4, 1), ("three".into(), 6, 3)]);
}
