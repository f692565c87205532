//! Retries that cannot help: the time of a task is drawn once, and every attempt has the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::outcome::Cause;
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::Workload;
use crate::workload::service;

/// Tasks of a class that timed out again when they were tried again, and had to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FutileRetries {
    /// Name of the class.
    pub(crate) class: String,
    /// How many of those attempts that are known.
    pub(crate) attempts: u64,
    /// Of how many tasks.
    pub(crate) tasks: u64,
    pub(crate) timeout: Duration,
    /// Whether attempts are not known of which some may be such.
    pub(crate) at_least: bool,
}

/// Classes with such tasks in these runs.
#[must_use]
pub(crate) fn futile_retries(workload: &Workload, runs: &[Arc<Snapshot>]) -> Vec<FutileRetries> {
    let of_class = |(id, class): (u16, &crate::workload::model::TaskClass)| {
        let timeout = class.timeout.filter(|_| !class.redraws())?;
        let again = runs.iter().flat_map(|run| run.failures.iter()).filter(|report| {
            report.class == id && report.attempt.number() > 1 && matches!(report.cause, Cause::Timeout { .. })
        });
        let longer =
            |index| service::service_time(&class.work, workload.seed, index).is_some_and(|time| time >= timeout);
        let futile: Vec<u64> = again.map(|report| report.index).filter(|index| longer(*index)).collect();
        let tasks: BTreeSet<u64> = futile.iter().copied().collect();
        (!futile.is_empty()).then(|| FutileRetries {
            class: class.name.clone(),
            attempts: futile.len() as u64,
            tasks: tasks.len() as u64,
            timeout,
            at_least: false,
        })
    };
    let all: u64 = runs.iter().map(|run| run.counts.unsuccessful() + run.counts.retries).sum();
    let known: u64 = runs.iter().map(|run| run.failures.len() as u64).sum();
    let futile = (0..).zip(&workload.classes).filter_map(of_class);
    futile.map(|found| FutileRetries { at_least: known < all, ..found }).collect()
}
