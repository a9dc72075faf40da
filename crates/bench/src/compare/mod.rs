//! Programs that speak the reference node's command line, on the same work, in rounds that alternate.
//!
//! A [`Group`] is work that shares its preparation; it measures the [`Row`](row::Row)s that it
//! lists. Each round runs each group for each program, so that a machine that gets slower does so for all.

mod bench;
mod groups;
mod report;
mod round;
mod row;
mod samples;
pub(crate) mod table;

use std::path::PathBuf;

use bench::Bench;
use groups::Group;
use report::Report;
pub(crate) use report::number;
use round::Round;
use samples::Samples;

use crate::Outcome;

#[derive(clap::Args, Clone)]
#[command(
    after_help = "Example: ipse-bench compare kubo=/path/to/ipfs ipse=target/dist/ipse --only add,cat --repeat 3"
)]
pub(crate) struct Options {
    /// NAME=PATH; the first is what the others are compared with, the last is judged
    #[arg(required = true)]
    programs: Vec<String>,
    /// Groups or rows, by comma; a name that is none prints all of them
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Size of the large file, in MiB
    #[arg(long, default_value_t = 1024)]
    size: u64,
    /// Number of small files of 4 KiB
    #[arg(long, default_value_t = 20_000)]
    files: u64,
    /// Size of the file fetched over long paths, in MiB
    #[arg(long, default_value_t = 128)]
    far: u64,
    /// Number of files in the group `many`
    #[arg(long, default_value_t = 100_000)]
    many: u64,
    /// Number of pins in the group `pins`
    #[arg(long, default_value_t = 1_000_000)]
    pins: u64,
    /// Number of leaves in the group `walks`
    #[arg(long, default_value_t = 1_000_000)]
    walks: u64,
    /// Seconds of each load on a gateway
    #[arg(long, default_value_t = 4)]
    load: u32,
    /// The probe of a raw libp2p stream; by default where the examples of `net` are built
    #[arg(long)]
    probe_stream: Option<PathBuf>,
    /// The boxo peer of the interop cells; by default where `cargo xtask setup` builds it
    #[arg(long)]
    go_peer: Option<PathBuf>,
    /// The peer that lies; by default where the examples of `net` are built
    #[arg(long)]
    liar: Option<PathBuf>,
    /// An existing folder to work in, on the disk to be measured
    #[arg(long)]
    work: Option<PathBuf>,
    /// Write everything measured to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the table to this file
    #[arg(long)]
    markdown: Option<PathBuf>,
}

/// Measures, tells, and fails if something could not be measured.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let groups = chosen(&options.only)?;
    let bench = Bench::new(options.clone())?;
    let mut samples = Samples::default();
    let mut notes = bench.notes();
    let mut failed = 0;
    for round in 1..=options.repeat {
        for group in &groups {
            println!("round {round} of {}, {}: {}", options.repeat, group.name, group.about);
            for failure in turn(&bench, group, &mut samples) {
                failed += 1;
                eprintln!("  FAILED {failure}");
                notes.push(format!("{}: {failure}", group.name));
            }
        }
        tell(&bench, &groups, &samples, &notes)?;
    }
    if failed > 0 { Err(format!("{failed} steps failed").into()) } else { Ok(()) }
}

/// One round of a group: its limits, then every program.
fn turn(bench: &Bench, group: &Group, samples: &mut Samples) -> Vec<String> {
    let mut failures = Vec::new();
    let mut limits = std::collections::BTreeMap::new();
    if let Some(measure) = group.limits
        && let Err(failure) = measure(bench, &mut limits)
    {
        failures.push(format!("limits: {failure}"));
    }
    for (name, value) in &limits {
        println!("  {:8} {name:32} {}", "machine", report::number(*value));
        samples.add_machine(name, *value);
    }
    for program in 0..bench.programs.len() {
        let mut round = Round::new(bench, program, &limits, samples);
        if let Err(failure) = (group.measure)(&mut round) {
            failures.push(failure.to_string());
        }
    }
    failures
}

