//! `measure`: how often and in which order arms are run, and what is reported.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::model::{Adaptive, DEFAULT_JOIN_TIMEOUT, LatencyFrom, Measure, RunOrder};

const MOST_RUNS: u32 = 10_000;
const MOST_PERCENTILES: usize = 20;
/// A sampler that wakes more often would be part of the load.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
const REPEATS: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
/// The fewest runs and the most, and the longest time, where their number follows from their results. Fewer than three
/// have no interval that is always valid.
const LEAST: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
const MOST: NonZeroU32 = NonZeroU32::new(50).expect("not zero");
const BUDGET: Duration = Duration::from_secs(600);
/// The narrowest and the widest half of an interval that can be asked for.
const PRECISIONS: (f64, f64) = (0.0001, 0.5);

/// How a file is measured that does not say. Tasks with items are somebody's work: they are done once.
pub(crate) fn default(has_items: bool) -> Measure {
    Measure {
        warmup: u32::from(!has_items),
        gil_probe: false,
        repeats: if has_items { NonZeroU32::MIN } else { REPEATS },
        adaptive: None,
        order: RunOrder::Interleaved,
        sample_interval: Duration::from_millis(500),
        percentiles: vec![50.0, 90.0, 95.0, 99.0],
        latency_from: LatencyFrom::IntendedArrival,
        join_timeout: DEFAULT_JOIN_TIMEOUT,
    }
}

pub(crate) fn read(field: &Field<'_>, has_items: bool) -> Option<Measure> {
    let default = default(has_items);
    let orders = [("interleaved", RunOrder::Interleaved), ("randomized", RunOrder::Randomized)];
    let origins = [("intended_arrival", LatencyFrom::IntendedArrival), ("start", LatencyFrom::Start)];
    let mut map = field.map()?;
    let warmup = map.or("warmup", default.warmup, |field| u32::try_from(field.integer(0, MOST_RUNS.into())?).ok());
    let gil_probe = map.or("gil_probe", default.gil_probe, Field::boolean);
    let repeats = repeats(&mut map, default.repeats);
    let order = map.or("order", default.order, |field| field.choice("order", &orders, &[]));
    let sample_interval = map.or("sample_interval", default.sample_interval, interval);
    let percentiles = map.or("percentiles", default.percentiles, percentiles);
    let latency_from =
        map.or("latency_from", default.latency_from, |field| field.choice("start of latency", &origins, &[]));
    let join_timeout = map.or("join", default.join_timeout, join);
    map.finish(&keys::MEASURE, "`measure`");
    let (repeats, adaptive) = repeats?;
    Some(Measure {
        warmup: warmup?,
        gil_probe: gil_probe?,
        repeats,
        adaptive,
        order: order?,
        sample_interval: sample_interval?,
        percentiles: percentiles?,
        latency_from: latency_from?,
        join_timeout: join_timeout?,
    })
}

/// How many runs are made: a number, or until they are precise.
fn repeats(map: &mut MapReader<'_>, usual: NonZeroU32) -> Option<(NonZeroU32, Option<Adaptive>)> {
    let written = map.optional("repeats", |field| field.count32(MOST_RUNS));
    let precision = map.optional("precision", precision);
    let budgets = ["max_repeats", "max_time"].map(|key| map.get(key));
    let [most, time] = &budgets;
    let most = most.as_ref().map(|field| field.count32(MOST_RUNS));
    let time = time.as_ref().map(Field::positive_duration);
    let (written, precision) = (written?, precision?);
    let Some(precision) = precision else {
        if let Some(field) = budgets.into_iter().flatten().next() {
            return field.wrong("limits a number of runs that is fixed", "needs `precision`, as in precision: 2%");
        }
        return Some((written.unwrap_or(usual), None));
    };
    let most = match most {
        Some(most) => most?,
        None => MOST.max(written.unwrap_or(MOST)),
    };
    let least = written.unwrap_or(LEAST.min(most));
    if let Some(field) = map.peek("max_repeats").filter(|_| least > most) {
        return field.wrong("below `repeats`, the fewest runs", format!("must be at least {least}"));
    }
    let max_time = time.unwrap_or(Some(BUDGET))?;
    Some((least, Some(Adaptive { precision, max_repeats: most, max_time })))
}

fn precision(field: &Field<'_>) -> Option<f64> {
    let precision = field.percentage()?;
    let (least, most) = PRECISIONS;
    if precision < least {
        field.unfit("must be at least 0.01%")
    } else if precision > most {
        field.unfit("must be at most 50%")
    } else {
        Some(precision)
    }
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
