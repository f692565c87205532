//! What follows for a target from everything that was measured: the count to use, or the one that comes closest and how far
//! it is from the limit.

use super::target::{Meets, Percentile, Target, figure, meets, within_memory};
use super::{Advice, Bounds, Point, Tuning, tried};
use crate::analysis::percentiles;

/// What was found for a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The count to use; where none meets the limit, the one that comes closest.
    pub workers: Option<u32>,
    /// Whether it does what is wanted; `None` where that cannot be told.
    pub met: Option<bool>,
    /// A sentence with its reason.
    pub why: String,
    /// The figure that the limit is about, of that count; `None` where there is no limit, or no figure.
    pub distance: Option<Distance>,
    /// Whether it rests on suspect runs.
    pub suspect: bool,
}

/// A figure and its limit, in the same unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Of the sojourn the median over the runs, of memory the highest.
    pub value: f64,
    /// It is to be lower.
    pub limit: f64,
    /// Name of the figure: `sojourn_p99`, `peak_pss`.
    pub metric: &'static str,
    /// `s` or `bytes`.
    pub unit: &'static str,
}

impl Distance {
    fn of(point: &Point, target: Target) -> Option<Self> {
        match target {
            Target::Throughput => None,
            Target::Memory { limit } => {
                let value = point.peak_pss_bytes? as f64;
                Some(Self { value, limit: limit as f64, metric: "peak_pss", unit: "bytes" })
            }
            Target::Latency { percentile, limit } => {
                let value = percentile.of_point(point)?.as_secs_f64();
                Some(Self { value, limit: limit.as_secs_f64(), metric: percentile.metric(), unit: "s" })
            }
        }
    }

    /// How many times the limit it is.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.value / self.limit
    }
}

impl std::fmt::Display for Distance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ratio = self.ratio();
        let percent = (ratio - 1.0).abs() * 100.0;
        let side = if ratio < 1.0 { "below" } else { "above" };
        match ratio {
            ratio if ratio >= 10.0 => write!(f, "{ratio:.0} times the limit"),
            ratio if ratio >= 2.0 => write!(f, "{ratio:.1} times the limit"),
            _ if percent < 1.0 => write!(f, "less than 1 % {side} the limit"),
            _ => write!(f, "{percent:.0} % {side} the limit"),
        }
    }
}

/// What follows for a target from everything that was measured.
#[must_use]
pub(crate) fn found(tuning: &Tuning, target: Target, bounds: Bounds) -> Found {
    match target {
        Target::Throughput => {
            let met = matches!(tuning.advice, Advice::Use { .. });
            let why = format!("{}: {}", tuning.plain_headline(), tuning.why);
            let (workers, suspect) = (tuning.advice.workers(), tuning.is_suspect());
            Found { workers, met: met.then_some(true), why, distance: None, suspect }
        }
        Target::Memory { .. } => of_memory(tuning, target, bounds),
        Target::Latency { percentile, .. } => of_latency(tuning, target, percentile),
    }
}

fn nothing(why: &str) -> Found {
    Found { why: why.to_owned(), ..Found::default() }
}

fn is_suspect(point: &Point) -> bool {
    !point.suspect.is_empty()
}

/// A figure with how far it is from the limit: `p99 41.2 ms, 4.1 times the limit`.
fn told(point: &Point, target: Target) -> String {
    let figure = figure(point, target).unwrap_or_default();
    Distance::of(point, target).map_or(figure.clone(), |distance| format!("{figure}, {distance}"))
}

/// No count meets the limit: this one comes closest.
fn closest(point: &Point, target: Target, why: String) -> Found {
    Found {
        workers: Some(point.workers),
        met: Some(false),
        why,
        distance: Distance::of(point, target),
        suspect: is_suspect(point),
    }
}

fn of_memory(tuning: &Tuning, target: Target, bounds: Bounds) -> Found {
    if tried(&tuning.points).all(|point| meets(point, target) == Meets::Unknown) {
        return nothing("the memory of workers is not told here, or no run was long enough to look at it");
    }
    let (below, most) = within_memory(&tuning.points, target, bounds);
    if most == 0 {
        let over = tried(&tuning.points).filter(|point| meets(point, target) == Meets::No);
        return match over.min_by_key(|point| point.peak_pss_bytes) {
            Some(point) => {
                let why = format!(
                    "the smallest count takes more than that already; this comes closest: {}",
                    told(point, target)
                );
                closest(point, target, why)
            }
            None => nothing("no count was tried"),
        };
    }
    let of = Tuning::of(below, Bounds { most, ..bounds });
    let Some(workers) = of.advice.workers() else {
        return nothing("not one task succeeded with a count that stays below the limit");
    };
    let seen = tuning.point(workers).filter(|point| meets(point, target) == Meets::Yes);
    let met = (seen.is_some() && matches!(of.advice, Advice::Use { .. })).then_some(true);
    let seen = match seen {
        Some(point) => format!("; {}", told(point, target)),
        None => format!("; its memory is unknown: no run with {workers} was long enough to look at it"),
    };
    let limit =
        if most < bounds.most { format!("; {most} is the most that the limit leaves room for") } else { String::new() };
    let why = format!("{}: {}{limit}{seen}", of.plain_headline(), of.why);
    let distance = tuning.point(workers).and_then(|point| Distance::of(point, target));
    Found { workers: Some(workers), met, why, distance, suspect: of.is_suspect() }
}

