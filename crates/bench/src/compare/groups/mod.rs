//! The groups of rows: one file each.

mod add;
mod cat;
mod far;
mod fetch;
mod gateway;
mod keep;
mod many;
mod mixed;
mod pins;
mod quiet;
mod shaped;
mod small;
mod start;
mod walks;

use super::bench::Bench;
use super::round::{Limits, Round};
use super::row::Row;
use crate::Outcome;

/// Rows that share their preparation.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) rows: &'static [Row],
    /// Measures the machine's limits once in each round.
    pub(crate) limits: Option<fn(&Bench, &mut Limits) -> Outcome<()>>,
    /// Measures the rows for one program.
    pub(crate) measure: fn(&mut Round) -> Outcome<()>,
}

/// Every group, in the order of the table.
pub(crate) const ALL: &[Group] = &[
    add::GROUP,
    small::GROUP,
    cat::GROUP,
    fetch::GROUP,
    far::GROUP,
    shaped::GROUP,
    mixed::GROUP,
    gateway::GROUP,
    keep::GROUP,
    start::GROUP,
    quiet::GROUP,
    many::GROUP,
    pins::GROUP,
    walks::GROUP,
];

const MIB: f64 = 1_048_576.0;
