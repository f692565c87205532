//! The arm whose tasks our dispatcher gives to our worker processes: from an entry of a workload's `engines:` to a
//! [`Run`] of the driver.

use std::time::Duration;

use crate::engine::arm::{Arm, ArmRun, Completion, RunRequest, StartError};
use crate::engine::control::{Capabilities, Command};
use crate::engine::dispatcher::window::{Chunk, cpython_chunksize};
use crate::engine::dispatcher::{InitializerRules, Policy, Settings};
use crate::engine::driver::{Payload, Run, RunSpec, WorkerOrders};
use crate::engine::error::EngineError;
use crate::engine::event::{Observer, Slot};
use crate::engine::stream::ClassRules;
use crate::engine::submission;
use crate::os::surroundings::Surroundings;
use crate::worker::protocol::Initialize;
use crate::workload::model::{
    Chunksize, ClassId, CpuList, EngineKind, EngineSpec, Fault, Join, Mishap, Reap, StartMethod, TaskClass, Work,
    Workload,
};
use crate::workload::service;

/// An arm of one of our own kinds.
#[derive(Clone, Copy, Debug)]
pub struct Dispatched(pub EngineKind);

impl Arm for Dispatched {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            resize: self.0.has_worker_count(),
            pause: true,
            kill_worker: true,
            on_timeout: true,
            inject_fault: true,
            process_per_task: self.0.process_per_task(),
            lanes: false,
        }
    }

    fn start(&self, request: RunRequest<'_>, observer: Box<dyn Observer>) -> Result<Box<dyn ArmRun>, StartError> {
        let capabilities = self.capabilities();
        Ok(Box::new(DispatchedRun { run: Run::start(run_spec(request, capabilities), observer)?, capabilities }))
    }
}

#[derive(Debug)]
struct DispatchedRun {
    run: Run,
    capabilities: Capabilities,
}

impl ArmRun for DispatchedRun {
    fn command(&self, command: Command) {
        self.run.command(command);
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn join(self: Box<Self>) -> Result<Completion, EngineError> {
        self.run.join()
    }
}

/// What the driver needs for a run.
fn run_spec(request: RunRequest<'_>, capabilities: Capabilities) -> RunSpec {
    let RunRequest { workload, spec, workers, stream, admission, context } = request;
    let policy = if spec.kind.process_per_task() { Policy::OneTask } else { Policy::Reuse };
    let chunk = match spec.chunksize {
        _ if !policy.keeps_workers() => Chunk::One,
        Chunksize::Auto => Chunk::Adaptive,
        Chunksize::Fixed(chunk) => Chunk::Fixed(u64::from(chunk.get())),
        Chunksize::Cpython => Chunk::Fixed(cpython_chunksize(stream.total().unwrap_or(0), workers)),
    };
    RunSpec {
        settings: Settings {
            policy,
            workers,
            max_workers: if spec.kind.has_worker_count() { context.max_workers() } else { 1 },
            chunk,
            start_timeout: spec.start_timeout,
            initializer: spec.initializer.map(|initializer| InitializerRules {
                timeout: initializer.timeout,
                max_failures: initializer.max_failures.get(),
            }),
            joins_all: spec.join == Join::StartAllJoinAll,
            fork_server: spec.start_method == StartMethod::Forkserver,
            recycling: spec.recycling,
            join_timeout: workload.measure.join_timeout,
            kills: kills(workload, spec),
            classes: workload
                .classes
                .iter()
                .map(|class| ClassRules {
                    timeout: class.timeout,
                    on_timeout: spec.on_timeout.unwrap_or(class.on_timeout),
                    queue_timeout: class.queue_timeout,
                    wait_timeout: class.wait_timeout,
                    grace_period: class.grace_period,
                    retries: class.retries,
                })
                .collect(),
            admission: submission::admission(admission, spec, stream.total()),
            submitting: submission::submitting(spec, chunk),
            dealt: submission::dealt(spec, chunk),
            seed: workload.seed,
        },
        capabilities,
        orders: orders(workload, spec),
        works: workload.classes.iter().map(|class| class.work.clone()).collect(),
        stream,
        iterations_per_second: context.iterations_per_second,
        worker_program: context.worker_program.clone(),
        own_program: context.worker_program.clone(),
        folder: workload.folder.clone(),
        surroundings: Surroundings::new(
            spec.placement.affinity.as_ref().map(CpuList::numbers),
            spec.placement.nice,
            workload.limits.max_open_files,
        ),
        leaves_zombies: spec.reap == Reap::Never,
    }
}

/// What workers are told beyond tasks.
fn orders(workload: &Workload, spec: &EngineSpec) -> WorkerOrders {
    let initialize = spec.initializer.map(|initializer| Initialize {
        cpu_ns: u64::try_from(initializer.cpu.as_nanos()).unwrap_or(u64::MAX),
        memory_bytes: initializer.memory_bytes,
        fail_rate: initializer.fail_rate,
        start: 0,
    });
    let in_tasks = |mishap: &Mishap| match mishap {
        Mishap::InTask(fault) => Some(*fault),
        Mishap::KillWorker { .. } => None,
    };
    let faults: Vec<Fault> = mishaps(workload, spec).filter_map(in_tasks).collect();
    let whole_chunks = spec.submit.returns_chunks() && spec.chunksize != Chunksize::Auto;
    WorkerOrders { initialize, faults, whole_chunks, payload: recorded_times(workload), ..WorkerOrders::default() }
}

/// What comes with tasks whose times are those of a trace, which workers do not have.
fn recorded_times(workload: &Workload) -> Option<Payload> {
    let traced = |class: &TaskClass| service::has_traces(&class.work).then(|| class.work.clone());
    let works: Vec<Option<Work>> = workload.classes.iter().map(traced).collect();
    let seed = workload.seed;
    works.iter().any(Option::is_some).then(|| {
        let times = move |class: ClassId, index| {
            let work = works.get(usize::from(class))?.as_ref()?;
            Some(service::told_times(work, seed, index))
        };
        Box::new(times) as Payload
    })
}

/// When a worker is killed.
fn kills(workload: &Workload, spec: &EngineSpec) -> Vec<(Duration, Option<Slot>)> {
    let at_a_time = |mishap: &Mishap| match mishap {
        Mishap::KillWorker { at, worker } => Some((*at, worker.map(Slot))),
        Mishap::InTask(_) => None,
    };
    mishaps(workload, spec).filter_map(at_a_time).collect()
}

/// What is to go wrong in an arm.
fn mishaps<'a>(workload: &'a Workload, spec: &EngineSpec) -> impl Iterator<Item = &'a Mishap> {
    let arm = workload.engines.iter().position(|engine| engine.name == spec.name);
    let concerned = move |engine: Option<usize>| engine.is_none() || engine == arm;
    workload.faults.iter().filter(move |rule| concerned(rule.engine)).map(|rule| &rule.mishap)
}
