//! What was measured, and what it comes to.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;
use crate::stats;

/// One measurement, with the limit that was measured next to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) limit: Option<f64>,
}

/// Everything that a comparison measured.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    by_row: BTreeMap<(&'static str, usize), Vec<Sample>>,
    machine: BTreeMap<String, Vec<f64>>,
    remarks: BTreeSet<String>,
}

/// What a program's samples of a row come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) spread: (f64, f64),
    /// The figure as a share of its limit: the median of the rounds' shares, because limits move.
    pub(crate) share: Option<f64>,
    /// How many times better than the first program.
    pub(crate) ratio: Option<f64>,
    pub(crate) rounds: usize,
}

impl Samples {
    pub(crate) fn add(&mut self, row: &'static str, program: usize, sample: Sample) {
        self.by_row.entry((row, program)).or_default().push(sample);
    }

    /// Adds a figure of the machine itself.
    pub(crate) fn add_machine(&mut self, name: &str, value: f64) {
        self.machine.entry(name.to_owned()).or_default().push(value);
    }

    /// Adds what a reader of the figures has to know; once, however many rounds say it.
    pub(crate) fn remark(&mut self, remark: String) {
        self.remarks.insert(remark);
    }

    /// What a reader of the figures has to know.
    pub(crate) fn remarks(&self) -> &BTreeSet<String> {
        &self.remarks
    }

    /// The figures of the machine, by name.
    pub(crate) fn machine(&self) -> &BTreeMap<String, Vec<f64>> {
        &self.machine
    }

    /// The raw samples of a program.
    pub(crate) fn of(&self, row: &Row, program: usize) -> &[Sample] {
        self.by_row.get(&(row.id, program)).map_or(&[], Vec::as_slice)
    }

    /// Whether any program has a sample of the row.
    pub(crate) fn has(&self, row: &Row, programs: usize) -> bool {
        (0..programs).any(|program| !self.of(row, program).is_empty())
    }

    /// What a program's samples come to.
    pub(crate) fn figure(&self, row: &Row, program: usize) -> Option<Figure> {
        let samples = self.of(row, program);
        let values = values(samples);
        let median = stats::median(&values)?;
        let shares: Vec<f64> = samples
            .iter()
            .filter_map(|s| s.limit.filter(|limit| *limit > 0.0).map(|l| s.value / l))
            .collect();
        let first = stats::median(&self::values(self.of(row, 0)));
        let ratio = first.filter(|_| program > 0).and_then(|first| row.ratio(median, first));
        Some(Figure {
            median,
            spread: stats::spread(&values)?,
            share: stats::median(&shares),
            ratio,
            rounds: values.len(),
        })
    }
}

fn values(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_all_rounds() {
        let row = Row::rate("a.b", "work", "MiB/s");
        let mut samples = Samples::default();
        for (program, value, limit) in
            [(0, 10.0, None), (1, 40.0, Some(100.0)), (0, 30.0, None), (1, 80.0, Some(100.0))]
        {
            samples.add("a.b", program, Sample { value, limit });
        }
        let first = samples.figure(&row, 0).unwrap();
        assert_eq!((first.median, first.ratio, first.share), (20.0, None, None));
        let second = samples.figure(&row, 1).unwrap();
        assert_eq!((second.median, second.ratio, second.share), (60.0, Some(3.0), Some(0.6000000000000001)));
        assert_eq!((second.spread, second.rounds), ((40.0, 80.0), 2));
        assert_eq!(samples.figure(&row, 2), None);
    }
}
