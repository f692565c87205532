//! Views for tests, built by a small simulation: the figures of a frame agree with each other as those of a run would.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::event::{Moment, PageFaults, RunState, Severity, Slot, WorkerState};
use crate::engine::outcome::Counts;
use crate::metrics::snapshot::{
    CPU_HISTORY, Cpu, Delivery, Latency, Memory, Note, Overhead, Quantiles, QueueFigures, RunId, Snapshot, WorkerRow,
    WorkerTime,
};
use crate::metrics::snapshot::{Little, Load};
use crate::metrics::track::Track;
use crate::os::host::Host;
use crate::workload::model::{
    Arrivals, Backoff, Chunksize, Dist, EngineKind, EngineSpec, LatencyFrom, Limits, Measure, Order, PayloadSizes,
    Retries, RunOrder, Share, TaskClass, Total, Work, Workers, Workload,
};

pub(crate) mod past;
pub(crate) mod stories;
mod views;

pub(crate) use views::*;

pub(crate) const TOTAL: u64 = 1000;

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
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

pub(crate) fn workload(engines: Vec<EngineSpec>) -> Workload {
    Workload {
        name: "cpu-mix".to_owned(),
        title: "Prime counting, about 80 ms of CPU per task".to_owned(),
        description: "Many equal CPU tasks. Does reusing workers pay?".to_owned(),
        teaches: vec!["start-up cost".to_owned(), "why reuse wins".to_owned()],
        seed: 7,
        classes: vec![TaskClass {
            name: "prime".to_owned(),
            share: Share::Count(NonZeroU64::new(TOTAL).unwrap()),
            items: None,
            work: Work::Cpu(Dist::Constant(ms(80))),
            payload: PayloadSizes::default(),
            timeout: Some(Duration::from_secs(2)),
            on_timeout: crate::workload::model::OnTimeout::Kill,
            queue_timeout: None,
            wait_timeout: None,
            grace_period: ms(250),
            retries: Retries {
                max: 1,
                on_crash: true,
                on_timeout: true,
                on_error: false,
                backoff: Backoff { delay: ms(0), factor: 1.0, max_delay: ms(0), jitter: false },
                redraw: false,
            },
        }],
        total: Total::PerClass,
        order: Order::AsGenerated,
        arrivals: Arrivals::Batch,
        engines,
        skipped: Vec::new(),
        sweep: Vec::new(),
        baseline: 0,
        faults: Vec::new(),
        measure: Measure {
            warmup: 1,
            gil_probe: false,
            repeats: NonZeroU32::new(5).unwrap(),
            adaptive: None,
            order: RunOrder::Interleaved,
            sample_interval: ms(250),
            percentiles: vec![50.0, 95.0, 99.0],
            latency_from: LatencyFrom::IntendedArrival,
            join_timeout: Duration::from_secs(2),
        },
        expect: Vec::new(),
        limits: Limits::default(),
        python: crate::workload::model::PythonSettings::default(),
        hash: "0123456789abcdef".to_owned(),
        text_hash: String::new(),
        text: "".into(),
        effective: Arc::from(""),
        folder: None,
        batch: crate::workload::model::BatchRules::default(),
    }
}

pub(crate) fn host() -> Host {
    Host {
        name: "dev-1".to_owned(),
        cores_online: 4,
        cores_affinity: 4,
        cores_quota: None,
        cpu_model: "Example CPU".to_owned(),
        kernel: "Linux 6.12".to_owned(),
        memory_bytes: 16 << 30,
    }
}

/// What a simulated engine is like.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    pub(crate) kind: EngineKind,
    pub(crate) workers: u32,
    /// Tasks per second.
    pub(crate) rate: f64,
    pub(crate) startup: Duration,
    pub(crate) service: Duration,
    pub(crate) timeouts: u64,
    pub(crate) failed: u64,
}

pub(crate) const POOL: Engine = Engine {
    kind: EngineKind::Pool,
    workers: 4,
    rate: 49.4,
    startup: Duration::from_millis(1),
    service: Duration::from_millis(80),
    timeouts: 0,
    failed: 0,
};

pub(crate) const PROCESS: Engine = Engine {
    kind: EngineKind::Process,
    workers: 4,
    rate: 15.9,
    startup: Duration::from_millis(168),
    service: Duration::from_millis(82),
    timeouts: 1,
    failed: 0,
};

pub(crate) const SERIAL: Engine = Engine { kind: EngineKind::Serial, workers: 1, rate: 12.4, ..POOL };

fn quantiles(center: Duration, count: u64) -> Quantiles {
    Quantiles {
        count,
        mean: center,
        p50: center,
        p90: center.mul_f64(1.13),
        p95: center.mul_f64(1.2),
        p99: center.mul_f64(1.73),
        max: center.mul_f64(1.9),
    }
}

