//! Arguments: the command line read against the api's table, in the manner of the reference node: options
//! anywhere, `-rw` bundles, `--opt=value` and `--opt value`, `--` ends the options.
//!
//! Why not a ready-made parser: scripts read its error texts, and it must take a subcommand behind an option.

mod caller;
mod error;
mod inputs;
mod parser;

pub(crate) use caller::CALLER_OPTIONS;
pub(crate) use error::ArgumentError;
pub(crate) use inputs::{FileInput, Inputs, Source, gather};
pub(crate) use parser::{CommandLine, HelpSize, parse};
