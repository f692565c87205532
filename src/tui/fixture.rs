//! Views for tests, built by a small simulation: the figures of a frame agree with each other as those of a run would.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use crate::analysis::verdict::{Finding, Verdict};
use crate::engine::event::{RunState, Severity, WorkerState};
use crate::engine::outcome::{AttemptReport, Cause, Counts, Exit, Outcome};
use crate::metrics::snapshot::{
    CPU_HISTORY, Cpu, Latency, Memory, Note, Overhead, Quantiles, Queue, Snapshot, Track, WorkerRow, WorkerTime,
};
use crate::os::host::Host;
use crate::session::view::{ArmView, Mode, SessionPhase, SessionView};
use crate::tui::model::Entry;
use crate::workload::model::{
    Arrivals, Backoff, Chunksize, Dist, EngineKind, EngineSpec, LatencyFrom, Measure, Order, Retries, RunOrder, Share,
    TaskClass, Total, Work, Workers, Workload,
};

pub const TOTAL: u64 = 1000;

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn spec(name: &str, kind: EngineKind) -> EngineSpec {
    EngineSpec { name: name.to_owned(), kind, workers: Workers::Auto, chunksize: Chunksize::Auto }
}

pub fn workload(engines: Vec<EngineSpec>) -> Workload {
    Workload {
        name: "cpu-mix".to_owned(),
        title: "Prime counting, about 80 ms of CPU per task".to_owned(),
        description: "Many equal CPU tasks. Does reusing workers pay?".to_owned(),
        teaches: vec!["start-up cost".to_owned(), "why reuse wins".to_owned()],
        seed: 7,
        classes: vec![TaskClass {
            name: "prime".to_owned(),
            share: Share::Count(NonZeroU64::new(TOTAL).unwrap()),
            work: Work::Cpu(Dist::Constant(ms(80))),
            timeout: Some(Duration::from_secs(2)),
            queue_timeout: None,
            grace_period: ms(250),
            retries: Retries {
                max: 1,
                on_crash: true,
                on_timeout: true,
                on_error: false,
                backoff: Backoff { delay: ms(0), factor: 1.0, max_delay: ms(0), jitter: false },
            },
        }],
        total: Total::PerClass,
        order: Order::AsGenerated,
        arrivals: Arrivals::Batch,
        engines,
        baseline: 0,
        measure: Measure {
            warmup: 1,
            repeats: NonZeroU32::new(5).unwrap(),
            order: RunOrder::Interleaved,
            sample_interval: ms(250),
            percentiles: vec![50.0, 95.0, 99.0],
            latency_from: LatencyFrom::IntendedArrival,
        },
        hash: "0123456789abcdef".to_owned(),
    }
}

