//! What follows from everything that was measured so far: the tuning of each arm, the verdicts, and what is owed.

use std::sync::Arc;

use super::Conductor;
use crate::analysis::tuning::Bounds;
use crate::analysis::verdict::{self, Counted};
use crate::metrics::kept::Runs;
use crate::session::view::{Mode, SessionPhase};
use crate::workload::model::{Arrivals, Work};

impl Conductor {
    /// Sums up again what was measured: after a run, and when another count is shown.
    pub(super) fn sum_up(&mut self) {
        for index in 0..self.arms.len() {
            let bounds = self.bounds(index);
            if let Some(arm) = self.arms.get_mut(index) {
                arm.sum_up(bounds);
            }
        }
        self.compare();
    }

    pub(super) fn compare(&mut self) {
        let finished: Vec<Arc<Runs>> = self.arms.iter().map(|arm| arm.finished(self.mode)).collect();
        let counted: Vec<Counted<'_>> = finished.iter().map(|runs| Counted::from(&**runs)).collect();
        self.verdicts = match self.mode {
            Mode::Interleaved => Arc::new(verdict::every_pair(&counted, Some(self.spec.context.usable_cores))),
            Mode::Together => Arc::default(),
        };
    }

    pub(super) fn bounds(&self, arm: usize) -> Bounds {
        let resizable = self.arms.get(arm).filter(|arm| arm.has_worker_count());
        Bounds {
            most: resizable.map_or(1, |arm| arm.most_workers),
            cores: self.spec.context.usable_cores,
            open_arrivals: matches!(self.spec.workload.arrivals, Arrivals::Open(_)),
            free: self.measures_by_itself(),
        }
    }

    /// Commands are the user's own: they are run as often as was asked for.
    pub(super) fn measures_by_itself(&self) -> bool {
        self.spec.workload.classes.iter().all(|class| !matches!(class.work, Work::Command(_)))
    }

    pub(super) fn repeats(&self) -> u32 {
        self.spec.workload.measure.repeats.get()
    }

    /// Whether changed arms will be measured as soon as the keys have rested.
    pub(super) fn waits_for_rest(&self) -> bool {
        self.phase() == SessionPhase::Finished
            && self.mode == Mode::Interleaved
            && self.measures_by_itself()
            && self.arms.iter().any(|arm| arm.owed(self.repeats()) > 0)
    }
}
