//! How many workers: what was measured of an arm at each count that was tried, what follows from it, and which count to
//! try next. The only place that recommends a count: the dashboard, `sweep` and reports say what this says.
//!
//! Pure; runs nothing.

mod why;

use std::sync::Arc;
use std::time::Duration;

use crate::analysis::statistics::{Estimate, estimate};
use crate::metrics::snapshot::{Quantiles, Snapshot, WorkerTime};

/// A count is as good as the best one if it is within this share of it.
pub const WITHIN: f64 = 0.05;
/// Runs of each count that a sweep makes, unless it is told otherwise.
pub const RUNS: u32 = 3;
/// Doublings in a row that gain less than [`WITHIN`], after which a sweep doubles no further.
const FLAT: usize = 2;

/// The rule of a recommendation and of a sweep, as it stands beside the result.
pub const RULE: &str = "USE is the smallest count whose lower 95 % bound is within 5 % of the best, once a higher count was \
tried. A sweep tries 1, 2, 4, 8 ... until two gains are below 5 %, then bisects.";

/// What was measured of one arm at one worker count.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Worker count.
    pub workers: u32,
    /// Succeeded tasks per second; `None` without a counted run.
    pub rate: Option<Estimate>,
    /// Runs in which the user had a hand: shown, not averaged.
    pub touched: u32,
    /// Cores used, on average.
    pub cores_used: f64,
    /// 95th percentile of the latency from intended arrival to end, the median over the runs.
    pub sojourn_p95: Option<Duration>,
    /// 95th percentile of the service time, the median over the runs.
    pub service_p95: Option<Duration>,
    /// Where the time of the workers went, all runs together.
    pub worker_time: WorkerTime,
    /// Largest sum of the workers' memory (PSS), in bytes; `None` where the system does not tell.
    pub peak_pss_bytes: Option<u64>,
    /// CPU time of the workers over all runs.
    pub cpu: Duration,
    /// Tasks that did not succeed, over all runs.
    pub unsuccessful: u64,
    /// Why figures of its runs should not be trusted: the first reason of each suspect run.
    pub suspect: Vec<String>,
}

impl Point {
    /// Sums up the counted runs of one worker count.
    #[must_use]
    pub fn of(workers: u32, runs: &[Arc<Snapshot>], touched: u32) -> Self {
        let figures = |figure: fn(&Snapshot) -> f64| runs.iter().map(|run| figure(run)).collect::<Vec<f64>>();
        Self {
            workers,
            rate: estimate(&figures(|run| run.throughput_whole)),
            touched,
            cores_used: estimate(&figures(|run| run.cpu.cores_used_whole)).map_or(0.0, |cores| cores.mean),
            sojourn_p95: p95(runs.iter().map(|run| run.latency.sojourn)),
            service_p95: p95(runs.iter().map(|run| run.latency.service)),
            worker_time: runs.iter().map(|run| run.worker_time).sum(),
            peak_pss_bytes: runs.iter().filter_map(|run| run.memory.peak_pss_bytes).max(),
            cpu: runs.iter().map(|run| run.cpu.user + run.cpu.system).sum(),
            unsuccessful: runs.iter().map(|run| run.counts.unsuccessful()).sum(),
            suspect: runs.iter().filter_map(|run| run.suspect.first().cloned()).collect(),
        }
    }

    /// Mean rate in succeeded tasks per second; `None` where nothing succeeded.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.rate.map(|rate| rate.mean).filter(|mean| mean.is_finite() && *mean > 0.0)
    }

    /// Lower end of the 95 % interval of the rate; `None` below two runs.
    #[must_use]
    pub fn lower(&self) -> Option<f64> {
        self.rate.and_then(|rate| rate.ci95).map(|(low, _)| low)
    }

    /// Counted runs.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.rate.map_or(0, |rate| u32::try_from(rate.count).unwrap_or(u32::MAX))
    }
}

/// What follows about the worker count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// No count has a counted run in which a task succeeded.
    Nothing,
    /// The best count tried is the highest one: a higher one may be better.
    Rising {
        /// That count.
        best: u32,
    },
    /// The intervals are too wide to tell: even the best count's own lower bound is not within 5 % of it.
    Unclear {
        /// The count with the highest mean rate.
        best: u32,
    },
    /// The smallest count whose lower bound is within 5 % of the best.
    Use {
        /// That count.
        workers: u32,
        /// The count with the highest mean rate.
        best: u32,
    },
}

/// Everything that is known about the worker count of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// One for each count that was tried, ascending.
    pub points: Vec<Point>,
    /// What follows.
    pub advice: Advice,
    /// Why it is so, a sentence; empty while nothing is known.
    pub why: String,
    /// The count that is worth trying next; `None` once a count can be recommended.
    pub next: Option<u32>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { points: Vec::new(), advice: Advice::Nothing, why: String::new(), next: None }
    }
}

/// What an arm runs on and with: the bounds of its worker count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most workers that make sense: no more than may be started, and no more than there are tasks.
    pub most: u32,
    /// Cores that they share.
    pub cores: u32,
    /// Whether tasks arrive on a schedule of their own: no count can be faster than they come.
    pub open_arrivals: bool,
}

impl Tuning {
    /// Sums up what was measured. `points` are ascending in their counts.
    #[must_use]
    pub fn of(points: Vec<Point>, bounds: Bounds) -> Self {
        let advice = advise(&points, bounds);
        let next = match advice {
            Advice::Nothing | Advice::Use { .. } => None,
            Advice::Rising { best } => Some(higher(best, &points, bounds.most)),
            Advice::Unclear { best } => Some(best),
        };
        let why = why::sentence(&points, advice, next, bounds);
        Self { points, advice, why, next }
    }

