//! When tasks arrive under open arrivals: a lazy, seeded list of times.
//!
//! All processes but bursts are read off the cumulative rate `Λ(t)`, the expected number of arrivals until `t`: evenly
//! spaced arrival `n` (from 0) is where `Λ(t) = n`, and Poisson arrival `n` is where `Λ(t)` is the sum of `n + 1`
//! exponential numbers `-ln(u)` with mean 1 (time rescaling; Lewis, Shedler 1979). So a change of rate between stages
//! or within one needs no special case, and the first evenly spaced task arrives at once. Arrival `n` of bursts of `k`
//! comes with burst `n / k`, counted in whole nanoseconds, and that of a trace when the trace says.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::workload::model::{ArrivalProcess, Arrivals, OpenArrivals, Stage};
use crate::workload::random::{Purpose, unit};
use crate::workload::trace::Trace;

/// Most arrivals that stages may bring; more must be given as `total`, which needs no counting.
pub(crate) const MOST_COUNTED: u64 = 20_000_000;

/// Intended arrival times since the start of the run, never decreasing.
#[derive(Clone, Debug)]
pub struct ArrivalTimes {
    process: ArrivalProcess,
    seed: u64,
    stages: Vec<Segment>,
    /// The stage that the next arrival is looked for in.
    stage: usize,
    next: u64,
    limit: u64,
    /// Cumulative rate at the last arrival.
    mass: f64,
    last: Duration,
}

/// A stage and where it lies.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Seconds since the start of the run.
    begin: f64,
    end: f64,
    /// Cumulative rate at its begin and its end.
    mass: f64,
    end_mass: f64,
    rate: f64,
    /// What the rate gains in a second.
    slope: f64,
}

impl Segment {
    fn all(stages: &[Stage]) -> Vec<Self> {
        let (mut begin, mut mass) = (0.0, 0.0);
        let segment = |stage: &Stage| {
            let seconds = stage.duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
            // A ramp always has an end.
            let slope = if stage.is_ramp() { (stage.end_rate - stage.rate) / seconds } else { 0.0 };
            let (end, end_mass) = (begin + seconds, mass + stage.expected());
            let segment = Self { begin, end, mass, end_mass, rate: stage.rate, slope };
            (begin, mass) = (end, end_mass);
            segment
        };
        stages.iter().map(segment).collect()
    }

    /// The second at which the cumulative rate is `mass`.
    ///
    /// In a ramp it solves `slope / 2 * s^2 + rate * s = more` for the time `s` since the begin, in the form in which
    /// nothing cancels.
    fn second_of(&self, mass: f64) -> f64 {
        let more = mass - self.mass;
        if more <= 0.0 {
            return self.begin;
        }
        let seconds = if self.slope == 0.0 {
            more / self.rate
        } else {
            let rate_then = (self.rate * self.rate + 2.0 * self.slope * more).max(0.0).sqrt();
            2.0 * more / (self.rate + rate_then)
        };
        (self.begin + seconds).min(self.end)
    }
}

impl ArrivalTimes {
    /// The times of at most `limit` arrivals.
    #[must_use]
    pub(crate) fn new(open: &OpenArrivals, seed: u64, limit: u64) -> Self {
        let stages = Segment::all(&open.stages);
        let mass = stages.last().map_or(0.0, |segment| segment.end_mass);
        let limit = match open.process {
            ArrivalProcess::Constant | ArrivalProcess::Ramp => limit.min(evenly_spaced(mass)),
            ArrivalProcess::Poisson => limit,
            ArrivalProcess::Burst { size, every } => limit.min(in_bursts(size, every, open.duration())),
            ArrivalProcess::Trace(ref moments) => limit.min(moments.len()),
        };
        Self { process: open.process.clone(), seed, stages, stage: 0, next: 0, limit, mass: 0.0, last: Duration::ZERO }
    }

    /// When the next one arrives, by its cumulative rate; `None` behind the last stage.
    fn by_mass(&mut self, mass: f64, ends: bool) -> Option<Duration> {
        self.mass = mass;
        // Rounding may put the last evenly spaced arrival a hair beyond the last stage, never outside the list.
        let last = self.stages.len().checked_sub(1)?;
        while self.stage < last && mass >= self.stages.get(self.stage)?.end_mass {
            self.stage += 1;
        }
        let stage = self.stages.get(self.stage)?;
        if ends && mass >= stage.end_mass {
            return None;
        }
        Some(Duration::try_from_secs_f64(stage.second_of(mass)).unwrap_or(Duration::MAX))
    }
}

