//! One table out of several comparisons: a full one takes long, and its pieces can be made apart.

use std::path::PathBuf;

use serde_json::Value;

use super::groups;
use super::report::Report;
use super::row::Row;
use super::samples::{Sample, Samples};
use crate::Outcome;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Files that `compare --json` wrote, of the same programs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the table to this file
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Write everything to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Everything that was read so far.
#[derive(Default)]
struct Merged {
    programs: Vec<String>,
    samples: Samples,
    notes: Vec<String>,
    called: Vec<String>,
}

/// Reads, merges, tells.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let mut merged = Merged::default();
    for path in &options.files {
        let value = serde_json::from_slice(&std::fs::read(path)?)?;
        merged.take(&value).map_err(|failure| format!("{}: {failure}", path.display()))?;
    }
    let report = Report {
        programs: merged.programs,
        rows: groups::ALL.iter().flat_map(|group| group.rows).collect(),
        samples: &merged.samples,
        notes: &merged.notes,
        called: merged.called,
    };
    report.tell(options.markdown.as_deref(), options.json.as_deref())
}

impl Merged {
    fn take(&mut self, value: &Value) -> Outcome<()> {
        let programs = texts(&value["programs"]);
        if self.programs.is_empty() {
            self.programs = programs;
        } else if self.programs != programs {
            return Err(
                format!("it compares {}, not {}", programs.join(", "), self.programs.join(", ")).into()
            );
        }
        for row in value["rows"].as_array().ok_or("no rows")? {
            let id = row["id"].as_str().unwrap_or_default();
            // A row of an older version that is no more.
            let Some(known) = find(id) else { continue };
            for (program, name) in self.programs.iter().enumerate() {
                for sample in samples(&row["figures"][name]) {
                    self.samples.add(known.id, program, sample);
                }
            }
        }
        for (name, values) in value["machine"].as_object().into_iter().flatten() {
            for value in values.as_array().into_iter().flatten().filter_map(Value::as_f64) {
                self.samples.add_machine(name, value);
            }
        }
        for note in texts(&value["notes"]) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.called.extend(texts(&value["command"]));
        Ok(())
    }
}

fn find(id: &str) -> Option<&'static Row> {
    groups::ALL.iter().flat_map(|group| group.rows).find(|row| row.id == id)
}

fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().into_iter();
    let many = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    one.chain(many).map(str::to_owned).collect()
}

fn samples(figure: &Value) -> Vec<Sample> {
    let values = figure["samples"].as_array().into_iter().flatten();
    let of = |(i, value): (usize, &Value)| {
        Some(Sample { value: value.as_f64()?, limit: figure["limits"].get(i).and_then(Value::as_f64) })
    };
    values.enumerate().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pieces_are_put_together() {
        let piece = |id: &str, value: f64| {
            json!({"command": ["x"], "programs": ["kubo", "ipse"], "notes": ["n"], "machine": {"disk": [value]},
                   "rows": [{"id": id, "figures": {"ipse": {"samples": [value], "limits": [2.0 * value]}}}]})
        };
        let mut merged = Merged::default();
        merged.take(&piece("add.256k", 100.0)).unwrap();
        merged.take(&piece("add.256k", 300.0)).unwrap();
        merged.take(&piece("unknown", 300.0)).unwrap();
        let figure = merged.samples.figure(find("add.256k").unwrap(), 1).unwrap();
        assert_eq!((figure.median, figure.rounds, figure.share), (200.0, 2, Some(0.5)));
        assert_eq!((merged.notes.len(), merged.called.len()), (1, 3));
        assert_eq!(merged.samples.machine()["disk"], [100.0, 300.0, 300.0]);
        let mut other = piece("add.256k", 1.0);
        other["programs"] = json!(["kubo"]);
        assert!(merged.take(&other).is_err());
    }
}
