//! An unsuccessful attempt.

use serde::Serialize;
use serde_json::value::RawValue;

use super::seconds;
use crate::engine::outcome::{AttemptReport, Exit};
use crate::workload::items::put_json_text;
use crate::workload::model::{Attempt, TaskIndex, Workload};

#[derive(Serialize)]
pub(super) struct FailureOut<'a> {
    task: u64,
    /// Its item as text, whole; bytes that are no UTF-8 as Python's `os.fsdecode` has them (additive to version 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Box<RawValue>>,
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

fn item(workload: &Workload, index: TaskIndex) -> Option<Box<RawValue>> {
    let mut json = String::new();
    match workload.item(index)? {
        Ok(bytes) => put_json_text(&mut json, &bytes),
        Err(error) => put_json_text(&mut json, format!("({error})").as_bytes()),
    }
    RawValue::from_string(json).ok()
}

pub(super) fn failure<'a>(report: &'a AttemptReport, workload: &'a Workload) -> FailureOut<'a> {
    FailureOut {
        task: report.index,
        item: item(workload, report.index),
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
