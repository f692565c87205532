//! The process engine with no-op tasks, two at a time, against the limit: `posix_spawn` and wait of the same program that
//! does nothing, two at a time. Both in turn, several times; the ratio is what counts.
//!
//! `cargo bench --bench process`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod ours;

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::Instant;

use poolscope::os::child::Child;
use poolscope::os::spawn::Program;
use poolscope::worker::entry::WORKER;
use poolscope::workload::model::EngineKind;

const TASKS: u64 = 2_000;
const AT_ONCE: u32 = 2;

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
            let mut oldest: Child = live.pop_front().expect("just counted");
            oldest.wait().expect("it ends");
        }
        live.push_back(nothing.spawn(&[(null.as_fd(), 0)]).expect("it starts"));
    }
    for mut child in live {
        child.wait().expect("it ends");
    }
    TASKS as f64 / begin.elapsed().as_secs_f64()
}

fn main() {
    let ours = || ours::tasks_per_second(EngineKind::Process, AT_ONCE, TASKS);
    ours::compare("process engine", 7, 0.7, 0.85, limit, ours);
}
