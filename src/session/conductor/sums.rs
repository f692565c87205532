//! What follows from everything that was measured so far: the tuning of each arm, the verdicts, and what is owed.

use std::sync::Arc;
use std::time::Instant;

use super::Conductor;
use crate::analysis::inference::Looks;
use crate::analysis::precision::{self, Made};
use crate::analysis::tuning::Bounds;
use crate::analysis::verdict::{self, Counted};
use crate::metrics::kept::Runs;
use crate::session::agenda::Agenda;
use crate::session::view::{Mode, SessionPhase};
use crate::workload::model::Arrivals;

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
        let finished = self.finished();
        let counted: Vec<Counted<'_>> = finished.iter().map(|runs| Counted::from(&**runs)).collect();
        let cores = Some(self.spec.context.usable_cores);
        self.verdicts = match self.mode {
            Mode::Interleaved => Arc::new(verdict::every_pair(&counted, self.looks(), cores)),
            Mode::Together => Arc::default(),
        };
    }

    fn finished(&self) -> Vec<Arc<Runs>> {
        self.arms.iter().map(|arm| arm.finished(self.mode)).collect()
    }

    /// While it goes on somebody may look after every run, and stop it because of what is seen; where results decide how
    /// many runs there are, it is we who do.
    pub(super) fn looks(&self) -> Looks {
        let as_planned = self.phase() == SessionPhase::Finished && self.spec.workload.measure.adaptive.is_none();
        if as_planned { Looks::Once(self.repeats()) } else { Looks::AfterEach }
    }

    /// After a round whose results decide whether another one is made.
    pub(super) fn decide_whether_enough(&mut self) {
        let finished = self.finished();
        let Some(wanted) = self.spec.workload.measure.adaptive else { return };
        let Agenda::Rounds(schedule) = &mut self.agenda else { return };
        let Some((rounds, all)) = schedule.made() else { return };
        let left = self.budget.left(Instant::now()).unwrap_or_default();
        let elapsed = wanted.max_time.saturating_sub(left);
        let least = self.spec.workload.measure.repeats.get();
        let made = Made { rounds, least, elapsed, round: elapsed / all };
        let counted: Vec<Counted<'_>> = finished.iter().map(|runs| Counted::from(&**runs)).collect();
        let precision = precision::after_round(&counted, self.spec.baseline, wanted, made);
        if precision.end.is_some() {
            schedule.end_here();
        }
        self.precision = Some(precision);
    }

    pub(super) fn bounds(&self, arm: usize) -> Bounds {
        let resizable = self.arms.get(arm).filter(|arm| arm.has_worker_count());
        Bounds {
            most: resizable.map_or(1, |arm| arm.most_workers),
            cores: self.spec.context.usable_cores,
            open_arrivals: self.arms.get(arm).is_some_and(|arm| matches!(arm.workload.arrivals, Arrivals::Open(_))),
            free: self.measures_by_itself(),
        }
    }

    /// Commands are the user's own: they are run as often as was asked for.
    pub(super) fn measures_by_itself(&self) -> bool {
        self.spec.workload.classes.iter().all(|class| !class.work.is_a_users())
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
