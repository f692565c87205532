//! How much work tasks bring: per class, and per second of open arrivals.

use std::time::Duration;

use crate::workload::model::{Arrivals, OpenArrivals, Share, TaskClass, TaskIndex, Workload};
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
    let samples = if service::is_constant(&class.work) { 1 } else { SAMPLES };
    let mut sum = (0.0, 0.0);
    for index in 0..samples {
        let (busy, cpu) = busy(class, seed, index)?;
        sum = (sum.0 + busy.as_secs_f64(), sum.1 + cpu.as_secs_f64());
    }
    Some((sum.0 / samples as f64, sum.1 / samples as f64))
}

/// ρ for each stage: the larger of what workers and what cores are asked for. Empty for a batch and where a class's
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
    open.stages.iter().map(|stage| stage.rate * per_second).collect()
}

/// Expected time of the last of `total` arrivals.
pub(super) fn span(open: &OpenArrivals, total: u64) -> f64 {
    let (mut left, mut seconds) = (total as f64, 0.0);
    for stage in &open.stages {
        let needed = left / stage.rate;
        let length = stage.duration.map_or(needed, |duration| duration.as_secs_f64().min(needed));
        seconds += length;
        left = (left - length * stage.rate).max(0.0);
    }
    seconds
}
