//! At which worker counts two arms are compared, once both were tried with several.
//!
//! Pure; decides nothing about a single arm.

use crate::analysis::inference::Looks;
use crate::analysis::tuning::{Point, Tuning, WITHIN};
use crate::analysis::verdict::{Comparison, Finding, P, compare_looking, taken_back};

/// Pairs of runs below which there is no interval.
const PAIRS: usize = 2;

/// Why two arms are compared at these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Each with the count that is recommended for it, or the best one tried.
    Best,
    /// Both with the same count, at which both together do as much as at any other.
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
    /// What came out, by itself.
    pub(crate) comparison: Comparison,
    /// Of no difference, and corrected for how many comparisons there are.
    pub(crate) p: Option<P>,
    /// Corrected for that.
    pub(crate) finding: Finding,
}

impl AtCounts {
    /// Of how many comparisons it is one that differs by itself and not any more among these; `None` for any other.
    #[must_use]
    pub(crate) fn taken_back(&self) -> Option<usize> {
        taken_back(self.finding, self.comparison.ci95, self.p)
    }
}

/// Compares each arm with its baseline (baseline, arm), `None` where one of them has no count; the findings are corrected for
/// how many they are (Holm). `runs` is how many runs of each count were planned.
#[must_use]
pub(crate) fn all_at_counts(pairs: &[(&Tuning, &Tuning)], runs: u32) -> Vec<Option<AtCounts>> {
    let mut all: Vec<Option<AtCounts>> = pairs.iter().map(|(baseline, arm)| at_counts(baseline, arm, runs)).collect();
    let asked: Vec<Option<f64>> = all.iter().flatten().map(|found| found.comparison.p).collect();
    for (found, p) in all.iter_mut().flatten().zip(P::corrected(&asked)) {
        found.p = p;
        found.finding = found.comparison.finding.corrected(p);
    }
    all
}

/// Compares two points of each pair (baseline, arm), whatever counts they are, `None` where one of them is not there;
/// corrected for how many they are, as [`all_at_counts`] does. Points with counts of their own were chosen by what they did,
/// so that the always-valid interval is the one that holds.
#[must_use]
pub(crate) fn all_points(pairs: &[Option<(&Point, &Point)>], runs: u32) -> Vec<Option<Finding>> {
    let compare = |(one, other): (&Point, &Point)| {
        let looks = if one.workers == other.workers { Looks::Once(runs) } else { Looks::AfterEach };
        compare_looking(&one.figures, &other.figures, looks)
    };
    let all: Vec<Option<Comparison>> = pairs.iter().map(|pair| pair.map(compare)).collect();
    let asked: Vec<Option<f64>> = all.iter().flatten().map(|found| found.p).collect();
    let mut corrected = P::corrected(&asked).into_iter();
    all.iter().map(|found| found.map(|found| found.finding.corrected(corrected.next().flatten()))).collect()
}

