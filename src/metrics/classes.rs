//! Figures of each task class by itself, and of all together.
//!
//! Each time is recorded once, with those of its class; what all classes took is added up when somebody looks. So a
//! workload of one class has one set of latencies and nothing else, and one of many pays by the snapshot, not by the task.
//! Memory is bounded: [`MOST`] sets at most, of which the last is that of all classes from there on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Batch, LaneId, Slot, WorkerId};
use crate::engine::outcome::{AttemptReport, Outcome};
use crate::metrics::distribution::Distributions;
use crate::metrics::latency::{BatchSums, Latencies};
use crate::metrics::quantiles::Latency;
use crate::metrics::results_hash::ResultsHash;
use crate::workload::model::{ClassId, EngineKind, Workload};

/// Sets of figures at most: a megabyte each.
pub(crate) const MOST: usize = 16;
/// Slots whose CPU time is told by class; bounds the memory against a wrong number.
const MOST_SLOTS: usize = 1 << 16;

/// One task class in one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// The class; where this is of several, the first of them.
    pub class: ClassId,
    /// How many classes this is of: 1, but for the last one where a workload has more than 16.
    pub classes: u16,
    pub tasks: ClassCounts,
    /// The four latencies of its tasks.
    pub latency: Latency,
    /// `None` where no task's CPU time could be told.
    pub cpu: Option<ClassCpu>,
    /// The four latencies whole, for any percentile; `None` before the run is over.
    #[serde(skip)]
    pub whole: Option<Box<Distributions>>,
}

/// Tasks of a class by their outcomes. What was cancelled or dropped is counted for the whole run alone: an arrival that is
/// turned away and a queue that is given up are no business of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCounts {
    pub succeeded: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub lost: u64,
    /// Attempts beyond the first of their task.
    pub retries: u64,
}

/// CPU time of tasks of a class.
///
/// Where each task has a process, it is that of the process from start to end (`wait4`). Workers that are kept tell what
/// they have used with each report: that counts for a class where all tasks of the report are of that class, and is no
/// class's where they are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCpu {
    /// Of `tasks` together.
    pub time: Duration,
    /// Tasks whose CPU time could be told, whatever their outcome. Never 0.
    pub tasks: u64,
}

impl ClassFigures {
    /// The name of its class, or of how many further ones it is; not yet cleaned for a terminal.
    #[must_use]
    pub(crate) fn name(&self, workload: &Workload) -> String {
        if self.classes > 1 {
            return format!("{} more classes", self.classes);
        }
        workload.classes.get(usize::from(self.class)).map_or_else(|| "?".to_owned(), |class| class.name.clone())
    }

    /// Succeeded tasks per second over so much time.
    #[must_use]
    pub(crate) fn throughput(&self, wall: Duration) -> f64 {
        let seconds = wall.as_secs_f64();
        if seconds > 0.0 { self.tasks.succeeded as f64 / seconds } else { 0.0 }
    }
}

impl ClassCpu {
    /// Of one task on average.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.time.as_secs_f64() / self.tasks.max(1) as f64)
    }
}

impl ClassCounts {
    /// Adds those of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.lost += other.lost;
        self.retries += other.retries;
    }
}

/// Who tells what tasks of an arm have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CpuSource {
    /// Workers, with their reports.
    Reports,
    /// The end of a process that was one task.
    Ends,
    /// Nobody, by the task.
    Nobody,
}

/// The fold.
#[derive(Debug)]
pub(crate) struct Classes {
    /// Never empty.
    each: Vec<Class>,
    /// Classes of the workload.
    count: u16,
    /// Where they are added up, if there are several.
    whole: Option<Box<Latencies>>,
    source: CpuSource,
    /// By slot.
    lanes: Vec<LaneUse>,
}

#[derive(Debug, Default)]
struct Class {
    latencies: Latencies,
    tasks: ClassCounts,
    cpu: ClassCpu,
}

