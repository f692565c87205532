//! Results as text for people and as JSON for machines. Reads snapshots, writes strings.
//!
//! Nothing in here measures, counts or prints: figures come from `metrics` and `analysis`, and who asked for a report
//! decides where it goes. Text that came from files, tasks or workers is cleaned before it becomes part of a line.

use std::sync::Arc;

use crate::analysis::failing::{AllFailed, all_failed};
use crate::analysis::verdict::{Counted, Verdict, verdicts};
use crate::engine::event::RunState;
use crate::metrics::distribution::Distributions;
use crate::metrics::kept;
use crate::metrics::snapshot::Snapshot;
use crate::os::host::Host;
use crate::report::ending::{Ending, Partial};
use crate::workload::model::{EngineSpec, Workload};

pub(crate) mod ascii;
pub(crate) mod clean;
pub(crate) mod ending;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod json;
pub(crate) mod plan;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod sweep;
pub(crate) mod text;
pub(crate) mod units;

/// Everything that was measured, of one arm (`run`) or several (`compare`).
#[derive(Clone, Debug)]
pub(crate) struct Results {
    /// What was run.
    pub(crate) workload: Arc<Workload>,
    pub(crate) host: Arc<Host>,
    /// Hash of the stream of tasks, the same for every arm.
    pub(crate) stream_hash: String,
    /// The arms that took part, in the order of the workload's engines.
    pub(crate) arms: Vec<ArmResult>,
    /// Index into `arms` of the arm that the others are compared with.
    pub(crate) baseline: usize,
    /// How it came to its end.
    pub(crate) ending: Ending,
    /// Whether the arms ran at the same time: a demonstration, of which nothing follows.
    pub(crate) sharing_cores: bool,
}

/// What was measured of one arm.
#[derive(Clone, Debug)]
pub(crate) struct ArmResult {
    /// Its entry in the workload file.
    pub(crate) spec: EngineSpec,
    /// Workers, `auto` resolved.
    pub(crate) workers: u32,
    /// Ends of its counted runs, oldest first.
    pub(crate) runs: Vec<Arc<Snapshot>>,
    /// The round that each was made in: runs of the same round are a pair. Without them, run i was made in round i.
    pub(crate) rounds: Vec<u32>,
    /// The run in which it was aborted: shown, but neither counted nor compared.
    pub(crate) partial: Option<Partial>,
}

impl Results {
    /// One verdict for each arm but the baseline; none where they shared the cores.
    #[must_use]
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        if self.sharing_cores {
            return Vec::new();
        }
        let counted: Vec<_> = self.arms.iter().map(|arm| Counted { runs: &arm.runs, rounds: &arm.rounds }).collect();
        verdicts(&counted, self.baseline, Some(self.host.usable_cores()))
    }

    /// The arms of which not one task succeeded.
    pub(crate) fn all_failed(&self) -> impl Iterator<Item = (&ArmResult, AllFailed)> {
        self.arms.iter().filter_map(|arm| Some((arm, all_failed(&arm.runs)?)))
    }

    /// Why there is no pair of runs to compare two arms with; `None` where there is one.
    #[must_use]
    pub(crate) fn no_pair_because(&self, verdict: &Verdict) -> Option<String> {
        if verdict.pairs > 0 {
            return None;
        }
        let arms = [verdict.baseline, verdict.arm].into_iter().filter_map(|arm| self.arms.get(arm));
        let reasons: Vec<String> = arms.filter_map(ArmResult::nothing_to_compare).collect();
        if reasons.is_empty() {
            return Some("in no round did tasks of both succeed".to_owned());
        }
        Some(reasons.join(", "))
    }

    /// The same with the runs in which it was aborted in the place of counted ones that are not there.
    fn shown(&self) -> Self {
        let mut shown = self.clone();
        for arm in shown.arms.iter_mut().filter(|arm| arm.runs.is_empty()) {
            arm.runs.extend(arm.partial.take().map(|partial| partial.run));
        }
        shown
    }
}

impl ArmResult {
    /// The tasks of all runs together: their distributions, or `None` if a run has none (it is not over).
    #[must_use]
    pub(crate) fn distributions(&self) -> Option<Distributions> {
        kept::together(&self.runs)
    }

    /// Why this arm cannot be compared with another; `None` if it can.
    fn nothing_to_compare(&self) -> Option<String> {
        let name = clean::line(&self.spec.name);
        let complete: Vec<_> = self.runs.iter().filter(|run| run.state == RunState::Finished).collect();
        if complete.iter().any(|run| run.counts.succeeded > 0) {
            return None;
        }
        if !complete.is_empty() {
            return Some(format!("not one task of {name} succeeded"));
        }
        let cut_off = self.partial.as_ref().map(|partial| &partial.run).or(self.runs.last());
        Some(match cut_off.and_then(|run| ending::how_far(run)) {
            Some(how_far) => format!("{name} has no whole run ({how_far})"),
            None => format!("{name} has no counted run"),
        })
    }

    /// One figure of each run.
    #[must_use]
    pub(crate) fn figures(&self, figure: impl Fn(&Snapshot) -> f64) -> Vec<f64> {
        self.runs.iter().map(|run| figure(run)).collect()
    }
}