    /// The point of a count.
    #[must_use]
    pub fn point(&self, workers: u32) -> Option<&Point> {
        self.points.iter().find(|point| point.workers == workers)
    }

    /// How much faster a point is than the one with the next lower count, as a share: 0.33 is a third faster.
    #[must_use]
    pub fn gain(&self, workers: u32) -> Option<f64> {
        let place = self.points.iter().position(|point| point.workers == workers)?;
        let before = self.points.get(place.checked_sub(1)?)?.mean()?;
        Some(self.points.get(place)?.mean()? / before - 1.0)
    }
}

impl Advice {
    /// The count it is about.
    #[must_use]
    pub fn workers(self) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::Rising { best } | Self::Unclear { best } => Some(best),
            Self::Use { workers, .. } => Some(workers),
        }
    }

    /// For machines: `use`, `rising`, `unclear`, `nothing`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Rising { .. } => "rising",
            Self::Unclear { .. } => "unclear",
            Self::Use { .. } => "use",
        }
    }
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing measured yet"),
            Self::Rising { best } => write!(f, "{best} is the best tried, still rising"),
            Self::Unclear { best } => write!(f, "{best} is the best tried, too few runs to tell"),
            Self::Use { workers, .. } => {
                write!(f, "USE {workers} (smallest count whose lower bound is within 5 % of the best)")
            }
        }
    }
}

/// The median over runs of which something is known.
fn p95(latencies: impl Iterator<Item = Quantiles>) -> Option<Duration> {
    let mut p95: Vec<Duration> = latencies.filter(|latency| latency.count > 0).map(|latency| latency.p95).collect();
    p95.sort_unstable();
    p95.get(p95.len() / 2).copied()
}

fn measured(points: &[Point]) -> impl Iterator<Item = (&Point, f64)> {
    points.iter().filter_map(|point| Some((point, point.mean()?)))
}

/// The point with the highest mean rate; of equal ones the lowest count.
fn best(points: &[Point]) -> Option<(&Point, f64)> {
    measured(points).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The smallest count whose lower bound is within [`WITHIN`] of the best.
fn smallest(points: &[Point], best: f64) -> Option<u32> {
    let good = |point: &&Point| point.lower().is_some_and(|lower| lower >= (1.0 - WITHIN) * best);
    points.iter().find(good).map(|point| point.workers)
}

fn advise(points: &[Point], bounds: Bounds) -> Advice {
    let Some((top, rate)) = best(points) else { return Advice::Nothing };
    let highest = measured(points).last().map_or(top.workers, |(point, _)| point.workers);
    match smallest(points, rate) {
        Some(workers) if workers < highest || workers >= bounds.most => Advice::Use { workers, best: top.workers },
        Some(_) => Advice::Rising { best: top.workers },
        // One run of the highest count is enough to see that it still rises.
        None if top.workers == highest && highest < bounds.most => Advice::Rising { best: top.workers },
        None => Advice::Unclear { best: top.workers },
    }
}

/// Half as many again as the best count, as many as may be; the step that a person would take.
fn higher(best: u32, points: &[Point], most: u32) -> u32 {
    let step = if points.len() < 2 || best < 4 { best.saturating_mul(2) } else { best.saturating_add(best / 2) };
    step.clamp(1, most.max(1))
}

/// What a sweep does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make another run with this many workers.
    Run(u32),
    /// Nothing more is to be tried.
    Done,
}

/// The next run of a sweep that makes `runs` runs of each count: 1, 2, 4, 8 ... until two gains in a row are below 5 %,
/// then the counts between the largest that is not good enough and the smallest that is, halving the gap. What was
/// measured before counts too. Where an interval is too wide to tell, its count gets up to twice as many runs.
#[must_use]
pub fn next_step(points: &[Point], runs: u32, bounds: Bounds) -> Step {
    let point = |workers: u32| points.iter().find(|point| point.workers == workers);
    let lacks = |workers: u32, runs: u32| point(workers).is_none_or(|point| point.runs() < runs);
    let mut before: Option<f64> = None;
    let mut flat = 0;
    for workers in doublings(bounds.most) {
        if lacks(workers, runs) {
            return Step::Run(workers);
        }
        let Some(mean) = point(workers).and_then(Point::mean) else { return Step::Done };
        flat = if before.is_some_and(|before| mean < before * (1.0 + WITHIN)) { flat + 1 } else { 0 };
        if flat >= FLAT {
            break;
        }
        before = Some(mean);
    }
    let Some((_, rate)) = best(points) else { return Step::Done };
    let (good, enough, more) = (smallest(points, rate), (1.0 - WITHIN) * rate, runs.saturating_mul(2));
    // One whose mean is good enough and whose bound is not yet could be the smallest.
    let undecided = measured(points)
        .take_while(|(point, _)| good.is_none_or(|good| point.workers < good))
        .find(|(point, mean)| *mean >= enough && lacks(point.workers, more));
    if let Some((point, _)) = undecided {
        return Step::Run(point.workers);
    }
    let Some(good) = good else { return Step::Done };
    let below = points.iter().map(|point| point.workers).filter(|workers| *workers < good).max().unwrap_or(0);
    if lacks(below, runs) && below > 0 {
        return Step::Run(below);
    }
    let middle = below + (good - below) / 2;
    if below == 0 || middle == below { Step::Done } else { Step::Run(middle) }
}

/// 1, 2, 4, 8 ... and the most at last.
fn doublings(most: u32) -> impl Iterator<Item = u32> {
    let powers = std::iter::successors(Some(1_u32), |count| count.checked_mul(2));
    powers.take_while(move |count| *count < most).chain([most.max(1)])
}

#[cfg(test)]
mod tests;
