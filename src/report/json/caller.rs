//! Who submits the tasks: how, for how long it was blocked, and how long its results were held back.

use serde::Serialize;

use super::seconds;
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::SubmitMode;

#[derive(Serialize)]
pub(super) struct CallerOut {
    submit: SubmitMode,
    /// For how long it waited for results, or for room to submit.
    blocked_s: f64,
    held_back_s: Option<HeldBackOut>,
}

#[derive(Serialize)]
struct HeldBackOut {
    sum: f64,
    mean: f64,
    max: f64,
}

impl CallerOut {
    pub(super) fn of(run: &Snapshot) -> Self {
        let delivery = &run.delivery;
        let count = delivery.delivered.count;
        let sum = seconds(delivery.held_back);
        let held_back = HeldBackOut { sum, mean: sum / count as f64, max: seconds(delivery.held_back_max) };
        Self {
            submit: delivery.mode,
            // It may be blocked until the turn in which the run is seen to be over.
            blocked_s: seconds(delivery.blocked_for.min(run.wall())),
            held_back_s: (count > 0).then_some(held_back),
        }
    }
}
