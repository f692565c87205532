//! How much work tasks bring: per class, and per second of open arrivals.

use std::time::Duration;

use crate::workload::model::{
    Arrivals, EngineSpec, OnTimeout, Retries, Share, Stage, TaskClass, TaskIndex, Total, Workload,
};
use crate::workload::service;
use crate::workload::stream::Stream;

/// Draws that a mean is taken over where a timeout cuts the distribution.
const SAMPLES: u64 = 4096;

/// Beyond so many tasks drawn by weight, classes are not counted but computed.
const MOST_COUNTED: u64 = 1_000_000;

/// What one class brings.
pub(super) struct ClassLoad {
    pub(super) tasks: u64,
    /// Share of all tasks.
    pub(super) share: f64,
    /// Whether its service time is drawn.
    pub(super) known: bool,
    /// Mean time that a task keeps a worker busy, all attempts together; 0 if not known.
    pub(super) busy_s: f64,
    /// Mean CPU time of a task, all attempts together; 0 if not known.
    pub(super) cpu_s: f64,
    /// Both without what goes on when nobody waits for it any more.
    least_s: (f64, f64),
}

/// Time a worker is busy with a task, and the CPU time in it: cut at the timeout, unless the worker goes on, and again for
/// every retry, which runs into the same timeout because the task is the same.
pub(super) fn busy(
    class: &TaskClass,
    on_timeout: OnTimeout,
    seed: u64,
    index: TaskIndex,
) -> Option<(Duration, Duration)> {
    let service = service::service_time(&class.work, seed, index)?;
    let cpu = service::cpu_time(&class.work, seed, index)?;
    Some(match class.timeout {
        Some(limit) if service > limit => {
            let attempts = if class.retries.on_timeout { 1 + class.retries.max } else { 1 };
            match on_timeout {
                OnTimeout::Kill => (limit * attempts, cpu.min(limit) * attempts),
                OnTimeout::Abandon => (service * attempts, cpu * attempts),
            }
        }
        _ => (service, cpu),
    })
}

/// The load of each class, in file order, on an arm with such an `on_timeout`.
pub(super) fn of_classes(workload: &Workload, stream: &Stream, on_timeout: Option<OnTimeout>) -> Vec<ClassLoad> {
    let load = |((class, share), id): ((&TaskClass, f64), u16)| {
        let tasks = match class.share {
            Share::Weight(_) if stream.total() > MOST_COUNTED => (stream.total() as f64 * share).round() as u64,
            _ => stream.class_total(id),
        };
        of_class(class, share, tasks, workload.seed, on_timeout)
    };
    workload.classes.iter().zip(shares(workload)).zip(0..).map(load).collect()
}

fn of_class(class: &TaskClass, share: f64, tasks: u64, seed: u64, on_timeout: Option<OnTimeout>) -> ClassLoad {
    let least = mean(class, OnTimeout::Kill, seed);
    let on_timeout = on_timeout.unwrap_or(class.on_timeout);
    let all = if on_timeout == OnTimeout::Kill { least } else { mean(class, on_timeout, seed) };
    let (busy_s, cpu_s) = all.unwrap_or_default();
    ClassLoad { tasks, share, known: all.is_some() || tasks == 0, busy_s, cpu_s, least_s: least.unwrap_or_default() }
}

/// The share of each class in all tasks.
fn shares(workload: &Workload) -> impl Iterator<Item = f64> {
    let share = |class: &TaskClass| match class.share {
        Share::Count(count) => count.get() as f64,
        Share::Weight(weight) => weight,
    };
    let sum: f64 = workload.classes.iter().map(share).sum();
    workload.classes.iter().map(move |class| share(class) / sum)
}

fn mean(class: &TaskClass, on_timeout: OnTimeout, seed: u64) -> Option<(f64, f64)> {
    if class.timeout.is_none() {
        let service = service::mean_service_time(&class.work)?;
        return Some((service.as_secs_f64(), service::mean_cpu_time(&class.work)?.as_secs_f64()));
    }
    // All of a trace, unless it is huge: what it holds is no sample of anything else.
    let samples = SAMPLES.max(service::trace_len(&class.work)).min(MOST_COUNTED);
    let samples = if service::is_constant(&class.work) { 1 } else { samples };
    let mut sum = (0.0, 0.0);
    for index in 0..samples {
        let (busy, cpu) = busy(class, on_timeout, seed, index)?;
        sum = (sum.0 + busy.as_secs_f64(), sum.1 + cpu.as_secs_f64());
    }
    Some((sum.0 / samples as f64, sum.1 / samples as f64))
}

