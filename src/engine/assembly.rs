//! From an entry of a workload's `engines:` to what a run needs.

use std::ffi::OsString;

use crate::engine::dispatcher::window::{Chunk, cpython_chunksize};
use crate::engine::dispatcher::{Policy, Settings};
use crate::engine::driver::RunSpec;
use crate::engine::stream::{Admission, ClassRules, TaskStream};
use crate::os::board;
use crate::workload::model::{Chunksize, EngineKind, EngineSpec, Workers, Workload};

/// What is the same for every run of a session.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Cores that `workers: auto` stands for.
    pub usable_cores: u32,
    /// Most processes that may be started at once.
    pub max_processes: u32,
    /// Iterations of the CPU kernel in a second of an idle core.
    pub iterations_per_second: f64,
    /// The program that is started as a worker.
    pub worker_program: OsString,
}

impl Surroundings {
    /// Most workers an arm may have.
    #[must_use]
    pub fn max_workers(&self) -> u32 {
        self.max_processes.clamp(1, board::SLOTS)
    }

    /// The number of workers an entry asks for.
    #[must_use]
    pub fn workers(&self, spec: &EngineSpec, tasks: u64) -> u32 {
        if spec.kind == EngineKind::Serial {
            return 1;
        }
        let workers = match spec.workers {
            Workers::Auto => self.usable_cores,
            Workers::Fixed(workers) => workers.get(),
            Workers::Unbounded => u32::try_from(tasks).unwrap_or(u32::MAX),
        };
        workers.clamp(1, self.max_workers())
    }
}

/// Puts together one run of an arm.
#[must_use]
pub fn run_spec(
    workload: &Workload,
    spec: &EngineSpec,
    workers: u32,
    stream: Box<dyn TaskStream>,
    admission: Admission,
    surroundings: &Surroundings,
) -> RunSpec {
    let policy = match spec.kind {
        EngineKind::Pool | EngineKind::Serial => Policy::Reuse,
        EngineKind::Process => Policy::OneTask,
    };
    let chunk = match spec.chunksize {
        _ if !policy.keeps_workers() => Chunk::One,
        Chunksize::Auto => Chunk::Adaptive,
        Chunksize::Fixed(chunk) => Chunk::Fixed(u64::from(chunk.get())),
        Chunksize::Cpython => Chunk::Fixed(cpython_chunksize(stream.total().unwrap_or(0), workers)),
    };
    let serial = spec.kind == EngineKind::Serial;
    RunSpec {
        settings: Settings {
            policy,
            workers,
            max_workers: if serial { 1 } else { surroundings.max_workers() },
            chunk,
            start_timeout: spec.start_timeout,
            initializer: None,
            classes: workload
                .classes
                .iter()
                .map(|class| ClassRules {
                    timeout: class.timeout,
                    queue_timeout: class.queue_timeout,
                    grace_period: class.grace_period,
                    retries: class.retries,
                })
                .collect(),
            admission,
            seed: workload.seed,
        },
        works: workload.classes.iter().map(|class| class.work.clone()).collect(),
        stream,
        iterations_per_second: surroundings.iterations_per_second,
        worker_program: surroundings.worker_program.clone(),
        folder: workload.folder.clone(),
    }
}
