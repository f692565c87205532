//! One run at one moment, as the dashboard, progress lines and exports read it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::engine::event::Chunks;
use crate::engine::event::{DeathCause, Moment, PageFaults, RunState, Severity, Slot, WorkerState};
use crate::engine::outcome::{AttemptReport, Counts, Exit};
pub use crate::metrics::carriage::Carriage;
pub use crate::metrics::classes::{ClassCounts, ClassCpu, ClassFigures};
pub use crate::metrics::course::{LifeCourse, MemoryCourse, MemoryPoint};
pub use crate::metrics::delivery::Delivery;
use crate::metrics::distribution::{Distribution, Distributions};
pub use crate::metrics::gil_probe::GilProbe;
pub use crate::metrics::kills::{Cost, Kill, Replaced};
use crate::metrics::life::{ForkServerUse, Life};
pub use crate::metrics::load::{Little, Load};
pub(crate) use crate::metrics::quantiles::{Latency, Quantiles};
pub use crate::metrics::stages::StageLoad;
use crate::workload::model::{ClassId, StartMethod, TaskIndex};

/// Which run of a session it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunId {
    /// Its place among all runs of all arms since the session began, from 1: no two runs share one, and that of a later
    /// run is higher.
    pub serial: u32,
    /// Its number: that of its round among those of its kind since the session began, from 1. Warm-up rounds and the others
    /// are counted apart.
    pub round: u32,
    /// Whether its round is one to warm up, or to probe interpreters: it does not count.
    pub warmup: bool,
}

/// What it is called wherever it is told of: `run 2`, `warm-up 1`.
impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", if self.warmup { "warm-up" } else { "run" }, self.round)
    }
}

/// One run at one moment. Its size does not depend on the number of tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The run that this is a moment of.
    pub run: RunId,
    /// Run clock, without the time in which the run was paused and nothing ran: all rates and the place of a replay are
    /// about this time.
    pub at: Moment,
    /// That left out time.
    pub paused: Duration,
    /// Where the run stands.
    pub state: RunState,
    /// Exact counts.
    pub counts: Counts,
    /// Tasks the run will have in all.
    pub total: u64,
    /// Succeeded tasks per second over the last second.
    pub throughput: f64,
    /// Succeeded tasks per second since the start.
    pub throughput_whole: f64,
    /// Waiting tasks.
    pub queue: QueueFigures,
    /// Distribution of the four latencies.
    pub latency: Latency,
    /// The same class by class, with their tasks and CPU time; empty where there is only one.
    pub classes: Arc<Vec<ClassFigures>>,
    /// Where the time of the workers went.
    pub worker_time: WorkerTime,
    /// How much of it was asked for, and Little's law.
    pub load: Box<Load>,
    /// The stages of open arrivals that have begun.
    pub stages: Box<[StageLoad]>,
    /// How tasks travelled to workers; `None` where each has a process of its own, and where nobody tells.
    pub chunks: Option<Box<Chunks>>,
    /// What bytes travelled with tasks and results; `None` where none did.
    pub carriage: Option<Box<Carriage>>,
    /// What probes in interpreters have noted; `None` where there are none.
    pub gil_probe: Option<Box<GilProbe>>,
    /// Workers that went on with tasks whose callers had given up.
    pub ghosts: Ghosts,
    /// What workers did before their first task.
    pub initializers: Initializers,
    /// Workers that were killed and did not go.
    pub unkillable: u64,
    pub life: Life,
    /// What workers are forked from; `None` where they are not.
    pub fork_server: Option<Box<ForkServerUse>>,
    /// Number of workers aimed at.
    pub workers_target: u32,
    /// Every slot, in order.
    pub workers: Vec<WorkerRow>,
    /// Processor time.
    pub cpu: Cpu,
    /// Memory of all workers.
    pub memory: Memory,
    /// Worker processes started.
    pub worker_starts: u64,
    /// Of these, in place of one that died or was killed.
    pub worker_restarts: u64,
    /// What Poolscope itself costs.
    pub overhead: Box<Overhead>,
    /// Order-independent hash over (index, result) of the succeeded tasks.
    pub results_hash: u64,
    /// Results that were made wrong on purpose (`faults: bad_result`): with one of them the hash is another.
    pub wrong_results: u64,
    /// Why the figures of this run should not be trusted; empty is good.
    pub suspect: Vec<String>,
    /// The last notes, oldest first; bounded.
    pub notes: Arc<Vec<Note>>,
    /// The last unsuccessful attempts, oldest first; bounded.
    pub failures: Arc<Vec<AttemptReport>>,
    /// Workers killed on request and what each cost, oldest first; bounded.
    pub kills: Arc<Vec<Kill>>,
    /// Workers ended because their task timed out, likewise.
    pub timeouts: Arc<Vec<Kill>>,
    /// Results on their way to the caller, and the caller's own time.
    pub delivery: Delivery,
    /// What is known only when the run is over; `None` before.
    pub end: Option<Arc<RunEnd>>,
    /// Page faults of all workers, by the kernel's own account; `None` where nobody tells it.
    pub page_faults: Option<Box<PageFaults>>,
    /// The last workers that came to another end than that of their work or of the run, oldest first; bounded.
    pub deaths: Arc<Vec<Death>>,
    /// All that did.
    pub deaths_total: u64,
    /// How the memory of the workers went until now. Of a track only the newest frames have it.
    pub memory_course: Arc<MemoryCourse>,
}

