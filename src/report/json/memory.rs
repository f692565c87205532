//! Memory and page faults as JSON, of a run and of each of its workers.

use serde::Serialize;

use super::seconds;
use crate::engine::event::{PageFaults, Slot};
use crate::metrics::snapshot::{MemoryPoint, Snapshot, WorkerRow};

#[derive(Serialize)]
pub(super) struct MemoryOut {
    peak_pss_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
    /// All workers together with what they have started, over time (additive to version 1).
    course: Vec<PointOut>,
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
    }
}
