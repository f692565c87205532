//! What takes part in a comparison.

use std::sync::Arc;

use crate::engine::arm::Arm;
use crate::engine::dispatched::Dispatched;
use crate::workload::model::EngineSpec;

/// An arm that takes part in a comparison: its entry, and what can run the stream.
#[derive(Clone, Debug)]
pub struct ArmSpec {
    /// Its entry in the workload's `engines`.
    pub entry: EngineSpec,
    /// Starts its runs.
    pub arm: Arc<dyn Arm>,
    /// Most workers that it may be given; `None` where only the session's own limit holds.
    pub most_workers: Option<u32>,
}

impl ArmSpec {
    /// An arm of one of our own kinds.
    #[must_use]
    pub fn dispatched(entry: EngineSpec) -> Self {
        let arm = Arc::new(Dispatched(entry.kind));
        Self { entry, arm, most_workers: None }
    }
}
