//! The one binary: `ipse`, and `ipfs` when it is called by that name.
//!
//! It reads the command line against the api's table, asks a daemon or a node in its own process, and prints.
//! It is the only crate that prints, and it knows nothing of blocks: whatever a command does, the node does.
//! Floor 6.
//!
//! Read first: [`app`] (from the words to the exit status), [`session`] (where a command is carried out) and
//! [`commands`] (how answers are shown).

mod answer;
mod app;
mod args;
mod backup;
mod commands;
mod console;
mod denylists;
mod error;
mod extract;
mod help;
mod hints;
mod listen;
mod local;
mod logging;
mod persona;
mod progress;
mod remote;
mod session;
mod text;
mod tour;
mod upload;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    app::run(&words)
}
