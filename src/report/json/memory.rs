//! Memory and page faults as JSON, of a run and of each of its workers.

use serde::Serialize;

use super::seconds;
use crate::analysis::leak::Leak;
use crate::engine::event::{DeathCause, PageFaults, Slot};
use crate::metrics::snapshot::{Death, MemoryPoint, Snapshot, WorkerRow};

#[derive(Serialize)]
pub(super) struct MemoryOut {
    peak_pss_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
    /// All workers together with what they have started, over time (additive to version 1).
    course: Vec<PointOut>,
    /// `null` where too little was read (additive to version 1).
    leak: Option<LeakOut>,
}

/// How fast the resident memory of the workers grows within their lives, all together.
#[derive(Serialize)]
struct LeakOut {
    bytes_per_s: f64,
    ci95: (f64, f64),
    bytes_per_task: Option<f64>,
    /// Whether the interval is above 0 and the growth more than 1 MiB in the run.
    sure: bool,
    /// Where workers were replaced: to which level the memory of one returns, and which it reaches.
    returns_to_bytes: Option<u64>,
    reaches_bytes: Option<u64>,
    workers: usize,
    readings: usize,
}

#[derive(Serialize)]
struct PointOut {
    at_s: f64,
    pss_bytes: Option<u64>,
    rss_bytes: u64,
}

#[derive(Serialize)]
pub(super) struct WorkerOut {
    slot: Slot,
    starts: u64,
    tasks: u64,
    busy_s: f64,
    cpu_s: f64,
    restarts: u64,
    /// Most that was seen, with what the worker had started (additive to version 1, as what follows).
    peak_pss_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
    page_faults: Option<PageFaults>,
    /// How the last worker here that is gone ended.
    last_exit: Option<DeathOut>,
    /// What the thread of its lane did in tasks: CPU time, and ready without a processor; null where nobody tells.
    thread_cpu_s: Option<f64>,
    run_delay_s: Option<f64>,
}

/// How a worker ended, and why.
#[derive(Serialize)]
pub(super) struct DeathOut {
    at_s: f64,
    slot: Slot,
    pid: u32,
    exit: String,
    cause: DeathCause,
}

pub(super) fn death(death: &Death) -> DeathOut {
    let Death { at, slot, pid, exit, cause } = *death;
    DeathOut { at_s: seconds(at.elapsed()), slot, pid, exit: exit.to_string(), cause }
}

pub(super) fn of_run(run: &Snapshot) -> MemoryOut {
    let point = |point: &MemoryPoint| PointOut {
        at_s: seconds(point.at.elapsed()),
        pss_bytes: point.pss_bytes,
        rss_bytes: point.rss_bytes,
    };
    MemoryOut {
        peak_pss_bytes: run.memory.peak_pss_bytes,
        peak_rss_bytes: Some(run.memory.peak_rss_bytes).filter(|bytes| *bytes > 0),
        course: run.memory_course.all.iter().map(point).collect(),
        leak: Leak::of([run]).map(|leak| LeakOut {
            bytes_per_s: leak.slope.value,
            ci95: leak.slope.ci95,
            bytes_per_task: leak.per_task.map(|slope| slope.value),
            sure: leak.is_sure,
            returns_to_bytes: leak.sawtooth.map(|tooth| tooth.low),
            reaches_bytes: leak.sawtooth.map(|tooth| tooth.high),
            workers: leak.lives,
            readings: leak.points,
        }),
    }
}

pub(super) fn worker(row: &WorkerRow) -> WorkerOut {
    WorkerOut {
        slot: row.slot,
        starts: row.starts,
        tasks: row.done,
        busy_s: seconds(row.busy),
        cpu_s: seconds(row.cpu),
        restarts: row.restarts,
        peak_pss_bytes: row.peak_pss_bytes,
        peak_rss_bytes: row.peak_rss_bytes,
        page_faults: row.page_faults,
        last_exit: row.last_exit.as_ref().map(death),
        thread_cpu_s: row.thread.map(|thread| seconds(thread.cpu)),
        run_delay_s: row.thread.map(|thread| seconds(thread.delay)),
    }
}
