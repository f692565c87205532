//! Whether what was measured was work at all: tasks that did not succeed, and why.

use std::sync::Arc;

use crate::engine::event::RunState;
use crate::engine::outcome::{AttemptReport, Cause, NO_LINE};
use crate::metrics::snapshot::Snapshot;

/// Beyond this share of unsuccessful tasks, a throughput is not that of the work.
pub(crate) const NOTABLE: f64 = 0.1;

/// An arm of which not one task succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllFailed {
    /// Tasks of one run.
    pub tasks: u64,
    /// The most frequent cause, in plain words; not yet cleaned for a terminal.
    pub cause: String,
}

/// Whether not one task of these runs succeeded, although at least one run was made to its end.
#[must_use]
pub(crate) fn all_failed(runs: &[Arc<Snapshot>]) -> Option<AllFailed> {
    let whole = || runs.iter().filter(|run| run.state == RunState::Finished);
    let tasks = whole().map(|run| ended(run)).max().filter(|tasks| *tasks > 0)?;
    if runs.iter().any(|run| run.counts.succeeded > 0) {
        return None;
    }
    Some(AllFailed { tasks, cause: most_frequent_cause(runs) })
}

/// Share of the ended tasks that did not succeed, from 0 to 1.
#[must_use]
pub(crate) fn unsuccessful_share(runs: &[Arc<Snapshot>]) -> f64 {
    let (ended, succeeded) =
        runs.iter().fold((0, 0), |(all, good), run| (all + ended(run), good + run.counts.succeeded));
    if ended == 0 { 0.0 } else { (ended - succeeded.min(ended)) as f64 / ended as f64 }
}

/// Tasks that ended otherwise than by the end of the run.
fn ended(run: &Snapshot) -> u64 {
    run.counts.finished() - run.counts.cancelled
}

fn most_frequent_cause(runs: &[Arc<Snapshot>]) -> String {
    let mut causes: Vec<(String, usize)> = Vec::new();
    for report in runs.iter().flat_map(|run| run.failures.iter()) {
        let words = plain_cause(report);
        match causes.iter_mut().find(|(other, _)| *other == words) {
            Some((_, count)) => *count += 1,
            None => causes.push((words, 1)),
        }
    }
    // The first of several that are as frequent.
    let most = causes.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let cause = causes.into_iter().find(|(_, count)| *count == most).map(|(words, _)| words);
    // Outcomes of which no report is kept have their counts.
    cause.unwrap_or_else(|| {
        let sum = |count: fn(&Snapshot) -> u64| runs.iter().map(|run| count(run)).sum::<u64>();
        let words = [
            (sum(|run| run.counts.failed), "failed"),
            (sum(|run| run.counts.timed_out), "timed out"),
            (sum(|run| run.counts.lost), "lost with their workers"),
            (sum(|run| run.counts.dropped), "never admitted"),
        ];
        words.into_iter().max_by_key(|(count, _)| *count).map_or("unknown", |(_, words)| words).to_owned()
    })
}

/// Why an attempt failed, without numbers that only programmers know; of a program that said something, the last of it.
#[must_use]
pub(crate) fn plain_cause(report: &AttemptReport) -> String {
    match &report.cause {
        Cause::NotStarted { message } => plain_error(message),
        Cause::Exited { .. } => {
            let last = report.stderr_tail.lines().rev().map(str::trim).find(|line| !line.is_empty());
            last.map_or_else(|| report.cause.to_string(), |line| format!("{}: {line}", report.cause))
        }
        Cause::Timeout { .. } if report.stderr_tail.ends_with(NO_LINE) => format!("{}: {NO_LINE}", report.cause),
        other => other.to_string(),
    }
}

/// `x: No such file or directory (os error 2)` as `x: not found`.
fn plain_error(message: &str) -> String {
    let words = message.split(" (os error").next().unwrap_or(message);
    words.replace("No such file or directory", "not found").replace("Permission denied", "permission denied")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::{Counts, Exit, Outcome};
    use crate::metrics::fixtures::{attempt, snapshot};

    fn run(succeeded: u64, failed: u64, causes: &[Cause]) -> Arc<Snapshot> {
        let mut run = snapshot();
        run.state = RunState::Finished;
        run.counts = Counts { submitted: succeeded + failed, succeeded, failed, ..Counts::default() };
        let reports = causes.iter().zip(0..).map(|(cause, index)| AttemptReport {
            outcome: Outcome::Failed,
            cause: cause.clone(),
            stderr_tail: "one\nsh: 1: foo: not found\n\n".to_owned(),
            ..attempt(index)
        });
        run.failures = Arc::new(reports.collect());
        Arc::new(run)
    }

    fn missing() -> Cause {
        Cause::NotStarted { message: "no-such-program: No such file or directory (os error 2)".to_owned() }
    }

    fn exited() -> Cause {
        Cause::Exited { exit: Exit::Code(127) }
    }

    #[test]
    fn the_most_frequent_cause_is_told_in_plain_words() {
        let found = all_failed(&[run(0, 20, &[exited(), missing(), missing()])]).unwrap();
        assert_eq!(found, AllFailed { tasks: 20, cause: "no-such-program: not found".to_owned() });
        let found = all_failed(&[run(0, 2, &[exited(), exited(), missing()])]).unwrap();
        assert!(found.cause.ends_with(": sh: 1: foo: not found"), "{}", found.cause);
        assert_eq!(all_failed(&[run(0, 2, &[])]).unwrap().cause, "failed");
    }

    #[test]
    fn one_success_in_any_run_is_not_nothing_and_neither_is_no_run() {
        assert_eq!(all_failed(&[run(0, 20, &[missing()]), run(1, 19, &[])]), None);
        assert_eq!(all_failed(&[]), None);
        let mut stopped = Arc::unwrap_or_clone(run(0, 3, &[missing()]));
        stopped.state = RunState::Stopped;
        assert_eq!(all_failed(&[Arc::new(stopped)]), None, "it might have gone on better");
    }

    #[test]
    fn cancelled_tasks_are_nobodys_failure() {
        let mut run = Arc::unwrap_or_clone(run(60, 20, &[]));
        run.counts.cancelled = 20;
        assert!((unsuccessful_share(&[Arc::new(run)]) - 0.25).abs() < 1e-9);
        assert!(unsuccessful_share(&[]) == 0.0);
    }
}
