//! What is the same for every run of a session: the machine's limits and the program that workers are made of.

use std::ffi::OsString;

use crate::os::board;
use crate::workload::model::{EngineKind, EngineSpec, Workers};

/// What is the same for every run of a session.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// Cores that `workers: auto` stands for.
    pub usable_cores: u32,
    /// Most processes that may be started at once.
    pub max_processes: u32,
    /// Iterations of the CPU kernel in a second of an idle core.
    pub iterations_per_second: f64,
    /// The program that is started as a worker.
    pub worker_program: OsString,
}

impl RunContext {
    /// Most workers an arm may have.
    #[must_use]
    pub fn max_workers(&self) -> u32 {
        self.max_processes.clamp(1, board::SLOTS)
    }

    /// Most workers an arm of this kind may have.
    #[must_use]
    pub fn max_workers_of(&self, kind: EngineKind) -> u32 {
        match kind {
            kind if !kind.has_worker_count() => 1,
            // As many again may be ghosts.
            kind if kind.shares_process() => board::SLOTS / 2 - 1,
            _ => self.max_workers(),
        }
    }

    /// The number of workers an entry asks for.
    #[must_use]
    pub fn workers(&self, spec: &EngineSpec, tasks: u64) -> u32 {
        if !spec.kind.has_worker_count() {
            return 1;
        }
        let workers = match spec.workers {
            Workers::Auto => spec.placement.cores(self.usable_cores),
            Workers::Fixed(workers) => workers.get(),
            Workers::Unbounded => u32::try_from(tasks).unwrap_or(u32::MAX),
        };
        workers.clamp(1, self.max_workers_of(spec.kind))
    }
}
