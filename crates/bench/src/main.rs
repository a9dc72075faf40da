//! Measures Ipse beside its peers and beside what the machine can do at all.
//!
//! A figure alone says nothing on a machine whose disk moves by a factor of eight within an hour. So everything
//! here is a ratio from one run: programs take turns, limits are measured next to the steps that they bound.
//! It is not shipped, and asserts nothing: it prints what it saw beside what was aimed at.
// An instrument talks to the person who started it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod collect;
mod compare;
mod hostile;
mod lab;
mod micro;
mod relay;
mod scale;
mod soak;
mod stats;

use std::process::ExitCode;

use clap::Parser;

/// A failure is a sentence for the person who runs the instrument.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "ipse-bench", about = "Measures Ipse beside its peers and the machine's limits")]
enum Task {
    /// Measure programs that speak the reference node's command line, in rounds that alternate
    Compare(compare::Options),
    /// One table out of what several comparisons wrote with `--json`
    Table(compare::table::Options),
    /// Load two daemons with everything at once, and see whether they stay as they are
    Soak(soak::Options),
    /// Set hostile peers and clients that read nothing upon a node, and see what becomes of the others
    Hostile(hostile::Options),
    /// Single parts in memory, each beside a crate that does the same
    Micro(micro::Options),
    /// See how the store's costs grow with the number of blocks
    Scale(scale::Options),
    /// See what a collection costs those who use the store meanwhile
    Collect(collect::Options),
    /// What `scale` does in a process of its own
    #[command(hide = true)]
    ScalePart(scale::part::Options),
    /// Pass TCP or UDP on with a delay, a bandwidth and a loss
    Relay(relay::Options),
}

fn main() -> ExitCode {
    let task = Task::parse();
    lab::guard::watch();
    let outcome = match task {
        Task::Compare(options) => compare::run(&options),
        Task::Table(options) => compare::table::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Hostile(options) => hostile::run(&options),
        Task::Micro(options) => micro::run(&options),
        Task::Scale(options) => scale::run(&options),
        Task::Collect(options) => collect::run(&options),
        Task::ScalePart(options) => scale::part::run(&options),
        Task::Relay(options) => relay::run(&options),
    };
    lab::guard::wait_for_an_end();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ipse-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
