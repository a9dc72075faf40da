//! What the cells came to, printed line by line as they end.

use std::time::Duration;

use crate::Outcome;

enum Verdict {
    Passed(String),
    Failed(String),
    Skipped(String),
}

/// One cell's result.
pub(crate) struct Line {
    name: String,
    time: Duration,
    verdict: Verdict,
}

impl Line {
    /// A cell that ran for `time`.
    pub(crate) fn ran(name: &str, time: Duration, outcome: Outcome<String>) -> Self {
        let verdict = match outcome {
            Ok(note) => Verdict::Passed(note),
            Err(why) => Verdict::Failed(why.to_string()),
        };
        Self { name: name.to_owned(), time, verdict }
    }

    /// A cell whose tool is not installed.
    pub(crate) fn skipped(name: &str, lack: String) -> Self {
        Self { name: name.to_owned(), time: Duration::ZERO, verdict: Verdict::Skipped(lack) }
    }
}

/// The running count.
#[derive(Default)]
pub(crate) struct Report {
    passed: usize,
    failed: Vec<String>,
    skipped: usize,
}

impl Report {
    /// Counts a cell and prints its line.
    pub(crate) fn add(&mut self, line: Line) {
        let (word, note) = match line.verdict {
            Verdict::Passed(note) => {
                self.passed += 1;
                ("ok", note)
            }
            Verdict::Failed(why) => {
                self.failed.push(line.name.clone());
                ("FAIL", why)
            }
            Verdict::Skipped(lack) => {
                self.skipped += 1;
                ("SKIP", lack)
            }
        };
        println!("{word:4} {:6.1} s  {:62} {note}", line.time.as_secs_f64(), line.name);
    }

    /// Prints the closing line. In CI a skipped cell is a failed one: there
    /// the tools are installed first, so one that is missing is a mistake.
    pub(crate) fn close(self) -> Outcome<()> {
        for name in &self.failed {
            println!("failed: {name}");
        }
        print!("{} passed, {} failed", self.passed, self.failed.len());
        if self.skipped > 0 {
            print!(", {} skipped", self.skipped);
        }
        println!();
        let strict = std::env::var_os("CI").is_some_and(|value| value == "true");
        match (self.failed.len(), self.skipped) {
            (0, 0) => Ok(()),
            (0, skipped) if strict => {
                Err(format!("{skipped} cells were skipped: run cargo xtask setup").into())
            }
            (0, _) => Ok(()),
            (failed, _) => Err(format!("{failed} cells failed").into()),
        }
    }
}
