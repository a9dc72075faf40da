//! The table: for people as Markdown, for programs as JSON.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::row::{Row, Target};
use super::samples::{Figure, Samples};
use crate::{Outcome, stats};

/// What is told of a comparison.
pub(crate) struct Report<'a> {
    pub(crate) programs: Vec<String>,
    pub(crate) rows: Vec<&'a Row>,
    pub(crate) samples: &'a Samples,
    /// What was not measured, and why.
    pub(crate) notes: &'a [String],
    /// How it was called, once or in pieces.
    pub(crate) called: Vec<String>,
}

impl Report<'_> {
    /// Shows it, and writes it where that was asked for.
    pub(crate) fn tell(&self, markdown: Option<&Path>, json: Option<&Path>) -> Outcome<()> {
        let text = self.markdown();
        println!("\n{text}");
        if let Some(path) = markdown {
            std::fs::write(path, text)?;
        }
        if let Some(path) = json {
            std::fs::write(path, format!("{:#}\n", self.json()))?;
        }
        Ok(())
    }

    /// A table with a line for each row that has samples.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::from("| work |");
        for name in &self.programs {
            let _ = write!(out, " {name} |");
        }
        out.push_str(" ratio | of the limit | target | met |\n|---|");
        out.push_str(&"---|".repeat(self.programs.len() + 4));
        out.push('\n');
        for row in &self.rows {
            self.line(row, &mut out);
        }
        self.machine(&mut out);
        for note in self.notes {
            let _ = write!(out, "\n- {note}");
        }
        let _ = writeln!(out, "\n\n```console\n$ {}\n```", self.called.join("\n$ "));
        out
    }

    fn line(&self, row: &Row, out: &mut String) {
        let figures: Vec<Option<Figure>> =
            (0..self.programs.len()).map(|program| self.samples.figure(row, program)).collect();
        if figures.iter().all(Option::is_none) {
            return;
        }
        let _ = write!(out, "| {}, {} |", row.work, row.unit);
        for figure in &figures {
            let text = figure.as_ref().map_or_else(|| "–".to_owned(), cell);
            let _ = write!(out, " {text} |");
        }
        // The last program is the one that is judged.
        let judged = figures.last().and_then(Option::as_ref);
        let ratio = judged.and_then(|figure| figure.ratio);
        let share = judged.and_then(|figure| figure.share);
        let ratio_text = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{}×", number(ratio)));
        let share_text = match (share, row.limit) {
            (Some(share), Some(limit)) => format!("{:.0} % of {limit}", share * 100.0),
            _ => "–".to_owned(),
        };
        let targets: Vec<String> = row.targets.iter().map(|target| target.show(row.unit)).collect();
        let met = judged.map_or("–", |figure| verdict(row.targets, figure.median, ratio, share));
        let _ = writeln!(out, " {ratio_text} | {share_text} | {} | {met} |", targets.join(", "));
    }

    fn machine(&self, out: &mut String) {
        let limits = self.samples.machine();
        if limits.is_empty() {
            return;
        }
        out.push_str("\n| limit of the machine | median | from … to |\n|---|---|---|\n");
        for (name, values) in limits {
            let (Some(median), Some((least, most))) = (stats::median(values), stats::spread(values)) else {
                continue;
            };
            let _ = writeln!(out, "| {name} | {} | {} … {} |", number(median), number(least), number(most));
        }
    }

    /// Every sample, and what it comes to.
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .filter(|row| self.samples.has(row, self.programs.len()))
            .map(|row| self.json_row(row))
            .collect();
        let machine = self.samples.machine();
        json!({"command": self.called, "programs": self.programs, "rows": rows, "machine": machine, "notes": self.notes})
    }

    fn json_row(&self, row: &Row) -> Value {
        let figures: serde_json::Map<String, Value> = self
            .programs
            .iter()
            .enumerate()
            .filter_map(|(program, name)| {
                let figure = self.samples.figure(row, program)?;
                let samples = self.samples.of(row, program);
                let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
                let limits: Vec<Option<f64>> = samples.iter().map(|sample| sample.limit).collect();
                let met: Vec<Option<bool>> = row
                    .targets
                    .iter()
                    .map(|target| target.met(figure.median, figure.ratio, figure.share))
                    .collect();
                Some((
                    name.clone(),
                    json!({"median": figure.median, "ratio": figure.ratio, "share": figure.share,
                           "samples": values, "limits": limits, "met": met}),
                ))
            })
            .collect();
        let targets: Vec<String> = row.targets.iter().map(|target| target.show(row.unit)).collect();
        json!({"id": row.id, "work": row.work, "unit": row.unit, "limit": row.limit,
               "targets": targets, "figures": figures})
    }
}

