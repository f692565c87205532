//! A process for each no-op task in Python: forked from a server, one and two at a time, against `os.fork` and `os._exit` of
//! the same interpreter and as many at a time; spawned, against the bare start of the interpreter. All in turn, several
//! times; the ratios are what counts.
//!
//! `cargo bench --bench python_process`; `PYTHON` names another interpreter than python3.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod bare;
mod ours;
mod ratios;

use std::process::Command;
use std::sync::Arc;

use poolscope::worker::python::{PythonWorkers, probe};
use poolscope::workload::model::{Arguments, EngineKind, PayloadSizes, PythonCall, PythonSettings, StartMethod, Work};

const ROUNDS: usize = 7;
const TASKS: u64 = 400;
/// Of 1.6 ms that `os.fork` alone takes, 3 ms for a task.
const MUST: f64 = 3.0 / 1.6;

fn main() {
    let interpreter = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let settings = PythonSettings { interpreter: Some(interpreter), ..PythonSettings::default() };
    let callable = "builtins:callable".to_owned();
    let args = Arguments::Positional(vec![poolscope::workload::model::Value::Null]);
    let call = PythonCall { callable, args, payload: PayloadSizes::default(), draws: Vec::new(), told: Vec::new() };
    let found = probe(&settings, None, 1, &[&call]).expect("an interpreter");
    println!("{}", found.words());
    let program = found.executable.to_str().expect("a path in UTF-8").to_owned();
    let python = PythonWorkers {
        interpreter: Arc::new(found),
        settings,
        folder: None,
        callables: vec![call.callable.clone()],
        initializer: None,
        pickles: true,
        watches: false,
        gil_probe: false,
        interpreters: false,
        advice: None,
    };
    let ours = |start_method: StartMethod, at_once: u32, tasks: u64| {
        let case = ours::Case::new(EngineKind::Process, at_once, tasks, Work::Python(Box::new(call.clone())));
        1000.0 / ours::tasks_per_second(ours::Case { start_method, python: Some(python.clone()), ..case })
    };
    let forks = |at_once: u32| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/python_forks.py");
        let output = Command::new(&program).args([script, &at_once.to_string(), &TASKS.to_string()]).output();
        let text = String::from_utf8(output.expect("it runs").stdout).expect("a number");
        text.trim().parse::<f64>().expect("a number")
    };
    let starts = |at_once: u32| 1000.0 / bare::processes_per_second(&[&program, "-c", "pass"], at_once, TASKS / 8);
    let of = |name, must, goal| ratios::Ratios::of_times(name, " ms", must, goal);
    let mut one = of("forked no-op tasks, one at a time / os.fork alone", MUST, 1.6);
    let mut two = of("forked no-op tasks, two at a time / os.fork alone", MUST, 1.6);
    let mut spawned = of("spawned no-op tasks, two at a time / the bare interpreter", 1.3, 1.15);
    for _ in 0..ROUNDS {
        one.round(forks(1), ours(StartMethod::Forkserver, 1, TASKS));
        two.round(forks(2), ours(StartMethod::Forkserver, 2, TASKS));
        spawned.round(starts(2), ours(StartMethod::Spawn, 2, TASKS / 8));
    }
    for ratios in [one, two, spawned] {
        ratios.verdict();
    }
}
