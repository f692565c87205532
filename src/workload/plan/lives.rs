//! How long workers live, and what each does before its first task.

use std::time::Duration;

use crate::workload::model::EngineSpec;

/// See the module docs.
pub(super) struct Lives {
    /// CPU work of a fork server's initializer, which there is once, before the first worker.
    pub(super) before: Duration,
    /// CPU work of a worker's own initializer; what its memory takes is not known.
    pub(super) initializer: Duration,
    /// Tasks of one worker; `None` without a limit.
    pub(super) tasks: Option<u64>,
}

impl Lives {
    pub(super) fn of(spec: &EngineSpec) -> Self {
        let limit = spec.recycling.max_tasks.map(std::num::NonZeroU64::get);
        let cpu = spec.initializer.as_ref().map_or(Duration::ZERO, |initializer| initializer.cpu);
        let (before, initializer) =
            if spec.start_method.initializes_once() { (cpu, Duration::ZERO) } else { (Duration::ZERO, cpu) };
        Self { before, initializer, tasks: if spec.kind.process_per_task() { Some(1) } else { limit } }
    }

    /// Time for the initializers of a place in which so many tasks run one after the other.
    pub(super) fn initializing_s(&self, tasks: u64) -> f64 {
        let workers = self.tasks.map_or(u64::from(tasks > 0), |each| tasks.div_ceil(each));
        self.initializer.as_secs_f64() * workers as f64
    }
}
