//! How long closed arrivals take: greedy list scheduling of the drawn times.

use std::time::Duration;

use serde::Serialize;

use crate::workload::model::{
    Arrivals, Dispatch, Dist, EngineSpec, Join, OnTimeout, Phase, SubmitMode, TaskClass, Work, Workload,
};
use crate::workload::plan::lives::Lives;
use crate::workload::plan::load::{self, ClassLoad};
use crate::workload::plan::schedule;
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
    spec: &EngineSpec,
    stream: &Stream,
    loads: &[ClassLoad],
    workers: u64,
    cores: u32,
) -> Option<Makespan> {
    if matches!(workload.arrivals, Arrivals::Open(_)) || loads.iter().any(|load| !load.known) {
        return None;
    }
    if not_predicted(workload, spec, stream).is_some() {
        return None;
    }
    let lives = &Lives::of(spec);
    let workers = workers.clamp(1, stream.total().max(1));
    let cores = f64::from(cores.max(1));
    let by_limits = limits_decide(workload, spec);
    let (least, most, cpu, scheduled) = match one_duration(workload).filter(|_| !by_limits) {
        Some((busy, cpu)) => {
            let most = stream.total().div_ceil(workers);
            let seconds = busy.as_secs_f64() * most as f64 + lives.initializing_s(most);
            // So many workers have one task more than the others.
            let (least, more) = (stream.total() / workers, stream.total() % workers);
            let initializing =
                lives.initializing_s(least + 1) * more as f64 + lives.initializing_s(least) * (workers - more) as f64;
            (seconds, seconds, cpu.as_secs_f64() * stream.total() as f64 + initializing, true)
        }
        None if attempts(workload, stream) <= MOST_SCHEDULED => {
            let scheduled = schedule::batch(workload, spec, stream, lives, workers)?;
            let end = scheduled.end.as_secs_f64();
            (end, end, scheduled.cpu_s, true)
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
    let before = lives.before.as_secs_f64();
    Some(Makespan { at_least_s: before + least.max(cpu / cores), at_most_s: before + most * stretch, scheduled })
}

/// Whether what becomes of a task depends on when it has its turn, or on what becomes of its worker.
fn limits_decide(workload: &Workload, spec: &EngineSpec) -> bool {
    let abandons = |class: &TaskClass| spec.on_timeout.unwrap_or(class.on_timeout) == OnTimeout::Abandon;
    let replaced = !Lives::of(spec).initializer.is_zero();
    workload
        .classes
        .iter()
        .any(|class| limits_waiting(class) || class.timeout.is_some() && (abandons(class) || replaced))
}

/// Most attempts that there can be: each is a step of a schedule.
fn attempts(workload: &Workload, stream: &Stream) -> u64 {
    let retries = workload.classes.iter().map(|class| class.retries.max).max().unwrap_or(0);
    stream.total().saturating_mul(u64::from(retries) + 1)
}

fn limits_waiting(class: &TaskClass) -> bool {
    class.queue_timeout.is_some() || class.wait_timeout.is_some()
}

/// Why closed arrivals of known times are not predicted all the same, in words.
pub(super) fn not_predicted(workload: &Workload, spec: &EngineSpec, stream: &Stream) -> Option<String> {
    if matches!(workload.arrivals, Arrivals::Open(_)) {
        return None;
    }
    if spec.dispatch == Dispatch::RoundRobin {
        return Some(
            "tasks are dealt to workers, and how long each one's are in all is seen only by running them".to_owned(),
        );
    }
    if spec.join == Join::StartAllJoinAll {
        return Some("processes are joined in the order of their start, and the next ones wait for that".to_owned());
    }
    if !limits_decide(workload, spec) {
        return None;
    }
    if attempts(workload, stream) > MOST_SCHEDULED {
        return Some(format!("limits decide what becomes of more than {MOST_SCHEDULED} attempts"));
    }
    let at_once =
        workload.arrivals == Arrivals::Batch && spec.submit != SubmitMode::Apply && spec.queue_capacity.is_none();
    (!at_once).then(|| "tasks are submitted as others end, and limits decide when that is".to_owned())
}

/// What a prediction does not reckon with.
pub(super) fn leaves_out(workload: &Workload, spec: &EngineSpec) -> Vec<&'static str> {
    let faults = workload.faults.iter().any(|rule| rule.is_for(&spec.name));
    let initializer = spec.initializer.as_ref();
    let memory = initializer.is_some_and(|initializer| initializer.memory_bytes > 0);
    let failures = initializer.is_some_and(|initializer| initializer.fail_rate > 0.0);
    let calls = initializer.is_some_and(|initializer| initializer.call.is_some());
    let all = [
        (faults, "faults"),
        (memory, "the initializer's memory"),
        (failures, "initializers that fail"),
        (calls, "the time that the initializer's call takes"),
    ];
    all.into_iter().filter(|(there, _)| *there).map(|(_, what)| what).collect()
}

/// `ceil(n / W)` where all tasks take equally long.
pub(super) fn waves(workload: &Workload, spec: &EngineSpec, stream: &Stream, workers: u64) -> Option<u64> {
    let closed = !matches!(workload.arrivals, Arrivals::Open(_)) && !limits_decide(workload, spec);
    (closed && one_duration(workload).is_some()).then(|| stream.total().div_ceil(workers.max(1)))
}

/// Busy and CPU time of every task if they are all the same.
fn one_duration(workload: &Workload) -> Option<(Duration, Duration)> {
    let mut times = workload.classes.iter().map(|class| {
        service::is_constant(&class.work).then(|| load::busy(class, OnTimeout::Kill, workload.seed, 0)).flatten()
    });
    let first = times.next()??;
    times.all(|time| time == Some(first)).then_some(first)
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
        Work::Io(_)
        | Work::Memory(_)
        | Work::Kernel(_)
        | Work::Command(_)
        | Work::Program(_)
        | Work::Served(_)
        | Work::Python(_)
        | Work::Echo => Duration::ZERO,
    };
    let attempts = if class.retries.on_timeout { 1 + class.retries.max } else { 1 };
    match class.timeout {
        Some(limit) if service > limit => limit * attempts,
        _ => service,
    }
}
