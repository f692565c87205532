//! The process engine, two tasks at a time, against what no process for a task can be faster than: `posix_spawn` and wait
//! of a tiny static C program, or `fork` and `_exit` of one where workers are forked, two at a time. All in turn, several times; the ratios are what counts.
//!
//! `cargo bench --bench process`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod bare;
mod ours;
mod ratios;

use poolscope::worker::entry::WORKER;
use poolscope::workload::model::{CommandLine, EngineKind, Kernel, StartMethod, Work};

const ROUNDS: usize = 9;
const TASKS: u64 = 2_000;
const AT_ONCE: u32 = 2;

fn main() {
    let tiny = bare::tiny_program().unwrap_or_else(|why| panic!("{why}"));
    let tiny = tiny.to_str().expect("a path in UTF-8");
    // A worker that finds that its parent is not the one it was told leaves at once: the same program, doing nothing.
    let nothing = [env!("CARGO_BIN_EXE_poolscope"), WORKER, "0", "1"];
    let noop = Work::Kernel(Kernel::Noop);
    let command = Work::Command(CommandLine::new(vec![tiny.to_owned()]));
    let bare = |argv: &[&str]| bare::processes_per_second(argv, AT_ONCE, TASKS);
    let case = |work: &Work| ours::Case::new(EngineKind::Process, AT_ONCE, TASKS, work.clone());
    let engine = |work: &Work| ours::tasks_per_second(case(work));
    let forked =
        |work: &Work| ours::tasks_per_second(ours::Case { start_method: StartMethod::Forkserver, ..case(work) });

    let mut to_tiny = ratios::Ratios::new("no-op tasks / tiny static C program", 0.6, 0.65);
    let mut to_nothing = ratios::Ratios::new("no-op tasks / the worker doing nothing", 0.6, 0.7);
    let mut commands = ratios::Ratios::new("commands / the same program", 0.75, 0.9);
    let mut to_fork = ratios::Ratios::new("forked no-op tasks / fork and _exit of a tiny process", 0.6, 0.7);
    for _ in 0..ROUNDS {
        let limit = bare(&[tiny]);
        let tasks = engine(&noop);
        to_tiny.round(limit, tasks);
        to_nothing.round(bare(&nothing), tasks);
        commands.round(bare(&[tiny]), engine(&command));
        let forks = bare::forks_per_second(AT_ONCE, TASKS).unwrap_or_else(|why| panic!("{why}"));
        to_fork.round(forks, forked(&noop));
    }
    for ratios in [to_tiny, to_nothing, commands, to_fork] {
        ratios.verdict();
    }
}