/// What a lane has used that is known to be of no task any more, and what was reported since.
#[derive(Clone, Copy, Debug, Default)]
struct LaneUse {
    /// What this worker had used; before it is known, what it tells is that of its start too.
    known: Option<(WorkerId, Duration)>,
    reported: Reported,
}

#[derive(Clone, Copy, Debug, Default)]
enum Reported {
    #[default]
    Nothing,
    /// So many of one class.
    Tasks(usize, u64),
    /// Of several classes.
    Mixed,
}

impl CpuSource {
    /// In engines of a kind. What another program tells of its workers comes at moments of its own, between any tasks.
    #[must_use]
    pub(crate) fn of(kind: EngineKind) -> Self {
        match kind {
            _ if kind.process_per_task() => Self::Ends,
            EngineKind::External => Self::Nobody,
            _ if kind.is_reference() => Self::Nobody,
            _ => Self::Reports,
        }
    }
}

impl Reported {
    fn add(self, place: usize, count: u64) -> Self {
        match self {
            Self::Nothing => Self::Tasks(place, count),
            Self::Tasks(other, before) if other == place => Self::Tasks(place, before + count),
            _ => Self::Mixed,
        }
    }
}

impl Classes {
    /// Of a workload with so many classes.
    pub(crate) fn new(count: usize, source: CpuSource) -> Self {
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        let several = count > 1;
        Self {
            each: (0..usize::from(count).clamp(1, MOST)).map(|_| Class::default()).collect(),
            count: count.max(1),
            whole: several.then(Box::default),
            source: if several { source } else { CpuSource::Nobody },
            lanes: Vec::new(),
        }
    }

    fn place(&self, class: ClassId) -> usize {
        usize::from(class).min(self.each.len() - 1)
    }

    /// Records a batch of successful tasks, which are of one class.
    #[inline]
    pub(crate) fn batch(&mut self, batch: &Batch<'_>, hash: &mut ResultsHash) -> BatchSums {
        let place = self.place(batch.class);
        let count = batch.records.len() as u64;
        let Some(class) = self.each.get_mut(place) else { return BatchSums::default() };
        class.tasks.succeeded += count;
        let sums = class.latencies.batch(batch, hash);
        self.reported(batch.slot, place, count);
        sums
    }

    /// Records an attempt that did not succeed.
    pub(crate) fn attempt(&mut self, report: &AttemptReport) {
        let place = self.place(report.class);
        let Some(Class { latencies, tasks, .. }) = self.each.get_mut(place) else { return };
        match report.outcome {
            _ if report.retried => tasks.retries += 1,
            Outcome::Succeeded => tasks.succeeded += 1,
            Outcome::Failed => tasks.failed += 1,
            Outcome::TimedOut => tasks.timed_out += 1,
            Outcome::Lost => tasks.lost += 1,
            Outcome::Cancelled | Outcome::Dropped => {}
        }
        // Of one that never started (no such program, a worker dead on arrival) there is nothing to record.
        let Some(slot) = report.slot else { return };
        latencies.attempt(report);
        self.reported(slot, place, 1);
    }

    /// So many tasks of a class waited for too long.
    pub(crate) fn expired(&mut self, class: ClassId, count: u64) {
        let place = self.place(class);
        if let Some(class) = self.each.get_mut(place) {
            class.tasks.timed_out += count;
        }
    }

    #[inline]
    fn reported(&mut self, slot: Slot, place: usize, count: u64) {
        if self.source != CpuSource::Nobody
            && let Some(lane) = self.lane(slot)
        {
            lane.reported = lane.reported.add(place, count);
        }
    }

    fn lane(&mut self, slot: Slot) -> Option<&mut LaneUse> {
        let place = slot.index();
        if place >= self.lanes.len() && place < MOST_SLOTS {
            self.lanes.resize(place + 1, LaneUse::default());
        }
        self.lanes.get_mut(place)
    }

