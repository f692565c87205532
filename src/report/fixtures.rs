//! Results for tests: the same on every machine.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use crate::analysis::inference::Looks;
use crate::engine::event::{Batch, Moment, Record, Slot};
use crate::engine::outcome::{AttemptReport, Cause, Counts, Exit, Outcome};
use crate::metrics::distribution::Distributions;
use crate::metrics::fixtures::{attempt, row, snapshot};
use crate::metrics::latency::Latencies;
use crate::metrics::results_hash::ResultsHash;
use crate::metrics::snapshot::{ClassCounts, ClassCpu, ClassFigures, Latency, RunEnd, RunId, Snapshot, WorkerTime};
use crate::os::host::Host;
use crate::report::ending::Ending;
use crate::report::{ArmResult, Results};
use crate::workload::model::{
    Arrivals, Attempt, Backoff, Chunksize, Dist, EngineKind, EngineSpec, LatencyFrom, Limits, Measure, Order,
    PayloadSizes, Retries, RunOrder, Share, TaskClass, Total, Work, Workers, Workload,
};

const MS: u64 = 1_000_000;

/// Latencies of 1000 tasks on two workers: `startup` and `service` milliseconds each.
fn latencies(startup: u64, service: u64) -> (Latency, Distributions) {
    let mut latencies = Latencies::default();
    for index in 0..1000u64 {
        let sent = index / 2 * (startup + service) * MS;
        let start = Moment(sent + startup * MS);
        let records = [Record { index, start, service: service * MS, after: 0, value: 0 }];
        let [arrival, sent] = [Moment::ZERO, Moment(sent)];
        let batch = Batch {
            slot: Slot(0),
            class: 0,
            attempt: Attempt::FIRST,
            arrival,
            sent,
            free_since: sent,
            records: &records,
        };
        latencies.batch(&batch, &mut ResultsHash::default());
    }
    (latencies.summary(), latencies.distributions())
}

/// A run with this start-up and service, in milliseconds, that took `wall` seconds.
pub(crate) fn run(startup: u64, service: u64, wall: f64) -> Snapshot {
    let (latency, distributions) = latencies(startup, service);
    let [work, startup] = [service, startup].map(|millis| Duration::from_millis(millis * 1000));
    let idle = Duration::from_secs_f64(wall * 2.0).saturating_sub(work + startup);
    let wall_time = Duration::from_secs_f64(wall);
    let tail_idle = Duration::from_millis(40);
    let mut run = snapshot();
    run.throughput_whole = 1000.0 / wall;
    run.worker_time = WorkerTime { work, startup, idle, ..WorkerTime::default() };
    run.latency = latency;
    run.cpu.cores_used_whole = 9.8 / wall;
    run.end = Some(Arc::new(RunEnd { wall: wall_time, distributions, tail_idle, ..RunEnd::default() }));
    run
}

/// A lost task with words of its own on standard error.
pub(crate) fn crash() -> AttemptReport {
    AttemptReport {
        index: 41,
        class: 0,
        outcome: Outcome::Lost,
        cause: Cause::WorkerDied { exit: Exit::Signal(11), by_user: false, out_of_memory: false },
        exit: Some(Exit::Signal(11)),
        stderr_tail: "loading\n\x1b[31mpanic\x1b[0m: out of \x07 range\n".to_owned(),
        ..attempt(41)
    }
}

/// A workload of one class.
pub(crate) fn workload() -> Workload {
    let backoff = Backoff { delay: Duration::ZERO, factor: 1.0, max_delay: Duration::ZERO, jitter: false };
    Workload {
        name: "cpu-mix".to_owned(),
        title: "A thousand equal CPU tasks".to_owned(),
        description: String::new(),
        teaches: Vec::new(),
        seed: 42,
        classes: vec![TaskClass {
            name: "unit".to_owned(),
            share: Share::Count(NonZeroU64::new(1000).expect("not zero")),
            items: None,
            work: Work::Cpu(Dist::Constant(Duration::from_millis(10))),
            payload: PayloadSizes::default(),
            timeout: None,
            on_timeout: crate::workload::model::OnTimeout::Kill,
            queue_timeout: None,
            wait_timeout: None,
            grace_period: Duration::from_millis(200),
            retries: Retries { max: 0, on_crash: false, on_timeout: false, on_error: false, backoff, redraw: false },
        }],
        total: Total::PerClass,
        order: Order::AsGenerated,
        arrivals: Arrivals::Batch,
        engines: vec![spec("pool", EngineKind::Pool), spec("process", EngineKind::Process)],
        skipped: Vec::new(),
        sweep: Vec::new(),
        baseline: 0,
        faults: Vec::new(),
        measure: Measure {
            warmup: 1,
            gil_probe: false,
            repeats: NonZeroU32::new(3).expect("not zero"),
            adaptive: None,
            order: RunOrder::Interleaved,
            sample_interval: Duration::from_millis(100),
            percentiles: vec![50.0, 95.0, 99.9],
            latency_from: LatencyFrom::IntendedArrival,
            join_timeout: Duration::from_secs(2),
        },
        expect: Vec::new(),
        limits: Limits::default(),
        python: crate::workload::model::PythonSettings::default(),
        hash: "0123456789abcdef".to_owned(),
        text_hash: String::new(),
        text: "".into(),
        effective: Arc::from("name: cpu-mix\n"),
        folder: None,
        batch: crate::workload::model::BatchRules::default(),
    }
}

