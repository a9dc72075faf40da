//! How the store's costs grow with the number of blocks: straight through its own interface, no daemon.

mod measure;
pub(crate) mod part;
mod plot;

use std::path::PathBuf;

use serde_json::json;

use crate::Outcome;
use crate::lab::guard::Folder;
use measure::{HEADINGS, Point, Scale};
use plot::Plot;

#[derive(clap::Args)]
#[command(after_help = "Example: ipse-bench scale --up-to 10000000 --plots docs/plots --json scale.json")]
pub(crate) struct Options {
    /// Blocks of the first point
    #[arg(long, default_value_t = 100_000)]
    from: u64,
    /// Blocks of the last point; each point has about three times as many as the one before
    #[arg(long, default_value_t = 30_000_000)]
    up_to: u64,
    /// Bytes of a block
    #[arg(long, default_value_t = 64)]
    bytes: usize,
    /// Blocks that are read for the rate of gets
    #[arg(long, default_value_t = 200_000)]
    gets: u64,
    /// An existing folder to work in
    #[arg(long)]
    work: Option<PathBuf>,
    /// Write the points to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the plots, as SVG, into this folder
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// Fills a store step by step, and tells after each step.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let folder = Folder::new(options.work.as_deref())?;
    let root = folder.path().join("repo");
    let mut scale = Scale::new(root, std::env::current_exe()?, options.bytes, options.gets)?;
    let mut points: Vec<Point> = Vec::new();
    println!("{HEADINGS}");
    for blocks in steps(options.from, options.up_to) {
        let point = scale.grow_to(blocks)?;
        println!("{point}");
        points.push(point);
        // Written after each step: a long run that is ended has told what it saw.
        tell(options, &points)?;
    }
    Ok(())
}

/// 1, 3, 10, 30 … times the first.
fn steps(from: u64, up_to: u64) -> Vec<u64> {
    let mut steps = Vec::new();
    let (mut blocks, mut three) = (from.max(1), true);
    while blocks <= up_to {
        steps.push(blocks);
        blocks = if three { blocks * 3 } else { blocks / 3 * 10 };
        three = !three;
    }
    steps
}

fn tell(options: &Options, points: &[Point]) -> Outcome<()> {
    if let Some(path) = &options.json {
        let told: Vec<_> = points.iter().map(Point::json).collect();
        std::fs::write(path, format!("{:#}\n", json!({"bytes": options.bytes, "points": told})))?;
    }
    if let Some(folder) = &options.plots {
        std::fs::create_dir_all(folder)?;
        for plot in plots(points) {
            std::fs::write(folder.join(plot.file), plot.svg())?;
        }
    }
    Ok(())
}

fn plots(points: &[Point]) -> [Plot; 5] {
    let of =
        |value: fn(&Point) -> f64| points.iter().map(|p| (p.blocks as f64, value(p))).collect::<Vec<_>>();
    let x = "blocks in the store";
    [
        Plot {
            file: "store-rates.svg",
            title: "Rates of the store",
            x,
            y: "blocks a second",
            lines: vec![("puts", of(|p| p.puts_s)), ("gets", of(|p| p.gets_s))],
            bound: None,
        },
        Plot {
            file: "store-open.svg",
            title: "Opening a store",
            x,
            y: "milliseconds",
            lines: vec![
                ("after it was closed", of(|p| p.open_ms)),
                ("after kill -9 of a writer", of(|p| p.killed_open_ms)),
            ],
            bound: Some(("aim: 50 ms", 50.0)),
        },
        Plot {
            file: "store-memory.svg",
            title: "Memory of a store, beyond its process",
            x,
            y: "MiB",
            lines: vec![("once open", of(|p| p.opened_mib)), ("after reads", of(|p| p.memory_mib))],
            bound: None,
        },
        Plot {
            file: "store-memory-a-block.svg",
            title: "Memory a block takes, caches filled by reads",
            x,
            y: "bytes a block",
            lines: vec![("after reads", of(Point::memory_bytes))],
            bound: Some(("aim: 8 bytes", 8.0)),
        },
        Plot {
            file: "store-disk.svg",
            title: "Disk a block takes beyond its own bytes",
            x,
            y: "bytes a block",
            lines: vec![("segments and index", of(|p| p.overhead_bytes))],
            bound: None,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_by_about_three() {
        assert_eq!(steps(100, 10_000), [100, 300, 1000, 3000, 10_000]);
        assert_eq!(steps(100_000, 250_000), [100_000]);
        assert!(steps(10, 5).is_empty());
    }
}
