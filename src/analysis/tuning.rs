//! How many workers: what was measured of an arm at each count that was tried, what follows from it, and which count to
//! try next. The only place that recommends a count: the dashboard, `sweep` and reports say what this says.
//!
//! Pure; runs nothing.

pub(crate) mod arms;
pub mod found;
pub mod goal;
pub mod target;
pub(crate) mod trail;
mod why;

use std::sync::Arc;
use std::time::Duration;

use crate::analysis::failing::{AllFailed, all_failed};
use crate::analysis::statistics::{Estimate, estimate};
use crate::analysis::usl::{self, Fit, NoFit};
use crate::analysis::verdict::RunFigure;
use crate::metrics::kept::Runs;
use crate::metrics::snapshot::{Quantiles, Snapshot, WorkerTime};

/// A count is as good as the best one if it is within this share of it.
pub(crate) const WITHIN: f64 = 0.05;
/// Runs of each count that a sweep makes, unless it is told otherwise.
pub(crate) const RUNS: u32 = 3;
/// Where an interval is too wide to tell, its count gets up to so many times as many runs. With runs that scatter by 5 %,
/// two times leave one sweep in three without an answer, three times one in twenty.
pub(crate) const MORE: u32 = 3;
/// Short runs scatter more: a count gets so much time, and at most so many runs, where an interval is too wide to tell.
const PATIENCE: Duration = Duration::from_secs(8);
const MOST: u32 = 40;
/// A gain from which one run of each count tells that it is one.
const STEEP: f64 = 0.3;
/// A count whose rate is this share of the best one may turn out to be good enough.
const NEAR: f64 = 0.8;
/// A lower share of it is not explained by what disturbs a run and lets it end.
const DISTURBED: f64 = 1.0 / 3.0;
/// Share of the usable cores beyond which they are busy.
const BUSY: f64 = 0.9;
/// Share of their time above which tasks that wait do not lack a core.
const WAITING: f64 = 0.8;
/// Doublings in a row that gain less than [`WITHIN`], after which a sweep doubles no further.
const FLAT: usize = 2;

/// The rule of a recommendation and of a sweep, as it stands beside the result.
pub(crate) const RULE: &str = "USE: the smallest count whose lower 95 % bound is within 5 % of the best, once a higher one was tried \
and gained less than half of what it could. Sweep: 1, 2, 4, 8 ... until two gains are below 5 %, then bisect.";

/// What was measured of one arm at one worker count.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Worker count.
    pub workers: u32,
    /// Succeeded tasks per second; `None` without a counted run. The interval is from the runs of this count alone: runs of
    /// other counts scatter otherwise, on a busy machine by more than ten times.
    pub rate: Option<Estimate>,
    /// What `rate` is made of.
    pub figures: Vec<RunFigure>,
    /// Runs in which the user had a hand: shown, not averaged.
    pub touched: u32,
    /// Cores used, on average.
    pub cores_used: f64,
    /// Cores that other programs used meanwhile, on average; `None` where that is not known.
    pub others: Option<f64>,
    /// 95th percentile of the latency from intended arrival to end, the median over the runs.
    pub sojourn_p95: Option<Duration>,
    /// The same latency of each run.
    pub sojourns: Vec<Quantiles>,
    /// 95th percentile of the service time, the median over the runs.
    pub service_p95: Option<Duration>,
    /// Where the time of the workers went, all runs together.
    pub worker_time: WorkerTime,
    /// Largest sum of the workers' memory (PSS), in bytes; `None` where the system does not tell.
    pub peak_pss_bytes: Option<u64>,
    /// CPU time of the workers over all runs.
    pub cpu: Duration,
    /// Wall time of all runs.
    pub wall: Duration,
    /// Tasks of one run.
    pub tasks: u64,
    /// Tasks that did not succeed, over all runs.
    pub unsuccessful: u64,
    /// If not one task succeeded.
    pub all_failed: Option<AllFailed>,
    /// Whether a sweep makes no more runs of it, because it was clearly bad ([`clearly_bad`]).
    pub dropped: bool,
    /// Why figures of its runs should not be trusted: the first reason of each suspect run.
    pub suspect: Vec<String>,
}

