//! What a sweep over worker counts has shown, as text and as JSON.
//!
//! Nothing in here recommends: what follows from the figures is said by `analysis::tuning` alone.

use std::sync::Arc;

use crate::analysis::expectations::Checked;
use crate::analysis::failing::AllFailed;
use crate::analysis::tuning::Tuning;
use crate::analysis::tuning::arms::{AtCounts, all_at_counts};
use crate::os::host::Host;
use crate::report::ending::{Ending, Partial};
use crate::workload::model::{Dimension, EngineSpec, Workload};

#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod grid;
pub(crate) mod json;
pub(crate) mod text;
pub(crate) mod words;

/// Everything that a sweep measured.
#[derive(Clone, Debug)]
pub(crate) struct SweepResults {
    /// What was run.
    pub(crate) workload: Arc<Workload>,
    pub(crate) host: Arc<Host>,
    /// Hash of the stream of tasks, the same for every run.
    pub(crate) stream_hash: String,
    /// Fields that were swept, with their values; empty where it was the worker counts alone.
    pub(crate) dimensions: Vec<Dimension>,
    /// The arms that took part.
    pub(crate) arms: Vec<SweptArm>,
    /// Index into `arms` of the arm that the others are compared with.
    pub(crate) baseline: usize,
    /// Counted runs that each count was to get.
    pub(crate) runs: u32,
    /// What became of what the workload expects, with the counts that are recommended.
    pub(crate) expectations: Vec<Checked>,
    /// How it came to its end.
    pub(crate) ending: Ending,
}

/// What was measured of one arm.
#[derive(Clone, Debug)]
pub(crate) struct SweptArm {
    /// Its entry in the workload file; its own worker count was not used.
    pub(crate) spec: EngineSpec,
    /// Name of its engine in the file.
    pub(crate) base: String,
    /// Fields that were swept, with the values that it had.
    pub(crate) settings: Vec<(String, String)>,
    /// Arms of the same group run the same tasks in the same engine.
    pub(crate) group: usize,
    /// What each count has shown.
    pub(crate) tuning: Arc<Tuning>,
    /// The run in which it was aborted, with its worker count: shown, but not counted.
    pub(crate) partial: Option<(u32, Partial)>,
}

impl SweepResults {
    /// The arms of which not one task succeeded, with any count.
    pub(crate) fn all_failed(&self) -> impl Iterator<Item = (&SweptArm, &AllFailed)> {
        self.arms.iter().filter_map(|arm| Some((arm, arm.all_failed()?)))
    }

    /// Every arm but those of the baseline's engine, compared with the baseline of the same settings at the counts that can be
    /// compared; the findings are corrected for how many they are.
    pub(crate) fn compared(&self) -> impl Iterator<Item = (&SweptArm, &SweptArm, AtCounts)> {
        let base = self.arms.get(self.baseline).map(|arm| arm.base.as_str());
        let others = self.arms.iter().filter(move |arm| Some(arm.base.as_str()) != base);
        let pairs: Vec<(&SweptArm, &SweptArm)> = others
            .filter_map(|arm| {
                let same = |one: &&SweptArm| Some(one.base.as_str()) == base && one.settings == arm.settings;
                Some((self.arms.iter().find(same)?, arm))
            })
            .collect();
        let tunings: Vec<(&Tuning, &Tuning)> =
            pairs.iter().map(|(baseline, arm)| (&*baseline.tuning, &*arm.tuning)).collect();
        let found = all_at_counts(&tunings, self.runs);
        pairs.into_iter().zip(found).filter_map(|((baseline, arm), found)| Some((baseline, arm, found?)))
    }

    /// Arms with the counts of which no more runs were made because they were clearly bad.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (&SweptArm, Vec<u32>)> {
        self.arms.iter().filter_map(|arm| {
            let dropped = arm.tuning.points.iter().filter(|point| point.dropped);
            let dropped: Vec<u32> = dropped.map(|point| point.workers).collect();
            (!dropped.is_empty()).then_some((arm, dropped))
        })
    }

    /// Whether other settings than worker counts were swept.
    pub(crate) fn has_settings(&self) -> bool {
        self.arms.iter().any(|arm| !arm.settings.is_empty())
    }

    /// Whether no engine has had more than one point: nothing was swept then.
    pub(crate) fn is_one_point(&self) -> bool {
        let points = |base: &str| -> usize {
            self.arms.iter().filter(|arm| arm.base == base).map(|arm| arm.tuning.points.len()).sum()
        };
        // Of one that was ended nobody knows what would have come.
        self.ending == Ending::Finished && self.arms.iter().all(|arm| points(&arm.base) == 1)
    }

    /// Whether several worker counts were tried of an arm: advice, gains and scalability laws are about these.
    pub(crate) fn tries_counts(&self) -> bool {
        !self.has_settings() || self.arms.iter().any(|arm| arm.tuning.points.len() > 1)
    }

    /// Tasks of one run, if there is a whole one or one that was cut off.
    fn tasks(&self) -> Option<u64> {
        let whole = self.arms.iter().flat_map(|arm| &arm.tuning.points).map(|point| point.tasks);
        let cut_off = self.arms.iter().filter_map(|arm| Some(arm.partial.as_ref()?.1.run.total));
        whole.chain(cut_off).max()
    }
}

impl SweptArm {
    fn all_failed(&self) -> Option<&AllFailed> {
        let measured = self.tuning.points.iter().filter(|point| point.rate.is_some());
        let mut failed = measured.map(|point| point.all_failed.as_ref());
        let first = failed.next()??;
        failed.all(|other| other.is_some()).then_some(first)
    }
}
