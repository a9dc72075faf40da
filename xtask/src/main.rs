//! Tasks of the workshop: the gate, the tools it needs, and interop.
//!
//! `cargo xtask ci` is all that `.ci/run` does, so a green run here is a green
//! run there.
// A task runner talks to the person who started it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod campaign;
mod ci;
mod fuzz;
mod interop;
mod process;
mod setup;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// A failure is a sentence for the person who runs the task.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the workshop")]
enum Task {
    /// Everything the gate does, in its order
    Ci,
    /// Install what is needed beyond Rust and a C compiler, and build the foreign peers
    Setup,
    /// Run the fuzz targets, and only them, longer than a test run does
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Run the fault tests of store and daemon at their full count, in release
    Campaign,
    /// Exchange files with foreign peers and clients, byte for byte
    Interop(interop::Options),
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Ci => ci::run(),
        Task::Setup => setup::run(),
        Task::Fuzz { seconds } => fuzz::run(seconds),
        Task::Campaign => campaign::run(),
        Task::Interop(options) => interop::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace, wherever the task was called from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The binary that people get.
fn release_binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release/ipse")
}
