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
use crate::worker::python::PythonWorkers;
use crate::workload::model::{
    Chunksize, ClassId, CpuList, EngineKind, EngineSpec, Fault, Join, Mishap, OnTimeout, PayloadSizes, Reap,
    StartMethod, TaskClass, Work, Workload,
};

/// An arm of one of our own kinds.
#[derive(Clone, Copy, Debug)]
pub struct Dispatched(pub EngineKind);

impl Arm for Dispatched {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            resize: self.0.has_worker_count(),
            pause: true,
            kill_worker: true,
            on_timeout: !self.0.shares_process(),
            inject_fault: true,
            process_per_task: self.0.process_per_task(),
            lanes: self.0.shares_process(),
        }
    }

    fn start(&self, request: RunRequest<'_>, observer: Box<dyn Observer>) -> Result<Box<dyn ArmRun>, StartError> {
        // Orders to do wrong are for workers of ours.
        let native = request.workload.classes.iter().all(|class| class.work.callable().is_none());
        let capabilities = self.capabilities();
        let capabilities = Capabilities { inject_fault: capabilities.inject_fault && native, ..capabilities };
        Ok(Box::new(DispatchedRun { run: Run::start(run_spec(request, capabilities)?, observer)?, capabilities }))
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
fn run_spec(request: RunRequest<'_>, capabilities: Capabilities) -> Result<RunSpec, StartError> {
    let RunRequest { workload, spec, workers, stream, admission, context, gil_probe } = request;
    let python = python(workload, spec)?.map(|python| {
        let advice = python.interpreter.too_many_threads(workers, context.usable_cores);
        PythonWorkers { advice, gil_probe, ..python }
    });
    // What is imported is no silence: an interpreter shows that it is at it, and one that others are forked from does not.
    let forks = python.is_some() && spec.start_method != StartMethod::Spawn;
    let imports = if forks { spec.python.patience() } else { Duration::ZERO };
    let policy = match spec.kind {
        kind if kind.process_per_task() => Policy::OneTask,
        kind if kind.shares_process() => Policy::OneWorker,
        _ => Policy::Reuse,
    };
    // A thread cannot be ended.
    let on_timeout = if policy.shares_worker() { Some(OnTimeout::Abandon) } else { spec.on_timeout };
    let chunk = match spec.chunksize {
        _ if !policy.keeps_workers() => Chunk::One,
        Chunksize::Auto => Chunk::Adaptive,
        Chunksize::Fixed(chunk) => Chunk::Fixed(u64::from(chunk.get())),
        Chunksize::Cpython => Chunk::Fixed(cpython_chunksize(stream.total().unwrap_or(0), workers)),
    };
    Ok(RunSpec {
        settings: Settings {
            policy,
            workers,
            max_workers: context.max_workers_of(spec.kind),
            chunk,
            start_timeout: spec.start_timeout + imports,
            initializer: spec.initializer.as_ref().map(|initializer| InitializerRules {
                timeout: initializer.timeout,
                max_failures: initializer.max_failures.get(),
            }),
            joins_all: spec.join == Join::StartAllJoinAll,
            start_method: spec.start_method,
            recycling: spec.recycling,
            join_timeout: workload.measure.join_timeout,
            kills: kills(workload, spec),
            classes: workload
                .classes
                .iter()
                .map(|class| ClassRules {
                    timeout: class.timeout,
                    on_timeout: on_timeout.unwrap_or(class.on_timeout),
                    queue_timeout: class.queue_timeout,
                    wait_timeout: class.wait_timeout,
                    grace_period: class.grace_period,
                    answers: matches!(class.work, Work::Served(_)),
                    retries: class.retries,
                })
                .collect(),
            admission: submission::admission(admission, spec, stream.total()),
            submitting: submission::submitting(spec, chunk),
            dealt: submission::dealt(spec, chunk),
            halt: workload.batch.halt,
            seed: workload.seed,
        },
        capabilities,
        orders: orders(workload, spec),
        works: workload.classes.iter().map(TaskClass::sent).collect(),
        stream,
        iterations_per_second: context.iterations_per_second,
        worker_program: context.worker_program.clone(),
        python,
        own_program: context.worker_program.clone(),
        folder: workload.folder.clone(),
        surroundings: Surroundings::new(
            spec.placement.affinity.as_ref().map(CpuList::numbers),
            spec.placement.nice,
            workload.limits.max_open_files,
        ),
        leaves_zombies: spec.reap == Reap::Never,
    })
}

/// The interpreters of an arm, where its tasks are in Python.
fn python(workload: &Workload, spec: &EngineSpec) -> Result<Option<PythonWorkers>, StartError> {
    let callables: Vec<String> =
        workload.classes.iter().filter_map(|class| class.work.callable().map(str::to_owned)).collect();
    if callables.is_empty() {
        return Ok(None);
    }
    let interpreter = spec.interpreter.clone().ok_or(StartError::NoInterpreter)?;
    Ok(Some(PythonWorkers {
        interpreter,
        settings: spec.python.over(&workload.python),
        folder: workload.folder.clone(),
        callables,
        initializer: spec.initializer.as_ref().and_then(|initializer| initializer.call.clone()),
        // Results of a serial engine stay where they are, and those of threads are handed over as they are. From one interpreter
        // to another nothing goes but as between processes.
        pickles: !matches!(spec.kind, EngineKind::Serial | EngineKind::Thread),
        watches: !spec.kind.process_per_task(),
        gil_probe: false,
        interpreters: spec.kind == EngineKind::Interpreter,
        advice: None,
    }))
}

/// What workers are told beyond tasks.
fn orders(workload: &Workload, spec: &EngineSpec) -> WorkerOrders {
    let initialize = spec.initializer.as_ref().map(|initializer| Initialize {
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
    let payloads = (0..).zip(&workload.classes).map(|(id, class)| (id, class.payload()));
    WorkerOrders {
        initialize,
        faults,
        payload: with_tasks(workload),
        payloads: payloads.filter(|(_, payload)| *payload != PayloadSizes::default()).collect(),
        ..WorkerOrders::default()
    }
}

/// What comes with tasks: times that are those of a trace, arguments that are drawn or made of an item and programs that are
/// started for an item, none of which workers can know, and payloads.
fn with_tasks(workload: &Workload) -> Option<Payload> {
    let classes: Vec<Option<TaskClass>> =
        workload.classes.iter().map(|class| Some(class).filter(|class| class.tells()).cloned()).collect();
    let seed = workload.seed;
    classes.iter().any(Option::is_some).then(|| {
        let bytes = move |class: ClassId, index, attempt| {
            let class = classes.get(usize::from(class))?.as_ref()?;
            Some(class.told(seed, index, attempt).map_err(|error| error.to_string()))
        };
        Box::new(bytes) as Payload
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
fn mishaps<'a>(workload: &'a Workload, spec: &'a EngineSpec) -> impl Iterator<Item = &'a Mishap> {
    workload.faults.iter().filter(|rule| rule.is_for(&spec.name)).map(|rule| &rule.mishap)
}
