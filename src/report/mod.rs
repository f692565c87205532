//! Results as text for people and in formats for machines, one exporter a file. Reads snapshots, writes strings.
//!
//! Nothing in here measures, counts or prints: figures come from `metrics` and `analysis`, and who asked for a report
//! decides where it goes. Text that came from files, tasks or workers is cleaned before it becomes part of a line.

use std::sync::Arc;

use crate::analysis::expectations::{ArmFacts, Checked, Circumstances, check};
use crate::analysis::failing::{AllFailed, all_failed};
use crate::analysis::gil;
use crate::analysis::inference::Looks;
use crate::analysis::latencies::{LatencyVerdict, latencies, latencies_of_classes};
use crate::analysis::lints::{Lint, together};
use crate::analysis::precision::Precision;
use crate::analysis::ranking::{Best, best};
use crate::analysis::verdict::{Counted, Verdict, verdicts};
use crate::engine::event::RunState;
use crate::metrics::kept;
use crate::metrics::snapshot::{GilProbe, Snapshot, SoFar};
use crate::metrics::track::Track;
use crate::os::host::Host;
use crate::report::ending::{Ending, Partial};
use crate::workload::model::{EngineKind, EngineSpec, StartMethod, Workers, Workload};
use crate::workload::plan::offered;

pub(crate) mod ascii;
pub(crate) mod clean;
pub(crate) mod csv;
pub(crate) mod definitions;
pub(crate) mod ending;
pub(crate) mod events;
pub(crate) mod expectation;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod observed;
pub(crate) mod plan;
pub(crate) mod prometheus;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod sweep;
pub(crate) mod text;
pub(crate) mod trace;
pub(crate) mod tune;
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
    /// How often its results were looked at while it went on.
    pub(crate) looks: Looks,
    /// How precise it is, where that decided how many rounds were made.
    pub(crate) precision: Option<Precision>,
    /// How it came to its end.
    pub(crate) ending: Ending,
    /// Whether the arms ran at the same time: a demonstration, of which nothing follows.
    pub(crate) sharing_cores: bool,
    /// Cores that a native program could use when it began, where somebody wanted to know.
    pub(crate) control_cores: Option<f64>,
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
    /// Runs that were made to their ends and do not count because the user had a hand in them.
    pub(crate) touched: u32,
    /// The run in which it was aborted: shown, but neither counted nor compared.
    pub(crate) partial: Option<Partial>,
    /// The run that is shown, over its time.
    pub(crate) track: Arc<Track>,
    /// What the run has shown in which its interpreters were probed.
    pub(crate) gil_probe: Option<GilProbe>,
}

impl Results {
    /// One verdict for each arm but the baseline; none where they shared the cores.
    #[must_use]
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        if self.sharing_cores {
            return Vec::new();
        }
        verdicts(&self.counted(), self.baseline, self.looks, Some(self.host.usable_cores()))
    }

    /// The counted runs of all arms.
    pub(crate) fn counted(&self) -> Vec<Counted<'_>> {
        self.arms.iter().map(|arm| Counted { runs: &arm.runs, rounds: &arm.rounds }).collect()
    }

    /// The best arm; `None` where they shared the cores.
    pub(crate) fn best(&self) -> Option<Best> {
        best(&self.counted(), self.looks).filter(|_| !self.sharing_cores)
    }

    /// Percentiles of each arm against the baseline's; none where they shared the cores.
    pub(crate) fn latencies(&self) -> Vec<LatencyVerdict> {
        let measure = &self.workload.measure;
        let asked = (measure.latency_from, measure.percentiles.as_slice());
        if self.sharing_cores { Vec::new() } else { latencies(&self.counted(), self.baseline, asked, self.looks) }
    }

    /// The same class by class; none where the workload has only one.
    pub(crate) fn latencies_of_classes(&self) -> Vec<LatencyVerdict> {
        let measure = &self.workload.measure;
        let asked = (measure.latency_from, measure.percentiles.as_slice());
        if self.sharing_cores {
            return Vec::new();
        }
        latencies_of_classes(&self.counted(), self.baseline, asked, self.looks)
    }

    /// The name of the class at a place of [`Snapshot::classes`].
    pub(crate) fn name_of_class(&self, place: usize) -> Option<String> {
        let class = self.arms.iter().flat_map(|arm| &arm.runs).find_map(|run| run.classes.get(place))?;
        Some(class.name(&self.workload))
    }

    /// What the runs show of the lock of an interpreter, for each arm with threads.
    pub(crate) fn gil(&self) -> Vec<gil::Evidence> {
        if self.sharing_cores {
            return Vec::new();
        }
        let arms: Vec<gil::Arm<'_>> = self
            .arms
            .iter()
            .zip(self.counted())
            .map(|(arm, counted)| gil::Arm { spec: &arm.spec, workers: arm.workers, counted, probe: arm.gil_probe })
            .collect();
        gil::of_arms(&arms, self.looks, self.host.usable_cores(), self.control_cores)
    }

    /// What became of what the workload expects.
    pub(crate) fn expectations(&self) -> Vec<Checked> {
        let facts = |arm| {
            let ArmResult { spec, workers, runs, rounds, .. }: &ArmResult = arm;
            let counted = Counted { runs, rounds };
            ArmFacts { name: &spec.name, counted, workers: *workers, interpreter: spec.interpreter.as_deref() }
        };
        let facts: Vec<ArmFacts<'_>> = self.arms.iter().map(facts).collect();
        let (usable_cores, looks, sharing_cores) = (self.host.usable_cores(), self.looks, self.sharing_cores);
        check(&self.workload.expect, &facts, Circumstances { usable_cores, looks, sharing_cores })
    }

    /// What the runs of an arm show, with what explains that it is behind.
    pub(crate) fn lints(&self, arm: usize, verdicts: &[Verdict]) -> Vec<Lint> {
        let reasons = verdicts.iter().filter(|verdict| verdict.behind() == arm).flat_map(|verdict| &verdict.reasons);
        let explains = reasons.clone().find(|lint| matches!(lint, Lint::StartupExplains { .. }));
        let runs = self.arms.get(arm).map_or(&[][..], |arm| &arm.runs);
        let lints = together(runs.iter().map(AsRef::as_ref), Some(self.host.usable_cores())).into_iter();
        let lints = lints.filter(|lint| explains.is_none() || !matches!(lint, Lint::StartupBound(_)));
        explains.cloned().into_iter().chain(lints).collect()
    }

    /// The arms of which not one task succeeded.
    pub(crate) fn all_failed(&self) -> impl Iterator<Item = (&ArmResult, AllFailed)> {
        self.arms.iter().filter_map(|arm| Some((arm, all_failed(&arm.runs)?)))
    }

    /// Predicted utilisation of an arm in each stage of open arrivals.
    fn offered(&self, arm: &ArmResult) -> Vec<f64> {
        // One without a limit of workers has none to share the load.
        let workers = (arm.spec.workers != Workers::Unbounded).then_some(u64::from(arm.workers));
        offered(&self.workload, &arm.spec, workers, self.host.usable_cores())
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
    pub(crate) fn distributions(&self) -> Option<SoFar> {
        kept::together(&self.runs)
    }

    /// How its workers were started; `None` where that is another program's affair.
    #[must_use]
    pub(crate) fn start_method(&self) -> Option<StartMethod> {
        let asked = self.spec.start_method;
        let other = self.runs.iter().map(|run| run.start_method(asked)).find(|method| *method != asked);
        (self.spec.kind != EngineKind::External).then(|| other.unwrap_or(asked))
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
