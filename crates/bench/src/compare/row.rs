//! A row of the table: what is measured, in which unit, and what is aimed at.

/// One figure that is measured for every program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// What `--only` calls it: the group, a dot, the rest.
    pub(crate) id: &'static str,
    /// What the table calls it.
    pub(crate) work: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    /// What the machine's limit is, where a figure has one.
    pub(crate) limit: Option<&'static str>,
    /// All of them have to be met.
    pub(crate) targets: &'static [Target],
}

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What is aimed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// So many times better than the first program.
    Ratio(f64),
    /// At least this share of the limit.
    Share(f64),
    /// At most so many times the limit.
    Times(f64),
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    /// A figure that should be high.
    pub(crate) const fn rate(id: &'static str, work: &'static str, unit: &'static str) -> Self {
        Self { id, work, unit, better: Better::Higher, limit: None, targets: &[] }
    }

    /// A figure that should be low.
    pub(crate) const fn cost(id: &'static str, work: &'static str, unit: &'static str) -> Self {
        Self { id, work, unit, better: Better::Lower, limit: None, targets: &[] }
    }

    /// With something to aim at.
    pub(crate) const fn aim(mut self, targets: &'static [Target]) -> Self {
        self.targets = targets;
        self
    }

    /// With a limit that stands beside each sample.
    pub(crate) const fn beside(mut self, limit: &'static str) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How many times better than another figure.
    pub(crate) fn ratio(&self, value: f64, other: f64) -> Option<f64> {
        let (above, below) = match self.better {
            Better::Higher => (value, other),
            Better::Lower => (other, value),
        };
        (below > 0.0).then(|| above / below)
    }
}

impl Target {
    /// Whether it is met; None where nothing was measured to tell by.
    pub(crate) fn met(self, value: f64, ratio: Option<f64>, share: Option<f64>) -> Option<bool> {
        match self {
            Self::Ratio(least) => ratio.map(|ratio| ratio >= least),
            Self::Share(least) => share.map(|share| share >= least),
            Self::Times(most) => share.map(|share| share <= most),
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
        }
    }

    /// As it stands in the table.
    pub(crate) fn show(self, unit: &str) -> String {
        match self {
            Self::Ratio(least) => format!("≥ {least}×"),
            Self::Share(least) => format!("≥ {:.0} % of limit", least * 100.0),
            Self::Times(most) => format!("≤ {most}× limit"),
            Self::AtLeast(least) => format!("≥ {least} {unit}"),
            Self::AtMost(most) => format!("≤ {most} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_say_how_many_times_better() {
        assert_eq!(Row::rate("a", "a", "x/s").ratio(10.0, 5.0), Some(2.0));
        assert_eq!(Row::cost("a", "a", "s").ratio(10.0, 5.0), Some(0.5));
        assert_eq!(Row::cost("a", "a", "s").ratio(0.0, 5.0), None);
    }

    #[test]
    fn targets_need_what_they_speak_of() {
        assert_eq!(Target::Ratio(4.0).met(1.0, Some(4.0), None), Some(true));
        assert_eq!(Target::Ratio(4.0).met(1.0, None, Some(1.0)), None);
        assert_eq!(Target::Share(0.6).met(1.0, None, Some(0.5)), Some(false));
        assert_eq!(Target::Times(1.5).met(1.0, None, Some(1.2)), Some(true));
        assert_eq!(Target::AtMost(96.0).met(97.0, None, None), Some(false));
        assert_eq!(Target::AtLeast(5.0).met(5.0, None, None), Some(true));
    }
}
