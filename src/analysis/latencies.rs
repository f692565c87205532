//! Percentiles of the latency that a workload leads with, of each arm against the baseline: in pairs of runs, as
//! throughput is compared. Of all tasks, and of those of each class.

use std::time::Duration;

use crate::analysis::inference::{Inference, Looks, infer};
use crate::analysis::percentiles;
use crate::analysis::verdict::{Counted, Finding, OfRound, P, Pairs, pairs};
use crate::engine::event::RunState;
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::LatencyFrom;

/// One percentile of an arm against the baseline's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LatencyVerdict {
    /// Index of the arm.
    pub(crate) arm: usize,
    /// Index of the baseline arm.
    pub(crate) baseline: usize,
    /// Of the tasks of one class, by its place among [`Snapshot::classes`]; `None` where it is of all tasks.
    pub(crate) class: Option<usize>,
    /// Where the latency begins.
    pub(crate) from: LatencyFrom,
    /// Above 0, at most 100.
    pub(crate) percentile: f64,
    /// Of the arm / of the baseline: geometric mean over the pairs; `None` without a pair.
    pub(crate) ratio: Option<f64>,
    /// 95 % confidence interval of the ratio.
    pub(crate) ratio_ci95: Option<(f64, f64)>,
    /// Of the arm - of the baseline, in seconds: mean over the pairs.
    pub(crate) difference: Option<f64>,
    /// 95 % confidence interval of the difference, in seconds.
    pub(crate) difference_ci95: Option<(f64, f64)>,
    /// The chance of such a ratio where there is no difference, also corrected for all percentiles of all arms.
    pub(crate) p: Option<P>,
    /// Pairs of runs.
    pub(crate) pairs: usize,
    /// Of these, with a suspect run.
    pub(crate) suspect: usize,
    /// Tasks of a run, where they are too few for this percentile ([`percentiles`]): nothing is found then.
    pub(crate) too_few: Option<u64>,
    /// What follows: faster is a shorter time.
    pub(crate) finding: Finding,
}

/// Name of a latency, in reports.
#[must_use]
pub(crate) fn name(from: LatencyFrom) -> &'static str {
    match from {
        LatencyFrom::IntendedArrival => "sojourn",
        LatencyFrom::Start => "service",
    }
}

