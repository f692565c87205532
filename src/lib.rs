//! Pool or process, how many workers, and how do I know?
//!
//! Poolscope loads a workload from YAML, runs the same seeded stream of tasks through each engine and shows what
//! happened, live in a terminal or as text and JSON.
//!
//! # The tour
//! * [`workload`]: WHAT runs. The file, its loader, the seeded stream of tasks.
//! * [`engine`]: HOW it runs. An arm is whatever can run the stream: one pure dispatcher under two worker policies with the
//!   driver that carries out its effects, or a program of somebody else.
//! * [`worker`]: the child's side. Protocol, entry, kernels.
//! * [`os`]: processes, signals, shared memory, CPU and memory readings. Knows no tasks.
//! * [`metrics`]: folds events into bounded aggregates and publishes snapshots.
//! * [`analysis`]: statistics and verdicts, pure functions.
//! * [`session`]: one comparison in progress; the same for headless commands and the dashboard.
//! * [`report`]: text and JSON.
//! * [`tui`]: the dashboard.
//! * [`commands`]: one file per verb of the command line.

#[cfg(not(unix))]
compile_error!(
    "Poolscope needs a Unix system (Linux or macOS): it starts, signals and accounts for processes the POSIX way."
);

pub mod analysis;
pub mod cli;
pub mod commands;
pub mod engine;
pub mod metrics;
pub mod os;
pub mod report;
pub mod session;
pub mod tui;
pub mod worker;
pub mod workload;
