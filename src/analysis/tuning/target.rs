//! What a worker count is to be good for: the highest rate, a latency below a limit, or memory below one; and which count to try
//! next for that.

use std::str::FromStr;
use std::time::Duration;

use crate::analysis::percentiles;
use crate::analysis::statistics::estimate;
use crate::analysis::tuning::{Bounds, FLAT, MORE, Point, Step, WITHIN, between, doublings, next_step, tried};
use crate::metrics::snapshot::Quantiles;
use crate::workload::units;

/// How far the figure of a single run must lie from a limit, as a share of it, to tell on which side it is.
const CLEAR: f64 = 0.2;

/// What is wanted of a worker count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The smallest count that is as good as the fastest.
    Throughput,
    /// The smallest count whose sojourn stays below a limit.
    Latency {
        /// Of the sojourn.
        percentile: Percentile,
        /// It is to be lower.
        limit: Duration,
    },
    /// The smallest count that is as good as the fastest of those whose memory stays below a limit: the highest sum of all
    /// workers' memory (PSS, with that of what they are forked from) that was seen in any counted run.
    Memory {
        /// It is to be lower.
        limit: u64,
    },
}

/// A percentile of the sojourn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percentile {
    /// Median.
    P50,
    /// 90th.
    P90,
    /// 95th.
    P95,
    /// 99th.
    P99,
    /// The longest.
    Max,
}

const PERCENTILES: [(&str, Percentile); 5] = [
    ("p50", Percentile::P50),
    ("p90", Percentile::P90),
    ("p95", Percentile::P95),
    ("p99", Percentile::P99),
    ("max", Percentile::Max),
];

impl Percentile {
    /// Its value in a run.
    #[must_use]
    pub(crate) fn of(self, sojourn: &Quantiles) -> Duration {
        match self {
            Self::P50 => sojourn.p50,
            Self::P90 => sojourn.p90,
            Self::P95 => sojourn.p95,
            Self::P99 => sojourn.p99,
            Self::Max => sojourn.max,
        }
    }

    /// Which share of the tasks it is a statement about.
    fn share(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::Max => 1.0,
        }
    }

    /// `p99`, `max`.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        PERCENTILES.iter().find(|(_, percentile)| *percentile == self).map_or("", |(word, _)| word)
    }

    /// As a number of 100.
    #[must_use]
    pub(crate) fn number(self) -> f64 {
        // The shares are exact in percent.
        (self.share() * 1000.0).round() / 10.0
    }

    /// The name of the figure.
    #[must_use]
    pub(crate) fn metric(self) -> &'static str {
        match self {
            Self::P50 => "sojourn_p50",
            Self::P90 => "sojourn_p90",
            Self::P95 => "sojourn_p95",
            Self::P99 => "sojourn_p99",
            Self::Max => "sojourn_max",
        }
    }

    /// Its median over the runs of a count; `None` where no task has a sojourn.
    #[must_use]
    pub(crate) fn of_point(self, point: &Point) -> Option<Duration> {
        let runs = point.sojourns.iter().filter(|run| run.count > 0);
        let mut runs: Vec<Duration> = runs.map(|run| self.of(run)).collect();
        runs.sort_unstable();
        runs.get(runs.len() / 2).copied()
    }

    /// Whether more tasks of a count did not succeed than may be late: one that fails at once, or that nobody waited for, is not
    /// in time.
    #[must_use]
    pub(crate) fn failed(self, point: &Point) -> bool {
        point.runs() > 0 && point.unsuccessful_share() > 1.0 - self.share() + 1e-9
    }

    /// Tasks of a run of a count, where they are too few for it ([`percentiles`]).
    #[must_use]
    pub(crate) fn too_few(self, point: &Point) -> Option<u64> {
        let fewest = point.sojourns.iter().map(|run| run.count).filter(|count| *count > 0).min();
        fewest.filter(|tasks| self.needs_more(*tasks).is_some())
    }

    /// Why runs of so many tasks do not tell it; `None` where they do.
    #[must_use]
    pub(crate) fn needs_more(self, tasks: u64) -> Option<String> {
        let few = self != Self::Max && percentiles::too_few(tasks, self.number());
        few.then(|| percentiles::why_not(tasks, self.number()))
    }
}

