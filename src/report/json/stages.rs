//! `stages` and `chunks`.
//!
//! * `stages`: those of open arrivals that had begun, with `utilisation` as it was measured in them and
//!   `predicted_utilisation` as drawn service times say, without what the engine costs; from 1 on the queue grows. `null`
//!   without a number of workers, and where times are known only by running. `rate` is per second, and changes to `end_rate`
//!   in a ramp; the stages of a trace are stretches of equal length.
//! * `chunks`: messages with tasks, the tasks in them, each as often as it was sent, and `size`, the tasks of one chunk by
//!   the rule in force at the end: what was set, or what `auto` had found. `null` where each task has a process of its own.

use serde::Serialize;

use super::seconds;
use crate::engine::event::Chunks;
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::{Arrivals, Workload};

#[derive(Serialize)]
pub(super) struct StageOut {
    begin_s: f64,
    end_s: f64,
    rate: f64,
    end_rate: f64,
    utilisation: Option<f64>,
    predicted_utilisation: Option<f64>,
}

/// `offered`: what was predicted for each of them.
pub(super) fn of_run(run: &Snapshot, workload: &Workload, offered: &[f64]) -> Vec<StageOut> {
    let Arrivals::Open(open) = &workload.arrivals else { return Vec::new() };
    let measured = run.stages.iter().zip(&open.stages).enumerate();
    let stages = measured.map(|(place, (load, stage))| StageOut {
        begin_s: seconds(load.begin),
        end_s: seconds(load.end),
        rate: stage.rate,
        end_rate: stage.end_rate,
        utilisation: load.utilisation,
        predicted_utilisation: offered.get(place).copied(),
    });
    stages.collect()
}

#[derive(Serialize)]
pub(super) struct ChunksOut {
    sent: u64,
    tasks: u64,
    mean: Option<f64>,
    size: u64,
}

impl From<Chunks> for ChunksOut {
    fn from(chunks: Chunks) -> Self {
        Self { sent: chunks.sent, tasks: chunks.tasks, mean: chunks.mean(), size: chunks.size.get().into() }
    }
}