impl Iterator for ArrivalTimes {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.next >= self.limit {
            return None;
        }
        let time = match self.process {
            ArrivalProcess::Constant | ArrivalProcess::Ramp => self.by_mass(self.next as f64, false),
            ArrivalProcess::Poisson => {
                let gap = -unit(self.seed, Purpose::Arrival, self.next, 0).ln();
                self.by_mass(self.mass + gap, true)
            }
            ArrivalProcess::Burst { size, every } => Some(burst_of(self.next, size, every)),
            ArrivalProcess::Trace(ref moments) => Some(moments.wrapping(self.next)),
        };
        let Some(time) = time else {
            self.limit = self.next;
            return None;
        };
        self.next += 1;
        self.last = time.max(self.last);
        Some(self.last)
    }
}

/// How many arrivals there are: at most `limit`, fewer if the stages end before.
#[must_use]
pub(crate) fn count(open: &OpenArrivals, seed: u64, limit: u64) -> u64 {
    let times = ArrivalTimes::new(open, seed, limit);
    match open.process {
        ArrivalProcess::Poisson if open.duration().is_none() => limit,
        ArrivalProcess::Poisson => times.fold(0, |count, _| count + 1),
        _ => times.limit,
    }
}

impl Stage {
    /// A stage of one rate.
    #[must_use]
    pub(crate) fn level(duration: Option<Duration>, rate: f64) -> Self {
        Self { duration, rate, end_rate: rate }
    }

    /// Whether its rate changes.
    #[must_use]
    pub(crate) fn is_ramp(&self) -> bool {
        self.rate != self.end_rate
    }

    /// Its beginning of that length, if it is longer.
    fn until(&self, end: Duration) -> Self {
        match self.duration {
            Some(length) if end < length => {
                let share = end.as_secs_f64() / length.as_secs_f64();
                Self { duration: Some(end), end_rate: self.rate + (self.end_rate - self.rate) * share, ..*self }
            }
            _ => *self,
        }
    }

    /// Its highest rate.
    #[must_use]
    pub(crate) fn highest(&self) -> f64 {
        self.rate.max(self.end_rate)
    }

    /// Its rate on average.
    #[must_use]
    pub(crate) fn mean(&self) -> f64 {
        f64::midpoint(self.rate, self.end_rate)
    }

    /// Expected number of arrivals; infinite if it has no end.
    fn expected(&self) -> f64 {
        self.duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64()) * self.mean()
    }
}

/// Most stages that a trace is summed up in, and fewest arrivals of one.
const TRACE_STAGES: u64 = 24;
const TRACE_STAGE: u64 = 20;

/// The rate that recorded moments amount to, in a few stages of equal length. None where all are at the start.
#[must_use]
pub(crate) fn stages_of(moments: &Trace) -> Vec<Stage> {
    let (values, last) = (moments.values(), moments.longest());
    if last.is_zero() {
        return Vec::new();
    }
    let count = (moments.len() / TRACE_STAGE).clamp(1, TRACE_STAGES);
    // As if one more came after the last: n arrivals have n - 1 gaps.
    let gaps = moments.len().saturating_sub(1).max(1) as f64;
    let length = last.mul_f64(moments.len() as f64 / gaps / count as f64).max(Duration::from_nanos(1));
    let mut before = 0;
    let stage = |number: u32| {
        let end = length.saturating_mul(number).as_nanos();
        let until = values.partition_point(|moment| u128::from(*moment) < end);
        let arrivals = until - std::mem::replace(&mut before, until);
        Stage::level(Some(length), arrivals as f64 / length.as_secs_f64())
    };
    (1..).take(usize::try_from(count).unwrap_or(1)).map(stage).collect()
}

