//! Results as JSON, schema `poolscope.result/1`: names and meanings stay, fields may be added.
//!
//! Times are seconds, memory is bytes, rates are per second, hashes are hexadecimal text. What was not measured is
//! `null`, never zero:
//! * `ghost_cpu_s`: CPU time in tasks whose callers had given up, `null` where that of one that is gone could not be told.
//! * `exitcode` of a failure: how its process ended as `multiprocessing.Process.exitcode` says it: the code, or the negative
//!   number of the signal; `null` where the task is not known to have ended with its process.
//! * `latency_s`: all figures of a latency that no attempt had (`count` is 0), as when no program could be started.
//! * `peak_pss_bytes` and `peak_rss_bytes`: `null` when no process lived long enough to be looked at, or may be.
//! * `page_faults`: `null` where the kernel does not tell them, as of the workers of another program.
//! * `caller.held_back_s`: from the ends of the tasks until the caller had their results; `null` with `apply_async`, where
//!   a result is there as soon as its task has ended, and `latency_s.delivered` is the sojourn.
//! * `imbalance`: how much more the busiest worker worked than the mean of all, as a share of that; `null` where there are no
//!   two workers.
//! * `cores_quota`: `null` without a quota.
//! * `utilisation`: ρ, the part of workers times wall time in which lanes were in tasks, were starting one, or went on with
//!   one whose caller had given up; `null` without a number of workers.
//! * `stages`, `chunks`: see [`stages`]; `payload`, `worker_time_s`: see [`carriage`].
//! * `results_made_wrong`: how many of the results are those of `faults: bad_result` with `result: wrong`; with any, the
//!   `results_hash` is another than that of the same tasks without.
//! * `classes`: see [`classes`].
//! * `littles_law`: see [`load`]; `null` for an arm that does not tell how many tasks it has.

mod load;

mod memory;
pub(crate) mod python;

mod caller;
mod carriage;
mod classes;
pub(crate) mod comparison;
pub(super) mod expectations;
mod failure;
mod lives;
mod stages;

use std::collections::BTreeMap;
use std::time::Duration;

use memory::{MemoryOut, WorkerOut};
use serde::Serialize;
#[cfg(test)]
use serde_json::Value;

use crate::analysis::expectations::Checked;
use crate::analysis::failing::all_failed;
use crate::analysis::gil::{Evidence, Lateness};
use crate::analysis::lints::Lint;
use crate::analysis::series::{Remark, remarks};
use crate::analysis::statistics::{Estimate, estimate};
use crate::analysis::verdict::Verdict;
use crate::engine::event::{PageFaults, RunState, Severity};
use crate::engine::outcome::Counts;
use crate::metrics::distribution::{Distribution, Distributions};
use crate::metrics::kept;
use crate::metrics::snapshot::{Latency, Quantiles, Snapshot};
use crate::os::host::Host;
use crate::report::json::load::LittleOut;
use crate::report::{ArmResult, Results, clean};
use crate::workload::model::{CpuList, EngineKind, SkippedArm, StartMethod, Workload};

use caller::CallerOut;
use carriage::{CarriageOut, WorkerTimeOut};
use classes::ClassOut;
use comparison::{BestOut, ComparisonOut, DriftOut, MeasurementOut};
use expectations::ExpectationOut;
use failure::{FailureOut, failure};
use lives::{InitializersOut, LivesOut};
use stages::{ChunksOut, StageOut};

/// Name of the schema.
pub(crate) const SCHEMA: &str = "poolscope.result/1";
/// Most failures that are listed for one run, fewer for the older ones of many; `failures_total` counts them all.
const MOST_FAILURES: usize = kept::FAILURES;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    workload: WorkloadOut<'a>,
    host: HostOut<'a>,
    arms: Vec<ArmOut<'a>>,
    comparison: Vec<ComparisonOut<'a>>,
    /// The same percentiles class by class, where a workload has several (additive to version 1).
    comparison_by_class: Vec<ComparisonOut<'a>>,
    /// Of more than two arms (additive to version 1).
    best: Option<BestOut<'a>>,
    /// How many rounds were made, and why (additive to version 1).
    measurement: MeasurementOut,
    /// Whether it was ended before its last run (additive to version 1).
    aborted: bool,
    /// Why, if it was.
    aborted_because: Option<String>,
    /// Whether the arms ran at the same time, which is no measurement (additive to version 1).
    sharing_cores: bool,
    /// What the runs show of the lock of an interpreter: that of the first arm with threads; null where they show nothing
    /// (additive to version 1).
    gil: Option<Evidence>,
    /// The same of the other arms with threads (additive to version 1).
    gil_of_others: Vec<Evidence>,
    expectations: Vec<ExpectationOut<'a>>,
}

