//! `payload`, and `worker_time_s`, of which it is a part.
//!
//! * `payload`: bytes that travelled with tasks and their results, drawn arguments and pickled results among them, and what
//!   that took; `null` where none did. In the order in which it passes: `serialise_in` (ours), `transfer_in` (from their being
//!   sent and the worker's being free for them until all of them were there), `deserialise` (making arguments of them),
//!   `serialise_out`, `hash` (making a number of the result that can be compared) and `transfer_out` (until all of them were
//!   here; what waits in a message that is not full yet waits for others). `not_comparable` counts results of types that
//!   nothing can be said of; they are in no hash.
//! * `worker_time_s`: lanes times wall time. `startup` is the time of processes that were starting, be it for one task or, in a
//!   pool, for many: there no task waits in `latency_s.startup` for it. `dispatch` is what passes there between handing a task
//!   to a worker and its first instruction: the sum of `latency_s.startup`. `carrying` is taking in and making arguments of bytes, and making bytes and a
//!   number of results: it is neither work, nor start-up, nor idle time, and no `timeout` counts it.

use serde::Serialize;

use super::{QuantilesOut, quantiles, seconds};
use crate::metrics::snapshot::{Carriage, Snapshot};

#[derive(Serialize)]
pub(super) struct WorkerTimeOut {
    work: f64,
    startup: f64,
    /// Between dispatch to a worker that is kept and the first instruction (additive to version 1).
    dispatch: f64,
    /// In tasks whose callers had given up (additive to version 1).
    ghost: f64,
    /// In initializers of workers that are kept (additive to version 1).
    initializing: f64,
    /// (additive to version 1)
    carrying: f64,
    idle: f64,
    /// Part of `idle`: nothing left to do while others still worked.
    tail_idle: Option<f64>,
}

impl WorkerTimeOut {
    pub(super) fn of(run: &Snapshot) -> Self {
        let time = run.worker_time;
        Self {
            work: seconds(time.work),
            startup: seconds(time.startup),
            dispatch: seconds(time.dispatch),
            ghost: seconds(time.ghost),
            initializing: seconds(time.initializing),
            carrying: seconds(time.carrying),
            idle: seconds(time.idle),
            tail_idle: run.end.as_ref().map(|end| seconds(end.tail_idle)),
        }
    }
}

#[derive(Serialize)]
pub(super) struct CarriageOut {
    tasks: u64,
    bytes_in: u64,
    bytes_out: u64,
    not_comparable: u64,
    serialise_in_s: QuantilesOut,
    transfer_in_s: QuantilesOut,
    deserialise_s: QuantilesOut,
    serialise_out_s: QuantilesOut,
    hash_s: QuantilesOut,
    transfer_out_s: QuantilesOut,
}

impl From<&Carriage> for CarriageOut {
    fn from(carriage: &Carriage) -> Self {
        let [serialise_in_s, transfer_in_s, deserialise_s, serialise_out_s, hash_s, transfer_out_s] =
            carriage.times().map(|(_, times)| quantiles(times, None, &[]));
        Self {
            tasks: carriage.tasks,
            bytes_in: carriage.bytes_in,
            bytes_out: carriage.bytes_out,
            not_comparable: carriage.opaque,
            serialise_in_s,
            transfer_in_s,
            deserialise_s,
            serialise_out_s,
            hash_s,
            transfer_out_s,
        }
    }
}
