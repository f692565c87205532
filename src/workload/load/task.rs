//! `tasks[]`: the fields that every kind has. How many tasks there are is decided in [`crate::workload::load::share`].

use std::cell::Cell;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::workload::items::TaskItems;
use crate::workload::load::field::Field;
pub(crate) use crate::workload::load::items::MOST_TASKS;
use crate::workload::load::items::{self, OfItems};
use crate::workload::load::work::WorkKind;
use crate::workload::load::{dist, keys, python, retries, work};
use crate::workload::model::{Draw, OnTimeout, PayloadSizes, Retries, Work};
use crate::workload::service;

/// More classes than anybody writes by hand.
pub(crate) const MOST_CLASSES: usize = 1000;

/// A task class as it is written; values that were refused are absent and already reported.
pub(crate) struct RawTask<'a> {
    pub(crate) field: Field<'a>,
    pub(crate) name: Option<(String, Field<'a>)>,
    pub(crate) work: Option<Work>,
    pub(crate) payload: Option<PayloadSizes>,
    pub(crate) items: Option<Option<TaskItems>>,
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

/// Reads one entry. `grace_period`, `when_late` and `seed` are the file's.
pub(crate) fn read<'a>(
    field: &Field<'a>,
    grace_period: Duration,
    when_late: OnTimeout,
    seed: u64,
) -> Option<RawTask<'a>> {
    let mut map = field.map()?;
    let name = map.required("name").and_then(|field| Some((field.name()?, field)));
    let kind = work::kind(&mut map);
    let count = map.get("count").map(|field| PresentKey { value: field.count(MOST_TASKS), field });
    let items = match kind {
        Some(WorkKind::Command | WorkKind::Python) => items::read(&mut map, seed),
        _ => None,
    };
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
    let of_items = OfItems {
        present: items.is_some(),
        source: items.as_ref().and_then(|(_, items)| items.as_ref()).map(TaskItems::source),
        used: Cell::new(false),
    };
    let work = kind.and_then(|kind| work::read(&mut map, kind, &of_items));
    if let (Some((field, Some(_))), Some(_), false) = (&items, &work, of_items.used.get()) {
        field.warn("nothing of the task names its item: `{item}` stands for it");
    }
    if let (Some(true), Some(work)) = (retries.map(|retries| retries.redraw), &work)
        && !draws(work)
        && let Some(field) = map.peek("retries").and_then(|field| field.entry("redraw"))
    {
        field.wrong::<()>("nothing of this task is drawn", "goes with a `service_time` or arguments that are random");
    }
    let (count, items) = counted_by(count, weight.as_ref(), items);
    // A call in Python has read its own.
    let payload = match kind {
        Some(WorkKind::Command) => map.or("payload", PayloadSizes::default(), no_payload),
        Some(WorkKind::Python) => Some(PayloadSizes::default()),
        _ => map.or("payload", PayloadSizes::default(), python::payload),
    };
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
        payload,
        items,
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

/// Whether chance has a part in its tasks.
fn draws(work: &Work) -> bool {
    let drawn: &[Draw] = match work {
        Work::Python(call) => &call.draws,
        Work::Served(program) => &program.draws,
        _ => &[],
    };
    service::is_random(work) || drawn.iter().any(|draw| draw.dist.is_random())
}

/// Items say how many tasks there are, as `count` does; they go with neither of the other ways.
fn counted_by<'a>(
    count: Option<PresentKey<'a, NonZeroU64>>,
    weight: Option<&PresentKey<'a, f64>>,
    items: Option<(Field<'a>, Option<TaskItems>)>,
) -> (Option<PresentKey<'a, NonZeroU64>>, Option<Option<TaskItems>>) {
    let Some((field, items)) = items else { return (count, None) };
    let others = [("count", count.as_ref().map(|key| &key.field)), ("weight", weight.map(|key| &key.field))];
    for (name, other) in others {
        if let Some(other) = other {
            other.wrong::<()>(format!("`{name}` and `items` together"), "one of them: there is one task for each item");
        }
    }
    (Some(PresentKey { value: items.as_ref().map(TaskItems::tasks), field }), Some(items))
}

/// A program has no door that bytes could come in by beside what it is started with.
fn no_payload(field: &Field<'_>) -> Option<PayloadSizes> {
    field.wrong(
        "bytes cannot travel with a program: it gets its arguments and returns what it prints",
        "must be left out of a task of kind command; {index} or {item} in its arguments may name a file with its bytes",
    )
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