/// Compares an arm with the baseline: at their best counts if these differ and were measured in pairs, else at the smallest
/// equal count that was and at which both together do as much as at any other, as far as means tell, else at their best
/// counts all the same. `None` where one of them has none.
///
/// What is chosen because it did well will look better than it is. What both did together says nothing about their ratio,
/// so that Student's interval holds at an equal count; where each has a count of its own, or more runs than were planned
/// because results asked for them, it is the always-valid one.
fn at_counts(baseline: &Tuning, arm: &Tuning, runs: u32) -> Option<AtCounts> {
    let best = |tuning: &Tuning| tuning.advice.workers();
    let (one, other) = (best(baseline)?, best(arm)?);
    let at = |one: u32, other: u32, basis: Basis, looks: Looks| {
        let (one, other): (&Point, &Point) = (baseline.point(one)?, arm.point(other)?);
        let comparison = compare_looking(&one.figures, &other.figures, looks);
        let (p, finding) = (None, comparison.finding);
        Some(AtCounts { baseline: one.workers, arm: other.workers, basis, comparison, p, finding })
    };
    let in_pairs = |found: &AtCounts| found.comparison.pairs >= PAIRS && !found.comparison.apart;
    let own = || at(one, other, Basis::Best, Looks::AfterEach).filter(|found| one != other && in_pairs(found));
    let equal = || {
        let basis = |count: u32| if one == count && other == count { Basis::Best } else { Basis::Equal };
        let counts = baseline.points.iter().map(|point| point.workers);
        let found = counts.filter_map(|count| at(count, count, basis(count), Looks::Once(runs))).filter(in_pairs);
        let together = |found: &AtCounts| {
            Some((baseline.point(found.baseline)?.mean()?.ln() + arm.point(found.arm)?.mean()?.ln()) / 2.0)
        };
        let all: Vec<(AtCounts, f64)> = found.filter_map(|found| Some((found, together(&found)?))).collect();
        let most = all.iter().map(|(_, rate)| *rate).fold(f64::NEG_INFINITY, f64::max);
        all.into_iter().find(|(_, rate)| *rate >= most + (1.0 - WITHIN).ln()).map(|(found, _)| found)
    };
    own().or_else(equal).or_else(|| at(one, other, Basis::Apart, Looks::AfterEach))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::simulated::{Trials, most_by_chance};
    use crate::analysis::statistics::estimate;
    use crate::analysis::tuning::Bounds;
    use crate::analysis::verdict::{ALPHA, RunFigure};

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
        let found = at_counts(&pool, &process, 3).unwrap();
        assert_eq!((found.baseline, found.arm, found.basis), (2, 2, Basis::Best));
        assert_eq!((found.comparison.finding, found.comparison.pairs), (Finding::Slower, 3));
    }

    #[test]
    fn otherwise_at_an_equal_count_and_last_of_all_apart() {
        let pool = tuning(&[(1, 50.0, [1, 4, 7]), (2, 100.0, [2, 5, 8]), (4, 100.0, [3, 6, 9])]);
        let process =
            tuning(&[(1, 25.0, [1, 4, 7]), (2, 30.0, [2, 5, 8]), (4, 50.0, [3, 6, 9]), (8, 50.0, [10, 11, 12])]);
        let found = at_counts(&pool, &process, 3).unwrap();
        assert_eq!((found.baseline, found.arm, found.basis), (4, 4, Basis::Equal), "2 and 4 are best");
        let elsewhere = tuning(&[(1, 25.0, [21, 24, 27]), (4, 50.0, [23, 26, 29]), (8, 50.0, [30, 31, 32])]);
        let found = at_counts(&pool, &elsewhere, 3).unwrap();
        assert_eq!((found.baseline, found.arm, found.basis), (2, 4, Basis::Apart));
        assert!(found.comparison.apart && found.comparison.pairs == 3);
        assert_eq!(at_counts(&pool, &Tuning::default(), 3), None);
    }

    #[test]
    fn more_runs_than_planned_and_counts_of_their_own_are_judged_by_the_bound_that_stands_that() {
        let pool = tuning(&[(1, 50.0, [1, 4, 7]), (2, 100.0, [2, 5, 8])]);
        let process = tuning(&[(1, 25.0, [1, 4, 7]), (2, 50.0, [2, 5, 8])]);
        let looked = |runs| at_counts(&pool, &process, runs).unwrap().comparison.always_valid;
        assert_eq!((looked(3), looked(2)), (false, true));
        let process = tuning(&[(1, 25.0, [1, 4, 7]), (4, 50.0, [2, 5, 8])]);
        let found = at_counts(&pool, &process, 3).unwrap();
        assert_eq!((found.baseline, found.arm, found.basis, found.comparison.always_valid), (2, 4, Basis::Best, true));
    }

    /// Arms that are equal but for a factor, with rates that are flat from two workers on, in three rounds.
    fn sweep(trials: &mut Trials, faster: &[f64]) -> Vec<Tuning> {
        let mut arms = vec![Vec::new(); faster.len()];
        for (place, workers) in (0..).zip([1_u32, 2, 3, 4, 6, 8]) {
            let mut figures = vec![Vec::new(); faster.len()];
            for pass in 0..3 {
                let machine = trials.normal(0.01);
                for (figures, factor) in figures.iter_mut().zip(faster) {
                    let rate = factor * f64::from(workers.min(2)) * (machine + trials.normal(0.01)).exp();
                    let round = pass * 10 + place;
                    figures.push(RunFigure { throughput: rate, complete: true, round, suspect: false });
                }
            }
            for (points, figures) in arms.iter_mut().zip(figures) {
                let rate = estimate(&figures.iter().map(|figure| figure.throughput).collect::<Vec<_>>());
                points.push(Point { rate, figures, ..Point::of(workers, &[], 0) });
            }
        }
        arms.into_iter().map(|points| Tuning::of(points, Bounds { most: 8, ..BOUNDS })).collect()
    }

    #[test]
    fn several_equal_arms_of_a_sweep_differ_in_five_of_a_hundred_sweeps_at_most() {
        const TRIALS: u32 = 400;
        let differs = |finding: Finding| matches!(finding, Finding::Faster | Finding::Slower);
        let against = |arms: &[Tuning]| {
            let pairs: Vec<(&Tuning, &Tuning)> = arms.iter().skip(1).map(|arm| (&arms[0], arm)).collect();
            all_at_counts(&pairs, 3).into_iter().flatten().collect::<Vec<AtCounts>>()
        };
        let mut trials = Trials::new(63);
        let (mut two, mut five, mut alone, mut found) = (0, 0, 0, 0);
        for _ in 0..TRIALS {
            let arms = sweep(&mut trials, &[1.0; 5]);
            two += u32::from(against(&arms[..2]).iter().any(|found| differs(found.finding)));
            let all = against(&arms);
            five += u32::from(all.iter().any(|found| differs(found.finding)));
            alone += u32::from(all.iter().any(|found| differs(found.comparison.finding)));
            let planted = sweep(&mut trials, &[1.0, 1.0, 1.0, 1.0, 1.5]);
            found += u32::from(against(&planted).last().is_some_and(|found| found.finding == Finding::Faster));
        }
        println!("seed 63: {two} of {TRIALS} of two, {five} of five, {alone} uncorrected; {found} found");
        let most = most_by_chance(TRIALS, ALPHA);
        assert!(two <= most && five <= most, "{two} and {five} of {TRIALS}, at most {most}, seed 63");
        assert!(alone > most, "the simulation must show what is to be avoided: {alone} of {TRIALS}, seed 63");
        assert!(found > TRIALS * 95 / 100, "{found} of {TRIALS} planted, seed 63");
    }
}