impl Point {
    /// Sums up the counted runs of one worker count.
    #[must_use]
    pub(crate) fn of(workers: u32, runs: &[Arc<Snapshot>], touched: u32) -> Self {
        let figures = |figure: fn(&Snapshot) -> f64| runs.iter().map(|run| figure(run)).collect::<Vec<f64>>();
        Self {
            workers,
            rate: estimate(&figures(|run| run.throughput_whole)),
            figures: (0..).zip(runs).map(|(round, run)| RunFigure::of(run, round)).collect(),
            touched,
            cores_used: estimate(&figures(|run| run.cpu.cores_used_whole)).map_or(0.0, |cores| cores.mean),
            others: estimate(&runs.iter().filter_map(|run| run.overhead.others).collect::<Vec<_>>())
                .map(|others| others.mean),
            sojourn_p95: p95(runs.iter().map(|run| run.latency.sojourn)),
            sojourns: runs.iter().map(|run| run.latency.sojourn).collect(),
            service_p95: p95(runs.iter().map(|run| run.latency.service)),
            worker_time: runs.iter().map(|run| run.worker_time).sum(),
            peak_pss_bytes: runs.iter().filter_map(|run| run.memory.peak_pss_bytes).max(),
            cpu: runs.iter().map(|run| run.cpu.user + run.cpu.system).sum(),
            wall: runs.iter().map(|run| run.wall()).sum(),
            tasks: runs.iter().map(|run| run.total).max().unwrap_or(0),
            unsuccessful: runs.iter().map(|run| run.counts.unsuccessful()).sum(),
            all_failed: all_failed(runs),
            dropped: false,
            suspect: runs.iter().filter_map(|run| run.suspect.first().cloned()).collect(),
        }
    }

    /// The same of runs whose rounds are known.
    #[must_use]
    pub(crate) fn of_runs(workers: u32, runs: &Runs, touched: u32) -> Self {
        let figures = runs.iter().zip(runs.rounds()).map(|(run, round)| RunFigure::of(run, *round)).collect();
        Self { figures, ..Self::of(workers, runs, touched) }
    }

    /// Whether what these tasks leave of the cores is used by other programs.
    fn no_core_is_free(&self, bounds: Bounds) -> bool {
        let cores = f64::from(bounds.cores);
        let others = self.others.unwrap_or(0.0);
        self.cores_used < BUSY * cores && others > (1.0 - BUSY) * cores && self.cores_used + others >= BUSY * cores
    }

    /// The part of their time in which its tasks waited for something and computed nothing.
    fn waiting(&self) -> f64 {
        1.0 - (self.cpu.as_secs_f64() / self.worker_time.work.as_secs_f64().max(1e-9)).clamp(0.0, 1.0)
    }

    /// Whether its tasks wait so much that cores are not what limits it. Where other programs have taken the cores, tasks that compute
    /// wait for these, and their CPU time and what the others have used add up to what there is: so it has to be most of the time.
    fn waits(&self) -> bool {
        self.waiting() > WAITING
    }

    /// Mean rate in succeeded tasks per second; `None` where nothing succeeded.
    #[must_use]
    pub(crate) fn mean(&self) -> Option<f64> {
        self.rate.map(|rate| rate.mean).filter(|mean| mean.is_finite() && *mean > 0.0)
    }

    /// Lower end of the 95 % interval of the rate; `None` below two runs.
    #[must_use]
    pub(crate) fn lower(&self) -> Option<f64> {
        self.rate.and_then(|rate| rate.ci95).map(|(low, _)| low)
    }

