//! What is allowed but may not be meant.

use std::time::Duration;

use crate::workload::load::task::RawTask;
use crate::workload::model::{Arrivals, Share, Total, Workload};
use crate::workload::service;
use crate::workload::units::format_duration;

/// Warns about limits that no task can reach.
pub(crate) fn about(tasks: &[RawTask<'_>], workload: &Workload) {
    let Some(longest) = one_worker(workload) else { return };
    for task in tasks {
        let limits = [
            ("timeout", &task.timeout, &task.timeout_field),
            ("queue_timeout", &task.queue_timeout, &task.queue_timeout_field),
            ("wait_timeout", &task.wait_timeout, &task.wait_timeout_field),
        ];
        for (name, limit, field) in limits {
            if let (Some(Some(limit)), Some(field)) = (limit, field)
                && *limit > longest
            {
                let all = format_duration(rounded(longest));
                field.warn(format!("`{name}` can never be reached: one worker alone does all tasks in about {all}"));
            }
        }
    }
}

/// How long one worker takes for all tasks of a batch; `None` where that is not known beforehand.
pub(crate) fn one_worker(workload: &Workload) -> Option<Duration> {
    let more = workload.engines.iter().any(|engine| engine.initializer.is_some()) || !workload.faults.is_empty();
    if workload.arrivals != Arrivals::Batch || more {
        return None;
    }
    let weights: f64 = workload.classes.iter().map(|class| share(class.share)).sum();
    let mut seconds = 0.0;
    for class in &workload.classes {
        let tasks = match (class.share, workload.total) {
            (Share::Weight(weight), Total::Weighted(total)) => total.get() as f64 * weight / weights,
            (share_of_class, _) => share(share_of_class),
        };
        // Attempts after the first are work too.
        let attempts = 1.0 + f64::from(class.retries.max);
        seconds += service::mean_service_time(&class.work)?.as_secs_f64() * tasks * attempts;
    }
    // Sums of drawn times scatter around their mean; twice as much leaves no doubt.
    Duration::try_from_secs_f64(seconds * if all_constant(workload) { 1.0 } else { 2.0 }).ok()
}

fn all_constant(workload: &Workload) -> bool {
    workload.classes.iter().all(|class| service::is_constant(&class.work))
}

fn share(share: Share) -> f64 {
    match share {
        Share::Count(count) => count.get() as f64,
        Share::Weight(weight) => weight,
    }
}

/// Three digits are enough for a message.
fn rounded(duration: Duration) -> Duration {
    let nanos = duration.as_nanos();
    let step = 10_u128.pow(nanos.max(1).ilog10().saturating_sub(2));
    Duration::from_nanos(u64::try_from(nanos / step * step).unwrap_or(u64::MAX))
}