#[derive(Serialize)]
pub(super) struct WorkloadOut<'a> {
    name: &'a str,
    title: &'a str,
    /// What it is, and what it teaches (both additive to version 1).
    description: &'a str,
    teaches: &'a [String],
    hash: &'a str,
    stream_hash: &'a str,
    seed: u64,
    tasks: u64,
    /// Arms whose condition does not hold here (additive to version 1).
    skipped: &'a [SkippedArm],
}

#[derive(Serialize)]
pub(super) struct HostOut<'a> {
    name: &'a str,
    cores_online: u32,
    cores_affinity: u32,
    cores_quota: Option<f64>,
    cores_usable: u32,
    cpu_model: &'a str,
    kernel: &'a str,
    memory_bytes: u64,
}

#[derive(Serialize)]
struct ArmOut<'a> {
    name: &'a str,
    engine: EngineKind,
    workers: u32,
    /// CPUs of its processes, where the file gives them some (additive to version 1).
    affinity: Option<&'a [u32]>,
    /// Likewise their niceness (additive to version 1).
    nice: Option<i32>,
    /// How its workers were started; `null` where that is another program's affair (additive to version 1).
    start_method: Option<StartMethod>,
    /// The interpreter of its tasks (additive to version 1).
    python: Option<python::InterpreterOut<'a>>,
    /// How late probes went on in it, in a run that is none of `runs`; null without any (additive to version 1).
    gil_probe: Option<Lateness>,
    runs: Vec<RunOut<'a>>,
    /// Of the runs that are not partial.
    summary: Summary,
    /// A trend over the runs, if there is one (additive to version 1).
    drift: Option<DriftOut>,
    /// If not one task succeeded (additive to version 1).
    all_failed: Option<AllFailedOut>,
    /// What its runs show, each as a name and a sentence with its figures (additive to version 1).
    lints: Vec<LintOut>,
}

#[derive(Serialize)]
struct LintOut {
    name: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct AllFailedOut {
    tasks: u64,
    cause: String,
}

#[derive(Serialize)]
struct RunOut<'a> {
    state: RunState,
    /// Whether it was ended before its last task: in no summary and no comparison (additive to version 1).
    partial: bool,
    /// Whether it would not have counted anyway.
    warmup: bool,
    /// Tasks that had no outcome when it was left before it had ended: among the cancelled (additive to version 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    left_tasks: Option<u64>,
    wall_s: f64,
    throughput: f64,
    tasks: Tasks,
    latency_s: LatencyOut,
    /// Task classes, where there are several (additive to version 1).
    classes: Vec<ClassOut>,
    worker_time_s: WorkerTimeOut,
    cpu: CpuOut,
    memory: MemoryOut,
    /// By the kernel's own account (additive to version 1).
    page_faults: Option<PageFaults>,
    /// Workers that came to another end than that of their work or of the run, the last ones (additive to version 1).
    deaths: Vec<memory::DeathOut>,
    deaths_total: u64,
    queue: QueueOut,
    /// Who submits the tasks (additive to version 1).
    caller: CallerOut,
    /// Additive to version 1.
    imbalance: Option<f64>,
    /// ρ (additive to version 1).
    utilisation: Option<f64>,
    /// Stages of open arrivals that had begun (additive to version 1).
    stages: Vec<StageOut>,
    /// How tasks travelled to workers (additive to version 1).
    chunks: Option<ChunksOut>,
    /// Bytes that travelled with tasks (additive to version 1).
    payload: Option<CarriageOut>,
    /// (additive to version 1)
    littles_law: Option<LittleOut>,
    worker_starts: u64,
    worker_restarts: u64,
    ghost_cpu_s: Option<f64>,
    /// Tasks whose callers gave up while their workers went on (additive to version 1).
    ghosts: u64,
    /// Workers that were killed and did not go (additive to version 1).
    unkillable: u64,
    /// What workers did before their first task (additive to version 1).
    initializers: Option<InitializersOut>,
    /// How its processes came to be and how they went.
    #[serde(flatten)]
    lives: LivesOut<'a>,
    workers: Vec<WorkerOut>,
    results_hash: Option<String>,
    /// Results that were made wrong on purpose (additive to version 1).
    results_made_wrong: u64,
    suspect: &'a [String],
    /// Whether its rate stands apart from that of the arm's other runs; it counts (additive to version 1).
    outlier: bool,
    /// What happened, as far as it is kept (additive to version 1).
    notes: Vec<NoteOut<'a>>,
    failures_total: u64,
    failures: Vec<FailureOut<'a>>,
}