    /// Half the width of that interval as a share of the mean.
    #[must_use]
    pub(crate) fn precision(&self) -> Option<f64> {
        let ((low, high), mean) = self.rate.and_then(|rate| rate.ci95).zip(self.mean())?;
        Some((high - low) / 2.0 / mean)
    }

    /// Share of the tasks of all runs that did not succeed.
    #[must_use]
    pub(crate) fn unsuccessful_share(&self) -> f64 {
        let all = self.tasks * u64::from(self.runs());
        if all == 0 { 0.0 } else { self.unsuccessful as f64 / all as f64 }
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
    /// No higher count than the best was tried, or none that tells: a higher one may be better.
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
    /// Whether a sweep of the usual number of runs would try nothing more.
    pub complete: bool,
    /// How the rate grows with the count, or why that is not known.
    pub fit: Result<Fit, NoFit>,
}

impl Default for Tuning {
    fn default() -> Self {
        let fit = Err(NoFit::default());
        Self { points: Vec::new(), advice: Advice::Nothing, why: String::new(), next: None, complete: false, fit }
    }
}

/// What an arm runs on and with: the bounds of its worker count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Most workers that make sense: no more than may be started, and no more than there are tasks.
    pub(crate) most: u32,
    /// Cores that they share.
    pub(crate) cores: u32,
    /// Whether tasks arrive on a schedule of their own: no count can be faster than they come.
    pub(crate) open_arrivals: bool,
    /// Whether runs cost nothing but time: short ones are then repeated more often where they tell too little. Runs of
    /// commands are not free.
    pub(crate) free: bool,
}

impl Tuning {
    /// Sums up what was measured. `points` are ascending in their counts.
    #[must_use]
    pub(crate) fn of(points: Vec<Point>, bounds: Bounds) -> Self {
        let advice = advise(&points, bounds);
        let next = match advice {
            Advice::Nothing | Advice::Use { .. } => None,
            // What others use is no room: nothing follows about a higher count.
            Advice::Rising { best } => higher(best, &points, bounds.most).filter(|_| {
                !points.iter().any(|point| point.workers == best && point.no_core_is_free(bounds) && !point.waits())
            }),
            Advice::Unclear { best } => Some(best),
        };
        let why = why::sentence(&points, advice, next, bounds);
        let complete = next_step(&points, RUNS, bounds) == Step::Done;
        let fit = if bounds.open_arrivals { Err(NoFit::OpenArrivals) } else { usl::fit(&rates(&points)) };
        Self { points, advice, why, next, complete, fit }
    }

    /// The point of a count.
    #[must_use]
    pub fn point(&self, workers: u32) -> Option<&Point> {
        self.points.iter().find(|point| point.workers == workers)
    }

    /// Speedup of a count: its rate over that of one worker; `None` where one of them is not known.
    #[must_use]
    pub(crate) fn speedup(&self, workers: u32) -> Option<f64> {
        Some(self.point(workers)?.mean()? / self.point(1)?.mean()?)
    }

    /// Efficiency of a count: its speedup over its workers, 1 where each is as good as the first.
    #[must_use]
    pub(crate) fn efficiency(&self, workers: u32) -> Option<f64> {
        self.speedup(workers).map(|speedup| speedup / f64::from(workers))
    }

    /// Whether what follows rests on suspect runs: of the count that it is about, or of a rival that would be better if its
    /// runs had not been disturbed: the best one, the next lower one, and the highest, with which more did not pay.
    #[must_use]
    pub(crate) fn is_suspect(&self) -> bool {
        let Some(workers) = self.advice.workers() else { return false };
        let lower = tried(&self.points).rfind(|point| point.workers < workers);
        let highest = tried(&self.points).next_back();
        let rests_on = [self.point(workers), best(&self.points).map(|(best, _)| best), lower, highest];
        rests_on.into_iter().flatten().any(|point| !point.suspect.is_empty())
    }

    /// What follows, in words, with the mark of suspect runs.
    #[must_use]
    pub(crate) fn headline(&self) -> String {
        format!("{}{}", if self.is_suspect() { "SUSPECT " } else { "" }, self.plain_headline())
    }

