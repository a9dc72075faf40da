//! One program's turn at one group.

use std::collections::BTreeMap;

use super::bench::Bench;
use super::report::number;
use super::samples::{Sample, Samples};
use super::wants;
use crate::Outcome;
use crate::lab::limits;
use crate::lab::node::Node;
use crate::lab::program::Program;

/// Limits of the machine by name, measured in this round.
pub(crate) type Limits = BTreeMap<&'static str, f64>;

/// A turn.
pub(crate) struct Round<'a> {
    pub(crate) bench: &'a Bench,
    index: usize,
    limits: &'a Limits,
    samples: &'a mut Samples,
}

impl<'a> Round<'a> {
    pub(crate) fn new(bench: &'a Bench, index: usize, limits: &'a Limits, samples: &'a mut Samples) -> Self {
        Self { bench, index, limits, samples }
    }

    /// Whose turn it is.
    pub(crate) fn program(&self) -> &'a Program {
        &self.bench.programs[self.index]
    }

    /// The program that the others are compared with.
    pub(crate) fn reference(&self) -> &'a Program {
        &self.bench.programs[0]
    }

    /// Whether a row, or any row that begins so, was asked for.
    pub(crate) fn wants(&self, row: &str) -> bool {
        wants(&self.bench.options.only, row)
    }

    /// A limit of this round.
    pub(crate) fn limit(&self, name: &str) -> Option<f64> {
        self.limits.get(name).copied()
    }

    /// A running node of the program, in a place of its own.
    pub(crate) fn node(&self, role: &str) -> Outcome<Node> {
        Node::new(self.program(), self.bench.place(&format!("{}-{role}", self.program().name)))
    }

    /// A running node of another program.
    pub(crate) fn node_of(&self, program: &Program, role: &str) -> Outcome<Node> {
        Node::new(program, self.bench.place(&format!("{}-{role}", program.name)))
    }

    /// Notes a figure, if its row was asked for.
    pub(crate) fn record(&mut self, row: &'static str, value: f64) {
        self.record_beside(row, value, None);
    }

    /// Notes a figure with the limit that was measured next to it.
    pub(crate) fn record_beside(&mut self, row: &'static str, value: f64, limit: Option<f64>) {
        if !self.wants(row) {
            return;
        }
        let share = limit.map_or_else(String::new, |limit| {
            format!(" ({:.0} % of {})", value / limit * 100.0, number(limit))
        });
        println!("  {:8} {row:32} {}{share}", self.program().name, number(value));
        self.samples.add(row, self.index, Sample { value, limit });
    }

    /// Says something that a reader of the report has to know.
    pub(crate) fn remark(&mut self, remark: String) {
        self.samples.remark(remark);
    }

    /// Measures how fast the disk is right now, so that a step that writes can be told as a share of it.
    pub(crate) fn disk(&mut self, mebibytes: u64) -> Outcome<f64> {
        let rate = limits::disk_mib_s(self.bench.folder(), mebibytes)?;
        self.samples.add_machine("disk: write and fdatasync, MiB/s", rate);
        limits::settle();
        Ok(rate)
    }
}
