//! How much work a second is.

use serde::{Deserialize, Serialize};

/// What an idle core does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// Iterations of the CPU kernel in a second.
    pub(crate) iterations_per_second: f64,
}