    /// The same without the mark.
    #[must_use]
    pub(crate) fn plain_headline(&self) -> String {
        let highest = tried(&self.points).next_back().map(|point| point.workers);
        match (self.advice, highest) {
            (Advice::Rising { best }, _) if tried(&self.points).count() == 1 => {
                format!("{best} is the only count tried")
            }
            (Advice::Rising { best }, Some(highest)) if highest > best => {
                format!("{best} is the best tried, with none far enough above it to tell")
            }
            (Advice::Unclear { best }, _) => {
                let runs = self.point(best).map_or(0, Point::runs);
                match runs {
                    0 | 1 => format!("{best} is the best tried, with one run of it: two and more tell (--repeats 3)"),
                    _ => format!("{best} is the best tried, its {runs} runs differ too much to tell"),
                }
            }
            (advice, _) => advice.to_string(),
        }
    }

    /// How much faster a point is than the one with the next lower count, as a share: 0.33 is a third faster.
    #[must_use]
    pub(crate) fn gain(&self, workers: u32) -> Option<f64> {
        let place = self.points.iter().position(|point| point.workers == workers)?;
        let before = self.points.get(place.checked_sub(1)?)?.mean()?;
        Some(self.points.get(place)?.mean()? / before - 1.0)
    }
}

impl Advice {
    /// The count it is about.
    #[must_use]
    pub(crate) fn workers(self) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::Rising { best } | Self::Unclear { best } => Some(best),
            Self::Use { workers, .. } => Some(workers),
        }
    }

    /// For machines: `use`, `rising`, `unclear`, `nothing`.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
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
            Self::Unclear { best } => write!(f, "{best} is the best tried, not told apart from others"),
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

/// Each usable run: its count and its rate.
fn rates(points: &[Point]) -> Vec<(u32, f64)> {
    let usable = |point: &Point| {
        let usable = point.figures.iter().filter(|figure| figure.usable());
        usable.map(|figure| (point.workers, figure.throughput)).collect::<Vec<_>>()
    };
    points.iter().flat_map(usable).collect()
}

/// The points with counted runs, be it that not one task of them succeeded.
fn tried(points: &[Point]) -> impl DoubleEndedIterator<Item = &Point> {
    points.iter().filter(|point| point.runs() > 0)
}

fn measured(points: &[Point]) -> impl Iterator<Item = (&Point, f64)> {
    points.iter().filter_map(|point| Some((point, point.mean()?)))
}