/// ρ for each stage: the larger of what workers and what cores are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Utilisation {
    /// At its highest rate.
    pub(super) peak: Vec<f64>,
    /// On average over it.
    pub(super) mean: Vec<f64>,
}

/// Empty for a batch and where a class's time is not known.
pub(super) fn utilisation(workload: &Workload, loads: &[ClassLoad], workers: Option<u64>, cores: u32) -> Utilisation {
    let Some(per_second) = per_arrival(loads, workers, cores) else { return Utilisation::default() };
    let stages = stages(workload);
    Utilisation {
        peak: stages.iter().map(|stage| stage.highest() * per_second).collect(),
        mean: stages.iter().map(|stage| stage.mean() * per_second).collect(),
    }
}

/// The stages of open arrivals as far as there are tasks for them; none where arrivals do not look at the time.
#[must_use]
pub(crate) fn stages(workload: &Workload) -> Vec<Stage> {
    let Arrivals::Open(open) = &workload.arrivals else { return Vec::new() };
    let count = |class: &TaskClass| if let Share::Count(count) = class.share { count.get() } else { 0 };
    match workload.total {
        Total::Weighted(total) => open.until(total.get()),
        Total::PerClass => open.until(workload.classes.iter().map(count).fold(0, u64::saturating_add)),
        Total::ByDuration => open.stages.clone(),
    }
}

/// The same on average over each stage, which is what can be measured, on an arm of so many workers.
#[must_use]
pub(crate) fn offered(workload: &Workload, spec: &EngineSpec, workers: Option<u64>, cores: u32) -> Vec<f64> {
    let classes = workload.classes.iter().zip(shares(workload));
    let loads: Vec<ClassLoad> =
        classes.map(|(class, share)| of_class(class, share, 1, workload.seed, spec.on_timeout)).collect();
    utilisation(workload, &loads, workers, spec.placement.cores(cores)).mean
}

/// What one arrival in a second takes of what workers and cores have in a second; `None` where a class's time is not known.
fn per_arrival(loads: &[ClassLoad], workers: Option<u64>, cores: u32) -> Option<f64> {
    if loads.iter().any(|load| !load.known) {
        return None;
    }
    let per_task = |part: fn(&ClassLoad) -> f64| loads.iter().map(|load| load.share * part(load)).sum::<f64>();
    let (busy, cpu) = (per_task(|load| load.busy_s), per_task(|load| load.cpu_s));
    let workers = workers.map_or(f64::INFINITY, |workers| workers as f64);
    Some((busy / workers).max(cpu / workers.min(f64::from(cores.max(1)))))
}

/// Least time of a run that is not a batch of known tasks: what is known of its work on its workers, and its arrivals.
/// Arrivals beyond `max_in_flight` may be dropped and tasks may wait for too long, and then their work is not done.
pub(super) fn least_s(
    workload: &Workload,
    loads: &[ClassLoad],
    span_s: Option<f64>,
    workers: Option<u64>,
    cores: u32,
) -> f64 {
    let span = span_s.unwrap_or(0.0);
    let drops = matches!(&workload.arrivals, Arrivals::Open(open) if open.max_in_flight.is_some());
    if drops || workload.classes.iter().any(|class| class.queue_timeout.is_some() || class.wait_timeout.is_some()) {
        return span;
    }
    let sum = |part: fn(&ClassLoad) -> f64| loads.iter().map(|load| part(load) * load.tasks as f64).sum::<f64>();
    let busy = sum(|load| load.least_s.0) / workers.map_or(f64::INFINITY, |workers| workers.max(1) as f64);
    span.max(busy).max(sum(|load| load.least_s.1) / f64::from(cores.max(1))).max(longest_chain_s(workload))
}

/// Least time from the first attempt to the end of a task that is sure to reach its timeout, with the pauses before its
/// retries; 0 where no task is.
pub(super) fn longest_chain_s(workload: &Workload) -> f64 {
    let chain = |class: &TaskClass| {
        let constant = service::is_constant(&class.work);
        // One that may wait for too long is not sure to begin.
        let begins = class.queue_timeout.is_none() && class.wait_timeout.is_none();
        let (busy, _) = busy(class, OnTimeout::Kill, workload.seed, 0).filter(|_| constant && begins)?;
        let service = service::service_time(&class.work, workload.seed, 0)?;
        class.timeout.filter(|limit| service > *limit)?;
        let Retries { max, on_timeout, backoff, .. } = class.retries;
        let retries = if on_timeout && !backoff.jitter { max } else { 0 };
        let pauses: Duration = (1..=retries).map(|retry| backoff.pause(workload.seed, 0, retry)).sum();
        Some((busy + pauses).as_secs_f64())
    };
    workload.classes.iter().filter_map(chain).fold(0.0, f64::max)
}