    /// A worker is new in a slot.
    pub(crate) fn started(&mut self, slot: Slot) {
        if self.source != CpuSource::Nobody
            && let Some(lane) = self.lane(slot)
        {
            *lane = LaneUse::default();
        }
    }

    /// What a lane has used so far, where it has done nothing since the tasks that were reported last.
    pub(crate) fn told(&mut self, lane: LaneId, cpu: Duration) {
        if self.source != CpuSource::Reports {
            return;
        }
        let now = LaneUse { known: Some((lane.worker, cpu)), reported: Reported::Nothing };
        let Some(LaneUse { known, reported }) = self.lane(lane.slot()).map(|lane| std::mem::replace(lane, now)) else {
            return;
        };
        if let Some((_, before)) = known.filter(|(worker, _)| *worker == lane.worker) {
            self.used(reported, cpu.saturating_sub(before));
        }
    }

    /// A process is gone, which has used so much in all.
    pub(crate) fn exited(&mut self, worker: WorkerId, cpu: Duration) {
        if self.source != CpuSource::Ends {
            return;
        }
        let reported = self.lane(worker.slot).map(std::mem::take).unwrap_or_default().reported;
        self.used(reported, cpu);
    }

    fn used(&mut self, reported: Reported, time: Duration) {
        let Reported::Tasks(place, tasks) = reported else { return };
        if let Some(Class { cpu, .. }) = self.each.get_mut(place) {
            cpu.time += time;
            cpu.tasks += tasks;
        }
    }

    /// The latencies of all classes.
    fn whole(&mut self) -> Option<&mut Latencies> {
        let Some(whole) = self.whole.as_deref_mut() else {
            return self.each.first_mut().map(|class| &mut class.latencies);
        };
        whole.clear();
        self.each.iter_mut().for_each(|class| whole.absorb(&mut class.latencies));
        Some(whole)
    }

    /// Percentiles of all tasks so far.
    pub(crate) fn summary(&mut self) -> Latency {
        self.whole().map(Latencies::summary).unwrap_or_default()
    }

    /// Everything about all tasks, for the end of a run.
    pub(crate) fn distributions(&mut self) -> Distributions {
        self.whole().map(Latencies::distributions).unwrap_or_default()
    }

    /// Figures class by class, once the run is `over` with whole latencies; none where there is only one.
    pub(crate) fn figures(&mut self, over: bool) -> Vec<ClassFigures> {
        if self.whole.is_none() {
            return Vec::new();
        }
        let (last, count) = (self.each.len() - 1, self.count);
        let figures = |(place, class): (usize, &mut Class)| {
            let id = ClassId::try_from(place).unwrap_or(ClassId::MAX);
            ClassFigures {
                class: id,
                classes: if place == last { count.saturating_sub(id) } else { 1 },
                tasks: class.tasks,
                latency: class.latencies.summary(),
                cpu: (class.cpu.tasks > 0).then_some(class.cpu),
                whole: over.then(|| Box::new(class.latencies.distributions())),
            }
        };
        self.each.iter_mut().enumerate().map(figures).collect()
    }

    fn sum<T: std::iter::Sum>(&self, of: fn(&Latencies) -> T) -> T {
        self.each.iter().map(|class| of(&class.latencies)).sum()
    }

    /// How many waits were recorded: attempts that ran.
    #[must_use]
    pub(crate) fn waits(&self) -> u64 {
        self.sum(Latencies::waits)
    }

    /// How many tasks have a sojourn: those that ran and have their outcome.
    #[must_use]
    pub(crate) fn sojourns(&self) -> u64 {
        self.sum(Latencies::sojourns)
    }

    /// Sum of all sojourns.
    #[must_use]
    pub(crate) fn sojourned(&self) -> Duration {
        self.sum(Latencies::sojourned)
    }

    /// Sum of all waits: the integral of the queue depth over time (Little's identity).
    #[must_use]
    pub(crate) fn waited(&self) -> Duration {
        self.sum(Latencies::waited)
    }
}

#[cfg(test)]
mod tests;
