//! Python: a pool with no-op tasks against what people have, driven by the same interpreter, and the start of an
//! interpreter of ours against the bare one.
//!
//! * `multiprocessing.Pool.imap_unordered` with `chunksize=1`, and mpire with its defaults, each from the making of the pool to
//!   its last result. mpire comes from PyPI into a throw-away environment; without a network it is left out, and said.
//! * A process per task whose task is nothing, against `python3 -c pass` as users would run it, one after the other.
//!
//! `cargo bench --bench python`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

mod ratios;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 5;
const WORKERS: usize = 2;
const TASKS: u64 = 400_000;
/// The others are slower by far.
const THEIR_TASKS: u64 = 20_000;
const STARTS: u64 = 60;

/// A script that runs so many no-op tasks and prints how many of them there were in a second.
const MULTIPROCESSING: &str = "
import multiprocessing, sys, time, own
if __name__ == '__main__':
    workers, tasks = int(sys.argv[1]), int(sys.argv[2])
    begin = time.monotonic()
    with multiprocessing.Pool(workers) as pool:
        count = sum(1 for _ in pool.imap_unordered(own.one, range(tasks), chunksize=1))
    assert count == tasks
    print(tasks / (time.monotonic() - begin))
";
const MPIRE: &str = "
import sys, time, own
from mpire import WorkerPool
if __name__ == '__main__':
    workers, tasks = int(sys.argv[1]), int(sys.argv[2])
    begin = time.monotonic()
    with WorkerPool(n_jobs=workers) as pool:
        count = sum(1 for _ in pool.imap_unordered(own.one, range(tasks)))
    assert count == tasks
    print(tasks / (time.monotonic() - begin))
";
const OWN: &str = "def nothing(): pass\n\ndef one(x): pass\n";

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    for (name, text) in [("own.py", OWN), ("mp.py", MULTIPROCESSING), ("with_mpire.py", MPIRE)] {
        std::fs::write(at.join(name), text).expect("a file");
    }
    let python = interpreter();
    println!("interpreter: {python}");
    let mpire = mpire(&python, at);
    let theirs = |program: &str, script: &str, tasks: u64| -> f64 {
        let output = Command::new(program)
            .arg(at.join(script))
            .args([WORKERS.to_string(), tasks.to_string()])
            .env("PYTHONPATH", at)
            .stderr(Stdio::inherit())
            .output()
            .expect("an interpreter");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("tasks per second")
    };

    let mut to_pool = ratios::Ratios::new("no-op tasks in Python / Pool.imap_unordered(chunksize=1)", 8.0, 10.0);
    let mut to_mpire = ratios::Ratios::new("no-op tasks in Python / mpire as it is", 1.5, 2.0);
    let mut starts = ratios::Ratios::of_times("a process and its task / python3 -c pass", " µs", 1.5, 1.3);
    for _ in 0..ROUNDS {
        let tasks = ours(at, &python, "pool", WORKERS, TASKS);
        to_pool.round(theirs(&python, "mp.py", THEIR_TASKS), tasks);
        if let Some(program) = &mpire {
            to_mpire.round(theirs(program, "with_mpire.py", TASKS / 4), tasks);
        }
        starts.round(bare(&python), 1e6 / ours(at, &python, "process", 1, STARTS));
    }
    to_pool.verdict();
    if mpire.is_some() {
        to_mpire.verdict();
    }
    starts.verdict();
}

/// The interpreter itself, without the script that a version manager puts before it.
fn interpreter() -> String {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().expect("python3");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// An interpreter that has mpire.
fn mpire(python: &str, at: &Path) -> Option<String> {
    let environment = at.join("venv");
    let made = Command::new(python).args(["-m", "venv"]).arg(&environment).output().ok()?;
    let own = environment.join("bin/python").to_string_lossy().into_owned();
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "mpire"];
    let installed = Command::new(&own).args(pip).output().ok().filter(|_| made.status.success());
    match installed {
        Some(output) if output.status.success() => Some(own),
        other => {
            let why = other.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
            let why = why.lines().last().unwrap_or("no virtual environment").to_owned();
            println!("mpire is left out: it cannot be installed here: {why}");
            None
        }
    }
}

/// Tasks per second, as a run reports them.
fn ours(at: &Path, python: &str, engine: &str, workers: usize, tasks: u64) -> f64 {
    let workload = format!(
        "version: 1\npython: {{ interpreter: {python} }}\n\
         tasks: [{{ name: t, kind: python, callable: \"own:nothing\", count: {tasks} }}]\n\
         engines: [{{ kind: {engine}, workers: {workers}, start_method: spawn }}]\n"
    );
    std::fs::write(at.join("w.yaml"), workload).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_poolscope"))
        .args(["run", "w.yaml", "--engine", engine, "--quiet", "--format", "json"])
        .current_dir(at)
        .env("POOLSCOPE_CACHE_DIR", at.join("cache"))
        .env("POOLSCOPE_DB", "off")
        .output()
        .expect("this program");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let run = &result["arms"][0]["runs"][0];
    assert_eq!(run["tasks"]["succeeded"], tasks, "{}", run["failures"]);
    run["throughput"].as_f64().expect("a rate")
}

/// Microseconds that the bare interpreter takes for nothing, one after the other.
fn bare(python: &str) -> f64 {
    let begin = Instant::now();
    for _ in 0..STARTS {
        let ended = Command::new(python).args(["-c", "pass"]).stdin(Stdio::null()).status().expect("an interpreter");
        assert!(ended.success());
    }
    begin.elapsed().as_secs_f64() * 1e6 / STARTS as f64
}
