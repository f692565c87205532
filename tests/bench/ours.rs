//! Our engines under the same recorder as in the real program, and the verdict on their ratios to a limit.

use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{Policy, Settings, Submitting};
use poolscope::engine::driver::{Run, RunSpec, WorkerOrders};
use poolscope::engine::stream::Admission;
use poolscope::metrics::recorder::{Recorder, RecorderConfig};
use poolscope::metrics::snapshot::RunId;
use poolscope::workload::model::{EngineKind, Recycling, StartMethod, Work};
use poolscope::{Arm as _, Completion, Dispatched};

use crate::support;

/// Runs so many tasks of one kind, every one of them timed and counted; tasks per second from the start to the last process's
/// end.
pub fn tasks_per_second(kind: EngineKind, workers: u32, tasks: u64, work: Work) -> f64 {
    tasks_per_second_started(StartMethod::Spawn, kind, workers, tasks, work)
}

/// The same with workers that are started so.
pub fn tasks_per_second_started(
    start_method: StartMethod,
    kind: EngineKind,
    workers: u32,
    tasks: u64,
    work: Work,
) -> f64 {
    let (policy, chunk) =
        if kind.process_per_task() { (Policy::OneTask, Chunk::One) } else { (Policy::Reuse, Chunk::Adaptive) };
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
            fork_server: start_method == StartMethod::Forkserver,
            recycling: Recycling::default(),
            join_timeout: Duration::from_secs(2),
            kills: Vec::new(),
            classes: vec![support::rules()],
            admission: Admission::Batch,
            submitting: Submitting::default(),
            dealt: None,
            seed: 1,
        },
        stream: Box::new(support::Blocks(vec![tasks])),
        works: vec![work],
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
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
    let run = Run::start(spec, Box::new(recorder)).expect("the engine starts");
    assert_eq!(run.join().expect("the engine goes on"), Completion::Finished);
    let took = begin.elapsed();
    let last = snapshots.borrow();
    assert_eq!(last.counts.succeeded, tasks);
    assert_eq!(last.latency.service.count, tasks, "every task is timed");
    tasks as f64 / took.as_secs_f64()
}

/// Ratios of ours to a limit that was measured right before or after it.
pub struct Ratios {
    name: &'static str,
    must: f64,
    goal: f64,
    measured: Vec<f64>,
}

impl Ratios {
    /// `must` and `goal` are what the median of the ratios is held against.
    pub fn new(name: &'static str, must: f64, goal: f64) -> Self {
        Self { name, must, goal, measured: Vec::new() }
    }

    /// Adds one ratio and prints it.
    pub fn round(&mut self, limit: f64, ours: f64) {
        let ratio = ours / limit;
        self.measured.push(ratio);
        let (round, name) = (self.measured.len(), self.name);
        println!("round {round}: {name}: {ours:.0}/s, limit {limit:.0}/s, ratio {ratio:.2}");
    }

    /// Prints what follows from their median.
    pub fn verdict(mut self) {
        self.measured.sort_by(f64::total_cmp);
        let median = self.measured[self.measured.len() / 2];
        let verdict = if median >= self.goal {
            "reaches the goal"
        } else if median >= self.must {
            "reaches what it must"
        } else {
            "TOO SLOW"
        };
        println!("{}: median {median:.2} (must {}, goal {}): {verdict}", self.name, self.must, self.goal);
    }
}
