//! Summaries of distributions of times: the figures that live screens and results show.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Distribution of the four latencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Intended arrival to dispatch.
    pub wait: Quantiles,
    /// Dispatch to the first instruction of the task.
    pub startup: Quantiles,
    /// The work itself.
    pub service: Quantiles,
    /// Intended arrival to end.
    pub sojourn: Quantiles,
}

/// Summary of one distribution; all zero when `count` is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    pub count: u64,
    /// Arithmetic mean.
    pub mean: Duration,
    pub p50: Duration,
    /// 90th percentile.
    pub p90: Duration,
    /// 95th percentile.
    pub p95: Duration,
    /// 99th percentile.
    pub p99: Duration,
    pub max: Duration,
}
