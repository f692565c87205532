//! `measure`: how often and in which order arms are run, and what is reported.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::model::{DEFAULT_JOIN_TIMEOUT, LatencyFrom, Measure, RunOrder};

const MOST_RUNS: u32 = 10_000;
const MOST_PERCENTILES: usize = 20;
/// A sampler that wakes more often would be part of the load.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
const REPEATS: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// How a file is measured that does not say.
pub(crate) fn default() -> Measure {
    Measure {
        warmup: 1,
        repeats: REPEATS,
        order: RunOrder::Interleaved,
        sample_interval: Duration::from_millis(500),
        percentiles: vec![50.0, 90.0, 95.0, 99.0],
        latency_from: LatencyFrom::IntendedArrival,
        join_timeout: DEFAULT_JOIN_TIMEOUT,
    }
}

pub(crate) fn read(field: &Field<'_>) -> Option<Measure> {
    let default = default();
    let orders = [("interleaved", RunOrder::Interleaved), ("randomized", RunOrder::Randomized)];
    let origins = [("intended_arrival", LatencyFrom::IntendedArrival), ("start", LatencyFrom::Start)];
    let mut map = field.map()?;
    let warmup = map.or("warmup", default.warmup, |field| u32::try_from(field.integer(0, MOST_RUNS.into())?).ok());
    let repeats = map.or("repeats", default.repeats, |field| field.count32(MOST_RUNS));
    let order = map.or("order", default.order, |field| field.choice("order", &orders, &[]));
    let sample_interval = map.or("sample_interval", default.sample_interval, interval);
    let percentiles = map.or("percentiles", default.percentiles, percentiles);
    let latency_from =
        map.or("latency_from", default.latency_from, |field| field.choice("start of latency", &origins, &[]));
    let join_timeout = map.or("join", default.join_timeout, join);
    map.finish(&keys::MEASURE, "`measure`");
    Some(Measure {
        warmup: warmup?,
        repeats: repeats?,
        order: order?,
        sample_interval: sample_interval?,
        percentiles: percentiles?,
        latency_from: latency_from?,
        join_timeout: join_timeout?,
    })
}

fn interval(field: &Field<'_>) -> Option<Duration> {
    let interval = field.positive_duration()?;
    if interval < SHORTEST_INTERVAL {
        return field.wrong("sampling this often would disturb what is measured", "must be at least 50ms");
    }
    Some(interval)
}

fn join(field: &Field<'_>) -> Option<Duration> {
    let mut map = field.map()?;
    let timeout = map.or("timeout", DEFAULT_JOIN_TIMEOUT, Field::positive_duration);
    map.finish(&keys::JOIN, "`join`");
    timeout
}

fn percentiles(field: &Field<'_>) -> Option<Vec<f64>> {
    let items = field.some_items(MOST_PERCENTILES)?;
    let read: Vec<Option<f64>> = items
        .iter()
        .map(|item| item.number("must be a number above 0 and at most 100", |value| value > 0.0 && value <= 100.0))
        .collect();
    let mut values = read.into_iter().collect::<Option<Vec<f64>>>()?;
    values.sort_by(f64::total_cmp);
    values.dedup();
    Some(values)
}
