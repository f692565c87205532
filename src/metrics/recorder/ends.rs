//! Until when a run is measured, and where the time of its workers went until then.

use std::time::Duration;

use super::{Recorder, rows};
use crate::engine::event::{EngineView, Moment, RunState, Slot, WorkerState};
use crate::metrics::nanos::nanos;
use crate::metrics::snapshot::WorkerTime;

/// The end of what is measured of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunEnds {
    pub(super) at: Moment,
    /// The same, pauses left out.
    pub(super) clock: Moment,
    /// Whether there were tasks without an outcome.
    pub(super) early: bool,
}

impl Recorder {
    pub(super) fn last_outcome_at(&self, now: Moment) -> Moment {
        (self.last_outcome + self.pauses.until(now)).min(now)
    }

    /// The end of what is measured, once the run is ending: what its workers do until they are gone has no place in it. Where
    /// it is ended early that is the moment of that, in every engine: how long its tasks go on then says nothing about it.
    pub(super) fn measured_until(&self) -> Option<Moment> {
        let RunEnds { at, early, .. } = self.ends?;
        Some(if early { at } else { self.last_outcome_at(at) })
    }

    pub(super) fn measured_early(&self) -> bool {
        self.ends.is_some_and(|ends| ends.early)
    }

    /// How long the run was: see [`Recorder::measured_until`].
    pub(super) fn wall(&self, clock: Moment, state: RunState) -> Moment {
        match (self.ends, state) {
            (Some(ends), _) if ends.early => ends.clock,
            // Nobody has said when.
            (_, RunState::Broken) => clock,
            (_, state) if state.is_over() && self.last_outcome > Moment::ZERO => self.last_outcome,
            _ => clock,
        }
    }

    /// Where the time of the workers went until `wall`, with tasks and starts that are under way; and in how much of it
    /// there were lanes that could not take a task, which that of workers that are not there yet is no part of.
    pub(super) fn worker_time(&self, seen: Moment, wall: Moment, view: &EngineView<'_>) -> (WorkerTime, Duration) {
        let (mut work, mut startup) = (u128::from(self.slots.work), u128::from(self.slots.startup));
        let mut ghost = self.ghosts.time.as_nanos();
        let (mut initializing, mut starting) = (u128::from(self.slots.initializing), u128::from(self.slots.starting));
        starting += u128::from(self.slots.booting(seen, self.lanes()));
        for slot in view.slots {
            let totals = self.slots.get(slot.slot).copied().unwrap_or_default();
            match slot.task {
                Some((.., start)) if slot.state == WorkerState::Ghost || totals.lane.is_ghost => {
                    ghost += seen.since(start.max(totals.lane.last_end)).as_nanos();
                }
                Some((.., start)) => work += seen.since(start.max(totals.lane.last_end)).as_nanos(),
                None if self.config.capabilities.process_per_task && rows::starting(slot) => {
                    startup += seen.since(totals.worker.started).as_nanos();
                }
                None if slot.state == WorkerState::Starting => {
                    starting += totals.worker.starting.map_or(0, |since| seen.since(since).as_nanos());
                }
                None if slot.state == WorkerState::Initializing => {
                    initializing += totals.worker.initializes.map_or(0, |since| seen.since(since).as_nanos());
                }
                None => {}
            }
        }
        // What bytes took before a task is no start-up, and what they took after it is no idle time.
        let before = u128::from(self.carriages.before()).min(startup);
        startup -= before;
        let carrying = before + u128::from(self.slots.after);
        let busy = nanos(work + startup + carrying + ghost);
        // With a process for each task that is its start; one that is kept is there, and is handed the task.
        let dispatch = if self.config.capabilities.process_per_task { 0 } else { std::mem::take(&mut startup) };
        // All lanes of a worker wait for its process.
        let lanes = if self.config.capabilities.lanes { u128::from(view.workers) } else { 1 };
        let (starting, initializing) = (starting * lanes, initializing * lanes);
        startup += starting;
        let whole = if self.config.unbounded { 0 } else { self.capacity.until(wall) };
        // Where lanes share a worker, one is added for each that is taken up by a ghost.
        let whole = if self.config.capabilities.lanes { whole + ghost } else { whole };
        let idle = whole.saturating_sub(work + startup + dispatch + carrying + ghost + initializing);
        let [work, startup, dispatch, carrying, ghost, initializing, idle] =
            [work, startup, dispatch, carrying, ghost, initializing, idle].map(nanos);
        (WorkerTime { work, startup, dispatch, carrying, ghost, initializing, idle }, busy)
    }

    /// How many lanes there are to be; 0 where there is no limit.
    pub(super) fn lanes(&self) -> u32 {
        if self.config.unbounded { 0 } else { self.capacity.now() }
    }

    /// A moment as far as it is measured.
    pub(super) fn measured(&self, moment: Moment) -> Moment {
        self.measured_until().map_or(moment, |until| until.min(moment))
    }

    /// How long lanes had nothing more to do before the last task ended, together: the part of the idle time that is at the end.
    pub(super) fn tail_idle(&self, wall: Moment, view: &EngineView<'_>) -> Duration {
        let last = wall + self.pauses.until(wall);
        let lanes = if self.config.unbounded { 0 } else { view.workers };
        let totals = |slot: u32| self.slots.get(Slot(slot)).copied().unwrap_or_default();
        // All lanes of a worker wait for its process.
        let there = |slot| totals(if self.config.capabilities.lanes { 0 } else { slot }).worker.there;
        let alive = (0..lanes).filter(|slot| !totals(*slot).lane.is_ghost);
        alive.map(|slot| last.since(totals(slot).lane.last_taken().max(there(slot)))).sum()
    }
}