#[derive(Serialize)]
struct NoteOut<'a> {
    at_s: f64,
    severity: Severity,
    text: &'a str,
}

#[derive(Serialize)]
struct Tasks {
    submitted: u64,
    succeeded: u64,
    failed: u64,
    timed_out: u64,
    /// Of `timed_out`: those that waited longer than their `queue_timeout` and never began.
    queue_timed_out: u64,
    /// Of `timed_out`: those whose callers gave up after their `wait_timeout` (additive to version 1).
    wait_timed_out: u64,
    lost: u64,
    cancelled: u64,
    dropped: u64,
    retries: u64,
}

#[derive(Serialize)]
struct LatencyOut {
    #[serde(flatten)]
    of_tasks: LatenciesOut,
    /// Until the caller has the result (additive to version 1).
    delivered: QuantilesOut,
}

#[derive(Serialize)]
struct LatenciesOut {
    wait: QuantilesOut,
    startup: QuantilesOut,
    service: QuantilesOut,
    sojourn: QuantilesOut,
}

#[derive(Serialize)]
pub(super) struct QuantilesOut {
    count: u64,
    mean: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
    /// The percentiles that the workload asks for, by number.
    percentiles: BTreeMap<String, f64>,
}

#[derive(Serialize)]
struct CpuOut {
    user_s: f64,
    system_s: f64,
    cores_used: f64,
}

#[derive(Serialize)]
struct QueueOut {
    max: u64,
    mean: f64,
}

#[derive(Serialize)]
struct Summary {
    runs: usize,
    throughput: EstimateOut,
    wall_s: EstimateOut,
    cores_used: EstimateOut,
}

#[derive(Serialize)]
pub(super) struct EstimateOut {
    mean: Option<f64>,
    ci95: Option<[f64; 2]>,
}

/// The document as a JSON value.
#[cfg(test)]
#[must_use]
pub(crate) fn result(results: &Results) -> Value {
    // Only maps with keys that are no text can fail, and there are none; numbers that are none become null.
    serde_json::to_value(document(results, &results.verdicts(), &results.expectations())).unwrap_or_default()
}

fn document<'a>(results: &'a Results, verdicts: &'a [Verdict], expectations: &'a [Checked]) -> Document<'a> {
    let Results { workload, host, stream_hash, arms, .. } = results;
    let mut gil = results.gil().into_iter();
    let runs = arms.iter().flat_map(|arm| arm.runs.iter().chain(arm.partial.iter().map(|partial| &partial.run)));
    let tasks = runs.map(|run| run.total).max().unwrap_or(0);
    Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        workload: workload_out(workload, stream_hash, tasks),
        host: host_out(host),
        arms: arms
            .iter()
            .enumerate()
            .map(|(index, arm)| {
                let lints = results.lints(index, verdicts);
                let lint = |lint: &Lint| LintOut { name: lint.name(), sentence: lint.sentence(&arm.spec.name) };
                ArmOut { lints: lints.iter().map(lint).collect(), ..arm_out(arm, workload, &results.offered(arm)) }
            })
            .collect(),
        comparison: comparison::all(verdicts, results),
        comparison_by_class: comparison::of_classes(results),
        best: comparison::best(results),
        measurement: MeasurementOut::of(results),
        aborted: results.ending.aborted().is_some(),
        aborted_because: results.ending.aborted(),
        sharing_cores: results.sharing_cores,
        gil: gil.next(),
        gil_of_others: gil.collect(),
        expectations: expectations::all(expectations),
    }
}

