//! Counters: what a part did, so that a slow figure is explained before it is tuned. `ipse diag hot` prints
//! them.
//!
//! A counter only grows, from the start of the node; whoever wants a rate looks twice.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that grows. Counting costs one uncontended atomic addition and orders nothing.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `amount` more.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Counts one more.
    pub fn one(&self) {
        self.add(1);
    }

    /// Keeps the highest value that was seen, for a level instead of a sum.
    pub fn raise_to(&self, level: u64) {
        self.0.fetch_max(level, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one counter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Its name, in the form of an identifier.
    pub name: &'static str,
    /// What is counted, in words.
    pub about: &'static str,
    /// The number now.
    pub value: u64,
}

/// A part that counts.
pub trait Counted: Send + Sync {
    /// The part's name, such as `store`.
    fn part(&self) -> &'static str;

    /// Its counters, in the order in which they explain it.
    fn counts(&self) -> Vec<Count>;
}

/// Makes a struct of counters: `counters! { /// Doc. pub struct Name: "part" { field: "What it counts", } }`.
#[macro_export]
macro_rules! counters {
    ($(#[$meta:meta])* $vis:vis struct $name:ident: $part:literal { $($field:ident: $about:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $vis struct $name {
            $(#[doc = concat!($about, ".")] pub $field: $crate::Counter,)+
        }

        impl $crate::Counted for $name {
            fn part(&self) -> &'static str {
                $part
            }

            fn counts(&self) -> Vec<$crate::Count> {
                vec![$($crate::Count {
                    name: stringify!($field),
                    about: $about,
                    value: self.$field.get(),
                },)+]
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    counters! {
        /// For the test.
        struct Kitchen: "kitchen" {
            plates: "Plates washed",
            guests_peak: "Most guests at once",
        }
    }

    #[test]
    fn counters_are_told_in_order() {
        let kitchen = Kitchen::default();
        kitchen.plates.one();
        kitchen.plates.add(2);
        kitchen.guests_peak.raise_to(5);
        kitchen.guests_peak.raise_to(4);
        let told: Vec<_> = kitchen.counts().iter().map(|count| (count.name, count.value)).collect();
        assert_eq!(told, [("plates", 3), ("guests_peak", 5)]);
        assert_eq!(kitchen.part(), "kitchen");
    }
}