/// The percentiles of each arm but the baseline, in their order. They are many questions at once, so their findings are
/// corrected for that (Holm).
#[must_use]
pub(crate) fn latencies(
    arms: &[Counted<'_>],
    baseline: usize,
    asked: (LatencyFrom, &[f64]),
    looks: Looks,
) -> Vec<LatencyVerdict> {
    compare(arms, baseline, asked, &[None], looks)
}

/// The same class by class, where a workload has several; corrected for all percentiles of all classes of all arms.
#[must_use]
pub(crate) fn latencies_of_classes(
    arms: &[Counted<'_>],
    baseline: usize,
    asked: (LatencyFrom, &[f64]),
    looks: Looks,
) -> Vec<LatencyVerdict> {
    let classes = arms.iter().flat_map(|arm| arm.runs).map(|run| run.classes.len()).max().unwrap_or(0);
    compare(arms, baseline, asked, &(0..classes).map(Some).collect::<Vec<_>>(), looks)
}

fn compare(
    arms: &[Counted<'_>],
    baseline: usize,
    (from, percentiles): (LatencyFrom, &[f64]),
    classes: &[Option<usize>],
    looks: Looks,
) -> Vec<LatencyVerdict> {
    let Some(reference) = arms.get(baseline) else { return Vec::new() };
    let others = arms.iter().enumerate().filter(|(arm, _)| *arm != baseline);
    let questions = || classes.iter().flat_map(|class| percentiles.iter().map(|percentile| (*class, *percentile)));
    let each = others.flat_map(|(arm, counted)| questions().map(move |question| (arm, counted, question)));
    let mut found: Vec<LatencyVerdict> = Vec::new();
    let mut single = Vec::new();
    for (arm, counted, (class, percentile)) in each {
        let figures = |of: &Counted<'_>| figures(of, class, from, percentile);
        let Pairs { pairs, .. } = pairs(&figures(reference), &figures(counted), |figure| figure.seconds.is_some());
        let suspect = pairs.iter().filter(|(one, other)| one.suspect || other.suspect).count();
        let fewest = pairs.iter().map(|(one, other)| one.tasks.min(other.tasks)).min();
        let too_few = fewest.filter(|tasks| percentiles::too_few(*tasks, percentile));
        let pairs: Vec<(f64, f64)> =
            pairs.iter().filter_map(|(one, other)| Some((one.seconds?, other.seconds?))).collect();
        let over = |of: fn(f64, f64) -> f64| -> Option<Inference> {
            infer(&pairs.iter().map(|(one, other)| of(*one, *other)).collect::<Vec<_>>(), looks)
        };
        let ratio = over(|one, other| (other / one).ln());
        let difference = over(|one, other| other - one);
        let ratio_ci95 = ratio.and_then(|ratio| ratio.ci95).map(|(low, high)| (low.exp(), high.exp()));
        // What is not judged is no question.
        if too_few.is_none() {
            single.push(ratio.and_then(|ratio| ratio.p));
        }
        found.push(LatencyVerdict {
            arm,
            baseline,
            class,
            from,
            percentile,
            ratio: ratio.map(|ratio| ratio.mean.exp()),
            ratio_ci95,
            difference: difference.map(|difference| difference.mean),
            difference_ci95: difference.and_then(|difference| difference.ci95),
            p: None,
            pairs: pairs.len(),
            suspect,
            too_few,
            finding: if too_few.is_some() { Finding::TooEarly } else { Finding::of(ratio_ci95).reversed() },
        });
    }
    let judged = found.iter_mut().filter(|verdict| verdict.too_few.is_none());
    for (verdict, p) in judged.zip(P::corrected(&single)) {
        verdict.p = p;
        verdict.finding = verdict.finding.corrected(p);
    }
    found
}

/// A percentile of one run.
#[derive(Clone, Copy, Debug)]
struct Figure {
    /// `None` where it has none to be compared.
    seconds: Option<f64>,
    round: u32,
    /// Those it is made of.
    tasks: u64,
    suspect: bool,
}

impl OfRound for Figure {
    fn round(&self) -> u32 {
        self.round
    }
}

fn figures(counted: &Counted<'_>, class: Option<usize>, from: LatencyFrom, percentile: f64) -> Vec<Figure> {
    let figure = |(place, run): (usize, &std::sync::Arc<Snapshot>)| {
        let (time, tasks) = of_run(run, class, from, percentile).unzip();
        let seconds = time.map(|time| time.as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let (round, suspect) = (counted.round(place), !run.suspect.is_empty());
        Figure { seconds, round, tasks: tasks.unwrap_or(0), suspect }
    };
    counted.runs.iter().enumerate().map(figure).collect()
}

/// The percentile and of how many tasks it is; `None` for one that was stopped, or without such times.
fn of_run(run: &Snapshot, class: Option<usize>, from: LatencyFrom, percentile: f64) -> Option<(Duration, u64)> {
    let end = run.end.as_ref().filter(|_| run.state == RunState::Finished)?;
    let tasks = match class {
        None => &end.distributions,
        Some(place) => run.classes.get(place)?.whole.as_deref()?,
    };
    let whole = match from {
        LatencyFrom::IntendedArrival => &tasks.sojourn,
        LatencyFrom::Start => &tasks.service,
    };
    (whole.count() > 0).then(|| (whole.quantile(percentile / 100.0), whole.count()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::simulated::{Trials, most_by_chance};
    use crate::metrics::distribution::Distributions;
    use crate::metrics::fixtures::snapshot;
    use crate::metrics::latency::Recorded;
    use crate::metrics::snapshot::{ClassFigures, RunEnd};

    /// A run of which these are the sojourn times in milliseconds.
    fn run(times: &[f64]) -> Arc<Snapshot> {
        let mut recorded = Recorded::new();
        times.iter().for_each(|ms| recorded.record((ms * 1e6) as u64));
        let distributions = Distributions { sojourn: recorded.distribution(), ..Distributions::default() };
        let end = Some(Arc::new(RunEnd { distributions, ..RunEnd::default() }));
        Arc::new(Snapshot { state: RunState::Finished, end, ..snapshot() })
    }

    fn found(arms: &[Vec<Arc<Snapshot>>], percentiles: &[f64]) -> Vec<LatencyVerdict> {
        let arms: Vec<Counted<'_>> = arms.iter().map(|runs| Counted { runs, rounds: &[] }).collect();
        latencies(&arms, 0, (LatencyFrom::IntendedArrival, percentiles), Looks::Once(100))
    }

    #[test]
    fn ratio_and_difference_in_pairs_computed_by_hand() {
        let times = |scale: f64| [vec![scale; 490], vec![scale * 10.0; 10]].concat();
        let runs = |scale: [f64; 3]| scale.map(|scale| run(&times(scale))).to_vec();
        // The median: 10, 20 and 10 ms against 15, 31 and 15.5 ms; differences 5, 11, 5.5: mean 7.1667.
        let found = found(&[runs([10.0, 20.0, 10.0]), runs([15.0, 31.0, 15.5])], &[50.0, 99.0]);
        let [median, tail] = found.as_slice() else { panic!("{found:?}") };
        assert!((median.difference.expect("a difference") - 0.007_166).abs() < 2e-5, "{median:?}");
        assert!((median.ratio.expect("a ratio") - 1.533).abs() < 2e-3, "{median:?}");
        assert_eq!((median.finding, median.pairs, median.arm), (Finding::Slower, 3, 1));
        assert!((tail.difference.expect("a difference") - 0.071_66).abs() < 2e-4, "{tail:?}");
        assert_eq!(median.p.expect("a p").comparisons, 2);
    }

    #[test]
    fn classes_are_compared_each_with_itself() {
        let of_classes = |each: [&[f64]; 2]| {
            let mut both = Snapshot::clone(&run(&[1.0]));
            let class = |times: &&[f64]| {
                let whole = run(times).end.as_ref().expect("it is over").distributions.clone();
                ClassFigures { whole: Some(Box::new(whole)), ..ClassFigures::default() }
            };
            both.classes = Arc::new(each.iter().map(class).collect());
            Arc::new(both)
        };
        let runs = |quick: f64, slow: f64| {
            [1.0, 1.01, 0.99].map(|scale| of_classes([&[quick * scale; 10], &[slow * scale; 10]])).to_vec()
        };
        let arms = [runs(1.0, 30.0), runs(30.0, 15.0)];
        let arms: Vec<Counted<'_>> = arms.iter().map(|runs| Counted { runs, rounds: &[] }).collect();
        let asked = (LatencyFrom::IntendedArrival, &[50.0][..]);
        let found = latencies_of_classes(&arms, 0, asked, Looks::Once(3));
        let said: Vec<_> = found.iter().map(|one| (one.class, one.finding, one.pairs)).collect();
        assert_eq!(said, [(Some(0), Finding::Slower, 3), (Some(1), Finding::Faster, 3)]);
        assert!((found[0].ratio.expect("a ratio") - 30.0).abs() < 0.1, "{found:?}");
        assert!(found.iter().all(|one| one.p.expect("a p").comparisons == 2), "{found:?}");
        let one_class = [vec![run(&[1.0])], vec![run(&[1.0])]];
        let one_class: Vec<Counted<'_>> = one_class.iter().map(|runs| Counted { runs, rounds: &[] }).collect();
        assert_eq!(latencies_of_classes(&one_class, 0, asked, Looks::Once(1)), []);
    }

    #[test]
    fn the_longest_of_few_tasks_is_not_judged_as_a_percentile() {
        let runs = |scale: f64| [1.0, 1.01, 0.99].map(|noise| run(&[scale * noise; 40])).to_vec();
        let found = found(&[runs(10.0), runs(20.0)], &[50.0, 95.0, 99.0]);
        let told: Vec<_> = found.iter().map(|one| (one.too_few, one.finding, one.ratio.is_some())).collect();
        let expected =
            [(None, Finding::Slower, true), (None, Finding::Slower, true), (Some(40), Finding::TooEarly, true)];
        assert_eq!(told, expected, "2 of 40 lie beyond p95, none beyond p99");
        assert_eq!(found[0].p.map(|p| p.comparisons), Some(2), "what is not judged was not asked");
        assert_eq!(found[2].p, None);
    }

    #[test]
    fn what_has_no_times_is_not_compared() {
        let mut stopped = Snapshot::clone(&run(&[5.0]));
        stopped.state = RunState::Stopped;
        for arm in [vec![], vec![run(&[])], vec![Arc::new(stopped)]] {
            let found = found(&[vec![run(&[1.0])], arm], &[50.0]);
            let nothing = (found[0].ratio, found[0].pairs, found[0].finding);
            assert_eq!(nothing, (None, 0, Finding::TooEarly));
        }
    }

    #[test]
    fn many_percentiles_of_equal_arms_are_rarely_found_to_differ() {
        const TRIALS: u32 = 400;
        let mut trials = Trials::new(61);
        let mut wrong = 0;
        for _ in 0..TRIALS {
            let mut arm = || -> Vec<Arc<Snapshot>> {
                let mut times = || (0..60).map(|_| 10.0 * trials.normal(0.5).exp()).collect::<Vec<_>>();
                (0..5).map(|_| run(&times())).collect()
            };
            let arms = [arm(), arm(), arm()];
            let found = found(&arms, &[50.0, 75.0, 90.0, 95.0]);
            wrong += u32::from(found.iter().any(|one| matches!(one.finding, Finding::Faster | Finding::Slower)));
        }
        println!("seed 61: {wrong} of {TRIALS} with any difference among 8");
        assert!(wrong <= most_by_chance(TRIALS, 0.05), "{wrong} of {TRIALS}, seed 61");
    }
}