impl Target {
    /// Why runs of so many tasks cannot tell whether it is met; `None` where they can.
    #[must_use]
    pub(crate) fn needs_more(self, tasks: u64) -> Option<String> {
        match self {
            Self::Latency { percentile, .. } => percentile.needs_more(tasks),
            Self::Throughput | Self::Memory { .. } => None,
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "throughput, a percentile of the sojourn such as 'p99<250ms', or 'memory<2GiB'";
        let Some((what, limit)) = text.split_once('<') else {
            return if text == "throughput" { Ok(Self::Throughput) } else { Err(format!("must be {form}")) };
        };
        let (what, limit) = (what.trim(), limit.trim());
        if what == "memory" {
            let limit = units::parse_size(limit).map_err(|error| format!("{error}; must be {}", units::SIZE_FORM))?;
            return if limit == 0 { Err("must be above 0".to_owned()) } else { Ok(Self::Memory { limit }) };
        }
        let Some((_, percentile)) = PERCENTILES.iter().find(|(word, _)| *word == what) else {
            return Err(format!("must be {form}"));
        };
        match units::parse_duration(limit) {
            Ok(limit) if !limit.is_zero() => Ok(Self::Latency { percentile: *percentile, limit }),
            Ok(_) => Err("must be above 0".to_owned()),
            Err(error) => Err(format!("{error}; must be {}", units::DURATION_FORM)),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Throughput => f.write_str("throughput"),
            Self::Latency { percentile, limit } => {
                write!(f, "{}<{}", percentile.word(), units::format_duration(*limit))
            }
            Self::Memory { limit } => write!(f, "memory<{}", units::format_size(*limit)),
        }
    }
}

/// Whether a count meets the limit of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meets {
    /// Its interval lies below the limit, or there is none.
    Yes,
    /// Its interval lies above it.
    No,
    /// The limit lies within it.
    Unclear,
    /// The figure is not known here.
    Unknown,
}

/// Whether a count meets the limit of a target: of several runs the 95 % interval says so (of logarithms, as latencies are
/// skewed), of one run a distance of a fifth. Of memory it is the highest peak.
#[must_use]
pub(crate) fn meets(point: &Point, target: Target) -> Meets {
    match target {
        Target::Throughput => Meets::Yes,
        Target::Memory { limit } => match point.peak_pss_bytes {
            None => Meets::Unknown,
            Some(peak) if peak < limit => Meets::Yes,
            Some(_) => Meets::No,
        },
        Target::Latency { percentile, .. } if percentile.failed(point) => Meets::No,
        Target::Latency { percentile, .. } if percentile.too_few(point).is_some() => Meets::Unknown,
        Target::Latency { percentile, limit } => {
            let logs = point.sojourns.iter().filter(|run| run.count > 0).map(|run| percentile.of(run).as_secs_f64());
            let logs: Vec<f64> = logs.map(|seconds| (seconds / limit.as_secs_f64()).max(1e-12).ln()).collect();
            let Some(found) = estimate(&logs) else { return Meets::Unknown };
            let (low, high) = found.ci95.unwrap_or((found.mean + (1.0 - CLEAR).ln(), found.mean - (1.0 - CLEAR).ln()));
            match () {
                () if high < 0.0 => Meets::Yes,
                () if low >= 0.0 => Meets::No,
                () => Meets::Unclear,
            }
        }
    }
}

/// The figure that a target is about, in words; `None` where it is not known, and for the rate, which is told anyway.
#[must_use]
pub(crate) fn figure(point: &Point, target: Target) -> Option<String> {
    match target {
        Target::Throughput => None,
        Target::Memory { .. } => Some(match point.peak_pss_bytes {
            Some(peak) => format!("{} of memory", size(peak)),
            None => "memory unknown".to_owned(),
        }),
        Target::Latency { percentile, .. } => {
            let median = percentile.of_point(point)?;
            Some(format!("{} {:.1} ms", percentile.word(), median.as_secs_f64() * 1e3))
        }
    }
}

