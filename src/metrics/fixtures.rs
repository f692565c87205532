//! Ready-made values for tests: the same on every machine.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::event::{Moment, PageFaults, RunState, Slot, WorkerState};
use crate::engine::outcome::{AttemptReport, Cause, Counts, Outcome};
use crate::metrics::snapshot::{
    Cpu, Delivery, Latency, Memory, Overhead, Quantiles, QueueFigures, RunEnd, RunId, Snapshot, WorkerRow, WorkerTime,
};
use crate::workload::model::Attempt;

/// A failed attempt of task `index`.
pub(crate) fn attempt(index: u64) -> AttemptReport {
    AttemptReport {
        index,
        class: 0,
        attempt: Attempt::FIRST,
        attempts_allowed: 1,
        outcome: Outcome::Failed,
        cause: Cause::Error { message: "no such page".to_owned() },
        retried: false,
        slot: Some(Slot(0)),
        pid: Some(4711),
        ended: Moment(1_500_000_000),
        wait: Some(Duration::from_millis(1)),
        startup: Some(Duration::from_millis(2)),
        service: Some(Duration::from_millis(3)),
        exit: None,
        killed: false,
        peak_rss_bytes: None,
        stdout_tail: String::new(),
        stderr_tail: String::new(),
        output_omitted_bytes: 0,
    }
}

/// One worker that has done everything.
pub(crate) fn row(slot: Slot) -> WorkerRow {
    WorkerRow {
        slot,
        pid: None,
        state: WorkerState::Free,
        task: None,
        task_for: Duration::ZERO,
        cpu_percent: Some(0.0),
        cpu_history: vec![90, 95, 0],
        rss_bytes: None,
        pss_bytes: None,
        done: 500,
        starts: 1,
        restarts: 0,
        busy: Duration::from_secs(5),
        cpu: Duration::from_millis(4900),
        peak_rss_bytes: Some(3 << 20),
        peak_pss_bytes: Some(2 << 20),
        page_faults: Some(PageFaults { minor: 400, major: 0 }),
        thread: None,
        last_exit: None,
    }
}

/// A finished run of two workers: 1000 tasks in 5.5 s.
pub(crate) fn snapshot() -> Snapshot {
    let millis = Duration::from_millis;
    let quantiles = |mean| Quantiles {
        count: 1000,
        mean: millis(mean),
        p50: millis(mean),
        p90: millis(mean * 2),
        p95: millis(mean * 3),
        p99: millis(mean * 4),
        max: millis(mean * 5),
    };
    Snapshot {
        run: RunId::default(),
        at: Moment::from(millis(5600)),
        paused: Duration::ZERO,
        state: RunState::Finished,
        counts: Counts { submitted: 1000, succeeded: 1000, ..Counts::default() },
        total: 1000,
        throughput: 180.0,
        throughput_whole: 1000.0 / 5.5,
        queue: QueueFigures { depth: 0, max: 998, mean: 499.5, oldest: Duration::ZERO },
        latency: Latency {
            wait: quantiles(2600),
            startup: quantiles(1),
            service: quantiles(10),
            sojourn: quantiles(2611),
        },
        classes: Arc::default(),
        ghosts: Default::default(),
        initializers: Default::default(),
        load: Box::default(),
        stages: Box::default(),
        carriage: None,
        gil_probe: None,
        chunks: None,
        unkillable: 0,
        life: Default::default(),
        fork_server: Default::default(),
        worker_time: WorkerTime {
            work: millis(10_000),
            startup: millis(500),
            idle: millis(500),
            ..WorkerTime::default()
        },
        workers_target: 2,
        workers: vec![row(Slot(0)), row(Slot(1))],
        cpu: Cpu { user: millis(9700), system: millis(100), cores_used: 1.8, cores_used_whole: 9.8 / 5.5 },
        memory: Memory {
            pss_bytes: Some(3 << 20),
            rss_bytes: 5 << 20,
            peak_pss_bytes: Some(4 << 20),
            peak_rss_bytes: 6 << 20,
        },
        worker_starts: 2,
        worker_restarts: 0,
        overhead: Box::new(Overhead { cores_used: 0.01, sampler_lag: millis(2), others: None }),
        results_hash: 0x0123_4567_89AB_CDEF,
        wrong_results: 0,
        suspect: Vec::new(),
        notes: Arc::new(Vec::new()),
        failures: Arc::new(Vec::new()),
        kills: Arc::default(),
        timeouts: Arc::default(),
        delivery: Delivery::default(),
        end: Some(Arc::new(RunEnd { wall: millis(5500), tail_idle: millis(40), ..RunEnd::default() })),
        page_faults: Some(Box::new(PageFaults { minor: 800, major: 0 })),
        memory_course: Arc::default(),
        deaths: Arc::default(),
        deaths_total: 0,
    }
}