/// The document as text, indented, with a newline at its end. Characters that would control a terminal are escaped.
#[must_use]
pub(crate) fn text(results: &Results) -> String {
    pretty(&document(results, &results.verdicts(), &results.expectations()))
}

/// Any document as text of that kind.
pub(super) fn pretty(document: &impl Serialize) -> String {
    let mut plain = serde_json::to_string_pretty(document).unwrap_or_default();
    plain.push('\n');
    escaped(plain)
}

/// The same without characters that would control a terminal. They can only be inside of strings, and all of them have
/// four hexadecimal digits.
pub(super) fn escaped(plain: String) -> String {
    if !plain.contains(|character| character != '\n' && clean::is_control(character)) {
        return plain;
    }
    let escape = |character: char| match character {
        _ if character != '\n' && clean::is_control(character) => format!("\\u{:04x}", character as u32),
        _ => character.to_string(),
    };
    plain.chars().map(escape).collect()
}

pub(super) fn workload_out<'a>(workload: &'a Workload, stream_hash: &'a str, tasks: u64) -> WorkloadOut<'a> {
    let Workload { name, title, description, teaches, hash, seed, skipped, .. } = workload;
    WorkloadOut { name, title, description, teaches, hash, stream_hash, seed: *seed, tasks, skipped }
}

pub(super) fn host_out(host: &Host) -> HostOut<'_> {
    HostOut {
        name: &host.name,
        cores_online: host.cores_online,
        cores_affinity: host.cores_affinity,
        cores_quota: host.cores_quota,
        cores_usable: host.usable_cores(),
        cpu_model: &host.cpu_model,
        kernel: &host.kernel,
        memory_bytes: host.memory_bytes,
    }
}

fn arm_out<'a>(arm: &'a ArmResult, workload: &'a Workload, offered: &[f64]) -> ArmOut<'a> {
    let summary = |figure: fn(&Snapshot) -> f64| EstimateOut::from(estimate(&arm.figures(figure)));
    let remarks = remarks(&arm.runs);
    let apart = |run: usize| remarks.iter().any(|one| matches!(one, Remark::Outlier { place, .. } if *place == run));
    let counted =
        (0..).zip(&arm.runs).map(|(place, run)| RunOut { outlier: apart(place), ..run_out(run, workload, offered) });
    let partial = arm.partial.iter().map(|partial| RunOut {
        partial: true,
        warmup: partial.warmup,
        left_tasks: partial.left.map(|left| left.running + left.queued),
        ..run_out(&partial.run, workload, offered)
    });
    ArmOut {
        name: &arm.spec.name,
        engine: arm.spec.kind,
        workers: arm.workers,
        affinity: arm.spec.placement.affinity.as_ref().map(CpuList::numbers),
        nice: arm.spec.placement.nice,
        start_method: arm.start_method(),
        python: arm.spec.interpreter.as_deref().map(|found| python::interpreter(found, Some(&arm.spec))),
        gil_probe: arm.gil_probe.as_ref().and_then(Lateness::of),
        runs: counted.chain(partial).collect(),
        summary: Summary {
            runs: arm.runs.len(),
            throughput: summary(|run| run.throughput_whole),
            wall_s: summary(|run| seconds(run.wall())),
            cores_used: summary(|run| run.cpu.cores_used_whole),
        },
        drift: remarks.iter().find_map(DriftOut::of),
        all_failed: all_failed(&arm.runs).map(|found| AllFailedOut { tasks: found.tasks, cause: found.cause }),
        lints: Vec::new(),
    }
}

