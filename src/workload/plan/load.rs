//! How much work tasks bring: per class, and per second of open arrivals.

use std::time::Duration;

use crate::workload::model::{Arrivals, Retries, Share, TaskClass, TaskIndex, Workload};
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
}

/// Time a worker is busy with a task, and the CPU time in it: cut at the timeout, and again for every retry, which
/// runs into the same timeout because the task is the same.
pub(super) fn busy(class: &TaskClass, seed: u64, index: TaskIndex) -> Option<(Duration, Duration)> {
    let service = service::service_time(&class.work, seed, index)?;
    let cpu = service::cpu_time(&class.work, seed, index)?;
    Some(match class.timeout {
        Some(limit) if service > limit => {
            let attempts = if class.retries.on_timeout { 1 + class.retries.max } else { 1 };
            (limit * attempts, cpu.min(limit) * attempts)
        }
        _ => (service, cpu),
    })
}

/// The load of each class, in file order.
pub(super) fn of_classes(workload: &Workload, stream: &Stream) -> Vec<ClassLoad> {
    let shares: Vec<f64> = workload
        .classes
        .iter()
        .map(|class| match class.share {
            Share::Count(count) => count.get() as f64,
            Share::Weight(weight) => weight,
        })
        .collect();
    let sum: f64 = shares.iter().sum();
    let load = |((class, share), id): ((&TaskClass, &f64), u16)| {
        let mean = mean(class, workload.seed);
        let (busy_s, cpu_s) = mean.unwrap_or_default();
        let tasks = match class.share {
            Share::Weight(_) if stream.total() > MOST_COUNTED => (stream.total() as f64 * share / sum).round() as u64,
            _ => stream.class_total(id),
        };
        ClassLoad { tasks, share: share / sum, known: mean.is_some() || tasks == 0, busy_s, cpu_s }
    };
    workload.classes.iter().zip(&shares).zip(0..).map(load).collect()
}

fn mean(class: &TaskClass, seed: u64) -> Option<(f64, f64)> {
    if class.timeout.is_none() {
        let service = service::mean_service_time(&class.work)?;
        return Some((service.as_secs_f64(), service::mean_cpu_time(&class.work)?.as_secs_f64()));
    }
    // All of a trace, unless it is huge: what it holds is no sample of anything else.
    let samples = SAMPLES.max(service::trace_len(&class.work)).min(MOST_COUNTED);
    let samples = if service::is_constant(&class.work) { 1 } else { samples };
    let mut sum = (0.0, 0.0);
    for index in 0..samples {
        let (busy, cpu) = busy(class, seed, index)?;
        sum = (sum.0 + busy.as_secs_f64(), sum.1 + cpu.as_secs_f64());
    }
    Some((sum.0 / samples as f64, sum.1 / samples as f64))
}

/// ρ for each stage, at its highest rate: the larger of what workers and what cores are asked for. Empty for a batch and where a class's
/// time is not known.
pub(super) fn utilisation(workload: &Workload, loads: &[ClassLoad], workers: Option<u64>, cores: u32) -> Vec<f64> {
    let Arrivals::Open(open) = &workload.arrivals else { return Vec::new() };
    if loads.iter().any(|load| !load.known) {
        return Vec::new();
    }
    let per_task = |part: fn(&ClassLoad) -> f64| loads.iter().map(|load| load.share * part(load)).sum::<f64>();
    let (busy, cpu) = (per_task(|load| load.busy_s), per_task(|load| load.cpu_s));
    let workers = workers.map_or(f64::INFINITY, |workers| workers as f64);
    let per_second = (busy / workers).max(cpu / workers.min(f64::from(cores.max(1))));
    open.stages.iter().map(|stage| stage.highest() * per_second).collect()
}

/// Least time of a run that is not a batch of known tasks: what is known of its work on its workers, and its arrivals.
/// Arrivals beyond `max_in_flight` may be dropped, and then their work is not done.
pub(super) fn least_s(
    workload: &Workload,
    loads: &[ClassLoad],
    span_s: Option<f64>,
    workers: Option<u64>,
    cores: u32,
) -> f64 {
    let span = span_s.unwrap_or(0.0);
    if matches!(&workload.arrivals, Arrivals::Open(open) if open.max_in_flight.is_some()) {
        return span;
    }
    let sum = |part: fn(&ClassLoad) -> f64| loads.iter().map(|load| part(load) * load.tasks as f64).sum::<f64>();
    let busy = sum(|load| load.busy_s) / workers.map_or(f64::INFINITY, |workers| workers.max(1) as f64);
    span.max(busy).max(sum(|load| load.cpu_s) / f64::from(cores.max(1))).max(longest_chain_s(workload))
}

/// Least time from the first attempt to the end of a task that is sure to reach its timeout, with the pauses before its
/// retries; 0 where no task is.
pub(super) fn longest_chain_s(workload: &Workload) -> f64 {
    let chain = |class: &TaskClass| {
        let constant = service::is_constant(&class.work);
        let (busy, _) = busy(class, workload.seed, 0).filter(|_| constant)?;
        let service = service::service_time(&class.work, workload.seed, 0)?;
        class.timeout.filter(|limit| service > *limit)?;
        let Retries { max, on_timeout, backoff, .. } = class.retries;
        let retries = if on_timeout && !backoff.jitter { max } else { 0 };
        let pauses: Duration = (1..=retries).map(|retry| backoff.pause(workload.seed, 0, retry)).sum();
        Some((busy + pauses).as_secs_f64())
    };
    workload.classes.iter().filter_map(chain).fold(0.0, f64::max)
}
