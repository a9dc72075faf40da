//! The gate: every step, in order, each timed. It stops at the first failure.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Outcome, fuzz, interop, process, release_binary, root, setup};

type Step = (&'static str, fn() -> Outcome<()>);

/// Cheap steps come first, so that a slip costs seconds.
const STEPS: &[Step] = &[
    ("format", || cargo(&["fmt", "--all", "--check"])),
    ("lint", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("test", || cargo(&["test", "--workspace"])),
    ("documentation", documentation),
    ("fuzz", || fuzz::run(3)),
    ("release build", || cargo(&["build", "--release"])),
    ("tour", tour),
    ("tools", setup::run),
    ("interop", || interop::run(&interop::Options::default())),
];

/// Runs the gate.
pub(crate) fn run() -> Outcome<()> {
    let mut times = Vec::new();
    for (name, step) in STEPS {
        println!("\n==== {name}");
        let start = Instant::now();
        let outcome = step();
        times.push((*name, start.elapsed()));
        if let Err(failure) = outcome {
            summary(&times);
            return Err(format!("the step \"{name}\" failed: {failure}").into());
        }
        println!("==== {name}: done in {:.1} s", start.elapsed().as_secs_f64());
    }
    summary(&times);
    Ok(())
}

fn summary(times: &[(&str, Duration)]) {
    println!();
    for (name, time) in times {
        println!("{name:16} {:8.1} s", time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    println!("{:16} {:8.1} s", "all", total.as_secs_f64());
}

fn cargo(arguments: &[&str]) -> Outcome<()> {
    process::stream(Command::new("cargo").args(arguments).current_dir(root()))
}

fn documentation() -> Outcome<()> {
    let mut doc = Command::new("cargo");
    doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").current_dir(root());
    process::stream(&mut doc)
}

/// The tour is a promise of the README, so it is part of the gate.
fn tour() -> Outcome<()> {
    let ipse = release_binary();
    if process::output(process::limited(&ipse, 10).args(["tour", "--help"])).is_err() {
        println!("SKIP: this ipse has no tour");
        return Ok(());
    }
    process::stream(process::limited(&ipse, 300).arg("tour"))
}
