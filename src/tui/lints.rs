//! Remarks on the figures of a run: why it is as fast as it is. Each has its own condition and text.

use std::time::Duration;

use crate::analysis::lints::speaks;
use crate::metrics::snapshot::Snapshot;

/// Too little has happened before this for a remark to mean anything.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// The remarks that hold, most important first.
#[must_use]
pub fn check(frame: &Snapshot, cores: u32) -> Vec<String> {
    if frame.at < LEAST_TIME || frame.counts.finished() < 10 || !speaks(frame) {
        return Vec::new();
    }
    [startup_bound(frame), idle_workers(frame), more_workers_than_cores(frame, cores)].into_iter().flatten().collect()
}

fn startup_bound(frame: &Snapshot) -> Option<String> {
    let (work, startup, _) = frame.worker_time.shares();
    (startup > 0.5).then(|| {
        format!("start-up bound: {:.0}% of worker time is start-up, {:.0}% work", startup * 100.0, work * 100.0)
    })
}

/// Idle workers are normal without waiting tasks; with them something keeps the work away.
fn idle_workers(frame: &Snapshot) -> Option<String> {
    let (work, _, idle) = frame.worker_time.shares();
    let waiting = frame.queue.depth > u64::from(frame.workers_target);
    (waiting && idle > 0.2).then(|| {
        format!("workers are idle {:.0}% of the time while tasks wait (work {:.0}%)", idle * 100.0, work * 100.0)
    })
}

fn more_workers_than_cores(frame: &Snapshot, cores: u32) -> Option<String> {
    let saturated = frame.cpu.cores_used > 0.9 * f64::from(cores);
    (frame.workers_target > cores && saturated)
        .then(|| format!("{} workers share {cores} busy cores: more workers cannot be faster", frame.workers_target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{self, Engine, POOL, PROCESS};

    #[test]
    fn each_remark_has_its_condition() {
        let at = Duration::from_secs(10);
        assert!(check(&fixture::frame(POOL, at), 4).is_empty());
        let process = check(&fixture::frame(PROCESS, at), 4);
        assert!(process.len() == 1 && process[0].contains("start-up"), "{process:?}");
        let crowded = check(&fixture::frame(Engine { workers: 8, rate: 98.0, ..POOL }, at), 4);
        assert!(crowded.len() == 1 && crowded[0].contains("8 workers share 4"), "{crowded:?}");
        let starved = check(&fixture::frame(Engine { rate: 20.0, ..POOL }, at), 4);
        assert!(starved.len() == 1 && starved[0].contains("idle"), "{starved:?}");
        assert!(check(&fixture::frame(PROCESS, Duration::from_millis(900)), 4).is_empty());
    }
}
