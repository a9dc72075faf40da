//! All pairs: a small choice of rows in which any two values that occur
//! together somewhere in the full table occur together in the choice. Most
//! faults need no more than two things to meet.

use std::collections::HashSet;

/// A value of one factor beside a value of another.
type Pair = (usize, usize, usize, usize);

/// Chooses rows greedily: always the one that shows most pairs not seen yet,
/// and among equals the lightest, then the first.
pub(crate) fn choose<const N: usize>(rows: &[[usize; N]], weight: impl Fn(usize) -> u64) -> Vec<usize> {
    let mut unseen: HashSet<Pair> = rows.iter().flat_map(pairs).collect();
    let mut chosen = Vec::new();
    while !unseen.is_empty() {
        let gain = |row: usize| pairs(&rows[row]).filter(|pair| unseen.contains(pair)).count();
        let best = (0..rows.len())
            .max_by_key(|&row| (gain(row), std::cmp::Reverse(weight(row)), std::cmp::Reverse(row)));
        let Some(best) = best else { break };
        for pair in pairs(&rows[best]) {
            unseen.remove(&pair);
        }
        chosen.push(best);
    }
    chosen.sort_unstable();
    chosen
}

fn pairs<const N: usize>(row: &[usize; N]) -> impl Iterator<Item = Pair> + '_ {
    (0..N).flat_map(move |a| (a + 1..N).map(move |b| (a, row[a], b, row[b])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(sizes: [usize; 4]) -> Vec<[usize; 4]> {
        let mut rows = Vec::new();
        for a in 0..sizes[0] {
            for b in 0..sizes[1] {
                for c in 0..sizes[2] {
                    rows.extend((0..sizes[3]).map(|d| [a, b, c, d]));
                }
            }
        }
        rows
    }

    #[test]
    fn every_pair_that_can_meet_meets() {
        let mut rows = product([3, 2, 7, 2]);
        // A combination that cannot be: it must not be asked for, and the rest
        // must still be complete.
        rows.retain(|row| !(row[0] == 0 && row[1] == 1));
        let chosen = choose(&rows, |_| 0);
        let wanted: HashSet<Pair> = rows.iter().flat_map(pairs).collect();
        let seen: HashSet<Pair> = chosen.iter().flat_map(|&row| pairs(&rows[row])).collect();
        assert_eq!(seen, wanted);
        assert!(chosen.len() < rows.len() / 2, "{} of {}", chosen.len(), rows.len());
    }

    #[test]
    fn the_lightest_of_equals_is_taken() {
        let rows = [[0, 0], [0, 0]];
        assert_eq!(choose(&rows, |row| if row == 0 { 5 } else { 1 }), [1]);
    }

    #[test]
    fn nothing_comes_from_nothing() {
        assert!(choose::<3>(&[], |_| 0).is_empty());
    }
}
