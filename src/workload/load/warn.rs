//! What is allowed but may not be meant.

use std::time::Duration;

use crate::workload::arrivals;
use crate::workload::load::field::Field;
use crate::workload::load::task::RawTask;
use crate::workload::model::{ArrivalProcess, Arrivals, Share, Total, Work, Workload};
use crate::workload::service;
use crate::workload::units::format_duration;

/// Warns about everything of that kind. `total` is the field of that name.
pub(crate) fn about(tasks: &[RawTask<'_>], total: Option<&Field<'_>>, workload: &Workload) {
    limits_never_reached(tasks, workload);
    let traced = workload.classes.iter().any(|class| service::shortest_trace(&class.work).is_some());
    // Counting arrivals takes a while: only where somebody wants to know.
    let arriving = (total.is_some() || traced).then(|| arriving(workload)).flatten();
    if let (Some(field), Total::Weighted(total), Some(arriving)) = (total, workload.total, arriving)
        && arriving < total.get()
    {
        let what = match &workload.arrivals {
            Arrivals::Open(open) if matches!(open.process, ArrivalProcess::Trace(_)) => "the trace of arrivals has",
            _ => "the arrivals end after",
        };
        field.warn(format!("`total` is {total}, but {what} {arriving}: so many tasks there will be"));
    }
    traces_begun_again(tasks, arriving, workload);
    outputs_written_again(tasks, workload);
    failures_hidden(tasks, workload);
}

/// Warns about pipes where it matters how a command ends: what fails before the last program of one is no failure.
fn failures_hidden(tasks: &[RawTask<'_>], workload: &Workload) {
    for (task, class) in tasks.iter().zip(&workload.classes) {
        let Work::Command(command) = &class.work else { continue };
        let text = command.argv.last().map_or("", String::as_str);
        let matters = class.retries.max > 0 || task.field.entry("success_codes").is_some();
        if command.shell && matters && has_pipe(text) && !text.contains("pipefail") {
            let field = task.field.entry("command").unwrap_or_else(|| task.field.clone());
            field.warn(
                "a pipe ends as its last program does: what fails before it is not seen, and not tried again (`a -o FILE && b FILE`, or \
                 `set -o pipefail` where the shell has it)",
            );
        }
    }
}

/// Whether a text for the shell has a pipe outside of quotes.
fn has_pipe(text: &str) -> bool {
    let (mut quote, mut escaped, mut before) = (None, false, ' ');
    let mut left = text.chars().peekable();
    while let Some(c) = left.next() {
        let is_pipe =
            c == '|' && quote.is_none() && !escaped && !matches!(before, '|' | '>') && left.peek() != Some(&'|');
        if is_pipe {
            return true;
        }
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != Some('\'') {
            escaped = true;
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        }
        before = c;
    }
    false
}

/// Warns about kept output of which a later run takes the place.
fn outputs_written_again(tasks: &[RawTask<'_>], workload: &Workload) {
    let measure = &workload.measure;
    let repeats = measure.adaptive.map_or(measure.repeats, |adaptive| adaptive.max_repeats).get();
    let runs = (u64::from(measure.warmup) + u64::from(repeats)).saturating_mul(workload.engines.len() as u64);
    if runs <= 1 {
        return;
    }
    for (task, class) in tasks.iter().zip(&workload.classes) {
        let keeps = matches!(&class.work, Work::Command(command) if command.options.output.is_some());
        if let Some(field) = task.field.entry("keep_output").filter(|_| keeps) {
            field.warn(format!("{runs} runs write the same files: what is left is that of the last one"));
        }
    }
}

/// How many tasks arrive; `None` where that is what the file says.
fn arriving(workload: &Workload) -> Option<u64> {
    let Arrivals::Open(open) = &workload.arrivals else { return None };
    let limit = match workload.total {
        Total::Weighted(total) => total.get(),
        Total::PerClass => return None,
        Total::ByDuration => u64::MAX,
    };
    let has_end = open.duration().is_some() || matches!(open.process, ArrivalProcess::Trace(_));
    // More than that are not counted, and refused where they would have to be.
    let countable = open.expected().min(limit as f64) <= arrivals::MOST_COUNTED as f64;
    (has_end && countable).then(|| arrivals::count(open, workload.seed, limit))
}

/// Warns about recorded service times that are fewer than the tasks.
fn traces_begun_again(tasks: &[RawTask<'_>], arriving: Option<u64>, workload: &Workload) {
    for (task, class) in tasks.iter().zip(&workload.classes) {
        let Some(values) = service::shortest_trace(&class.work) else { continue };
        let (field, count, whose) = match (class.share, workload.total) {
            (Share::Count(count), _) => (task.count.as_ref().map(|count| &count.field), count.get(), "tasks"),
            // Which tasks are of a class with a weight is drawn: the number of a task among all is that of its value.
            (Share::Weight(_), Total::Weighted(total)) => {
                (task.weight.as_ref().map(|weight| &weight.field), arriving.unwrap_or(total.get()), "tasks in all")
            }
            (Share::Weight(_), _) => {
                let Some(arriving) = arriving else { continue };
                (task.weight.as_ref().map(|weight| &weight.field), arriving, "tasks in all")
            }
        };
        if values < count {
            let times = if values == 1 { "1 time".to_owned() } else { format!("{values} times") };
            field.unwrap_or(&task.field).warn(format!(
                "the trace of service times has {times} for {count} {whose}: after the last one it begins again"
            ));
        }
    }
}

/// Warns about limits that no task can reach.
fn limits_never_reached(tasks: &[RawTask<'_>], workload: &Workload) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_one_outside_of_quotes() {
        for text in ["a | b", "a|b", "a && b | c", "a '|' | b"] {
            assert!(has_pipe(text), "{text}");
        }
        for text in ["a || b", "a '|' b", "a \"x | y\"", "a \\| b", "a >| b", ""] {
            assert!(!has_pipe(text), "{text}");
        }
    }
}
