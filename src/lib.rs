//! Pool or process, how many workers, and how do I know?
//!
//! Poolscope loads a workload from YAML, runs the same seeded stream of tasks through each engine and shows what
//! happened, live in a terminal or as text and JSON.
//!
//! # The tour
//! Who lives where, and who may use whom. A test reads this table and holds the code to it.
//!
//! | part | what it is | may use |
//! |---|---|---|
//! | [`workload`] | WHAT runs: the file, its loader, the seeded stream of tasks | |
//! | [`os`] | processes, signals, shared memory, CPU and memory readings; knows no tasks | |
//! | [`worker`] | the child's side: protocol, entry, kernels | `workload`, `os` |
//! | [`engine`] | HOW it runs: an arm is whatever can run the stream; one pure dispatcher with the driver that carries out its effects, or somebody's program | `workload`, `worker`, `os` |
//! | [`metrics`] | folds events into bounded aggregates and publishes snapshots | `workload`, `os`, `vocabulary` |
//! | [`analysis`] | statistics and verdicts, pure functions | `workload`, `os`, `vocabulary`, `metrics` |
//! | [`report`] | text and JSON | `workload`, `os`, `vocabulary`, `metrics`, `analysis` |
//! | [`session`] | one comparison in progress; the same for headless commands and the dashboard | `workload`, `os`, `worker`, `engine`, `metrics`, `analysis` |
//! | [`tui`] | the dashboard | `workload`, `os`, `vocabulary`, `metrics`, `analysis`, `report`, `session` |
//! | [`cli`] | the arguments, as they are typed | `workload` |
//! | [`commands`] | one file per verb of the command line | `workload`, `os`, `worker`, `engine`, `metrics`, `analysis`, `report`, `session`, `tui`, `cli` |
//!
//! The *vocabulary* of an engine is what those know who observe or command it, and not how it works: `engine::event`,
//! `engine::outcome`, `engine::control`.
//!
//! As a library this is a guest in whoever's process: see [`os::process_owner`].

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