/// One frame of an engine at a moment.
pub(crate) fn frame(engine: Engine, at: Duration) -> Snapshot {
    let ended = ((at.as_secs_f64() * engine.rate) as u64).min(TOTAL);
    let over = ended == TOTAL;
    let timed_out = engine.timeouts.min(ended);
    let failed = engine.failed.min(ended - timed_out);
    let running = if over { 0 } else { u64::from(engine.workers).min(TOTAL - ended) };
    let queued = TOTAL - ended - running;
    let counts = Counts {
        submitted: TOTAL,
        queued,
        running,
        succeeded: ended - timed_out - failed,
        failed,
        timed_out,
        retries: engine.timeouts,
        ..Counts::default()
    };
    assert!(counts.conserved());
    let wall = at.mul_f64(f64::from(engine.workers));
    let work = engine.service.mul_f64(ended as f64).min(wall);
    let startup = engine.startup.mul_f64(ended as f64).min(wall - work);
    let note = |at: u64, severity, text: &str| Note { at: Moment::from(ms(at)), severity, text: text.to_owned() };
    let mut notes = vec![note(10, Severity::Info, "4 workers started in 12 ms")];
    if timed_out > 0 {
        notes.push(note(14_102, Severity::Warning, "task #41 timed out after 2 s, attempt 2 of 2 follows"));
    }
    Snapshot {
        run: RunId { serial: 1, round: 1, warmup: false },
        at: Moment::from(at),
        paused: Duration::ZERO,
        state: if over { RunState::Finished } else { RunState::Running },
        counts,
        total: TOTAL,
        throughput: if over { 0.0 } else { engine.rate },
        throughput_whole: engine.rate,
        queue: QueueFigures { depth: queued, max: TOTAL, mean: 500.0, oldest: at },
        classes: Arc::default(),
        latency: Latency {
            wait: quantiles(at / 2, ended),
            startup: quantiles(engine.startup, ended),
            service: quantiles(engine.service, ended),
            sojourn: quantiles(at / 2 + engine.service, ended),
        },
        ghosts: Default::default(),
        initializers: Default::default(),
        unkillable: 0,
        life: Default::default(),
        fork_server: Default::default(),
        worker_time: WorkerTime { work, startup, idle: wall - work - startup, ..WorkerTime::default() },
        stages: Box::default(),
        carriage: None,
        gil_probe: None,
        chunks: None,
        load: Box::new(Load {
            utilisation: Some(0.62),
            little: Some(Little {
                in_system: 4.8,
                rate: 12.0,
                sojourn: Duration::from_millis(390),
                left: 100,
                without_sojourn: 0,
            }),
        }),
        workers_target: engine.workers,
        workers: (0..engine.workers).map(|slot| worker(engine, slot, ended, over)).collect(),
        cpu: Cpu { user: work, system: ms(100), cores_used: f64::from(engine.workers) * 0.97, cores_used_whole: 3.8 },
        memory: Memory {
            pss_bytes: Some(24 << 20),
            rss_bytes: 42 << 20,
            peak_pss_bytes: Some(30 << 20),
            peak_rss_bytes: 50 << 20,
        },
        worker_starts: if engine.kind == EngineKind::Process { ended + running } else { u64::from(engine.workers) },
        worker_restarts: engine.timeouts,
        overhead: Box::new(Overhead { cores_used: 0.01, sampler_lag: ms(1), others: None }),
        results_hash: 0xfeed,
        wrong_results: 0,
        suspect: Vec::new(),
        notes: Arc::new(notes),
        failures: Arc::new(Vec::new()),
        kills: Arc::default(),
        timeouts: Arc::default(),
        delivery: Delivery::default(),
        end: None,
        page_faults: Some(Box::new(PageFaults { minor: 16_000, major: 8 })),
        memory_course: Arc::default(),
        deaths: Arc::default(),
        deaths_total: 0,
    }
}

fn worker(engine: Engine, slot: u32, ended: u64, over: bool) -> WorkerRow {
    let state = match (engine.kind, slot) {
        _ if over => WorkerState::Free,
        (EngineKind::Process, 2) => WorkerState::Starting,
        (EngineKind::Process, 3) => WorkerState::Free,
        (EngineKind::Pool, 3) => WorkerState::Idle,
        _ => WorkerState::Busy,
    };
    let busy = state == WorkerState::Busy;
    let history = (0..CPU_HISTORY).map(|i| if busy { (60 + (i * 37 + slot as usize * 11) % 40) as u8 } else { 4 });
    WorkerRow {
        slot: Slot(slot),
        pid: (state != WorkerState::Free).then_some(41_207 + slot),
        state,
        task: busy.then_some((ended + u64::from(slot), 0)),
        task_for: ms(20 + 10 * u64::from(slot)),
        cpu_percent: (state != WorkerState::Free).then_some(if busy { 99.0 } else { 0.0 }),
        cpu_history: history.collect(),
        rss_bytes: (state != WorkerState::Free).then_some(10 << 20),
        pss_bytes: None,
        done: ended / u64::from(engine.workers),
        starts: 1,
        restarts: 0,
        busy: ms(1000),
        cpu: ms(990),
        peak_rss_bytes: Some(12 << 20),
        peak_pss_bytes: None,
        page_faults: Some(PageFaults { minor: 4000, major: 2 }),
        thread: None,
        last_exit: None,
    }
}

/// The frames of an engine from the start to a moment, or to its end if that comes before.
pub(crate) fn track(engine: Engine, until: Duration) -> Track {
    let end = Duration::from_secs_f64(TOTAL as f64 / engine.rate + 0.1);
    let until = until.min(end);
    let mut frames: Vec<Arc<Snapshot>> =
        (0..).map(|step| ms(100 * step)).take_while(|at| *at < until).map(|at| Arc::new(frame(engine, at))).collect();
    frames.push(Arc::new(frame(engine, until)));
    Track { frames }
}
