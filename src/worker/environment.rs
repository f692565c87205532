//! Variables that mark processes of ours.

use std::ffi::OsStr;
use std::io;

use crate::os::spawn::Program;
use crate::workload::model::{Attempt, TaskIndex};

/// What the names of all of ours begin with.
pub(crate) const OURS: &str = "POOLSCOPE_";
/// Names the run that a process belongs to.
pub(crate) const RUN: &str = "POOLSCOPE_RUN";
/// Names the task (index and attempt) that a program was started for.
pub(crate) const TASK: &str = "POOLSCOPE_TASK";
/// Counts how deep Poolscope was started by Poolscope.
pub(crate) const DEPTH: &str = "POOLSCOPE_DEPTH";
/// Deepest nesting that is allowed.
pub(crate) const MAX_DEPTH: u32 = 8;

/// Value of [`TASK`] for one attempt.
#[must_use]
pub(crate) fn task_mark(index: TaskIndex, attempt: Attempt) -> String {
    format!("{index}.{attempt}")
}

/// Index of the task that a mark names.
#[must_use]
pub(crate) fn task_of(mark: &str) -> Option<u64> {
    mark.split('.').next()?.parse().ok()
}

/// How deep this process is nested.
#[must_use]
pub(crate) fn depth() -> u32 {
    std::env::var(DEPTH).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Marks a program as belonging to a run, one level deeper than this process.
///
/// # Errors
/// When `run` contains a zero byte.
pub(crate) fn mark(program: &mut Program, run: &str) -> io::Result<()> {
    program.set(OsStr::new(RUN), OsStr::new(run))?;
    program.set(OsStr::new(DEPTH), OsStr::new(&(depth() + 1).to_string()))
}
