//! Results as text for people and as JSON for machines. Reads snapshots, writes strings.
//!
//! Nothing in here measures, counts or prints: figures come from `metrics` and `analysis`, and who asked for a report
//! decides where it goes. Text that came from files, tasks or workers is cleaned before it becomes part of a line.

use std::sync::Arc;

use crate::analysis::verdict::{Verdict, verdicts_on};
use crate::metrics::distribution::Distributions;
use crate::metrics::kept;
use crate::metrics::snapshot::Snapshot;
use crate::os::host::Host;
use crate::workload::model::{EngineSpec, Workload};

pub mod clean;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod json;
pub mod plan;
pub mod text;
pub mod units;

/// Everything that was measured, of one arm (`run`) or several (`compare`).
#[derive(Clone, Debug)]
pub struct Results {
    /// What was run.
    pub workload: Arc<Workload>,
    /// Where.
    pub host: Arc<Host>,
    /// Hash of the stream of tasks, the same for every arm.
    pub stream_hash: String,
    /// The arms that took part, in the order of the workload's engines.
    pub arms: Vec<ArmResult>,
    /// Index into `arms` of the arm that the others are compared with.
    pub baseline: usize,
}

/// What was measured of one arm.
#[derive(Clone, Debug)]
pub struct ArmResult {
    /// Its entry in the workload file.
    pub spec: EngineSpec,
    /// Workers, `auto` resolved.
    pub workers: u32,
    /// Ends of its counted runs, oldest first.
    pub runs: Vec<Arc<Snapshot>>,
}

impl Results {
    /// One verdict for each arm but the baseline.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let runs: Vec<_> = self.arms.iter().map(|arm| arm.runs.clone()).collect();
        verdicts_on(&runs, self.baseline, Some(self.host.usable_cores()))
    }
}

impl ArmResult {
    /// The tasks of all runs together: their distributions, or `None` if a run has none (it is not over).
    #[must_use]
    pub fn distributions(&self) -> Option<Distributions> {
        kept::together(&self.runs)
    }

    /// One figure of each run.
    #[must_use]
    pub fn figures(&self, figure: impl Fn(&Snapshot) -> f64) -> Vec<f64> {
        self.runs.iter().map(|run| figure(run)).collect()
    }
}
