//! `retries`: a number, or `{ max, on, backoff, redraw }`.

use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::model::{Backoff, Retries};
use crate::workload::yaml::Tree;

/// More attempts than this are an endless loop in disguise.
pub(super) const MOST: u64 = 1000;
/// Longest pause of an exponential backoff that names none.
const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(60);
/// Each pause of an exponential backoff is twice the one before.
const FACTOR: f64 = 2.0;

#[derive(Clone, Copy, PartialEq)]
enum On {
    Crash,
    Timeout,
    Error,
}

const NO_PAUSE: Backoff = Backoff { delay: Duration::ZERO, factor: 1.0, max_delay: Duration::ZERO, jitter: false };

/// No retries at all.
pub(crate) const NONE: Retries =
    Retries { max: 0, on_crash: true, on_timeout: true, on_error: true, backoff: NO_PAUSE, redraw: false };

pub(crate) fn read(field: &Field<'_>) -> Option<Retries> {
    match field.tree {
        Tree::Map(_) => full(field),
        _ => Some(Retries { max: maximum(field, " or a map such as { max: 2, on: [crash] }")?, ..NONE }),
    }
}

fn maximum(field: &Field<'_>, others: &str) -> Option<u32> {
    u32::try_from(field.integer_or(0, MOST, others)?).ok()
}

fn full(field: &Field<'_>) -> Option<Retries> {
    let mut map = field.map()?;
    let max = map.required("max").and_then(|field| maximum(&field, ""));
    let on = map.or("on", vec![On::Crash, On::Timeout, On::Error], causes);
    let backoff = map.or("backoff", NO_PAUSE, backoff);
    let redraw = map.or("redraw", false, Field::boolean);
    map.finish(&keys::RETRIES, "`retries`");
    let on = on?;
    Some(Retries {
        max: max?,
        on_crash: on.contains(&On::Crash),
        on_timeout: on.contains(&On::Timeout),
        on_error: on.contains(&On::Error),
        backoff: backoff?,
        redraw: redraw?,
    })
}

fn causes(field: &Field<'_>) -> Option<Vec<On>> {
    let words = [("crash", On::Crash), ("timeout", On::Timeout), ("error", On::Error)];
    // A single cause needs no brackets.
    if let Tree::Text(_) = field.tree {
        return field.choice("cause", &words, &[]).map(|cause| vec![cause]);
    }
    let items = field.some_items(words.len())?;
    let read: Vec<Option<On>> = items.iter().map(|item| item.choice("cause", &words, &[])).collect();
    read.into_iter().collect()
}

fn backoff(field: &Field<'_>) -> Option<Backoff> {
    let Tree::Map(_) = field.tree else {
        let delay = field.duration()?;
        return Some(Backoff { delay, max_delay: delay, ..NO_PAUSE });
    };
    let mut map = field.map()?;
    let kinds = [("constant", false), ("exponential", true)];
    let exponential = map.required("kind").and_then(|field| field.choice("kind of backoff", &kinds, &[]));
    let delay = map.required("delay").and_then(|field| field.positive_duration());
    let max_field = map.get("max_delay");
    let max_delay = match &max_field {
        Some(field) => field.positive_duration().map(Some),
        None => Some(None),
    };
    let jitter = map.or("jitter", false, Field::boolean);
    map.finish(&keys::BACKOFF, "`backoff`");
    let (exponential, delay, max_delay) = (exponential?, delay?, max_delay?);
    match (max_delay, max_field) {
        (Some(max), Some(field)) if max < delay => {
            return field.wrong("`max_delay` is below `delay`", "must be at least `delay`");
        }
        (Some(_), Some(field)) if !exponential => {
            return field
                .wrong("`max_delay` does not apply to a constant backoff", "leave it out, or `kind: exponential`");
        }
        _ => {}
    }
    let (factor, default) = if exponential { (FACTOR, DEFAULT_MAX_DELAY.max(delay)) } else { (1.0, delay) };
    Some(Backoff { delay, factor, max_delay: max_delay.unwrap_or(default), jitter: jitter? })
}
