//! The pool with no-op tasks, every task timed and counted, against the limit: a parent and as many workers with nothing
//! but sockets, clocks and three histograms between them. Both in turn, several times; the ratio is what counts.
//!
//! `cargo bench --bench pool`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod limit;
mod ours;
mod ratios;

use poolscope::workload::model::{EngineKind, Kernel, Work};

const TASKS: u64 = 10_000_000;
const ROUNDS: usize = 5;
const WORKERS: u32 = 2;
const WINDOW: u64 = 1024;

fn main() {
    if limit::taken_over() {
        return;
    }
    let mut ratios = ratios::Ratios::new("pool / limit", 0.3, 0.6);
    for _ in 0..ROUNDS {
        let limit = limit::tasks_per_second(WORKERS, TASKS, WINDOW, WINDOW);
        let case = ours::Case::new(EngineKind::Pool, WORKERS, TASKS, Work::Kernel(Kernel::Noop));
        let ours = ours::tasks_per_second(case);
        ratios.round(limit, ours);
    }
    ratios.verdict();
}