/// The same of two classes: one whose tasks are as they are there, and a slow one of ten tasks that took ten times as long in
/// the process engine, of which two failed.
pub(crate) fn two_classes() -> Results {
    let mut results = comparison();
    let mut workload = workload();
    let [ref quick] = workload.classes[..] else { return results };
    workload.classes.push(TaskClass { name: "slow".to_owned(), ..quick.clone() });
    results.workload = Arc::new(workload);
    for (arm, slow) in results.arms.iter_mut().zip([30, 300]) {
        for (round, run) in (0..).zip(&mut arm.runs) {
            let mut both = Snapshot::clone(run);
            let (latency, distributions) = latencies(1, slow + round);
            let counts = |succeeded, failed| ClassCounts { succeeded, failed, ..ClassCounts::default() };
            let class = |class, tasks, latency, cpu, whole| ClassFigures {
                class,
                classes: 1,
                tasks,
                latency,
                cpu,
                whole: Some(Box::new(whole)),
            };
            let all = both.end.as_ref().map(|end| end.distributions.clone()).unwrap_or_default();
            let cpu = |millis, tasks| Some(ClassCpu { time: Duration::from_millis(millis), tasks });
            both.classes = Arc::new(vec![
                class(0, counts(1000, 0), both.latency.clone(), cpu(9800, 980), all),
                class(1, counts(8, 2), latency, cpu(100, 10), distributions),
            ]);
            *run = Arc::new(both);
        }
    }
    results
}

fn spec(name: &str, kind: EngineKind) -> EngineSpec {
    EngineSpec {
        name: name.to_owned(),
        kind,
        workers: Workers::Auto,
        chunksize: Chunksize::Auto,
        ..EngineSpec::of_kind(kind, Workers::Auto)
    }
}

pub(crate) fn host() -> Host {
    Host {
        name: "dev-1".to_owned(),
        cores_online: 8,
        cores_affinity: 4,
        cores_quota: Some(2.0),
        cpu_model: "Example CPU 9000".to_owned(),
        kernel: "Linux 6.18".to_owned(),
        memory_bytes: 16 << 30,
    }
}

/// Three runs of a pool, three of a process engine that is three times slower and lost a task.
pub(crate) fn comparison() -> Results {
    let arm = |name, kind, runs: Vec<Snapshot>| ArmResult {
        touched: 0,
        spec: spec(name, kind),
        workers: 2,
        rounds: Vec::new(),
        runs: (1..)
            .zip(runs)
            .map(|(round, run)| Arc::new(Snapshot { run: RunId { serial: round, round, warmup: false }, ..run }))
            .collect(),
        partial: None,
        track: Arc::default(),
        gil_probe: None,
    };
    let pool = [5.5, 5.6, 5.4].map(|wall| run(1, 10, wall));
    let mut process = [16.5, 16.9, 16.4].map(|wall| run(22, 10, wall));
    for run in &mut process {
        run.worker_starts = 1000;
        run.memory.peak_pss_bytes = None;
        run.workers =
            [row(Slot(0)), row(Slot(1))].map(|row| crate::metrics::snapshot::WorkerRow { starts: 500, ..row }).to_vec();
    }
    let [_, _, last] = &mut process;
    last.counts = Counts { submitted: 1000, succeeded: 999, lost: 1, ..Counts::default() };
    last.failures = Arc::new(vec![crash()]);
    last.suspect = vec!["other programs used 0.9 of 2 cores".to_owned()];
    last.results_hash ^= 1;
    Results {
        workload: Arc::new(workload()),
        host: Arc::new(host()),
        stream_hash: "fedcba9876543210".to_owned(),
        arms: vec![arm("pool", EngineKind::Pool, pool.to_vec()), arm("process", EngineKind::Process, process.to_vec())],
        baseline: 0,
        looks: Looks::Once(3),
        precision: None,
        ending: Ending::Finished,
        sharing_cores: false,
        control_cores: None,
    }
}