/// A size with the digits that tell.
fn size(bytes: u64) -> String {
    let (unit, of) = match bytes {
        bytes if bytes >= 1 << 30 => ("GiB", 1_u64 << 30),
        bytes if bytes >= 1 << 20 => ("MiB", 1 << 20),
        _ => ("KiB", 1 << 10),
    };
    format!("{:.1} {unit}", bytes as f64 / of as f64)
}

/// The next run for a target: for the rate as [`next_step`] says. For a latency 1, 2, 4, 8 ... until one meets the limit or two doublings lower
/// it by less than 5 %, then the counts between the largest that does not and the smallest that does, halving the gap. For
/// memory as for the rate, below the count at which the limit is met or foreseen from what two counts took.
#[must_use]
pub(crate) fn next(points: &[Point], target: Target, runs: u32, bounds: Bounds) -> Step {
    match target {
        Target::Throughput => next_step(points, runs, bounds),
        Target::Memory { .. } => {
            let (below, most) = within_memory(points, target, bounds);
            if most == 0 { Step::Done } else { next_step(&below, runs, Bounds { most, ..bounds }) }
        }
        Target::Latency { .. } => for_latency(points, target, runs, bounds),
    }
}

/// The points below the limit, and the largest count that may be.
pub(super) fn within_memory(points: &[Point], target: Target, bounds: Bounds) -> (Vec<Point>, u32) {
    let Target::Memory { limit } = target else { return (points.to_vec(), bounds.most) };
    let beyond = points.iter().find(|point| meets(point, target) == Meets::No);
    let most = beyond.map_or(bounds.most, |point| (point.workers - 1).min(bounds.most));
    let below: Vec<Point> = points.iter().filter(|point| point.workers <= most).cloned().collect();
    let memory = |point: &Point| Some((f64::from(point.workers), point.peak_pss_bytes? as f64));
    let foreseen = beyond.and_then(memory).zip(below.iter().filter_map(memory).next_back()).map(|(over, under)| {
        let each = (over.1 - under.1) / (over.0 - under.0);
        (under.0 + ((limit as f64 - under.1) / each).max(0.0)).floor() as u32
    });
    (below, foreseen.map_or(most, |foreseen| foreseen.clamp(1, most.max(1)).min(most)))
}

