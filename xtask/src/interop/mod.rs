//! Interop: Ipse and foreign peers hand each other files, and every byte is
//! compared by its hash. Described in interop/README.md.

mod cell;
mod client;
mod content;
mod foreign;
mod idle;
mod matrix;
mod node;
mod pairwise;
mod reconnect;
mod report;
mod side;
mod tools;

use std::path::PathBuf;
use std::time::Instant;

use crate::Outcome;
use cell::Cell;
use report::Report;
use tools::Tools;

/// Which cells to run, and against what.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// The full product of the cells instead of a pairwise choice
    #[arg(long)]
    all: bool,
    /// Only cells whose name contains this (repeat: all must be contained)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// The binary under test [default: target/release/ipse]
    #[arg(long, value_name = "PATH")]
    ipse: Option<PathBuf>,
    /// Print the names of the cells and run none
    #[arg(long)]
    list: bool,
}

/// A cell that is not one of the matrix.
type Special = (String, fn(&Tools, &str) -> Outcome<String>);

/// Runs the cells; an error if any of them failed.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let wanted = |name: &str| options.only.iter().all(|part| name.contains(part.as_str()));
    let cells = if options.all { Cell::all() } else { Cell::pairwise() };
    let cells: Vec<Cell> = cells.into_iter().filter(|cell| wanted(&cell.name())).collect();
    let mut specials: Vec<Special> = reconnect::cells();
    specials.extend(client::cells());
    specials.retain(|(name, _)| wanted(name));
    let idle: Vec<Special> = idle::cells().into_iter().filter(|(name, _)| wanted(name)).collect();

    if options.list {
        let special = specials.iter().chain(&idle).map(|(name, _)| name.clone());
        special.chain(cells.iter().map(Cell::name)).for_each(|name| println!("{name}"));
        return Ok(());
    }

    let tools = Tools::find(options.ipse.clone())?;
    let mut report = Report::default();
    std::thread::scope(|scope| {
        // These sleep for a minute, so they do it beside the others.
        let waiting: Vec<_> = idle
            .into_iter()
            .map(|(name, run)| {
                let tools = &tools;
                scope.spawn(move || one(&name, tools, |name| run(tools, name)))
            })
            .collect();
        for (name, run) in specials {
            report.add(one(&name, &tools, |name| run(&tools, name)));
        }
        for cell in cells {
            report.add(one(&cell.name(), &tools, |_| matrix::run(&tools, &cell)));
        }
        for thread in waiting {
            match thread.join() {
                Ok(result) => report.add(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    report.close()
}

/// Runs one cell, or says which tool it lacks.
fn one(name: &str, tools: &Tools, run: impl FnOnce(&str) -> Outcome<String>) -> report::Line {
    if let Some(lack) = tools.lack(name) {
        return report::Line::skipped(name, lack);
    }
    let start = Instant::now();
    let outcome = run(name);
    report::Line::ran(name, start.elapsed(), outcome)
}