impl Snapshot {
    /// How its workers were started, which may be another method than the one that was asked for.
    #[must_use]
    pub(crate) fn start_method(&self, asked: StartMethod) -> StartMethod {
        if self.not_forked().is_some() { StartMethod::Spawn } else { asked }
    }

    /// Why workers that were to be forked are spawned; `None` where they are not.
    #[must_use]
    pub(crate) fn not_forked(&self) -> Option<&str> {
        self.fork_server.as_ref()?.not_forked.as_deref()
    }

    /// A run that has not begun.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            run: RunId::default(),
            at: Moment::ZERO,
            paused: Duration::ZERO,
            state: RunState::Running,
            counts: Counts::default(),
            total: 0,
            throughput: 0.0,
            throughput_whole: 0.0,
            queue: QueueFigures::default(),
            latency: Latency::default(),
            classes: Arc::default(),
            worker_time: WorkerTime::default(),
            load: Box::default(),
            stages: Box::default(),
            chunks: None,
            carriage: None,
            gil_probe: None,
            ghosts: Ghosts::default(),
            unkillable: 0,
            initializers: Initializers::default(),
            life: Life::default(),
            fork_server: None,
            workers_target: 0,
            workers: Vec::new(),
            cpu: Cpu::default(),
            memory: Memory::default(),
            worker_starts: 0,
            worker_restarts: 0,
            overhead: Box::default(),
            results_hash: 0,
            wrong_results: 0,
            suspect: Vec::new(),
            notes: Arc::default(),
            failures: Arc::default(),
            kills: Arc::default(),
            timeouts: Arc::default(),
            delivery: Delivery::default(),
            end: None,
            page_faults: None,
            deaths: Arc::default(),
            deaths_total: 0,
            memory_course: Arc::default(),
        }
    }

    /// Tasks that are done with: all that ended, but not those that were given up because the run was stopped.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.counts.finished() - self.counts.cancelled
    }

    /// Time until the run ends; `None` where it cannot be told. A batch goes on as it went so far. Open arrivals, of which
    /// the last is due at `last_arrival`, set the pace themselves unless the engine falls behind.
    #[must_use]
    pub fn remaining(&self, last_arrival: Option<Moment>) -> Option<Duration> {
        let left = self.total.checked_sub(self.done()).filter(|left| *left > 0 && !self.state.is_over())?;
        let rate = self.done() as f64 / self.at.elapsed().as_secs_f64();
        let by_rate = || Duration::try_from_secs_f64(left as f64 / rate).ok();
        match last_arrival {
            None => by_rate(),
            // Arrivals do not wait for a pause.
            Some(last) => {
                let due = last.since(self.at + self.paused);
                let behind = (self.counts.queued > 0).then(by_rate).flatten().unwrap_or_default();
                Some(due.max(behind))
            }
        }
    }

    /// Intended arrival until the caller has the result: with `apply_async` that is the end of the task.
    #[must_use]
    pub fn delivered(&self) -> &Quantiles {
        if self.delivery.mode.blocks() { &self.delivery.delivered } else { &self.latency.sojourn }
    }

    /// How much more the busiest worker worked than the mean of all, as a share of that: 0 when all worked alike, `workers` - 1
    /// when one worked alone (percent imbalance, Pearce et al., Quantifying the Effectiveness of Load Balance Algorithms,
    /// 2012). `None` where there are no two workers, or nothing was done.
    #[must_use]
    pub fn imbalance(&self) -> Option<f64> {
        // Places that were never used are no workers.
        let used = self.workers.iter().filter(|row| row.starts > 0);
        let busy: Vec<f64> = used.map(|row| row.busy.as_secs_f64()).collect();
        let mean = busy.iter().sum::<f64>() / busy.len() as f64;
        let most = busy.iter().copied().fold(0.0, f64::max);
        (busy.len() > 1 && mean > 0.0).then(|| most / mean - 1.0)
    }

    /// Time that rates are about: up to the last outcome when the run is over, until now before.
    #[must_use]
    pub fn wall(&self) -> Duration {
        self.end.as_ref().map_or(self.at.elapsed(), |end| end.wall)
    }
}

