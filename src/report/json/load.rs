//! `littles_law`: L = λ W over the time from the start until the last task left.
//!
//! `in_system` (L) is the mean number of tasks queued and running, the integral of what the dispatcher saw from one input to
//! the next; of tasks that were reported together, each was there until it ended, and the last until it was reported. `rate` (λ) and `sojourn_s` (W) are about the `tasks` that left and whose end is known, whatever became of them:
//! one that was dropped never was in the system, one that was tried again left it once. `tasks_without_sojourn` are in L
//! alone (cut off when the run was stopped, or never begun), so `error`, |L - λ W| / L, says little where there are any. The
//! time in which a run was paused counts, that in which it was suspended does not.

use serde::Serialize;

use crate::metrics::snapshot::Little;

#[derive(Serialize)]
pub(super) struct LittleOut {
    /// L.
    in_system: f64,
    /// λ.
    rate: f64,
    /// W.
    sojourn_s: f64,
    /// `|L - λ W| / L`.
    error: f64,
    tasks: u64,
    tasks_without_sojourn: u64,
}

impl From<Little> for LittleOut {
    fn from(little: Little) -> Self {
        Self {
            in_system: little.in_system,
            rate: little.rate,
            sojourn_s: little.sojourn.as_secs_f64(),
            error: little.error(),
            tasks: little.left,
            tasks_without_sojourn: little.without_sojourn,
        }
    }
}
