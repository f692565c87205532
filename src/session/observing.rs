//! Who watches the runs of a session beside its recorder: logs and exports.

use std::fmt::Debug;

use crate::engine::event::Observer;
use crate::metrics::snapshot::RunId;
use crate::workload::model::{EngineSpec, Workload};

/// Watches runs. Nothing in a session depends on it.
pub trait ObserveRuns: Debug + Send + Sync {
    /// What is told everything that happens in a run that begins now; `None` for one that is not watched.
    fn of_run(&self, begins: &RunBegins<'_>) -> Option<Box<dyn Observer>>;
}

/// A run that begins.
#[derive(Clone, Copy, Debug)]
pub struct RunBegins<'a> {
    pub workload: &'a Workload,
    /// The entry of its arm.
    pub spec: &'a EngineSpec,
    /// What it is called.
    pub run: RunId,
    /// How many workers it begins with.
    pub workers: u32,
}
