//! At which worker counts two arms are compared, once both were tried with several.
//!
//! Pure; decides nothing about a single arm.

use crate::analysis::tuning::{Point, Tuning};
use crate::analysis::verdict::{Comparison, compare};

/// Pairs of runs below which there is no interval.
const PAIRS: usize = 2;

/// Why two arms are compared at these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Each with the count that is recommended for it, or the best one tried.
    Best,
    /// Both with the same count, because their best ones were not measured in pairs.
    Equal,
    /// As [`Basis::Best`], though no counts were measured in pairs.
    Apart,
}

/// Two arms at one count each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AtCounts {
    /// Workers of the baseline.
    pub(crate) baseline: u32,
    /// Workers of the arm.
    pub(crate) arm: u32,
    /// Why these.
    pub(crate) basis: Basis,
    /// What came out.
    pub(crate) comparison: Comparison,
}

/// Compares an arm with the baseline: at their best counts if these were measured in pairs, else at the largest equal
/// count up to the larger of these that was, else at their best counts all the same. `None` where one of them has none.
#[must_use]
pub(crate) fn at_counts(baseline: &Tuning, arm: &Tuning) -> Option<AtCounts> {
    let best = |tuning: &Tuning| tuning.advice.workers();
    let (one, other) = (best(baseline)?, best(arm)?);
    let at = |one: u32, other: u32, basis: Basis| {
        let (one, other): (&Point, &Point) = (baseline.point(one)?, arm.point(other)?);
        let comparison = compare(&one.figures, &other.figures);
        Some(AtCounts { baseline: one.workers, arm: other.workers, basis, comparison })
    };
    let in_pairs = |found: &AtCounts| found.comparison.pairs >= PAIRS && !found.comparison.apart;
    let equal = || {
        let counts = baseline.points.iter().rev().map(|point| point.workers).filter(|count| *count <= one.max(other));
        counts.filter_map(|count| at(count, count, Basis::Equal)).find(in_pairs)
    };
    at(one, other, Basis::Best).filter(in_pairs).or_else(equal).or_else(|| at(one, other, Basis::Apart))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::estimate;
    use crate::analysis::tuning::Bounds;
    use crate::analysis::verdict::{Finding, RunFigure};

    const BOUNDS: Bounds = Bounds { most: 64, cores: 2, open_arrivals: false, free: false };

    /// Counts, their rate, and the rounds of their runs.
    fn tuning(counts: &[(u32, f64, [u32; 3])]) -> Tuning {
        let point = |(workers, rate, rounds): &(u32, f64, [u32; 3])| {
            let figure = |round: &u32| RunFigure {
                throughput: rate * (1.0 + f64::from(*round) / 1e4),
                complete: true,
                round: *round,
                suspect: false,
            };
            let figures: Vec<RunFigure> = rounds.iter().map(figure).collect();
            let rate = estimate(&figures.iter().map(|figure| figure.throughput).collect::<Vec<_>>());
            Point { rate, figures, ..Point::of(*workers, &[], 0) }
        };
        Tuning::of(counts.iter().map(point).collect(), BOUNDS)
    }

    #[test]
    fn arms_are_compared_where_both_are_best_if_that_was_measured_in_pairs() {
        let pool = tuning(&[(1, 50.0, [1, 4, 7]), (2, 100.0, [2, 5, 8]), (4, 100.0, [3, 6, 9])]);
        let process = tuning(&[(1, 25.0, [1, 4, 7]), (2, 50.0, [2, 5, 8]), (4, 50.0, [3, 6, 9])]);
        let found = at_counts(&pool, &process).unwrap();
        assert_eq!((found.baseline, found.arm, found.basis), (2, 2, Basis::Best));
        assert_eq!((found.comparison.finding, found.comparison.pairs), (Finding::Slower, 3));
    }

    #[test]
    fn otherwise_at_an_equal_count_and_last_of_all_apart() {
        let pool = tuning(&[(1, 50.0, [1, 4, 7]), (2, 100.0, [2, 5, 8]), (4, 100.0, [3, 6, 9])]);
        let process =
            tuning(&[(1, 25.0, [1, 4, 7]), (2, 30.0, [2, 5, 8]), (4, 50.0, [3, 6, 9]), (8, 50.0, [10, 11, 12])]);
        let found = at_counts(&pool, &process).unwrap();
        assert_eq!((found.baseline, found.arm, found.basis), (4, 4, Basis::Equal), "2 and 4 are best");
        let elsewhere = tuning(&[(1, 25.0, [21, 24, 27]), (4, 50.0, [23, 26, 29]), (8, 50.0, [30, 31, 32])]);
        let found = at_counts(&pool, &elsewhere).unwrap();
        assert_eq!((found.baseline, found.arm, found.basis), (2, 4, Basis::Apart));
        assert!(found.comparison.apart && found.comparison.pairs == 3);
        assert_eq!(at_counts(&pool, &Tuning::default()), None);
    }
}