fn for_latency(points: &[Point], target: Target, runs: u32, bounds: Bounds) -> Step {
    let point = |workers: u32| points.iter().find(|point| point.workers == workers && point.runs() > 0);
    // What is not known, or is too close to the limit after many runs, does not meet it.
    let met = |workers: u32| match point(workers).map(|point| (meets(point, target), point.runs())) {
        None => None,
        Some((Meets::Unclear, made)) if made < runs.saturating_mul(MORE) => None,
        Some((meets, _)) => Some(meets == Meets::Yes),
    };
    let Target::Latency { percentile, .. } = target else { return Step::Done };
    // More runs of as few tasks tell no more.
    if tried(points).any(|point| percentile.too_few(point).is_some()) {
        return Step::Done;
    }
    let latency = |workers: u32| {
        let logs: Vec<f64> = point(workers)?.sojourns.iter().map(|run| percentile.of(run).as_secs_f64()).collect();
        Some(logs.iter().sum::<f64>() / logs.len() as f64)
    };
    let (mut below, mut good, mut flat) = (0, None, 0);
    for workers in doublings(bounds.most) {
        match met(workers) {
            None => return Step::Run(workers),
            Some(true) => {
                good = Some(workers);
                break;
            }
            Some(false) => {
                let lower =
                    latency(below).zip(latency(workers)).is_none_or(|(one, other)| other < one * (1.0 - WITHIN));
                flat = if lower { 0 } else { flat + 1 };
                below = workers;
            }
        }
        if flat >= FLAT {
            break;
        }
    }
    let Some(mut good) = good else { return Step::Done };
    while let Some(middle) = between(below, good).filter(|_| below > 0) {
        match met(middle) {
            None => return Step::Run(middle),
            Some(true) => good = middle,
            Some(false) => below = middle,
        }
    }
    if point(good).is_none_or(|point| point.runs() < runs) { Step::Run(good) } else { Step::Done }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tuning::Tuning;
    use crate::analysis::tuning::found::{Found, best, found};

    const BOUNDS: Bounds = Bounds { most: 64, cores: 8, open_arrivals: true, free: false };

    fn point(workers: u32, rates: &[f64], milliseconds: &[u64], memory: u64) -> Point {
        let sojourn = |ms: &u64| {
            let at = Duration::from_millis(*ms);
            Quantiles { count: 200, mean: at, p50: at, p90: at, p95: at, p99: at, max: at }
        };
        Point {
            rate: estimate(rates),
            sojourns: milliseconds.iter().map(sojourn).collect(),
            peak_pss_bytes: Some(memory),
            ..Point::of(workers, &[], 0)
        }
    }

    /// Makes the runs that are asked for; returns the counts in the order of their first runs, the runs, and what follows.
    fn search(target: Target, measure: impl Fn(u32, u32) -> (f64, u64, u64)) -> (Vec<u32>, u32, Found) {
        let (mut made, mut order): (std::collections::BTreeMap<u32, u32>, Vec<u32>) = Default::default();
        for runs in 0..200 {
            let points: Vec<Point> = made
                .iter()
                .map(|(workers, runs)| {
                    let all: Vec<(f64, u64, u64)> = (0..*runs).map(|run| measure(*workers, run)).collect();
                    let rates: Vec<f64> = all.iter().map(|one| one.0).collect();
                    point(
                        *workers,
                        &rates,
                        &all.iter().map(|one| one.1).collect::<Vec<_>>(),
                        all.last().map_or(0, |one| one.2),
                    )
                })
                .collect();
            match next(&points, target, 3, BOUNDS) {
                Step::Run(workers) => {
                    if !order.contains(&workers) {
                        order.push(workers);
                    }
                    *made.entry(workers).or_default() += 1;
                }
                Step::Done => return (order, runs, found(&Tuning::of(points, BOUNDS), target, BOUNDS)),
            }
        }
        panic!("it does not end: {order:?}");
    }

    #[test]
    fn every_form_and_what_is_wrong() {
        for text in ["throughput", "p99<250ms", "max<1.5s", "memory<2GiB"] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()), Ok(text.to_owned()));
        }
        for (text, words) in [
            ("speed", "must be throughput"),
            ("p42<1s", "a percentile of the sojourn"),
            ("p99<250", "a duration with a unit"),
            ("p99<0s", "above 0"),
            ("memory<2", "a size with a unit"),
        ] {
            assert!(text.parse::<Target>().is_err_and(|wrong| wrong.contains(words)), "{text}");
        }
    }

    #[test]
    fn the_smallest_count_below_a_latency_is_bisected() {
        let target = "p99<100ms".parse().unwrap();
        // 600 ms of one worker, shared by all of them: 7 are the first below 100 ms.
        let (order, runs, found) =
            search(target, |workers, run| (f64::from(workers), 600 / u64::from(workers) + u64::from(run % 2), 0));
        assert_eq!((order, found.workers, found.met), (vec![1, 2, 4, 8, 6, 7], Some(7), Some(true)), "{}", found.why);
        assert!(runs <= 20, "{runs} runs");
    }

    #[test]
    fn a_latency_that_no_count_meets_is_given_up_soon() {
        let target = "p99<100ms".parse().unwrap();
        let (order, runs, found) =
            search(target, |workers, _| (f64::from(workers), 500 / u64::from(workers.min(2)), 0));
        assert_eq!((order, runs), (vec![1, 2, 4, 8], 4), "two doublings that lower nothing");
        assert_eq!((found.workers, found.met), (Some(2), Some(false)), "{}", found.why);
        assert_eq!(found.words(target), "p99<100ms IS NOT MET, 2 comes closest: 2.5 times the limit");
        assert!(found.why.ends_with("this comes closest: p99 250.0 ms, 2.5 times the limit"), "{}", found.why);
        let (_, runs, found) = search(target, |_, run| (1.0, if run % 2 == 0 { 60 } else { 160 }, 0));
        assert_eq!(found.met, None, "around the limit: {}", found.why);
        assert!(runs <= 4 * 9, "{runs}");
    }

    #[test]
    fn the_fastest_count_within_a_memory_is_found_without_trying_each() {
        let target = "memory<1GiB".parse().unwrap();
        // 100 MiB each and 50 for all: 9 fit.
        let (order, _, found) =
            search(target, |workers, _| (f64::from(workers), 0, (50 + 100 * u64::from(workers)) << 20));
        assert_eq!((order, found.workers, found.met), (vec![1, 2, 4, 8, 16, 9], Some(9), Some(true)), "{}", found.why);
        assert!(found.why.contains("9 is the most that the limit leaves room for"), "{}", found.why);
        let (_, _, none) = search(target, |workers, _| (1.0, 0, u64::from(workers) << 31));
        assert_eq!((none.workers, none.met), (Some(1), Some(false)), "{}", none.why);
        assert_eq!(none.words(target), "memory<1GiB IS NOT MET, 1 comes closest: 2.0 times the limit");
        assert!(none.why.contains("2.00 GiB of memory") || none.why.contains("2.0 GiB of memory"), "{}", none.why);
    }

    #[test]
    fn of_arms_that_do_not_meet_a_limit_the_one_that_comes_closest_is_named() {
        let target = "p99<100ms".parse().unwrap();
        let of = |rate: f64, ms: u64| {
            let points = vec![point(2, &[rate; 3], &[ms; 3], 0)];
            found(&Tuning::of(points, BOUNDS), target, BOUNDS)
        };
        let (fast, near) = (of(900.0, 400), of(5.0, 120));
        assert_eq!(best([(Some(900.0), &fast), (Some(5.0), &near)].into_iter(), target), Some(1));
        assert_eq!(near.distance.map(|distance| distance.to_string()).as_deref(), Some("20 % above the limit"));
    }

    #[test]
    fn a_percentile_of_too_few_tasks_is_neither_met_nor_missed() {
        let target = "p99<100ms".parse().unwrap();
        let mut few = point(1, &[1.0; 3], &[20; 3], 0);
        few.sojourns.iter_mut().for_each(|run| run.count = 199);
        assert_eq!((meets(&few, target), next(&[few.clone()], target, 3, BOUNDS)), (Meets::Unknown, Step::Done));
        assert_eq!(meets(&few, "p95<100ms".parse().unwrap()), Meets::Yes);
        assert_eq!(meets(&few, "max<100ms".parse().unwrap()), Meets::Yes, "the longest task is what it is called");
        let found = found(&Tuning::of(vec![few], BOUNDS), target, BOUNDS);
        assert_eq!((found.workers, found.met), (None, None));
        assert_eq!(found.why, "p99 is not judged: 199 tasks a run are too few, it takes 200");
    }

    #[test]
    fn what_rests_on_suspect_runs_says_so() {
        for target in ["p99<100ms", "p99<1ms", "memory<1GiB", "memory<1KiB", "throughput"] {
            let target: Target = target.parse().unwrap();
            let told = |suspect: bool| {
                let mut one = point(1, &[50.0, 50.1, 49.9], &[20; 3], 50 << 20);
                one.suspect = if suspect { vec!["other load".to_owned()] } else { Vec::new() };
                found(&Tuning::of(vec![one], Bounds { most: 1, ..BOUNDS }), target, BOUNDS)
            };
            assert!(told(true).words(target).starts_with("SUSPECT "), "{}", told(true).words(target));
            assert!(!told(false).words(target).contains("SUSPECT"), "{}", told(false).words(target));
        }
    }

    #[test]
    fn a_count_whose_memory_was_never_seen_does_not_meet_a_limit() {
        let target = "memory<1GiB".parse().unwrap();
        let mut points: Vec<Point> = [(1, 50.0), (2, 100.0), (4, 101.0)]
            .map(|(workers, rate)| point(workers, &[rate, rate * 1.001, rate * 0.999], &[], 50 << 20))
            .to_vec();
        let of = |points: &[Point]| found(&Tuning::of(points.to_vec(), BOUNDS), target, BOUNDS);
        assert_eq!((of(&points).workers, of(&points).met), (Some(2), Some(true)));
        points[1].peak_pss_bytes = None;
        let unseen = of(&points);
        assert_eq!((unseen.workers, unseen.met), (Some(2), None), "{}", unseen.why);
        assert!(unseen.why.contains("its memory is unknown"), "{}", unseen.why);
        assert_eq!(figure(&points[1], target).as_deref(), Some("memory unknown"));
    }
}
