//! How long closed arrivals take: greedy list scheduling of the drawn times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use serde::Serialize;

use crate::workload::model::{Arrivals, Dist, EngineSpec, Phase, TaskClass, Work, Workload};
use crate::workload::plan::load::{self, ClassLoad};
use crate::workload::service;
use crate::workload::stream::Stream;

/// Up to so many tasks are scheduled one by one.
const MOST_SCHEDULED: u64 = 1_000_000;

/// Standard deviations that bounds from means leave room for.
const DEVIATIONS: f64 = 4.0;

/// Predicted time from start to end of one run, in seconds, without what the engine itself costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Makespan {
    /// No faster than this.
    pub at_least_s: f64,
    /// No slower than this, if every worker takes the next task as soon as it is free.
    pub at_most_s: f64,
    /// Whether every task was scheduled; otherwise these are bounds from means (more than a million tasks).
    pub scheduled: bool,
}

/// Predicts closed arrivals on so many workers, a loop as a batch on as many as may be in flight; `None` for open arrivals and where a class's time is not known.
///
/// CPU work of more workers than cores is stretched: no less than the CPU time over the cores, no more than as if all
/// workers were busy all the time.
pub(super) fn predict(
    workload: &Workload,
    stream: &Stream,
    loads: &[ClassLoad],
    lives: &Lives,
    workers: u64,
    cores: u32,
) -> Option<Makespan> {
    if matches!(workload.arrivals, Arrivals::Open(_)) || loads.iter().any(|load| !load.known) {
        return None;
    }
    let workers = workers.clamp(1, stream.total().max(1));
    let cores = f64::from(cores.max(1));
    let (least, most, cpu, scheduled) = match one_duration(workload) {
        Some((busy, cpu)) => {
            let most = stream.total().div_ceil(workers);
            let seconds = busy.as_secs_f64() * most as f64 + lives.initializing_s(most);
            // So many workers have one task more than the others.
            let (least, more) = (stream.total() / workers, stream.total() % workers);
            let initializing =
                lives.initializing_s(least + 1) * more as f64 + lives.initializing_s(least) * (workers - more) as f64;
            (seconds, seconds, cpu.as_secs_f64() * stream.total() as f64 + initializing, true)
        }
        None if stream.total() <= MOST_SCHEDULED => {
            let (end, cpu) = list_schedule(workload, stream, lives, workers)?;
            (end, end, cpu, true)
        }
        None => {
            let sum =
                |part: fn(&ClassLoad) -> f64| loads.iter().map(|load| part(load) * load.tasks as f64).sum::<f64>();
            let initializing = lives.initializing_s(stream.total() / workers);
            let even = sum(|load| load.busy_s) / workers as f64 + initializing;
            // Graham 1969: no list schedule is longer than the even share plus the longest task.
            let longest = workload.classes.iter().zip(loads).map(|(class, load)| longest(class, load.tasks)).max();
            let longest = longest.unwrap_or_default().as_secs_f64();
            // Sums of draws scatter around their mean; a standard deviation is at most half of the range (Popoviciu).
            let scatter = DEVIATIONS * longest / 2.0 * (stream.total() as f64).sqrt() / workers as f64;
            let cpu = (sum(|load| load.cpu_s) - scatter * workers as f64).max(0.0) + initializing * workers as f64;
            let longest = longest + lives.initializer.as_secs_f64();
            ((even - scatter).max(0.0), even + scatter + longest, cpu, false)
        }
    };
    let cpu_work = loads.iter().any(|load| load.cpu_s > 0.0) || !lives.initializer.is_zero();
    let stretch = if cpu_work { (workers as f64 / cores).max(1.0) } else { 1.0 };
    Some(Makespan { at_least_s: least.max(cpu / cores), at_most_s: most * stretch, scheduled })
}

/// How long workers live, and what each does before its first task.
pub(super) struct Lives {
    /// CPU work of the initializer; what its memory takes is not known.
    initializer: Duration,
    /// Tasks of one worker; `None` without a limit.
    tasks: Option<u64>,
}

impl Lives {
    pub(super) fn of(spec: &EngineSpec) -> Self {
        let limit = spec.recycling.max_tasks.map(std::num::NonZeroU64::get);
        Self {
            initializer: spec.initializer.map_or(Duration::ZERO, |initializer| initializer.cpu),
            tasks: if spec.kind.process_per_task() { Some(1) } else { limit },
        }
    }

    /// Time for the initializers of a place in which so many tasks run one after the other.
    fn initializing_s(&self, tasks: u64) -> f64 {
        let workers = self.tasks.map_or(u64::from(tasks > 0), |each| tasks.div_ceil(each));
        self.initializer.as_secs_f64() * workers as f64
    }
}

/// `ceil(n / W)` where all tasks take equally long.
pub(super) fn waves(workload: &Workload, stream: &Stream, workers: u64) -> Option<u64> {
    let closed = !matches!(workload.arrivals, Arrivals::Open(_));
    (closed && one_duration(workload).is_some()).then(|| stream.total().div_ceil(workers.max(1)))
}

/// Busy and CPU time of every task if they are all the same.
fn one_duration(workload: &Workload) -> Option<(Duration, Duration)> {
    let mut times = workload
        .classes
        .iter()
        .map(|class| service::is_constant(&class.work).then(|| load::busy(class, workload.seed, 0)).flatten());
    let first = times.next()??;
    times.all(|time| time == Some(first)).then_some(first)
}

/// End of the last task when each worker takes the next task as soon as it is free, and all CPU time, in seconds.
fn list_schedule(workload: &Workload, stream: &Stream, lives: &Lives, workers: u64) -> Option<(f64, f64)> {
    let workers = usize::try_from(workers).ok()?;
    // When each place is free, and how many tasks its worker still takes.
    let mut free: BinaryHeap<Reverse<(Duration, u64)>> =
        std::iter::repeat_n(Reverse((Duration::ZERO, 0)), workers).collect();
    let (mut end, mut all_cpu) = (Duration::ZERO, 0.0);
    for position in 0..stream.total() {
        let index = stream.index_at(position);
        let class = workload.classes.get(usize::from(stream.class_of(index)))?;
        let (busy, cpu) = load::busy(class, workload.seed, index)?;
        let Reverse((mut start, mut left)) = free.pop()?;
        if left == 0 {
            start = start.saturating_add(lives.initializer);
            all_cpu += lives.initializer.as_secs_f64();
            left = lives.tasks.unwrap_or(u64::MAX);
        }
        let finish = start.saturating_add(busy);
        end = end.max(finish);
        all_cpu += cpu.as_secs_f64();
        free.push(Reverse((finish, left - 1)));
    }
    Some((end.as_secs_f64(), all_cpu))
}

/// A time that the longest of `tasks` hardly ever exceeds.
fn longest(class: &TaskClass, tasks: u64) -> Duration {
    let of = |dist: &Dist| dist.longest_of(tasks);
    let service = match &class.work {
        Work::Cpu(dist) | Work::Sleep(dist) => of(dist),
        Work::Mixed(phases) => phases
            .iter()
            .map(|phase| match phase {
                Phase::Cpu(dist) | Phase::Sleep(dist) => of(dist),
                Phase::Io(_) | Phase::Memory(_) => Duration::ZERO,
            })
            .sum(),
        Work::Io(_) | Work::Memory(_) | Work::Kernel(_) | Work::Command(_) | Work::Echo => Duration::ZERO,
    };
    let attempts = if class.retries.on_timeout { 1 + class.retries.max } else { 1 };
    match class.timeout {
        Some(limit) if service > limit => limit * attempts,
        _ => service,
    }
}
