//! clippy keeps some laws for us, if it is told to everywhere.

use std::fs;

use toml::{Table, Value};

use crate::crates::{Crate, root};
use crate::obey;

#[test]
fn the_workspace_forbids_unwrap() {
    let manifest: Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let lints = &manifest["workspace"]["lints"]["clippy"];
    let missing: Vec<String> = ["unwrap_used", "print_stdout", "print_stderr", "todo", "unimplemented"]
        .iter()
        .filter(|lint| !matches!(lints.get(**lint).and_then(Value::as_str), Some("warn" | "deny")))
        .map(|lint| format!("clippy::{lint}"))
        .collect();
    obey("A lint of the house is off:", "Turn it on in [workspace.lints.clippy].", &missing);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let crates = Crate::all().into_iter().chain([Crate::read(&root().join("xtask"))]);
    let broken: Vec<String> = crates
        .filter(|one| {
            let lints = one.manifest.get("lints").and_then(|lints| lints.get("workspace"));
            lints.and_then(Value::as_bool) != Some(true)
        })
        .map(|one| one.package().to_owned())
        .collect();
    obey("A crate has lints of its own:", "Add [lints] with workspace = true.", &broken);
}