fn chosen(only: &[String]) -> Outcome<Vec<&'static Group>> {
    for name in only {
        let known = groups::ALL.iter().any(|group| group.rows.iter().any(|row| selects(name, row.id)));
        if !known {
            let names: Vec<String> = groups::ALL
                .iter()
                .map(|group| {
                    let rows: Vec<&str> = group.rows.iter().map(|row| row.id).collect();
                    format!("{}: {}", group.name, rows.join(" "))
                })
                .collect();
            return Err(format!("no row is called {name}. There are:\n{}", names.join("\n")).into());
        }
    }
    let wanted = |group: &&Group| group.rows.iter().any(|row| wants(only, row.id));
    Ok(groups::ALL.iter().filter(wanted).collect())
}

/// Whether a row was asked for.
fn wants(only: &[String], row: &str) -> bool {
    only.is_empty() || only.iter().any(|name| selects(name, row))
}

/// `far.50` selects `far.50.256k`, but not `far.500`.
fn selects(name: &str, row: &str) -> bool {
    row.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn tell(bench: &Bench, groups: &[&Group], samples: &Samples, notes: &[String]) -> Outcome<()> {
    let notes: Vec<String> = notes.iter().chain(samples.remarks()).cloned().collect();
    let report = Report {
        programs: bench.programs.iter().map(|program| program.name.clone()).collect(),
        rows: groups.iter().flat_map(|group| group.rows).collect(),
        samples,
        notes: &notes,
        called: vec![called(std::env::args().skip(1))],
    };
    report.tell(bench.options.markdown.as_deref(), bench.options.json.as_deref())
}

/// Options that say only where something is on this machine.
const WHERE: [&str; 6] = ["--json", "--markdown", "--work", "--probe-stream", "--go-peer", "--liar"];

/// The command as it can be told: without where things are.
fn called(words: impl Iterator<Item = String>) -> String {
    let mut out = vec!["ipse-bench".to_owned()];
    let mut words = words;
    while let Some(word) = words.next() {
        if WHERE.contains(&word.as_str()) {
            words.next();
        } else if !WHERE.iter().any(|option| word.starts_with(&format!("{option}="))) {
            out.push(match word.split_once('=') {
                Some((name, path)) if path.contains('/') => {
                    format!("{name}=…/{}", path.rsplit('/').next().unwrap_or(path))
                }
                _ => word,
            });
        }
    }
    out.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn arguments_are_read() {
        let cli = Cli::parse_from(["x", "a=1", "b=2", "--only", "add,cat", "--repeat", "3", "--size", "16"]);
        assert_eq!(cli.options.programs, ["a=1", "b=2"]);
        assert_eq!(cli.options.only, ["add", "cat"]);
        assert_eq!((cli.options.repeat, cli.options.size), (3, 16));
        assert!(Cli::try_parse_from(["x"]).is_err());
    }

    #[test]
    fn the_command_is_told_without_places() {
        let words =
            ["compare", "a=x/y/ipfs", "--json", "p/q", "--only", "add", "--work=z"].map(str::to_owned);
        assert_eq!(called(words.into_iter()), "ipse-bench compare a=…/ipfs --only add");
    }

    #[test]
    fn rows_are_chosen_by_their_beginning() {
        assert!(selects("far", "far.50.256k") && selects("far.50", "far.50.256k"));
        assert!(!selects("far.5", "far.50.256k") && !selects("fa", "far.50"));
        let names = |only: &[&str]| -> Vec<&str> {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            chosen(&only).unwrap().iter().map(|group| group.name).collect()
        };
        assert_eq!(names(&["cat", "add.256k"]), ["add", "cat"]);
        assert_eq!(names(&[]).len(), groups::ALL.len());
        assert!(chosen(&["nothing".to_owned()]).is_err());
    }

    #[test]
    fn rows_have_names_of_their_own_under_their_group() {
        let mut seen = std::collections::BTreeSet::new();
        for group in groups::ALL {
            for row in group.rows {
                assert!(selects(group.name, row.id), "{} is not under {}", row.id, group.name);
                assert!(seen.insert(row.id), "{} stands twice", row.id);
            }
        }
    }
}
