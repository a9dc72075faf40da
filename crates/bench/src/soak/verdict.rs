//! Is a figure flat?

use std::fmt;

use serde_json::{Value, json};

use crate::compare::number;
use crate::stats::{median, slope};

/// What a figure over time comes to. The first half is warming up: caches fill, the allocator finds its size.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    name: String,
    unit: &'static str,
    early: f64,
    late: f64,
    /// By how much a straight line through the second half rises from its begin to its end.
    growth: f64,
    noise: f64,
}

/// Growth over the second half, as a share of the figure, that is no growth.
const SHARE: f64 = 0.05;

impl Verdict {
    /// Looks at points of (seconds, value); None where there are too few.
    pub(crate) fn of(name: &str, unit: &'static str, points: &[(f64, f64)], noise: f64) -> Option<Self> {
        let second = &points[points.len() / 2..];
        let length = second.last()?.0 - second.first()?.0;
        let values = |points: &[(f64, f64)]| points.iter().map(|(_, value)| *value).collect::<Vec<_>>();
        Some(Self {
            name: name.to_owned(),
            unit,
            early: median(&values(&points[..points.len().div_ceil(4)]))?,
            late: median(&values(second))?,
            growth: slope(second)? * length,
            noise,
        })
    }

    pub(crate) fn flat(&self) -> bool {
        self.growth <= self.noise.max(self.late * SHARE)
    }

    pub(crate) fn json(&self) -> Value {
        json!({"name": self.name, "unit": self.unit, "first_quarter": self.early, "second_half": self.late,
               "growth": self.growth, "flat": self.flat()})
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [early, late, growth] = [self.early, self.late, self.growth].map(number);
        let flat = if self.flat() { "yes" } else { "**no**" };
        write!(f, "| {}, {} | {early} | {late} | {growth} | {flat} |", self.name, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(of: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..100).map(|i| (f64::from(i), of(f64::from(i)))).collect()
    }

    #[test]
    fn warming_up_is_no_growth() {
        let warm = points(|t| 100.0 - 80.0 * (-t / 5.0).exp() + t % 3.0);
        assert!(Verdict::of("m", "MiB", &warm, 2.0).unwrap().flat());
        let leak = points(|t| 100.0 + t + t % 3.0);
        let leak = Verdict::of("m", "MiB", &leak, 2.0).unwrap();
        assert!(!leak.flat() && (leak.growth - 49.0).abs() < 2.0, "{leak}");
        assert!(Verdict::of("m", "MiB", &points(|t| 1000.0 - t), 2.0).unwrap().flat());
        assert!(Verdict::of("m", "MiB", &[], 2.0).is_none());
    }
}