/// What is known only when a run is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunEnd {
    /// From the start of the run to the last outcome of a task, be it that it was cut off when the run was stopped.
    pub wall: Duration,
    /// The four latencies whole, for any percentile and for curves.
    pub distributions: Distributions,
    /// Intended arrival until the caller has the result, whole; empty with `apply_async`.
    pub delivered: Distribution,
    /// The latencies of this run and of all earlier ones of its arm, where theirs are no longer kept whole (see
    /// [`crate::metrics::kept`]).
    pub so_far: Option<Arc<SoFar>>,
    /// Time that workers had nothing left to do while others still worked, summed over the workers: a part of their idle time.
    pub tail_idle: Duration,
    /// Worker processes that were started and not reaped: 0 unless something is wrong.
    pub unreaped: u64,
}

/// The latencies of several runs together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoFar {
    /// Of all tasks.
    pub all: Distributions,
    /// Of each task class, as in [`Snapshot::classes`].
    pub classes: Box<[Distributions]>,
}

/// A line for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Run clock.
    pub at: Moment,
    pub severity: Severity,
    /// What happened; not yet cleaned for a terminal.
    pub text: String,
}

/// Waiting tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueFigures {
    /// Waiting now.
    pub depth: u64,
    /// Most that waited.
    pub max: u64,
    /// Time-weighted mean.
    pub mean: f64,
    /// How long the task that has waited longest has waited.
    pub oldest: Duration,
}

/// Where the time of the workers (number of workers x wall time) went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerTime {
    /// Spent in tasks, of all workers together.
    pub work: Duration,
    /// Of processes that were starting: where each task has one of its own, from its dispatch to its first instruction;
    /// where workers are kept, from the start of the process until it can take tasks or begins with its initializer.
    pub startup: Duration,
    /// Between the dispatch of tasks to workers that are kept and their first instructions: handing them over.
    #[serde(skip)]
    pub dispatch: Duration,
    /// In tasks whose callers had given up.
    pub ghost: Duration,
    /// In initializers, before the first task of a worker that is kept. Where each task has a process of its own, that is
    /// part of its start-up.
    #[serde(skip)]
    pub initializing: Duration,
    /// With the bytes of tasks and results: taking in and unpacking, packing and hashing.
    #[serde(skip)]
    pub carrying: Duration,
    /// None of these.
    pub idle: Duration,
}

impl WorkerTime {
    /// Shares of work, start-up and idle time; all zero before there is any time. What is missing to 1 is that of dispatch,
    /// ghosts, initializers and bytes that travel.
    #[must_use]
    pub(crate) fn shares(&self) -> (f64, f64, f64) {
        let all = self.all();
        if all <= 0.0 {
            return (0.0, 0.0, 0.0);
        }
        (self.work.as_secs_f64() / all, self.startup.as_secs_f64() / all, self.idle.as_secs_f64() / all)
    }

    /// Share of the time with the bytes of tasks and results.
    #[must_use]
    pub(crate) fn carrying_share(&self) -> f64 {
        self.share(self.carrying)
    }

    /// Share of the time between dispatch to a worker that is kept and the first instruction.
    #[must_use]
    pub(crate) fn dispatch_share(&self) -> f64 {
        self.share(self.dispatch)
    }

    /// Share of the time in tasks whose callers had given up.
    #[must_use]
    pub(crate) fn ghost_share(&self) -> f64 {
        self.share(self.ghost)
    }

    /// Share of the time in initializers.
    #[must_use]
    pub(crate) fn initializing_share(&self) -> f64 {
        self.share(self.initializing)
    }

    /// What share of it a part is.
    pub(crate) fn share(&self, time: Duration) -> f64 {
        let all = self.all();
        if all > 0.0 { time.as_secs_f64() / all } else { 0.0 }
    }

    /// All of it, in seconds.
    pub(crate) fn all(&self) -> f64 {
        let busy = self.work + self.startup + self.dispatch + self.carrying + self.ghost + self.initializing;
        (busy + self.idle).as_secs_f64()
    }
}

