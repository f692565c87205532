//! When tasks arrive under open arrivals: a lazy, seeded list of times.
//!
//! Both processes are read off the cumulative rate `Λ(t)`, the expected number of arrivals until `t`: evenly spaced
//! arrival `n` (from 0) is where `Λ(t) = n`, and Poisson arrival `n` is where `Λ(t)` is the sum of `n + 1` exponential
//! numbers `-ln(u)` with mean 1 (time rescaling; Lewis, Shedler 1979). So a change of rate between stages needs no
//! special case, and the first evenly spaced task arrives at once.

use std::time::Duration;

use crate::workload::model::{ArrivalProcess, Arrivals, OpenArrivals};
use crate::workload::random::{Purpose, unit};

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

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Seconds since the start of the run.
    begin: f64,
    /// Cumulative rate at its begin and its end.
    mass: f64,
    end_mass: f64,
    rate: f64,
}

impl ArrivalTimes {
    /// The times of at most `limit` arrivals.
    #[must_use]
    pub(crate) fn new(open: &OpenArrivals, seed: u64, limit: u64) -> Self {
        let mut stages = Vec::with_capacity(open.stages.len());
        let (mut begin, mut mass) = (0.0, 0.0);
        for stage in &open.stages {
            let seconds = stage.duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
            let end_mass = mass + seconds * stage.rate;
            stages.push(Segment { begin, mass, end_mass, rate: stage.rate });
            (begin, mass) = (begin + seconds, end_mass);
        }
        let limit = match open.process {
            ArrivalProcess::Constant => limit.min(evenly_spaced(mass)),
            ArrivalProcess::Poisson => limit,
        };
        Self { process: open.process, seed, stages, stage: 0, next: 0, limit, mass: 0.0, last: Duration::ZERO }
    }
}

impl Iterator for ArrivalTimes {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.next >= self.limit {
            return None;
        }
        self.mass = match self.process {
            ArrivalProcess::Constant => self.next as f64,
            ArrivalProcess::Poisson => self.mass - unit(self.seed, Purpose::Arrival, self.next, 0).ln(),
        };
        // Rounding may put the last evenly spaced arrival a hair beyond the last stage, never outside the list.
        let last = self.stages.len().checked_sub(1)?;
        while self.stage < last && self.mass >= self.stages.get(self.stage)?.end_mass {
            self.stage += 1;
        }
        let stage = self.stages.get(self.stage)?;
        if self.process == ArrivalProcess::Poisson && self.mass >= stage.end_mass {
            self.limit = self.next;
            return None;
        }
        self.next += 1;
        let seconds = stage.begin + (self.mass - stage.mass) / stage.rate;
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.last = time.max(self.last);
        Some(self.last)
    }
}

/// How many arrivals there are: at most `limit`, fewer if the stages end before.
#[must_use]
pub(crate) fn count(open: &OpenArrivals, seed: u64, limit: u64) -> u64 {
    let times = ArrivalTimes::new(open, seed, limit);
    match open.process {
        ArrivalProcess::Constant => times.limit,
        ArrivalProcess::Poisson if open.duration().is_none() => limit,
        ArrivalProcess::Poisson => times.fold(0, |count, _| count + 1),
    }
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
        let (mut left, mut seconds) = (total as f64, 0.0);
        for stage in &self.stages {
            let needed = left / stage.rate;
            let length = stage.duration.map_or(needed, |duration| duration.as_secs_f64().min(needed));
            seconds += length;
            left = (left - length * stage.rate).max(0.0);
        }
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Expected number of arrivals until the stages end; infinite if they do not.
    #[must_use]
    pub(crate) fn expected(&self) -> f64 {
        let seconds = |duration: Option<Duration>| duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
        self.stages.iter().map(|stage| stage.rate * seconds(stage.duration)).sum()
    }
}

impl Arrivals {
    /// Expected time of the last of `total` arrivals; `None` for a batch.
    #[must_use]
    pub(crate) fn last(&self, total: u64) -> Option<Duration> {
        match self {
            Self::Batch => None,
            Self::Open(open) => Some(open.last_arrival(total)),
        }
    }
}

impl ArrivalProcess {
    /// The word used in YAML, JSON and on screen.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::{OnFull, Stage};

    fn open(process: ArrivalProcess, stages: &[(Option<u64>, f64)]) -> OpenArrivals {
        let stages = stages.iter().map(|&(seconds, rate)| Stage { duration: seconds.map(Duration::from_secs), rate });
        OpenArrivals { process, stages: stages.collect(), max_in_flight: None, on_full: OnFull::Drop }
    }

    #[test]
    fn evenly_spaced_arrivals_follow_the_rate_of_their_stage() {
        let open = open(ArrivalProcess::Constant, &[(Some(1), 4.0), (Some(2), 1.0)]);
        let millis: Vec<u128> = ArrivalTimes::new(&open, 1, u64::MAX).map(|time| time.as_millis()).collect();
        assert_eq!(millis, [0, 250, 500, 750, 1000, 2000]);
        assert_eq!(count(&open, 1, u64::MAX), 6);
        assert_eq!(count(&open, 1, 5), 5);
    }

    #[test]
    fn whole_products_are_not_rounded_up() {
        for (rate, seconds) in [(40.0, 10), (0.1, 30), (120.0, 20), (1.0 / 3.0, 3)] {
            let open = open(ArrivalProcess::Constant, &[(Some(seconds), rate)]);
            let expected = (rate * seconds as f64).round() as u64;
            assert_eq!(count(&open, 1, u64::MAX), expected, "{rate}/s for {seconds} s");
            assert_eq!(ArrivalTimes::new(&open, 1, u64::MAX).count() as u64, expected);
        }
    }

    #[test]
    fn a_stage_without_an_end_runs_until_the_tasks_are_used_up() {
        let open = open(ArrivalProcess::Poisson, &[(Some(1), 5.0), (None, 100.0)]);
        assert_eq!(ArrivalTimes::new(&open, 3, 1000).count(), 1000);
        assert_eq!(count(&open, 3, 1000), 1000);
    }

    #[test]
    fn evenly_spaced_arrivals_without_an_end_are_as_many_as_there_are_tasks() {
        for stages in [&[(None, 4.0)][..], &[(Some(1), 4.0), (None, 2.0)]] {
            let open = open(ArrivalProcess::Constant, stages);
            assert_eq!(count(&open, 1, 1000), 1000);
            assert_eq!(ArrivalTimes::new(&open, 1, 1000).count(), 1000);
        }
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_the_exponential() {
        let open = open(ArrivalProcess::Poisson, &[(Some(200), 100.0)]);
        let times: Vec<f64> = ArrivalTimes::new(&open, 5, u64::MAX).map(|time| time.as_secs_f64()).collect();
        // 20 000 expected, standard deviation 141.
        assert!((19_400..20_600).contains(&times.len()), "{}", times.len());
        assert_eq!(count(&open, 5, u64::MAX), times.len() as u64);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn a_finished_list_stays_finished() {
        let mut times = ArrivalTimes::new(&open(ArrivalProcess::Poisson, &[(Some(1), 3.0)]), 1, u64::MAX);
        let count = times.by_ref().count();
        assert!(times.next().is_none(), "{count}");
    }
}
