//! What takes part in a comparison.

use std::sync::Arc;

use crate::engine::arm::Arm;
use crate::engine::dispatched::Dispatched;
use crate::engine::external::reference::Reference;
use crate::workload::model::{EngineSpec, Workload};

/// An arm that takes part in a comparison: its entry, and what can run the stream.
#[derive(Clone, Debug)]
pub struct ArmSpec {
    /// Its entry in the workload's `engines`.
    pub entry: EngineSpec,
    /// Starts its runs.
    pub arm: Arc<dyn Arm>,
    /// Most workers that it may be given; `None` where only the session's own limit holds.
    pub most_workers: Option<u32>,
    /// What it runs where that is not the session's workload: a sweep changes the tasks too.
    pub workload: Option<Arc<Workload>>,
}

impl ArmSpec {
    /// The arm that an entry means: one of our own, or one of CPython's.
    #[must_use]
    pub fn of_entry(entry: EngineSpec) -> Self {
        match Reference::of_kind(entry.kind) {
            Some(reference) => Self { entry, arm: Arc::new(reference), most_workers: None, workload: None },
            None => Self::dispatched(entry),
        }
    }

    /// An arm of one of our own kinds.
    #[must_use]
    pub fn dispatched(entry: EngineSpec) -> Self {
        let arm = Arc::new(Dispatched(entry.kind));
        Self { entry, arm, most_workers: None, workload: None }
    }
}
