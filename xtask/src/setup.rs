//! What is needed beyond Rust and a C compiler: Go and npm, the packages of
//! the foreign peers, and the Go programs built.

use std::path::Path;
use std::process::Command;

use crate::{Outcome, process, root};

/// Installs what is missing; does nothing that has been done before.
pub(crate) fn run() -> Outcome<()> {
    let interop = root().join("interop");
    install_missing(&[("go", "golang-go"), ("npm", "npm")])?;
    npm(&interop)?;
    go(&interop)
}

/// The system's packages are asked only for programs that are not there.
fn install_missing(programs: &[(&str, &str)]) -> Outcome<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|(name, _)| !process::exists(name)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    process::stream(Command::new("apt-get").args(["update", "-qq"]))?;
    process::stream(Command::new("apt-get").args(["install", "-y", "-qq"]).args(missing))
}

fn npm(interop: &Path) -> Outcome<()> {
    let newest = |file: &str| interop.join(file).metadata().and_then(|meta| meta.modified()).ok();
    // npm leaves its own copy of the lock behind when it has finished.
    let installed = newest("node_modules/.package-lock.json");
    if installed.is_some() && installed >= newest("package-lock.json") {
        return Ok(());
    }
    println!("installing the packages of interop/package-lock.json");
    let mut install = process::limited("npm", 600);
    // The peers run on the Node.js that is one of these packages, so what npm
    // thinks of the one it runs on itself does not matter.
    install.args(["ci", "--ignore-scripts", "--loglevel=error"]).current_dir(interop);
    process::stream(&mut install)
}

fn go(interop: &Path) -> Outcome<()> {
    println!("building interop/go-peer");
    let mut build = process::limited("go", 900);
    build.args(["build", "-o", "../bin/", "./..."]).current_dir(interop.join("go-peer"));
    std::fs::create_dir_all(interop.join("bin"))?;
    process::stream(&mut build)
}