/// The point with the highest mean rate; of equal ones the lowest count.
fn best(points: &[Point]) -> Option<(&Point, f64)> {
    measured(points).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The point with the smallest count whose lower bound is within [`WITHIN`] of the best.
fn smallest(points: &[Point], best: f64) -> Option<&Point> {
    points.iter().find(|point| point.lower().is_some_and(|lower| lower >= (1.0 - WITHIN) * best))
}

fn advise(points: &[Point], bounds: Bounds) -> Advice {
    let Some((top, rate)) = best(points) else { return Advice::Nothing };
    let best = top.workers;
    // One with which not one task succeeds does not pay either.
    let highest = tried(points).next_back().unwrap_or(top);
    match smallest(points, rate) {
        Some(point) if highest.workers >= bounds.most || did_not_pay(point, highest) => {
            Advice::Use { workers: point.workers, best }
        }
        // A higher one is as good for sure, and this one only perhaps.
        Some(point) if point.workers > best => Advice::Unclear { best },
        Some(_) => Advice::Rising { best },
        // One run of the highest count is enough to see that it still rises.
        None if best == highest.workers && best < bounds.most && rises(points, top) => Advice::Rising { best },
        None => Advice::Unclear { best },
    }
}

/// Whether a higher count shows that more workers do not pay. One more on top of twenty gains 5 % at best, which is no
/// sign of an end: what counts is how much of the possible gain is there, and that the precision is enough to see that.
fn did_not_pay(point: &Point, higher: &Point) -> bool {
    let Some(mean) = point.mean().filter(|_| higher.workers > point.workers) else { return false };
    let possible = f64::from(higher.workers) / f64::from(point.workers) - 1.0;
    let at_most = higher.mean().map_or(0.0, |mean| mean * (1.0 + higher.precision().unwrap_or(0.0)));
    at_most < mean * (1.0 + possible / 2.0)
}

/// Whether the best point is clearly faster than the next lower one, or the only one.
fn rises(points: &[Point], top: &Point) -> bool {
    let before = measured(points).take_while(|(point, _)| point.workers < top.workers).last();
    let least = top.mean().map_or(0.0, |mean| mean * (1.0 - top.precision().unwrap_or(WITHIN)));
    before.is_none_or(|(_, before)| least > before)
}

/// Half as many again as the best count, as many as may be; the step that a person would take. `None` where there is no
/// higher one that was not tried.
fn higher(best: u32, points: &[Point], most: u32) -> Option<u32> {
    let step =
        if tried(points).count() < 2 || best < 4 { best.saturating_mul(2) } else { best.saturating_add(best / 2) };
    let highest = tried(points).next_back().map_or(best, |point| point.workers);
    let next = step.max(highest.saturating_add(1)).min(most);
    (next > highest).then_some(next)
}

/// What a sweep does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make another run with this many workers.
    Run(u32),
    /// Nothing more is to be tried.
    Done,
}

/// The next run of a sweep: 1, 2, 4, 8 ... until two gains in a row are below 5 %, then the counts between the largest that
/// is not good enough and the smallest that is, halving the gap. What was measured before counts too. A count that may
/// matter gets `runs` runs; one run is enough for a count from which the rate still rises steeply, and which is far from
/// the best. Where an interval is too wide to tell, its count gets up to three times as many runs, or more of short ones.
#[must_use]
pub(crate) fn next_step(points: &[Point], runs: u32, bounds: Bounds) -> Step {
    let point = |workers: u32| points.iter().find(|point| point.workers == workers);
    let lacks = |workers: u32, runs: u32| point(workers).is_none_or(|point| point.runs() < runs);
    let mut before: Option<(u32, f64)> = None;
    let mut flat = 0;
    for workers in doublings(bounds.most) {
        if lacks(workers, 1) {
            return Step::Run(workers);
        }
        // Where nothing succeeds, no higher count is of use.
        let Some(mean) = point(workers).and_then(Point::mean) else { break };
        if let Some((lower, rate)) = before.filter(|(_, rate)| mean < rate * (1.0 + STEEP)) {
            if let Some(lacking) = [lower, workers].into_iter().find(|workers| lacks(*workers, runs)) {
                return Step::Run(lacking);
            }
            flat = if mean < rate * (1.0 + WITHIN) { flat + 1 } else { 0 };
        } else {
            flat = 0;
        }
        if flat >= FLAT {
            break;
        }
        before = Some((workers, mean));
    }
    let Some((top, rate)) = best(points) else { return Step::Done };
    // The border of what works at all, which may lie above the best.
    let failing = tried(points).find(|point| point.workers > top.workers && point.mean().is_none());
    if let Some(failing) = failing {
        let works = measured(points).map(|(point, _)| point.workers).filter(|workers| *workers < failing.workers).max();
        if let Some(middle) = works.and_then(|works| between(works, failing.workers)) {
            return Step::Run(middle);
        }
    }
    let good = smallest(points, rate).map(|point| point.workers);
    let enough = (1.0 - WITHIN) * rate;
    let may_have_more = |point: &Point| {
        let short = bounds.free && point.wall < PATIENCE && point.runs() < MOST;
        short || point.runs() < runs.saturating_mul(MORE)
    };
    let near = measured(points).find(|(point, mean)| *mean >= NEAR * rate && lacks(point.workers, runs));
    if let Some((point, _)) = near {
        return Step::Run(point.workers);
    }
    // One whose mean is good enough and whose bound is not yet could be the smallest.
    let undecided = measured(points)
        .take_while(|(point, _)| good.is_none_or(|good| point.workers < good))
        .find(|(point, mean)| *mean >= enough && may_have_more(point));
    if let Some((point, _)) = undecided {
        return Step::Run(point.workers);
    }
    let Some(good) = good else { return Step::Done };
    let below = tried(points).map(|point| point.workers).filter(|workers| *workers < good).max().unwrap_or(0);
    between(below, good).filter(|_| below > 0).map_or(Step::Done, Step::Run)
}