pub fn host() -> Host {
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
pub struct Engine {
    pub kind: EngineKind,
    pub workers: u32,
    /// Tasks per second.
    pub rate: f64,
    pub startup: Duration,
    pub service: Duration,
    pub timeouts: u64,
    pub failed: u64,
}

pub const POOL: Engine = Engine {
    kind: EngineKind::Pool,
    workers: 4,
    rate: 49.4,
    startup: Duration::from_millis(1),
    service: Duration::from_millis(80),
    timeouts: 0,
    failed: 0,
};

pub const PROCESS: Engine = Engine {
    kind: EngineKind::Process,
    workers: 4,
    rate: 15.9,
    startup: Duration::from_millis(168),
    service: Duration::from_millis(82),
    timeouts: 1,
    failed: 0,
};

pub const SERIAL: Engine = Engine { kind: EngineKind::Serial, workers: 1, rate: 12.4, ..POOL };

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
pub fn frame(engine: Engine, at: Duration) -> Snapshot {
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
    let note = |at: u64, severity, text: &str| Note { at: ms(at), severity, text: text.to_owned() };
    let mut notes = vec![note(10, Severity::Info, "4 workers started in 12 ms")];
    if timed_out > 0 {
        notes.push(note(14_102, Severity::Warning, "task #41 timed out after 2 s, attempt 2 of 2 follows"));
    }
    Snapshot {
        at,
        state: if over { RunState::Finished } else { RunState::Running },
        counts,
        total: TOTAL,
        throughput: if over { 0.0 } else { engine.rate },
        throughput_whole: engine.rate,
        queue: Queue { depth: queued, max: TOTAL, mean: 500.0, oldest: at },
        latency: Latency {
            wait: quantiles(at / 2, ended),
            startup: quantiles(engine.startup, ended),
            service: quantiles(engine.service, ended),
            sojourn: quantiles(at / 2 + engine.service, ended),
        },
        worker_time: WorkerTime { work, startup, idle: wall - work - startup },
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
        overhead: Overhead { cores_used: 0.01, sampler_lag: ms(1) },
        results_hash: 0xfeed,
        suspect: Vec::new(),
        notes: Arc::new(notes),
        failures: Arc::new(Vec::new()),
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
        slot,
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
    }
}

/// The frames of an engine from the start to a moment, or to its end if that comes before.
pub fn track(engine: Engine, until: Duration) -> Track {
    let end = Duration::from_secs_f64(TOTAL as f64 / engine.rate + 0.1);
    let until = until.min(end);
    let mut frames: Vec<Arc<Snapshot>> =
        (0..).map(|step| ms(100 * step)).take_while(|at| *at < until).map(|at| Arc::new(frame(engine, at))).collect();
    frames.push(Arc::new(frame(engine, until)));
    Track { frames }
}

pub const LONG: Duration = Duration::from_secs(10_000);

pub fn arm(name: &str, engine: Engine, live: bool, until: Duration) -> ArmView {
    let track = Arc::new(track(engine, until));
    let finished = track.frames.last().cloned().into_iter().collect();
    ArmView { spec: spec(name, engine.kind), workers: engine.workers, live, track, finished }
}

pub fn verdict(finding: Finding) -> Verdict {
    let (ratio, ci95) = match finding {
        Finding::TooEarly => (None, None),
        Finding::NoClearDifference => (Some(1.02), Some((0.94, 1.11))),
        Finding::Faster => (Some(3.1), Some((2.9, 3.3))),
        Finding::Slower => (Some(1.0 / 3.1), Some((1.0 / 3.3, 1.0 / 2.9))),
    };
    Verdict { arm: 1, baseline: 0, ratio, ci95, pairs: 2, finding, reasons: vec!["start-up bound".to_owned()] }
}

fn view(arms: Vec<ArmView>, phase: SessionPhase, verdicts: Vec<Verdict>) -> SessionView {
    let engines = arms.iter().map(|arm| arm.spec.clone()).collect();
    SessionView {
        workload: Arc::new(workload(engines)),
        host: Arc::new(host()),
        arms,
        phase,
        mode: Mode::Interleaved,
        round: 3,
        rounds: 6,
        warmup: 1,
        verdicts,
    }
}

/// The process engine is at a moment of its run; the pool ran before.
pub fn running_at(at: Duration) -> SessionView {
    let arms = vec![arm("pool", POOL, false, LONG), arm("process", PROCESS, true, at)];
    view(arms, SessionPhase::Running, vec![verdict(Finding::Slower)])
}

pub fn running() -> SessionView {
    running_at(ms(15_800))
}

pub fn first_run() -> SessionView {
    let mut arms = vec![arm("pool", POOL, true, ms(4_200)), arm("process", PROCESS, false, LONG)];
    arms[1].track = Arc::default();
    arms[1].finished.clear();
    let mut view = view(arms, SessionPhase::Running, vec![verdict(Finding::TooEarly)]);
    view.round = 1;
    view.verdicts[0].pairs = 0;
    view
}

pub fn paused() -> SessionView {
    SessionView { phase: SessionPhase::Paused, ..running() }
}

pub fn no_difference() -> SessionView {
    SessionView { verdicts: vec![verdict(Finding::NoClearDifference)], ..running() }
}

pub fn together() -> SessionView {
    let arms = vec![arm("pool", POOL, true, ms(9_000)), arm("process", PROCESS, true, ms(9_000))];
    SessionView { mode: Mode::Together, ..view(arms, SessionPhase::Running, vec![verdict(Finding::TooEarly)]) }
}

pub fn finished() -> SessionView {
    let arms = vec![arm("pool", POOL, false, LONG), arm("process", PROCESS, false, LONG)];
    SessionView { round: 6, ..view(arms, SessionPhase::Finished, vec![verdict(Finding::Slower)]) }
}

pub fn ready() -> SessionView {
    let mut view = view(finished().arms, SessionPhase::Ready, vec![]);
    for arm in &mut view.arms {
        arm.track = Arc::default();
        arm.finished.clear();
    }
    view.round = 0;
    view
}

pub fn broken() -> SessionView {
    let reason = "pool: the worker program could not be started: \x1b[31mpermission denied".to_owned();
    SessionView { phase: SessionPhase::Broken(reason), ..running() }
}

pub fn suspect() -> SessionView {
    let mut view = running();
    let mut newest = Snapshot::clone(view.arms[1].latest().unwrap());
    newest.suspect = vec!["other programs used 1.7 of 4 cores".to_owned()];
    Arc::make_mut(&mut view.arms[1].track).frames.push(Arc::new(newest));
    view
}

pub fn one_arm() -> SessionView {
    view(vec![arm("pool", POOL, true, ms(9_000))], SessionPhase::Running, vec![])
}

pub fn serial() -> SessionView {
    let arms = vec![arm("serial", SERIAL, false, LONG), arm("pool", POOL, true, ms(12_000))];
    view(arms, SessionPhase::Running, vec![verdict(Finding::Faster)])
}

pub fn three_arms() -> SessionView {
    let small = Engine { rate: 31.0, workers: 2, ..POOL };
    let arms = vec![
        arm("pool-auto", POOL, false, LONG),
        arm("pool-工作-2", small, true, ms(12_000)),
        arm("process", PROCESS, false, LONG),
    ];
    let other = Verdict { arm: 2, ..verdict(Finding::Slower) };
    view(arms, SessionPhase::Running, vec![verdict(Finding::NoClearDifference), other])
}

pub fn many_workers(workers: u32) -> SessionView {
    let engine = |base: Engine| Engine { workers, ..base };
    let arms = vec![arm("pool", engine(POOL), false, LONG), arm("process", engine(PROCESS), true, ms(15_800))];
    view(arms, SessionPhase::Running, vec![verdict(Finding::Slower)])
}

pub fn attempt(index: u64, attempt: u32, ended: u64, outcome: Outcome, cause: Cause) -> AttemptReport {
    AttemptReport {
        index,
        class: 0,
        attempt,
        attempts_allowed: 2,
        outcome,
        cause,
        retried: attempt == 1,
        slot: Some(3),
        pid: Some(41_590),
        ended: ms(ended),
        wait: ms(200),
        startup: ms(168),
        service: ms(2_000),
        exit: Some(Exit::Signal(libc::SIGKILL)),
        killed: true,
        peak_rss_bytes: Some(8 << 20),
        stdout_tail: String::new(),
        stderr_tail: "warming up\n\x1b[2Jsleeping to simulate a hang\n".to_owned(),
        output_omitted_bytes: 0,
    }
}

/// Failures of several kinds in both arms, with hostile output.
pub fn with_failures() -> SessionView {
    let engine = Engine { timeouts: 3, failed: 2, ..PROCESS };
    let mut arms = vec![arm("pool", POOL, false, LONG), arm("process", engine, true, ms(15_800))];
    let died = Cause::WorkerDied { exit: Exit::Signal(libc::SIGSEGV), by_user: false, out_of_memory: false };
    let failed = Cause::Error { message: "ValueError: \x1b]0;owned\x07工作 not found".to_owned() };
    let mut lost = attempt(5, 1, 3_000, Outcome::Lost, died);
    lost.killed = false;
    lost.exit = Some(Exit::Signal(libc::SIGSEGV));
    let mut error = attempt(17, 2, 6_811, Outcome::Failed, failed);
    error.exit = None;
    error.killed = false;
    error.stdout_tail = "line of output\n".repeat(40);
    error.output_omitted_bytes = 12_345;
    let timeout = Cause::Timeout { limit: Duration::from_secs(2) };
    let in_pool = vec![lost];
    let in_process = vec![error, attempt(41, 1, 14_102, Outcome::TimedOut, timeout)];
    for (arm, failures) in arms.iter_mut().zip([in_pool, in_process]) {
        let mut newest = Snapshot::clone(arm.latest().unwrap());
        newest.failures = Arc::new(failures);
        Arc::make_mut(&mut arm.track).frames.push(Arc::new(newest));
    }
    view(arms, SessionPhase::Running, vec![verdict(Finding::Slower)])
}

pub fn catalogue() -> Vec<Entry> {
    let good = |name: &str, title: &str| Entry {
        name: name.to_owned(),
        title: title.to_owned(),
        source: format!("workloads/{name}.yaml"),
        summary: vec![
            "tasks     1000 (80 ms CPU each, seed 7)".to_owned(),
            "engines   pool, process".to_owned(),
            "repeats   5, warm-up 1".to_owned(),
        ],
        outcome: Ok(Arc::new(workload(vec![spec("pool", EngineKind::Pool), spec("process", EngineKind::Process)]))),
        text: "version: 1\nname: cpu-mix\nseed: 7\ntasks:\n  - name: prime\n    kind: cpu\n".to_owned(),
    };
    let broken = Entry {
        outcome: Err(
            "error: unknown key `worker`, did you mean `workers`?\n --> workloads/broken.yaml:4:5\n  |\n4 |     \
                      worker: 4\n  |     ^^^^^^\n"
                .to_owned(),
        ),
        text: "version: 1\nengines:\n  - kind: pool\n    worker: 4\n".to_owned(),
        ..good("broken", "")
    };
    vec![
        good("cpu-mix", "Prime counting, about 80 ms of CPU per task"),
        good("io-wait", "Sleeping tasks: more workers than cores pay"),
        good("工作負載", "A name in wide characters"),
        broken,
    ]
}

/// Every view, for tests that draw whatever there is.
pub fn every() -> Vec<(&'static str, SessionView)> {
    vec![
        ("running", running()),
        ("first_run", first_run()),
        ("paused", paused()),
        ("no_difference", no_difference()),
        ("together", together()),
        ("finished", finished()),
        ("ready", ready()),
        ("broken", broken()),
        ("suspect", suspect()),
        ("one_arm", one_arm()),
        ("serial", serial()),
        ("three_arms", three_arms()),
        ("many_workers", many_workers(64)),
        ("failures", with_failures()),
    ]
}
