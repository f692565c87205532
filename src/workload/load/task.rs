//! `tasks[]`: the fields that every kind has. How many tasks there are is decided in [`crate::workload::load::share`].

use std::num::NonZeroU64;
use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::{dist, keys, retries, work};
use crate::workload::model::{OnTimeout, Retries, Work};

/// More classes than anybody writes by hand.
pub(crate) const MOST_CLASSES: usize = 1000;
/// Most tasks of a workload.
pub(crate) const MOST_TASKS: u64 = 10_000_000_000;

/// A task class as it is written; values that were refused are absent and already reported.
pub(crate) struct RawTask<'a> {
    pub(crate) field: Field<'a>,
    pub(crate) name: Option<(String, Field<'a>)>,
    pub(crate) work: Option<Work>,
    pub(crate) count: Option<PresentKey<'a, NonZeroU64>>,
    pub(crate) weight: Option<PresentKey<'a, f64>>,
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) timeout_field: Option<Field<'a>>,
    pub(crate) on_timeout: Option<OnTimeout>,
    pub(crate) queue_timeout: Option<Option<Duration>>,
    pub(crate) queue_timeout_field: Option<Field<'a>>,
    pub(crate) wait_timeout: Option<Option<Duration>>,
    pub(crate) wait_timeout_field: Option<Field<'a>>,
    pub(crate) grace_period: Option<Duration>,
    pub(crate) retries: Option<Retries>,
}

/// A key that is there, with its value unless that was refused.
pub(crate) struct PresentKey<'a, T> {
    pub(crate) field: Field<'a>,
    pub(crate) value: Option<T>,
}

/// Reads one entry. `grace_period` and `when_late` are the file's defaults.
pub(crate) fn read<'a>(field: &Field<'a>, grace_period: Duration, when_late: OnTimeout) -> Option<RawTask<'a>> {
    let mut map = field.map()?;
    let name = map.required("name").and_then(|field| Some((field.name()?, field)));
    let kind = work::kind(&mut map);
    let count = map.get("count").map(|field| PresentKey { value: field.count(MOST_TASKS), field });
    let weight = map.get("weight").map(|field| PresentKey {
        value: field.number("must be a number of at least 0", |weight| (0.0..=1e12).contains(&weight)),
        field,
    });
    let timeout_field = map.get("timeout");
    let timeout = optional(timeout_field.as_ref());
    let queue_timeout_field = map.get("queue_timeout");
    let queue_timeout = optional(queue_timeout_field.as_ref());
    let wait_timeout_field = map.get("wait_timeout");
    let wait_timeout = optional(wait_timeout_field.as_ref());
    let when_late = map.or("on_timeout", when_late, on_timeout);
    let grace_period = map.or("grace_period", grace_period, Field::duration);
    let retries = map.or("retries", retries::NONE, retries::read);
    let work = kind.and_then(|kind| work::read(&mut map, kind));
    match kind {
        Some(kind) => map.finish(&keys::TASK, &work::describe(kind, "a task")),
        None => {
            // Whatever the kind was meant to be, a service time means the same in all that have one.
            if let Some(field) = map.peek("service_time") {
                dist::read(&field);
            }
            map.finish_any(&keys::TASK, "a task");
        }
    }
    Some(RawTask {
        field: field.clone(),
        name,
        work,
        count,
        weight,
        timeout,
        timeout_field,
        on_timeout: when_late,
        queue_timeout,
        queue_timeout_field,
        wait_timeout,
        wait_timeout_field,
        grace_period,
        retries,
    })
}

fn optional(field: Option<&Field<'_>>) -> Option<Option<Duration>> {
    match field {
        Some(field) => field.positive_duration().map(Some),
        None => Some(None),
    }
}

/// `on_timeout`, wherever it stands.
pub(crate) fn on_timeout(field: &Field<'_>) -> Option<OnTimeout> {
    field.choice("on_timeout", &[("kill", OnTimeout::Kill), ("abandon", OnTimeout::Abandon)], &[])
}
