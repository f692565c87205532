//! How many tasks there are of each class: counts, or weights with a total or with stages that end.

use std::num::NonZeroU64;

use crate::workload::load::field::Field;
use crate::workload::load::task::{MOST_TASKS, RawTask};
use crate::workload::model::{ArrivalProcess, Arrivals, Share, Total};

/// Reads the shares of all classes; `None` if something is wrong with them.
///
/// `total` is the field of that name and its value; `arrivals` is absent if it was refused.
pub(crate) fn read(
    tasks: &[RawTask<'_>],
    total: Option<&(Field<'_>, Option<NonZeroU64>)>,
    arrivals: Option<&Arrivals>,
) -> Option<(Vec<Share>, Total)> {
    let mut fine = true;
    for task in tasks.iter().filter(|task| task.items.is_none()) {
        if let (Some(_), Some(weight)) = (&task.count, &task.weight) {
            weight.field.wrong::<()>("`count` and `weight` together", "one of them, and the same one in all tasks");
            fine = false;
        }
    }
    let counted = tasks.iter().filter(|task| task.count.is_some()).count();
    let weighted = tasks.iter().filter(|task| task.weight.is_some()).count();
    if counted > 0 {
        counts(tasks, weighted, total, arrivals, fine)
    } else {
        weights(tasks, weighted, total, arrivals, fine)
    }
}

/// Whether the arrivals end by themselves.
fn timed(arrivals: Option<&Arrivals>) -> bool {
    matches!(arrivals, Some(Arrivals::Open(open)) if open.stages.iter().all(|stage| stage.duration.is_some()))
}

fn counts(
    tasks: &[RawTask<'_>],
    weighted: usize,
    total: Option<&(Field<'_>, Option<NonZeroU64>)>,
    arrivals: Option<&Arrivals>,
    mut fine: bool,
) -> Option<(Vec<Share>, Total)> {
    if let Some((field, _)) = total {
        field.wrong::<()>(
            "`total` goes with `weight`, but there is a `count`",
            "one style: counts, or weights and a total",
        );
        fine = false;
    }
    for task in tasks.iter().filter(|task| task.count.is_none()) {
        match &task.weight {
            Some(weight) => weight.field.wrong::<()>("`weight` here, `count` in another task", "one style per file"),
            None => task.field.wrong::<()>("`count` is missing", "every task needs one if one task has one"),
        };
        fine = false;
    }
    if timed(arrivals) && weighted == 0 {
        let recorded =
            matches!(arrivals, Some(Arrivals::Open(open)) if matches!(open.process, ArrivalProcess::Trace(_)));
        let (message, allowed) = if recorded {
            ("`count` with arrivals of a trace, which says how many come", "leave it out, or use `weight` or a `total`")
        } else {
            let allowed = "leave `count` out (or use `weight`), or give `rate` without a duration";
            ("`count` with arrivals that end by duration", allowed)
        };
        for count in tasks.iter().filter_map(|task| task.count.as_ref()) {
            count.field.wrong::<()>(message, allowed);
        }
        fine = false;
    }
    let mut sum = 0_u64;
    let mut shares = Vec::with_capacity(tasks.len());
    for task in tasks {
        let Some(count) = task.count.as_ref().and_then(|count| count.value) else { continue };
        sum = sum.saturating_add(count.get());
        if sum > MOST_TASKS {
            let allowed = format!("at most {MOST_TASKS} tasks in all");
            return task.count.as_ref()?.field.wrong("too many tasks", allowed);
        }
        shares.push(Share::Count(count));
    }
    (fine && shares.len() == tasks.len()).then_some((shares, Total::PerClass))
}

fn weights(
    tasks: &[RawTask<'_>],
    weighted: usize,
    total: Option<&(Field<'_>, Option<NonZeroU64>)>,
    arrivals: Option<&Arrivals>,
    mut fine: bool,
) -> Option<(Vec<Share>, Total)> {
    if weighted > 0 {
        for task in tasks.iter().filter(|task| task.weight.is_none()) {
            task.field.wrong::<()>("`weight` is missing", "every task needs one if one task has one");
            fine = false;
        }
    }
    let ended = total.is_some() || timed(arrivals);
    // Arrivals that were refused may have been meant to end by duration: nothing more can be said about the total.
    if !ended && arrivals.is_some() {
        let open = matches!(arrivals, Some(Arrivals::Open(_)));
        for task in tasks {
            match &task.weight {
                Some(weight) => weight.field.wrong::<()>(
                    "`weight` without `total`",
                    if open { "add `total: N` or a duration to the stages" } else { "add `total: N` at the top level" },
                ),
                None if open => task.field.wrong::<()>(
                    "nothing ends the arrivals: neither a duration nor a number of tasks",
                    "add `duration` to the stages, or `count` here, or `total`",
                ),
                None => task.field.wrong::<()>("`count` is missing", "`count: N`, or `weight` and a top-level `total`"),
            };
        }
        fine = false;
    }
    let shares: Vec<f64> =
        tasks.iter().filter_map(|task| task.weight.as_ref().map_or(Some(1.0), |weight| weight.value)).collect();
    if shares.len() == tasks.len() && weighted > 0 && shares.iter().sum::<f64>() <= 0.0 {
        let first = tasks.iter().find_map(|task| task.weight.as_ref())?;
        first.field.wrong::<()>("all weights are 0", "at least one weight above 0");
        fine = false;
    }
    let total = match total {
        Some((_, value)) => Total::Weighted((*value)?),
        None => Total::ByDuration,
    };
    (fine && ended && shares.len() == tasks.len()).then(|| (shares.into_iter().map(Share::Weight).collect(), total))
}
