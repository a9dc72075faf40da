//! Micro-benchmarks: single parts in memory, each beside a crate that does the same.
//!
//! Ours and the other's take turns, and the median of the rounds counts: what the machine does meanwhile meets both.

mod codec;
mod exchange;
mod hash;
mod store;

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::compare::number;
use crate::stats::median;

#[derive(clap::Args)]
#[command(after_help = "Example: ipse-bench micro --only codec,hash")]
pub(crate) struct Options {
    /// Groups to run: hash, codec, store, exchange. Default: all
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds in which ours and the other's take turns
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Milliseconds that one of them works in a round, at least
    #[arg(long, default_value_t = 200)]
    millis: u64,
}

/// Does a piece of work and says how much it was, in the case's unit.
type Work = Box<dyn FnMut() -> Outcome<f64>>;

/// One piece of work, done by us and perhaps by somebody else.
struct Case {
    name: &'static str,
    unit: &'static str,
    ours: Work,
    /// Who else does it, and how.
    other: Option<(&'static str, Work)>,
}

impl Case {
    fn new(name: &'static str, unit: &'static str, ours: impl FnMut() -> Outcome<f64> + 'static) -> Self {
        Self { name, unit, ours: Box::new(ours), other: None }
    }

    fn beside(mut self, who: &'static str, work: impl FnMut() -> Outcome<f64> + 'static) -> Self {
        self.other = Some((who, Box::new(work)));
        self
    }
}

/// A group's name and what makes its cases.
type Group = (&'static str, fn() -> Outcome<Vec<Case>>);

const GROUPS: [Group; 4] =
    [("hash", hash::cases), ("codec", codec::cases), ("store", store::cases), ("exchange", exchange::cases)];

/// Runs the groups and prints one table.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    println!("| work | unit | Ipse | beside | its rate | ratio |\n|---|---|---|---|---|---|");
    for (name, cases) in GROUPS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        for case in cases()? {
            println!("{}", measured(case, options)?);
        }
    }
    Ok(())
}

fn measured(mut case: Case, options: &Options) -> Outcome<String> {
    let least = Duration::from_millis(options.millis);
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    // The first round warms up.
    for round in 0..=options.rounds {
        let rate = rate(&mut case.ours, least)?;
        ours.extend((round > 0).then_some(rate));
        if let Some((_, work)) = &mut case.other {
            let rate = self::rate(work, least)?;
            others.extend((round > 0).then_some(rate));
        }
    }
    let Case { name, unit, other, .. } = case;
    let median = |rates: &[f64]| median(rates).ok_or("nothing was measured");
    let ours = median(&ours)?;
    let beside = match other {
        Some((who, _)) => {
            let other = median(&others)?;
            format!("{who} | {} | {:.2}×", number(other), ours / other)
        }
        None => "– | – | –".to_owned(),
    };
    Ok(format!("| {name} | {unit} | {} | {beside} |", number(ours)))
}

/// How much a second.
fn rate(work: &mut Work, least: Duration) -> Outcome<f64> {
    let (start, mut done) = (Instant::now(), 0.0);
    while start.elapsed() < least {
        done += work()?;
    }
    Ok(done / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_runs_beside_its_other() {
        let options = Options { only: Vec::new(), rounds: 1, millis: 0 };
        for (_, cases) in GROUPS {
            for mut case in cases().unwrap() {
                assert!((case.ours)().unwrap() > 0.0, "{}", case.name);
                if let Some((who, work)) = &mut case.other {
                    assert!(work().unwrap() > 0.0, "{} beside {who}", case.name);
                }
            }
        }
        let mut left = 3;
        let case = Case::new("a", "b", move || {
            left -= 1;
            Ok(f64::from(left).max(1.0))
        });
        assert!(measured(case, &Options { millis: 1, ..options }).unwrap().starts_with("| a | b | "));
    }
}
