//! The process engine with no-op tasks, two at a time, against the limit: `posix_spawn` and wait of the same program that
//! does nothing, two at a time. Both in turn, several times; the ratio is what counts.
//!
//! `cargo bench --bench process`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::{Plan, Policy};
use poolscope::engine::driver::{Run, RunSpec};
use poolscope::engine::event::RunState;
use poolscope::engine::stream::Admission;
use poolscope::engine::window::Chunk;
use poolscope::metrics::recorder::{Config, Recorder};
use poolscope::os::spawn::Program;
use poolscope::worker::entry::WORKER;
use poolscope::workload::model::{EngineKind, Kernel, Work};

const TASKS: u64 = 2_000;
const AT_ONCE: u32 = 2;
const ROUNDS: usize = 7;
/// What the engine must reach, and what it aims at.
const MUST: f64 = 0.7;
const GOAL: f64 = 0.85;

const PROGRAM: &str = env!("CARGO_BIN_EXE_poolscope");

/// Processes per second: started and waited for, with nothing else.
fn limit() -> f64 {
    // A worker that finds that its parent is not the one it was told leaves at once: the same program, doing nothing.
    let nothing = Program::new(&[PROGRAM, WORKER, "0", "1"]).expect("a program");
    let null = std::fs::File::open("/dev/null").expect("/dev/null");
    let mut live = VecDeque::new();
    let begin = Instant::now();
    for _ in 0..TASKS {
        if live.len() == AT_ONCE as usize {
            let mut oldest: poolscope::os::child::Child = live.pop_front().expect("just counted");
            oldest.wait().expect("it ends");
        }
        live.push_back(nothing.spawn(&[(null.as_fd(), 0)]).expect("it starts"));
    }
    for mut child in live {
        child.wait().expect("it ends");
    }
    TASKS as f64 / begin.elapsed().as_secs_f64()
}

/// Tasks per second of our process engine.
fn engine() -> f64 {
    let spec = RunSpec {
        plan: Plan {
            policy: Policy::OneTask,
            workers: AT_ONCE,
            max_workers: 64,
            chunk: Chunk::One,
            classes: vec![support::rules()],
            admission: Admission::Batch,
            seed: 1,
        },
        stream: Box::new(support::Blocks(vec![TASKS])),
        works: vec![Work::Kernel(Kernel::Noop)],
        iterations_per_second: 1e9,
        worker_program: PROGRAM.into(),
    };
    let config = Config {
        sample_interval: Some(Duration::from_millis(500)),
        cores: AT_ONCE,
        kind: EngineKind::Process,
        unbounded: false,
    };
    let (recorder, snapshots) = Recorder::new(config);
    let begin = Instant::now();
    let run = Run::start(spec, Box::new(recorder)).expect("the engine starts");
    assert_eq!(run.join(), RunState::Finished);
    let took = begin.elapsed();
    assert_eq!(snapshots.borrow().counts.succeeded, TASKS);
    TASKS as f64 / took.as_secs_f64()
}

fn main() {
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (limit, ours) = (limit(), engine());
        println!("round {round}: limit {limit:6.0}/s   process engine {ours:6.0}/s   ratio {:.2}", ours / limit);
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
    println!("process engine / limit: median {median:.2} (must {MUST}, goal {GOAL}): {verdict}");
}
