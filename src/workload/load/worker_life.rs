//! `initializer`, `max_tasks_per_child`, `max_rss_per_child`: the life of a worker that is kept.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::load::python;
use crate::workload::model::{EngineKind, Initializer, Recycling};

/// Names of the most tasks of a worker: ours, and those of multiprocessing and mpire.
pub(super) const MAX_TASKS: [&str; 3] = ["max_tasks_per_child", "maxtasksperchild", "worker_lifespan"];
const DEFAULT_MAX_FAILURES: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
const MOST_FAILURES: u32 = 1000;

/// Whatever stands there, where it is not known of which kind the engine is.
pub(crate) fn recycling(map: &mut MapReader<'_>, kind: EngineKind) -> Option<Recycling> {
    let max_tasks = map.one_of(&MAX_TASKS);
    let max_rss = map.get("max_rss_per_child");
    if kind.process_per_task() || kind.shares_process() {
        let instead = if kind.shares_process() {
            "leave it out: replacing its one interpreter would end the tasks of all its threads"
        } else {
            "leave it out: a process does one task"
        };
        let refused = max_tasks.into_iter().chain(max_rss).map(|field| {
            let context = field.context;
            let mark = field.key.unwrap_or_else(|| field.mark());
            let error = context.error(mark, &field.path, &format!("does not apply to a {} engine", kind.word()));
            field.refuse::<()>(error.allowed(instead))
        });
        return if refused.count() == 0 { Some(Recycling::default()) } else { None };
    }
    let max_tasks = match &max_tasks {
        Some(field) => field.count(u64::MAX).map(Some),
        None => Some(None),
    };
    let max_rss_bytes = match &max_rss {
        Some(field) => field.size().map(Some),
        None => Some(None),
    };
    Some(Recycling { max_tasks: max_tasks?, max_rss_bytes: max_rss_bytes? })
}

/// `initializer`.
pub(crate) fn initializer(field: &Field<'_>) -> Option<Initializer> {
    let mut map = field.map()?;
    let call = python::initializer(&mut map);
    let cpu = map.or("cpu", Duration::ZERO, Field::duration);
    let memory_bytes = map.or("memory", 0, Field::size);
    let fail_rate = map.or("fail_rate", 0.0, rate);
    let timeout = map.optional("timeout", Field::positive_duration);
    let max_failures = map.or("max_failures", DEFAULT_MAX_FAILURES, |field| field.count32(MOST_FAILURES));
    map.finish(&keys::INITIALIZER, "an initializer");
    Some(Initializer {
        call: call?,
        cpu: cpu?,
        memory_bytes: memory_bytes?,
        fail_rate: fail_rate?,
        timeout: timeout?,
        max_failures: max_failures?,
    })
}

/// A probability.
pub(crate) fn rate(field: &Field<'_>) -> Option<f64> {
    field.number("must be a number from 0 to 1", |rate| (0.0..=1.0).contains(&rate))
}
