//! When the tasks of an open workload arrive: intended times, whatever becomes of them.

use std::time::Duration;

use crate::workload::model::{ArrivalProcess, OpenArrivals, Stage};
use crate::workload::random::{Purpose, uniform};

/// Intended arrival times since the start, in order; ends with the last stage, or never if that has no duration.
#[derive(Clone, Debug)]
pub struct ArrivalTimes {
    process: ArrivalProcess,
    stages: Vec<Stage>,
    seed: u64,
    stage: usize,
    /// Seconds since the start: begin of the stage, last arrival.
    begin: f64,
    last: f64,
    /// Arrivals so far, in all and in this stage.
    count: u64,
    in_stage: u64,
}

impl ArrivalTimes {
    /// The arrivals of a workload with this seed.
    #[must_use]
    pub fn new(arrivals: &OpenArrivals, seed: u64) -> Self {
        Self {
            process: arrivals.process,
            stages: arrivals.stages.clone(),
            seed,
            stage: 0,
            begin: 0.0,
            last: 0.0,
            count: 0,
            in_stage: 0,
        }
    }
}

impl Iterator for ArrivalTimes {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let stage = self.stages.get(self.stage)?;
            let at = match self.process {
                // Counted from the begin of the stage, so that nothing adds up.
                ArrivalProcess::Constant => self.begin + self.in_stage as f64 / stage.rate,
                ArrivalProcess::Poisson => {
                    self.last - uniform(self.seed, Purpose::Arrival, self.count, 0).ln() / stage.rate
                }
            };
            let end = stage.duration.map_or(f64::INFINITY, |duration| self.begin + duration.as_secs_f64());
            if at < end {
                self.last = at;
                self.count += 1;
                self.in_stage += 1;
                return Some(Duration::try_from_secs_f64(at).unwrap_or(Duration::MAX));
            }
            // Exponential gaps have no memory: the next stage begins afresh.
            self.stage += 1;
            self.begin = end;
            self.last = end;
            self.count += 1;
            self.in_stage = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::OnFull;

    fn times(process: ArrivalProcess, stages: &[(u64, f64)]) -> Vec<f64> {
        let stages =
            stages.iter().map(|&(secs, rate)| Stage { duration: Some(Duration::from_secs(secs)), rate }).collect();
        let arrivals = OpenArrivals { process, stages, max_in_flight: None, on_full: OnFull::Drop };
        ArrivalTimes::new(&arrivals, 5).map(|time| time.as_secs_f64()).collect()
    }

    #[test]
    fn constant_arrivals_are_evenly_spaced_within_each_stage() {
        let times = times(ArrivalProcess::Constant, &[(1, 2.0), (1, 4.0)]);
        assert_eq!(times, [0.0, 0.5, 1.0, 1.25, 1.5, 1.75]);
    }

    #[test]
    fn poisson_arrivals_are_ordered_and_have_the_right_rates() {
        let times = times(ArrivalProcess::Poisson, &[(100, 50.0), (100, 200.0)]);
        assert!(times.is_sorted());
        let early = times.iter().filter(|time| **time < 100.0).count();
        let late = times.len() - early;
        // Four standard deviations of a Poisson count.
        assert!((early as f64 - 5_000.0).abs() < 4.0 * 5_000f64.sqrt(), "{early}");
        assert!((late as f64 - 20_000.0).abs() < 4.0 * 20_000f64.sqrt(), "{late}");
    }
}