fn run_out<'a>(run: &'a Snapshot, workload: &'a Workload, offered: &[f64]) -> RunOut<'a> {
    let Counts { submitted, succeeded, failed, timed_out, queue_timed_out, wait_timed_out, .. } = run.counts;
    let Counts { lost, cancelled, dropped, retries, .. } = run.counts;
    let end = run.end.as_deref();
    let percentiles = &workload.measure.percentiles;
    let quantiles = |summary: &Quantiles, whole: Option<&Distribution>| quantiles(summary, whole, percentiles);
    let latency_s = LatencyOut {
        of_tasks: latencies(&run.latency, end.map(|end| &end.distributions), percentiles),
        delivered: if run.delivery.mode.blocks() {
            quantiles(&run.delivery.delivered, end.map(|end| &end.delivered))
        } else {
            quantiles(&run.latency.sojourn, end.map(|end| &end.distributions.sojourn))
        },
    };
    RunOut {
        state: run.state,
        partial: false,
        left_tasks: None,
        warmup: false,
        wall_s: seconds(run.wall()),
        throughput: run.throughput_whole,
        tasks: Tasks {
            submitted,
            succeeded,
            failed,
            timed_out,
            queue_timed_out,
            wait_timed_out,
            lost,
            cancelled,
            dropped,
            retries,
        },
        latency_s,
        classes: classes::of_run(run, workload),
        worker_time_s: WorkerTimeOut::of(run),
        cpu: CpuOut {
            user_s: seconds(run.cpu.user),
            system_s: seconds(run.cpu.system),
            cores_used: run.cpu.cores_used_whole,
        },
        memory: memory::of_run(run),
        page_faults: run.page_faults.as_deref().copied(),
        deaths: run.deaths.iter().map(memory::death).collect(),
        deaths_total: run.deaths_total,
        queue: QueueOut { max: run.queue.max, mean: run.queue.mean },
        caller: CallerOut::of(run),
        imbalance: run.imbalance(),
        utilisation: run.load.utilisation,
        stages: stages::of_run(run, workload, offered),
        chunks: run.chunks.as_deref().copied().map(ChunksOut::from),
        payload: run.carriage.as_deref().map(CarriageOut::from),
        littles_law: run.load.little.map(LittleOut::from),
        worker_starts: run.worker_starts,
        worker_restarts: run.worker_restarts,
        ghost_cpu_s: (run.ghosts.unmeasured == 0).then(|| seconds(run.ghosts.cpu)),
        ghosts: run.ghosts.began,
        unkillable: run.unkillable,
        initializers: InitializersOut::of(&run.initializers),
        lives: LivesOut::of(run),
        workers: run.workers.iter().map(memory::worker).collect(),
        results_hash: (run.results_hash != 0).then(|| format!("{:016x}", run.results_hash)),
        results_made_wrong: run.wrong_results,
        suspect: &run.suspect,
        outlier: false,
        notes: run
            .notes
            .iter()
            .map(|note| NoteOut { at_s: note.at.elapsed().as_secs_f64(), severity: note.severity, text: &note.text })
            .collect(),
        failures_total: run.counts.unsuccessful() + retries,
        failures: run.failures.iter().take(MOST_FAILURES).map(|report| failure(report, workload)).collect(),
    }
}

fn latencies(summary: &Latency, whole: Option<&Distributions>, percentiles: &[f64]) -> LatenciesOut {
    let of = |summary, pick: fn(&Distributions) -> &Distribution| quantiles(summary, whole.map(pick), percentiles);
    LatenciesOut {
        wait: of(&summary.wait, |whole| &whole.wait),
        startup: of(&summary.startup, |whole| &whole.startup),
        service: of(&summary.service, |whole| &whole.service),
        sojourn: of(&summary.sojourn, |whole| &whole.sojourn),
    }
}

pub(super) fn quantiles(summary: &Quantiles, whole: Option<&Distribution>, percentiles: &[f64]) -> QuantilesOut {
    let measured = |duration| (summary.count > 0).then(|| seconds(duration));
    let whole = whole.filter(|whole| whole.count() > 0);
    let asked = percentiles.iter().filter_map(|p| Some((p.to_string(), seconds(whole?.quantile(p / 100.0)))));
    QuantilesOut {
        count: summary.count,
        mean: measured(summary.mean),
        p50: measured(summary.p50),
        p90: measured(summary.p90),
        p95: measured(summary.p95),
        p99: measured(summary.p99),
        max: measured(summary.max),
        percentiles: asked.collect(),
    }
}

/// Seconds, rounded once: adding whole seconds and a fraction would show digits that mean nothing.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e9
}

impl From<Option<Estimate>> for EstimateOut {
    fn from(estimate: Option<Estimate>) -> Self {
        Self {
            mean: estimate.map(|estimate| estimate.mean),
            ci95: estimate.and_then(|estimate| estimate.ci95).map(<[f64; 2]>::from),
        }
    }
}

#[cfg(test)]
mod tests;
