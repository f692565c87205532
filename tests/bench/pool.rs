//! The pool with no-op tasks, every task timed and counted, against the limit: a parent and as many workers with nothing
//! but sockets, clocks and three histograms between them. Both in turn, several times; the ratio is what counts.
//!
//! `cargo bench --bench pool`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod limit;

use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::{Plan, Policy};
use poolscope::engine::driver::{Run, RunSpec};
use poolscope::engine::event::RunState;
use poolscope::engine::stream::Admission;
use poolscope::engine::window::Chunk;
use poolscope::metrics::recorder::{Config, Recorder};
use poolscope::workload::model::{EngineKind, Kernel, Work};

const TASKS: u64 = 10_000_000;
const WORKERS: u32 = 2;
const ROUNDS: usize = 5;
/// What the pool must reach, and what it aims at.
const MUST: f64 = 0.3;
const GOAL: f64 = 0.6;

/// Tasks per second of our pool.
fn pool() -> f64 {
    let spec = RunSpec {
        plan: Plan {
            policy: Policy::Reuse,
            workers: WORKERS,
            max_workers: 64,
            chunk: Chunk::Adaptive,
            classes: vec![support::rules()],
            admission: Admission::Batch,
            seed: 1,
        },
        stream: Box::new(support::Blocks(vec![TASKS])),
        works: vec![Work::Kernel(Kernel::Noop)],
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let config = Config {
        sample_interval: Some(Duration::from_millis(500)),
        cores: WORKERS,
        kind: EngineKind::Pool,
        unbounded: false,
    };
    let (recorder, snapshots) = Recorder::new(config);
    let begin = Instant::now();
    let run = Run::start(spec, Box::new(recorder)).expect("the engine starts");
    assert_eq!(run.join(), RunState::Finished);
    let took = begin.elapsed();
    let last = snapshots.borrow();
    assert_eq!(last.counts.succeeded, TASKS);
    assert_eq!(last.latency.service.count, TASKS, "every task is timed");
    TASKS as f64 / took.as_secs_f64()
}

fn main() {
    if limit::taken_over() {
        return;
    }
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (limit, ours) = (limit::tasks_per_second(WORKERS, TASKS, 1024), pool());
        println!(
            "round {round}: limit {:5.1} M/s   pool {:5.1} M/s   ratio {:.2}",
            limit / 1e6,
            ours / 1e6,
            ours / limit
        );
        ratios.push(ours / limit);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let verdict = if median >= GOAL {
        "reaches the goal"
    } else if median >= MUST {
        "reaches what it must"
    } else {
        "TOO SLOW"
    };
    println!("pool / limit: median {median:.2} (must {MUST}, goal {GOAL}): {verdict}");
}
