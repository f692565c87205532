//! Our engines under the same recorder as in the real program, and the verdict on their ratios to a limit.

use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::{Plan, Policy};
use poolscope::engine::driver::{Run, RunSpec};
use poolscope::engine::event::RunState;
use poolscope::engine::stream::Admission;
use poolscope::engine::window::Chunk;
use poolscope::metrics::recorder::{Config, Recorder};
use poolscope::workload::model::{EngineKind, Kernel, Work};

use crate::support;

/// Runs so many no-op tasks, every one of them timed and counted; tasks per second from the start to the last process's
/// end.
pub fn tasks_per_second(kind: EngineKind, workers: u32, tasks: u64) -> f64 {
    let (policy, chunk) = match kind {
        EngineKind::Process => (Policy::OneTask, Chunk::One),
        EngineKind::Pool | EngineKind::Serial => (Policy::Reuse, Chunk::Adaptive),
    };
    let spec = RunSpec {
        plan: Plan {
            policy,
            workers,
            max_workers: 64,
            chunk,
            start_timeout: Duration::from_secs(10),
            classes: vec![support::rules()],
            admission: Admission::Batch,
            seed: 1,
        },
        stream: Box::new(support::Blocks(vec![tasks])),
        works: vec![Work::Kernel(Kernel::Noop)],
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let sample_interval = Some(Duration::from_millis(500));
    let (recorder, snapshots) = Recorder::new(Config { sample_interval, cores: workers, kind, unbounded: false });
    let begin = Instant::now();
    let run = Run::start(spec, Box::new(recorder)).expect("the engine starts");
    assert_eq!(run.join(), RunState::Finished);
    let took = begin.elapsed();
    let last = snapshots.borrow();
    assert_eq!(last.counts.succeeded, tasks);
    assert_eq!(last.latency.service.count, tasks, "every task is timed");
    tasks as f64 / took.as_secs_f64()
}

/// Measures a limit and ours in turn and prints each ratio and what follows from their median.
pub fn compare(name: &str, rounds: usize, must: f64, goal: f64, limit: impl Fn() -> f64, ours: impl Fn() -> f64) {
    let mut ratios: Vec<f64> = (1..=rounds)
        .map(|round| {
            let (limit, ours) = (limit(), ours());
            println!("round {round}: limit {limit:10.0}/s   {name} {ours:10.0}/s   ratio {:.2}", ours / limit);
            ours / limit
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let verdict = if median >= goal {
        "reaches the goal"
    } else if median >= must {
        "reaches what it must"
    } else {
        "TOO SLOW"
    };
    println!("{name} / limit: median {median:.2} (must {must}, goal {goal}): {verdict}");
}
