//! Our engines under the same recorder as in the real program.
#![allow(dead_code, reason = "each benchmark has its own cases")]

use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{Policy, Settings, Submitting};
use poolscope::engine::driver::{Run, RunSpec, WorkerOrders};
use poolscope::engine::event::{Observer, Observers};
use poolscope::engine::stream::{Admission, ClosedLoop};
use poolscope::metrics::recorder::{Recorder, RecorderConfig};
use poolscope::metrics::snapshot::RunId;
use poolscope::worker::python::PythonWorkers;
use poolscope::workload::model::{EngineKind, Recycling, StartMethod, SubmitMode, Work};
use poolscope::{Arm as _, Completion, Dispatched};

use crate::support;

/// What is run.
pub struct Case {
    pub kind: EngineKind,
    pub start_method: StartMethod,
    pub chunk: Chunk,
    pub submit: SubmitMode,
    pub workers: u32,
    pub tasks: u64,
    pub work: Work,
    /// What workers are told that are interpreters.
    pub python: Option<PythonWorkers>,
}

impl Case {
    /// So many tasks of one kind as an engine runs them if nothing else is asked for.
    pub fn new(kind: EngineKind, workers: u32, tasks: u64, work: Work) -> Self {
        let chunk = if kind.process_per_task() { Chunk::One } else { Chunk::Adaptive };
        let (start_method, submit) = (StartMethod::Spawn, SubmitMode::ApplyAsync);
        Self { kind, start_method, chunk, submit, workers, tasks, work, python: None }
    }
}

/// Runs a case, every task of it timed and counted; tasks per second from the start to the last process's end.
pub fn tasks_per_second(case: Case) -> f64 {
    tasks_per_second_observed(case, Observers::default())
}

/// The same with others that observe it too.
pub fn tasks_per_second_observed(case: Case, others: Observers) -> f64 {
    let Case { kind, start_method, chunk, submit, workers, tasks, work, python } = case;
    let policy = if kind.process_per_task() { Policy::OneTask } else { Policy::Reuse };
    let admission = if submit == SubmitMode::Apply {
        Admission::Submitted { submitter: Box::new(ClosedLoop::new(tasks)), capacity: Some(1) }
    } else {
        Admission::Batch
    };
    let capabilities = Dispatched(kind).capabilities();
    let spec = RunSpec {
        settings: Settings {
            policy,
            workers,
            max_workers: 64,
            chunk,
            start_timeout: Duration::from_secs(10),
            initializer: None,
            joins_all: false,
            start_method,
            recycling: Recycling::default(),
            join_timeout: Duration::from_secs(2),
            kills: Vec::new(),
            classes: vec![support::rules()],
            admission,
            submitting: Submitting { mode: submit, ..Submitting::default() },
            dealt: None,
            halt: None,
            seed: 1,
        },
        stream: Box::new(support::Blocks(vec![tasks])),
        works: vec![work],
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
        python,
        own_program: env!("CARGO_BIN_EXE_poolscope").into(),
        folder: None,
        surroundings: poolscope::os::surroundings::Surroundings::default(),
        capabilities,
        orders: WorkerOrders::default(),
        leaves_zombies: false,
    };
    let sample_interval = Some(Duration::from_millis(500));
    let (recorder, snapshots) = Recorder::new(RecorderConfig {
        sample_interval,
        cores: workers,
        capabilities,
        unbounded: false,
        run: RunId::default(),
    });
    let begin = Instant::now();
    let observers: Observers = [Box::new(recorder) as Box<dyn Observer>, Box::new(others)].into_iter().collect();
    let run = Run::start(spec, Box::new(observers)).expect("the engine starts");
    assert_eq!(run.join().expect("the engine goes on"), Completion::Finished);
    let took = begin.elapsed();
    let last = snapshots.borrow();
    assert_eq!(last.counts.succeeded, tasks);
    assert_eq!(last.latency.service.count, tasks, "every task is timed");
    tasks as f64 / took.as_secs_f64()
}
