//! `measure`: how often and in which order arms are run, and what is reported.

use std::num::NonZeroU32;
use std::time::Duration;

/// How often and in which order arms are run.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Runs of each arm that are not counted.
    pub warmup: u32,
    /// Whether one more is made in which interpreters are probed.
    pub gil_probe: bool,
    /// Runs of each arm that are counted; at least 1, and the fewest where their number follows from their results.
    pub repeats: NonZeroU32,
    /// Until when more are made; `None` makes as many as `repeats`.
    pub adaptive: Option<Adaptive>,
    /// Order of the runs.
    pub order: RunOrder,
    /// How often workers are sampled.
    pub sample_interval: Duration,
    /// Percentiles shown by reports, each above 0 and at most 100, ascending.
    pub percentiles: Vec<f64>,
    /// Where the latency that reports lead with begins.
    pub latency_from: LatencyFrom,
    /// How long the workers have to leave after the last task of a run, as in `close(); join(timeout)`.
    pub join_timeout: Duration,
}

/// A number of runs that follows from their results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// Half the width of every interval that is narrow enough, as a share of its ratio.
    pub precision: f64,
    /// Most runs of each arm.
    pub max_repeats: NonZeroU32,
    /// Longest time of all runs together, warm-up included.
    pub max_time: Duration,
}

/// The `measure.join.timeout` of a file that states none.
pub(crate) const DEFAULT_JOIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a latency begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyFrom {
    /// The intended arrival, so that a stalled engine cannot hide its stall (coordinated omission).
    IntendedArrival,
    /// The first instruction of the task.
    Start,
}

/// Order of the runs of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOrder {
    /// A B A B ...
    Interleaved,
    /// Every round in a seeded random order.
    Randomized,
}