impl std::iter::Sum for WorkerTime {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::default(), |sum, time| Self {
            work: sum.work + time.work,
            startup: sum.startup + time.startup,
            dispatch: sum.dispatch + time.dispatch,
            ghost: sum.ghost + time.ghost,
            initializing: sum.initializing + time.initializing,
            carrying: sum.carrying + time.carrying,
            idle: sum.idle + time.idle,
        })
    }
}

/// Workers that went on with tasks whose callers had given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ghosts {
    /// Callers that have given up.
    pub began: u64,
    /// Of these ghosts, those that are gone.
    pub ended: u64,
    /// From the moment at which the callers of these gave up until they were gone, summed.
    pub time: Duration,
    /// CPU time of all of them from the moment at which their callers gave up: also of those that are not gone yet.
    pub cpu: Duration,
    /// Ghosts that are gone and whose CPU time cannot be told.
    pub unmeasured: u64,
}

/// What workers did before their first task, where they have an initializer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Initializers {
    /// Initializers that went well.
    pub count: u64,
    /// Their wall-clock time, summed.
    pub wall: Duration,
    /// Their CPU time, summed.
    pub cpu: Duration,
    /// Largest resident memory of a worker after it.
    pub rss_bytes: Option<u64>,
}

/// Number of CPU samples that a [`WorkerRow`] keeps.
pub(crate) const CPU_HISTORY: usize = 30;

/// One slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRow {
    pub slot: Slot,
    /// Its process, if it has one.
    pub pid: Option<u32>,
    pub state: WorkerState,
    pub task: Option<(TaskIndex, ClassId)>,
    pub task_for: Duration,
    /// Live CPU in percent of one core over the last sample interval; `None` where it cannot be read.
    pub cpu_percent: Option<f32>,
    /// The last CPU percentages (clipped to 0-255), oldest first, at most [`CPU_HISTORY`].
    pub cpu_history: Vec<u8>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// Proportional share of memory.
    pub pss_bytes: Option<u64>,
    /// Tasks that succeeded here.
    pub done: u64,
    /// Processes started here.
    pub starts: u64,
    /// Of these, in place of one that died or was killed.
    pub restarts: u64,
    /// Time in tasks.
    pub busy: Duration,
    /// CPU time of the processes of this slot.
    pub cpu: Duration,
    /// Most resident memory that was seen here, with what a worker has started; `None` where none could be read.
    pub peak_rss_bytes: Option<u64>,
    /// Largest proportional share of memory that was seen here, likewise.
    pub peak_pss_bytes: Option<u64>,
    /// Page faults of the processes of this slot; `None` where nobody tells them.
    pub page_faults: Option<PageFaults>,
    /// How the last worker here that is gone ended.
    pub last_exit: Option<Death>,
    /// What the threads of its lanes have used in tasks; `None` where nobody tells.
    #[serde(skip)]
    pub thread: Option<ThreadUse>,
}

/// What a thread has done with its time while it worked on tasks, besides waiting for anything but a processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadUse {
    /// CPU time.
    pub cpu: Duration,
    /// Ready, and without a processor (`/proc/PID/task/TID/schedstat`).
    pub delay: Duration,
    /// Between its first and its last task, in none: as much of the above may have been there.
    pub between: Duration,
}

/// How a worker process ended, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// Run clock, as in [`Snapshot::at`].
    pub at: Moment,
    /// Of its first lane.
    pub slot: Slot,
    pub pid: u32,
    pub exit: Exit,
    pub cause: DeathCause,
}

/// Processor time of all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// In user mode.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
    /// CPU time / wall time over about the last second.
    pub cores_used: f64,
    /// CPU time / wall time since the start.
    pub cores_used_whole: f64,
}

/// Memory of all workers, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Proportional set size now; `None` where the system does not tell.
    pub pss_bytes: Option<u64>,
    /// Resident set size now.
    pub rss_bytes: u64,
    /// Largest sum of PSS seen.
    pub peak_pss_bytes: Option<u64>,
    /// Largest sum of RSS seen.
    pub peak_rss_bytes: u64,
}

/// What Poolscope itself costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// CPU time of this process / wall time over the last second (1.0 is one core).
    pub cores_used: f64,
    /// Longest delay of a sample.
    pub sampler_lag: Duration,
    /// Not ours: CPU time of other programs / wall time of the run; `None` where the machine was not read, or does not tell.
    #[serde(skip)]
    pub others: Option<f64>,
}
