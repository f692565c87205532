//! How open arrivals are spaced: `rate` with or without `duration`, `stages`, ramps of either, and bursts.

use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::load::task::MOST_TASKS;
use crate::workload::model::{ArrivalProcess, Stage};
use crate::workload::yaml::Tree;

const MOST_STAGES: usize = 1000;
const A_CHANGE_TAKES_TIME: &str = "from one rate to another takes a time";

/// `rate` as it is written.
#[derive(Clone, Copy)]
enum Rate {
    /// `120/s`.
    Level(f64),
    /// `{ from: 10/s, to: 200/s }`.
    Change { from: f64, to: f64 },
}

type ReadRate = fn(&Field<'_>) -> Option<Rate>;

/// A stage as it is written.
struct RawStage<'a> {
    duration: Option<Duration>,
    rate: Rate,
    /// Where its rate is.
    field: Field<'a>,
}

/// Stages of one rate each.
pub(super) fn steady(map: &mut MapReader<'_>) -> Option<Vec<Stage>> {
    let stages = read(map, |field| field.rate().map(Rate::Level))?;
    Some(stages.iter().map(|stage| Stage::level(stage.duration, stage.rate.begin())).collect())
}

/// Stages between whose rates there is no jump, except where one says so itself.
pub(super) fn ramp(map: &mut MapReader<'_>) -> Option<Vec<Stage>> {
    let raw = read(map, ramp_rate)?;
    if let [RawStage { rate: Rate::Level(_), field, .. }] = raw.as_slice() {
        return field.wrong(
            format!("{} alone is no ramp", field.describe()),
            "must be { from: 10/s, to: 200/s }, or another stage must follow",
        );
    }
    let next = raw.iter().skip(1).map(|stage| Some(stage.rate.begin())).chain([None]);
    let stage = |(raw, next): (&RawStage<'_>, Option<f64>)| {
        let (rate, end_rate) = match raw.rate {
            Rate::Change { from, to } => (from, to),
            Rate::Level(rate) => (rate, next.unwrap_or(rate)),
        };
        Stage { duration: raw.duration, rate, end_rate }
    };
    let stages: Vec<Stage> = raw.iter().zip(next).map(stage).collect();
    let last = raw.last()?;
    match last.rate {
        Rate::Level(rate) if last.duration.is_none() && rate == 0.0 => {
            last.field.wrong("no task ever arrives at a rate of 0", "a rate above 0, or a `duration`")
        }
        _ if stages.iter().all(|stage| stage.highest() == 0.0) => {
            last.field.wrong("no task arrives", "at least one rate must be above 0")
        }
        _ => Some(stages),
    }
}

/// `burst` and `every`, with or without `duration`.
pub(super) fn bursts(map: &mut MapReader<'_>) -> Option<(ArrivalProcess, Vec<Stage>)> {
    let size = map.required("burst").and_then(|field| field.count(MOST_TASKS));
    let every = map.required("every").and_then(|field| field.positive_duration());
    let duration = map.optional("duration", Field::positive_duration);
    let (size, every) = (size?, every?);
    let mean = size.get() as f64 / every.as_secs_f64();
    Some((ArrivalProcess::Burst { size, every }, vec![Stage::level(duration?, mean)]))
}

impl Rate {
    fn begin(self) -> f64 {
        match self {
            Self::Level(rate) | Self::Change { from: rate, .. } => rate,
        }
    }
}

fn ramp_rate(field: &Field<'_>) -> Option<Rate> {
    if !matches!(field.tree, Tree::Map(_)) {
        return field.ramp_rate().map(Rate::Level);
    }
    let mut map = field.map()?;
    let from = map.required("from").and_then(|field| field.ramp_rate());
    let to = map.required("to").and_then(|field| field.ramp_rate());
    map.finish(&keys::RAMP, "the rate of a ramp");
    Some(Rate::Change { from: from?, to: to? })
}

/// `rate` with or without `duration`, or `stages`; never empty.
fn read<'a>(map: &mut MapReader<'a>, read_rate: ReadRate) -> Option<Vec<RawStage<'a>>> {
    let rate = map.get("rate");
    let duration = map.get("duration");
    let stages = map.get("stages");
    match (rate, stages) {
        (Some(rate), Some(stages)) => {
            read_rate(&rate);
            read_stages(&stages, read_rate);
            stages.wrong("`rate` and `stages` together", "one of them")
        }
        (Some(field), None) => {
            let rate = read_rate(&field);
            let duration = match duration {
                Some(field) => field.positive_duration().map(Some),
                None => Some(None),
            };
            let (rate, duration) = (rate?, duration?);
            if let (Rate::Change { .. }, None) = (rate, duration) {
                if !map.misspelt("duration") {
                    map.field.context.report(map.missing("duration").allowed(A_CHANGE_TAKES_TIME));
                }
                return None;
            }
            Some(vec![RawStage { duration, rate, field }])
        }
        (None, Some(stages)) => {
            let read = read_stages(&stages, read_rate);
            if let Some(duration) = duration {
                return duration.wrong("`duration` beside `stages`", "each stage has its own");
            }
            read
        }
        (None, None) => {
            if !map.misspelt("rate") && !map.misspelt("stages") {
                let error = map.missing("rate").allowed("open mode needs `rate: 120/s` or `stages`");
                map.field.context.report(error);
            }
            None
        }
    }
}

fn read_stages<'a>(field: &Field<'a>, read_rate: ReadRate) -> Option<Vec<RawStage<'a>>> {
    let items = field.some_items(MOST_STAGES)?;
    let last = items.len() - 1;
    let read: Vec<Option<RawStage<'a>>> =
        items.iter().enumerate().map(|(index, item)| stage(item, index == last, read_rate)).collect();
    read.into_iter().collect()
}

fn stage<'a>(field: &Field<'a>, last: bool, read_rate: ReadRate) -> Option<RawStage<'a>> {
    let mut map = field.map()?;
    let duration = map.optional("duration", Field::positive_duration);
    let rate = map.required("rate").and_then(|field| Some((read_rate(&field)?, field)));
    let needed = match rate {
        _ if !last => Some("every stage but the last needs one"),
        Some((Rate::Change { .. }, _)) => Some(A_CHANGE_TAKES_TIME),
        _ => None,
    };
    if let (Some(None), Some(needed)) = (duration, needed)
        && !map.misspelt("duration")
    {
        map.field.context.report(map.missing("duration").allowed(needed));
        map.finish(&keys::STAGE, "a stage");
        return None;
    }
    map.finish(&keys::STAGE, "a stage");
    let (rate, field) = rate?;
    Some(RawStage { duration: duration?, rate, field })
}