/// What is known of one of several rivals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tried {
    /// Mean rate; `None` where nothing succeeded.
    rate: Option<f64>,
    /// Counted runs, and how many of them are suspect.
    runs: usize,
    suspect: usize,
}

impl Tried {
    /// What the first so many runs of a point have shown.
    #[must_use]
    pub(crate) fn of(point: &Point, first: u32) -> Self {
        let figures = || point.figures.iter().take(first as usize);
        let rates: Vec<f64> = figures().map(|figure| figure.throughput).collect();
        let rate = estimate(&rates).map(|rate| rate.mean).filter(|mean| mean.is_finite() && *mean > 0.0);
        Self { rate, runs: rates.len(), suspect: figures().filter(|figure| figure.suspect).count() }
    }
}

/// Which of some points need no more runs: the worse half of them, as far as these have less than 80 % of
/// the best rate (successive halving: K. Jamieson and A. Talwalkar, Non-stochastic best arm identification and hyperparameter
/// optimization, AISTATS 2016; the bound keeps what is good enough to be recommended). One without a rate has the worst.
///
/// One that was disturbed more than its rivals (most of its runs are suspect, and most of theirs are not) has another
/// chance, unless no disturbance explains its rate. Where all of them are suspect, they are compared all the same.
#[must_use]
pub(crate) fn clearly_bad(tried: &[Tried]) -> Vec<usize> {
    let rate = |one: &Tried| one.rate.unwrap_or(0.0);
    let mut places: Vec<(usize, Tried)> = tried.iter().copied().enumerate().collect();
    places.sort_by(|(_, one), (_, other)| rate(other).total_cmp(&rate(one)));
    let best = places.first().map_or(0.0, |(_, one)| rate(one));
    let worse = places.split_off(places.len().div_ceil(2));
    let sum = |of: fn(&Tried) -> usize| tried.iter().map(of).sum::<usize>();
    let (runs, suspect) = (sum(|one| one.runs), sum(|one| one.suspect));
    let most = |suspect: usize, runs: usize| suspect * 2 > runs;
    let unlucky = |one: &Tried| {
        let disturbed = most(one.suspect, one.runs) && !most(suspect - one.suspect, runs - one.runs);
        disturbed && rate(one) >= DISTURBED * best
    };
    worse.into_iter().filter(|(_, one)| rate(one) < NEAR * best && !unlucky(one)).map(|(place, _)| place).collect()
}

/// The count in the middle of two, if there is one.
fn between(low: u32, high: u32) -> Option<u32> {
    let middle = low + (high - low) / 2;
    (middle > low).then_some(middle)
}

/// How many counts a sweep tries at most: every doubling, and all that lie in the way of two bisections, of the smallest count that
/// is good enough and of the border of what works at all.
#[must_use]
pub(crate) fn most_counts(most: u32) -> u64 {
    let doublings = doublings(most).count() as u64;
    doublings + 2 * doublings.saturating_sub(2)
}

/// 1, 2, 4, 8 ... and the most at last.
fn doublings(most: u32) -> impl Iterator<Item = u32> {
    let powers = std::iter::successors(Some(1_u32), |count| count.checked_mul(2));
    powers.take_while(move |count| *count < most).chain([most.max(1)])
}

#[cfg(test)]
mod tests;
