//! One row for each slot: what the engine says of it now beside what was counted in it.

use std::time::Duration;

use super::Recorder;
use crate::engine::event::{EngineView, Moment, PageFaults, Slot, SlotView, WorkerState};
use crate::metrics::course::WorkerReading;
use crate::metrics::slots::SlotTotals;
use crate::metrics::snapshot::WorkerRow;
use crate::os::readings::MemoryReading;

/// Whether a process of the slot was started and is not in its task yet.
pub(super) fn starting(slot: &SlotView) -> bool {
    slot.pid.is_some() && matches!(slot.state, WorkerState::Starting | WorkerState::Initializing | WorkerState::Busy)
}

/// A process that has run has had page faults: where there are none, nobody has told.
fn told(faults: PageFaults) -> Option<PageFaults> {
    (faults.minor > 0).then_some(faults)
}

impl Recorder {
    /// Page faults of all workers.
    pub(super) fn page_faults(&self) -> Option<PageFaults> {
        told(self.slots.usage().page_faults())
    }

    /// Takes in what was read anew of workers that have done a task.
    pub(super) fn follow_memory(&mut self, now: Moment, view: &EngineView<'_>) {
        let clock = self.pauses.clock(now);
        if view.state.is_over() {
            return self.course.over();
        }
        self.course.all(clock, self.live.memory.rss_bytes, self.live.memory.pss_bytes, self.succeeded);
        // One that lives for one task has no course.
        if self.config.capabilities.process_per_task {
            return;
        }
        for view in view.slots {
            let Some(live) = self.live.slots.get(view.slot.index()) else { continue };
            let tasks = self.slots.get(view.slot).map_or(0, SlotTotals::done_by_worker);
            let known = live.memory.filter(|(pid, _)| tasks > 0 && view.pid == Some(*pid));
            let Some((pid, memory)) = known else { continue };
            let MemoryReading { rss_bytes, pss_bytes } = memory;
            let read = live.memory_at;
            self.course.worker(clock, WorkerReading { slot: view.slot, pid, read, rss_bytes, pss_bytes, tasks });
        }
    }

    /// Every slot that the engine has or had: the rows of a result add up to its totals.
    pub(super) fn rows(&self, now: Moment, view: &EngineView<'_>) -> Vec<WorkerRow> {
        let over = view.state.is_over();
        let mut rows = Vec::with_capacity(view.slots.len().max(self.slots.all().len()));
        let mut views = view.slots.iter().peekable();
        let known = (0..).map(Slot).zip(self.slots.all());
        for (number, totals) in known {
            let slot = views.next_if(|slot| slot.slot == number);
            // A slot that nothing happened in is no row, unless the engine says so.
            let happened = totals.worker.starts > 0 || totals.lane.done > 0 || totals.lane.busy > 0;
            if slot.is_some() || happened {
                rows.push(self.row(now, number, slot, over));
            }
        }
        rows.extend(views.map(|slot| self.row(now, slot.slot, Some(slot), over)));
        rows
    }

    fn row(&self, now: Moment, number: Slot, view: Option<&SlotView>, over: bool) -> WorkerRow {
        let totals = self.slots.get(number).copied().unwrap_or_default();
        let live = self.live.slots.get(number.index()).copied().unwrap_or_default();
        let pid = view.and_then(|view| view.pid);
        let task = view.and_then(|view| view.task);
        let task_for = task.map_or(Duration::ZERO, |(.., start)| now.since(start));
        let under_way = task.map_or(Duration::ZERO, |(.., start)| now.since(start.max(totals.lane.last_end)));
        let memory = live.memory.filter(|(owner, _)| Some(*owner) == pid).map(|(_, memory)| memory);
        WorkerRow {
            slot: number,
            pid,
            state: view.map_or(WorkerState::Free, |view| view.state),
            task: task.map(|(index, class, _)| (index, class)),
            task_for,
            cpu_percent: live.percent,
            cpu_history: live.history.percents().to_vec(),
            rss_bytes: memory.map(|memory| memory.rss_bytes),
            pss_bytes: memory.and_then(|memory| memory.pss_bytes),
            done: totals.lane.done,
            starts: totals.worker.starts,
            restarts: totals.worker.restarts,
            busy: Duration::from_nanos(totals.lane.busy) + under_way,
            cpu: totals.cpu(if over { Duration::ZERO } else { live.cpu }),
            peak_rss_bytes: live.peak_rss_bytes,
            peak_pss_bytes: live.peak_pss_bytes,
            page_faults: told(totals.page_faults()),
            last_exit: totals.worker.last_exit,
            thread: totals.thread_use(),
        }
    }
}