impl OpenArrivals {
    /// Length of all stages together; `None` if the last one has no end.
    #[must_use]
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.stages.iter().map(|stage| stage.duration).sum()
    }

    /// Expected time of the last of `total` arrivals.
    #[must_use]
    pub(crate) fn last_arrival(&self, total: u64) -> Duration {
        match &self.process {
            ArrivalProcess::Burst { size, every } => return burst_of(total.saturating_sub(1), *size, *every),
            ArrivalProcess::Trace(moments) => return moments.wrapping(total.clamp(1, moments.len()) - 1),
            ArrivalProcess::Constant | ArrivalProcess::Poisson | ArrivalProcess::Ramp => {}
        }
        let (segments, mass) = (Segment::all(&self.stages), total as f64);
        let segment = segments.iter().find(|segment| mass <= segment.end_mass).or(segments.last());
        let seconds = segment.map_or(0.0, |segment| segment.second_of(mass));
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// The stages as `total` tasks meet them: what would come after the last one is cut off. Bursts and traces are no rates
    /// that could be cut.
    #[must_use]
    pub(crate) fn until(&self, total: u64) -> Vec<Stage> {
        let at_a_rate =
            matches!(self.process, ArrivalProcess::Constant | ArrivalProcess::Poisson | ArrivalProcess::Ramp);
        if !at_a_rate || total as f64 >= self.expected() {
            return self.stages.clone();
        }
        let mut left = self.last_arrival(total);
        let mut kept = Vec::new();
        for stage in &self.stages {
            if left.is_zero() && !kept.is_empty() {
                break;
            }
            kept.push(stage.until(left));
            left = left.saturating_sub(stage.duration.unwrap_or(Duration::MAX));
        }
        kept
    }

    /// When each stage begins and ends; one without a length ends with the last of `total` arrivals.
    #[must_use]
    pub(crate) fn spans(&self, total: u64) -> Vec<(Duration, Duration)> {
        let mut begin = Duration::ZERO;
        let span = |stage: &Stage| {
            let end = stage.duration.map_or(self.last_arrival(total), |length| begin.saturating_add(length));
            let span = (begin, end.max(begin));
            begin = span.1;
            span
        };
        self.stages.iter().map(span).collect()
    }

    /// Expected number of arrivals until the stages end; infinite if they do not.
    #[must_use]
    pub(crate) fn expected(&self) -> f64 {
        self.stages.iter().map(Stage::expected).sum()
    }
}

impl Arrivals {
    /// Most tasks queued and running together, where that is limited.
    #[must_use]
    pub(crate) fn max_in_flight(&self) -> Option<u64> {
        match self {
            Self::Batch => None,
            Self::ClosedLoop { max_in_flight } => Some(max_in_flight.get()),
            Self::Open(open) => open.max_in_flight.map(NonZeroU64::get),
        }
    }

    /// Expected time of the last of `total` arrivals; `None` where they do not look at the time.
    #[must_use]
    pub(crate) fn last(&self, total: u64) -> Option<Duration> {
        match self {
            Self::Batch | Self::ClosedLoop { .. } => None,
            Self::Open(open) => Some(open.last_arrival(total)),
        }
    }
}

impl ArrivalProcess {
    /// The word used in YAML, JSON and on screen.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Burst { .. } => "burst",
            Self::Ramp => "ramp",
            Self::Trace(_) => "trace",
        }
    }
}

/// Arrivals at 0, 1, 2 ... below `mass`; 40/s for 10 s are 400 even if the product is a hair above 400.
fn evenly_spaced(mass: f64) -> u64 {
    if mass.is_infinite() {
        return u64::MAX;
    }
    (mass - mass.max(1.0) * 1e-9).ceil().max(0.0) as u64
}

/// Arrivals of the bursts that begin before the end, if there is one.
fn in_bursts(size: NonZeroU64, every: Duration, end: Option<Duration>) -> u64 {
    let Some(end) = end else { return u64::MAX };
    let bursts = end.as_nanos().div_ceil(every.as_nanos().max(1));
    u64::try_from(bursts).unwrap_or(u64::MAX).saturating_mul(size.get())
}

/// When arrival `index` comes.
fn burst_of(index: u64, size: NonZeroU64, every: Duration) -> Duration {
    let nanos = u128::from(index / size) * every.as_nanos();
    u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
}

#[cfg(test)]
mod tests;
