//! An unsuccessful attempt.

use serde::Serialize;

use super::seconds;
use crate::engine::outcome::{AttemptReport, Exit};
use crate::workload::model::{Attempt, Workload};

#[derive(Serialize)]
pub(super) struct FailureOut<'a> {
    task: u64,
    /// Its item as text, shortened (additive to version 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<String>,
    class: &'a str,
    attempt: Attempt,
    attempts_allowed: u32,
    outcome: &'static str,
    retried: bool,
    cause: String,
    /// As `multiprocessing.Process.exitcode` (additive to version 1).
    exitcode: Option<i32>,
    ended_s: f64,
    /// Times of an attempt that never started are null.
    wait_s: Option<f64>,
    startup_s: Option<f64>,
    service_s: Option<f64>,
    pid: Option<u32>,
    stderr: &'a str,
}

pub(super) fn failure<'a>(report: &'a AttemptReport, workload: &'a Workload) -> FailureOut<'a> {
    FailureOut {
        task: report.index,
        item: workload.item_text(report.index),
        class: workload.classes.get(usize::from(report.class)).map_or("", |class| &class.name),
        attempt: report.attempt,
        attempts_allowed: report.attempts_allowed,
        outcome: report.outcome.word(),
        retried: report.retried,
        cause: report.cause.to_string(),
        exitcode: report.exit.and_then(Exit::exitcode),
        ended_s: seconds(report.ended.elapsed()),
        wait_s: report.wait.map(seconds),
        startup_s: report.startup.map(seconds),
        service_s: report.service.map(seconds),
        pid: report.pid,
        stderr: &report.stderr_tail,
    }
}