fn of_latency(tuning: &Tuning, target: Target, percentile: Percentile) -> Found {
    let known = || tried(&tuning.points).filter(|point| meets(point, target) != Meets::Unknown);
    if let Some(point) = known().find(|point| meets(point, target) == Meets::Yes) {
        let lower = known().rfind(|other| other.workers < point.workers);
        let before =
            lower.and_then(|other| Some(format!(", with {} it was {}", other.workers, figure(other, target)?)));
        let figure = told(point, target);
        let why =
            format!("the smallest count whose interval lies below the limit: {figure}{}", before.unwrap_or_default());
        let distance = Distance::of(point, target);
        let suspect = is_suspect(point) || lower.is_some_and(is_suspect);
        return Found { workers: Some(point.workers), met: Some(true), why, distance, suspect };
    }
    // What is short because its tasks fail does not come close.
    let rank = |point: &&Point| {
        let ratio = Distance::of(point, target).map_or(f64::INFINITY, |distance| distance.ratio());
        (percentile.failed(point), ratio)
    };
    let nearest = known().min_by(|one, other| {
        let ((one_fails, one), (other_fails, other)) = (rank(one), rank(other));
        one_fails.cmp(&other_fails).then(one.total_cmp(&other))
    });
    let Some(point) = nearest else {
        let few = tried(&tuning.points).find_map(|point| percentile.too_few(point));
        return nothing(
            &few.map_or("not one task succeeded".to_owned(), |tasks| percentiles::why_not(tasks, percentile.number())),
        );
    };
    let figure = told(point, target);
    let why = match (meets(point, target), percentile.failed(point)) {
        (Meets::Unclear, _) => format!("too close to the limit to tell: {figure}"),
        (_, true) => format!(
            "no count that was tried meets the limit: {:.0} % of the tasks did not succeed, and these are in time with no limit; \
             this comes closest: {figure}",
            point.unsuccessful_share() * 100.0
        ),
        _ => format!("no count that was tried meets the limit; this comes closest: {figure}"),
    };
    let found = closest(point, target, why);
    Found { met: (meets(point, target) != Meets::Unclear).then_some(false), ..found }
}

impl Found {
    /// The mark of suspect runs, before what rests on them.
    #[must_use]
    pub(crate) fn mark(&self) -> &'static str {
        if self.suspect { "SUSPECT " } else { "" }
    }

    /// The same in a few words.
    #[must_use]
    pub(crate) fn words(&self, target: Target) -> String {
        let by = self.distance.map_or(String::new(), |distance| format!(": {distance}"));
        let words = match (self.workers, self.met) {
            (Some(workers), Some(true)) => format!("{target}: USE {workers}"),
            (Some(workers), Some(false)) => format!("{target} IS NOT MET, {workers} comes closest{by}"),
            (Some(workers), None) => format!("{target}: {workers} is the best so far"),
            (None, _) => format!("{target}: nothing found"),
        };
        format!("{}{words}", self.mark())
    }
}

/// Of several arms, each with its rate, the fastest of those that meet the target: its place. Of a target that
/// is no limit of a latency, what is not settled yet may be the fastest. Where none meets it, the one that comes closest.
#[must_use]
pub(crate) fn best<'a>(arms: impl Iterator<Item = (Option<f64>, &'a Found)>, target: Target) -> Option<usize> {
    let has_limit = matches!(target, Target::Latency { .. });
    let meets = |found: &Found| found.met == Some(true) || !has_limit && found.met != Some(false);
    let far = |found: &Found| found.distance.map_or(f64::INFINITY, |distance| distance.ratio());
    let arms: Vec<(bool, f64, f64)> =
        arms.map(|(rate, found)| (meets(found), rate.unwrap_or(0.0), far(found))).collect();
    let places = arms.iter().enumerate();
    let fastest =
        places.clone().filter(|(_, (meets, ..))| *meets).max_by(|(_, one), (_, other)| one.1.total_cmp(&other.1));
    let nearest = || places.min_by(|(_, one), (_, other)| one.2.total_cmp(&other.2).then(other.1.total_cmp(&one.1)));
    fastest.or_else(nearest).map(|(place, _)| place)
}
