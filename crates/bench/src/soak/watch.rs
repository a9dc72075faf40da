//! What the daemons take while they are loaded.

use serde_json::{Value, json};

use super::verdict::Verdict;
use crate::Outcome;
use crate::lab::content::footprint;
use crate::lab::node::Node;
use crate::lab::process::{memory_mib, open_files, threads};

/// One figure of one daemon over time.
struct Series {
    name: String,
    unit: &'static str,
    /// Growth over the second half that is no growth: what a moment's work takes.
    noise: f64,
    /// (seconds, value)
    points: Vec<(f64, f64)>,
}

/// Every figure of both daemons.
#[derive(Default)]
pub(crate) struct Watch {
    series: Vec<Series>,
}

const FIGURES: [(&str, &str, f64); 4] = [
    ("memory", "MiB", 8.0),
    ("open files", "files", 8.0),
    ("threads", "threads", 4.0),
    ("repository", "MiB", 64.0),
];

impl Watch {
    /// Takes a sample of each figure.
    pub(crate) fn sample(&mut self, seconds: f64, nodes: [&Node; 2]) -> Outcome<()> {
        if self.series.is_empty() {
            for who in ["near", "far"] {
                self.series.extend(FIGURES.iter().map(|(what, unit, noise)| Series {
                    name: format!("{who}: {what}"),
                    unit,
                    noise: *noise,
                    points: Vec::new(),
                }));
            }
        }
        let mut values = Vec::new();
        for node in nodes {
            let pid = node.pid()?;
            values.push(memory_mib(pid, "VmRSS")?);
            values.push(open_files(pid)? as f64);
            values.push(threads(pid)? as f64);
            values.push(footprint(&node.repo).0 as f64 / 1_048_576.0);
        }
        for (series, value) in self.series.iter_mut().zip(values) {
            series.points.push((seconds, value));
        }
        Ok(())
    }

    /// The newest sample, as a person reads it.
    pub(crate) fn last(&self) -> String {
        let of = |series: &Series| {
            series.points.last().map(|(_, value)| format!("{} {value:.0} {}", series.name, series.unit))
        };
        self.series.iter().filter_map(of).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        self.series.iter().filter_map(|s| Verdict::of(&s.name, s.unit, &s.points, s.noise)).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let of = |series: &Series| (series.name.clone(), json!(series.points));
        self.series.iter().map(of).collect::<serde_json::Map<_, _>>().into()
    }
}
