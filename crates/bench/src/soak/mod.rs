//! An hour of everything at once, on two daemons: does memory stay flat, and is everything still there?

mod load;
mod shelf;
mod verdict;
mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;
use crate::lab::guard::Folder;
use crate::lab::node::Node;
use crate::lab::program::Program;
use load::Load;
use watch::Watch;

#[derive(clap::Args)]
#[command(after_help = "Example: ipse-bench soak ipse=target/release/ipse --minutes 60 --json soak.json")]
pub(crate) struct Options {
    /// NAME=PATH of the program
    program: String,
    /// How long
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Seconds between two samples of memory, files, threads and disk
    #[arg(long, default_value_t = 5.0)]
    every: f64,
    /// Files that are kept; older ones are unpinned, for collection to find
    #[arg(long, default_value_t = 100)]
    keep: usize,
    /// An existing folder to work in
    #[arg(long)]
    work: Option<PathBuf>,
    /// Write samples and verdict to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Loads, watches, tells; fails if something was lost or grows.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let folder = Folder::new(options.work.as_deref())?;
    let program = Program::link(&options.program, folder.path())?;
    let near = Node::new(&program, folder.path().join("near"))?;
    let far = Node::new(&program, folder.path().join("far"))?;
    far.connect(near.swarm(), &near.peer_id()?)?;
    let stop = AtomicBool::new(false);
    let load = Load::new(&near, &far, folder.path(), options.keep);
    // Readers need something to read from the beginning.
    load.prime()?;
    let mut watch = Watch::default();
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    let watched = std::thread::scope(|scope| {
        let workers = load.start(scope, &stop);
        let watched = observe(options, length, &load, [&near, &far], &mut watch);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| "a worker panicked")?;
        }
        watched
    });
    watched?;
    let lost = load.read_everything_back();
    tell(options, &load, &watch, lost)
}

fn observe(
    options: &Options,
    length: Duration,
    load: &Load,
    nodes: [&Node; 2],
    watch: &mut Watch,
) -> Outcome<()> {
    let start = Instant::now();
    let mut told = 0;
    while start.elapsed() < length {
        watch.sample(start.elapsed().as_secs_f64(), nodes)?;
        let minute = start.elapsed().as_secs() / 60;
        if minute > told {
            told = minute;
            println!("minute {minute}: {}; {}", watch.last(), load.counts());
        }
        std::thread::sleep(
            Duration::from_secs_f64(options.every).min(length.saturating_sub(start.elapsed())),
        );
    }
    Ok(())
}

fn tell(options: &Options, load: &Load, watch: &Watch, lost: Vec<String>) -> Outcome<()> {
    println!("\n{}", load.counts());
    println!(
        "\n| of | first quarter | second half | grows in the second half by | flat |\n|---|---|---|---|---|"
    );
    let verdicts = watch.verdicts();
    for verdict in &verdicts {
        println!("{verdict}");
    }
    let mut failures = load.failures();
    failures.extend(lost);
    println!("\nacknowledged files that were kept: {}, failures: {}", load.kept(), failures.len());
    for failure in &failures {
        eprintln!("FAILED {failure}");
    }
    if let Some(path) = &options.json {
        let flat: Vec<_> = verdicts.iter().map(verdict::Verdict::json).collect();
        let told = json!({"minutes": options.minutes, "counts": load.counts(), "kept": load.kept(),
                          "failures": failures, "verdicts": flat, "samples": watch.json()});
        std::fs::write(path, format!("{told:#}\n"))?;
    }
    let growing = verdicts.iter().filter(|verdict| !verdict.flat()).count();
    match (failures.len(), growing) {
        (0, 0) => Ok(()),
        (failed, growing) => Err(format!("{failed} failures, {growing} figures grow").into()),
    }
}