fn verdict(targets: &[Target], value: f64, ratio: Option<f64>, share: Option<f64>) -> &'static str {
    let met: Vec<Option<bool>> = targets.iter().map(|target| target.met(value, ratio, share)).collect();
    if met.contains(&Some(false)) {
        "**no**"
    } else if met.is_empty() || met.contains(&None) {
        "–"
    } else {
        "yes"
    }
}

fn cell(figure: &Figure) -> String {
    if figure.rounds < 2 {
        return number(figure.median);
    }
    format!("{} ({}…{})", number(figure.median), number(figure.spread.0), number(figure.spread.1))
}

/// Three digits that say something; thousands with a comma.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    let whole = text.split('.').next().unwrap_or(&text).trim_start_matches('-').len();
    if digits > 0 || whole <= 3 {
        return text;
    }
    let mut out = String::new();
    for (i, digit) in text.chars().enumerate() {
        let left = text.len() - i;
        if i > 0 && left % 3 == 0 && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::samples::Sample;
    use super::*;

    const ROW: Row = Row::rate("add.big", "add 1 GiB", "MiB/s")
        .aim(&[Target::Ratio(4.0), Target::Share(0.65)])
        .beside("disk");

    fn samples(ipse: f64) -> Samples {
        let mut samples = Samples::default();
        samples.add(ROW.id, 0, Sample { value: 300.0, limit: Some(1000.0) });
        samples.add(ROW.id, 1, Sample { value: ipse, limit: Some(1800.0) });
        samples.add_machine("sha256 on one core, MiB/s", 1900.0);
        samples
    }

    fn report(samples: &Samples) -> Report<'_> {
        let programs = vec!["kubo".to_owned(), "ipse".to_owned()];
        Report {
            programs,
            rows: vec![&ROW],
            samples,
            notes: &[],
            called: vec!["ipse-bench compare".to_owned()],
        }
    }

    #[test]
    fn a_line_says_whether_the_target_is_met() {
        let met = samples(1500.0);
        let text = report(&met).markdown();
        let line = "| add 1 GiB, MiB/s | 300 | 1,500 | 5.00× | 83 % of disk | ≥ 4×, ≥ 65 % of limit | yes |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("| sha256 on one core, MiB/s | 1,900 |"), "{text}");
        let missed = samples(900.0);
        assert!(
            report(&missed).markdown().contains("| 3.00× | 50 % of disk | ≥ 4×, ≥ 65 % of limit | **no** |")
        );
    }

    #[test]
    fn json_carries_every_sample() {
        let samples = samples(1500.0);
        let value = report(&samples).json();
        assert_eq!(value["rows"][0]["figures"]["ipse"]["samples"][0], 1500.0);
        assert_eq!(value["rows"][0]["figures"]["ipse"]["met"], json!([true, true]));
        assert_eq!(value["machine"]["sha256 on one core, MiB/s"], json!([1900.0]));
    }

    #[test]
    fn numbers_have_three_digits() {
        let texts = [0.0, 0.0123, 1.234, 12.34, 123.4, 1234.5, 1_234_567.0, -1234.0].map(number);
        assert_eq!(texts, ["0", "0.0123", "1.23", "12.3", "123", "1,234", "1,234,567", "-1,234"]);
    }
}
