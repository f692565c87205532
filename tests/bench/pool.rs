//! The pool with no-op tasks, every task timed and counted, against the limit: a parent and as many workers with nothing
//! but sockets, clocks and three histograms between them. Both in turn, several times; the ratio is what counts.
//!
//! `cargo bench --bench pool`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod limit;
mod ours;

use poolscope::workload::model::EngineKind;

const TASKS: u64 = 10_000_000;
const WORKERS: u32 = 2;
const WINDOW: u64 = 1024;

fn main() {
    if limit::taken_over() {
        return;
    }
    ours::compare(
        "pool",
        5,
        0.3,
        0.6,
        || limit::tasks_per_second(WORKERS, TASKS, WINDOW),
        || ours::tasks_per_second(EngineKind::Pool, WORKERS, TASKS),
    );
}
