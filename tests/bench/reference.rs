//! What it costs CPython's own Pool, ProcessPoolExecutor and Process to be observed: each as an arm, against a plain script
//! that makes the same calls in the same interpreter. Tasks of a millisecond of CPU, held against a bar, and tasks that do
//! nothing, where the cost of each is told and subtracted nowhere. In turn, several times; the ratios are what counts. Both
//! sides are timed from before anything is made that runs tasks (the interpreter is there and has imported what it needs) to the
//! last result in the hands of the caller: how processes are closed and waited for after that is part of neither.
//!
//! `cargo bench --bench reference` (`POOLSCOPE_PYTHON=PATH` for another interpreter than `python3`)
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod ratios;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use poolscope::engine::external::reference::Reference;
use poolscope::worker::python::probe;
use poolscope::workload::model::{EngineSpec, PythonCall, Work};
use poolscope::{Arm as _, Completion, Recorder, RecorderConfig, RunContext, RunId, RunRequest, SharedStream};

const ROUNDS: usize = 7;
const WORKERS: u32 = 2;

/// The functions, and the calls of a plain script.
const TASKS: &str = r#"
import os
LOOPS = int(os.environ.get("LOOPS", "0"))

def busy(n):
    total = 0
    for number in range(LOOPS):
        total += number
    return total

def noop(n):
    return None
"#;
const SCRIPT: &str = r#"
import collections, concurrent.futures, multiprocessing, sys, time
import multiprocessing.connection
import tasks

def call(connection, function, argument):
    connection.send(function(argument))

def main(kind, name, count, workers):
    function, begin = getattr(tasks, name), time.perf_counter()
    if kind == "mp_pool":
        with multiprocessing.Pool(workers) as pool:
            for result in [pool.apply_async(function, (n,)) for n in range(count)]:
                result.get()
            end = time.perf_counter()
    elif kind == "ppe":
        with concurrent.futures.ProcessPoolExecutor(workers) as executor:
            for future in [executor.submit(function, n) for n in range(count)]:
                future.result()
            end = time.perf_counter()
    else:
        left, running = collections.deque(range(count)), {}
        while left or running:
            while left and len(running) < workers:
                ours, theirs = multiprocessing.Pipe(duplex=False)
                process = multiprocessing.Process(target=call, args=(theirs, function, left.popleft()))
                process.start()
                theirs.close()
                running[process.sentinel] = process, ours
            for sentinel in multiprocessing.connection.wait(list(running)):
                process, ours = running.pop(sentinel)
                ours.recv()
                end = time.perf_counter()
                process.join()
    print(end - begin)

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
"#;
const LOOPS_OF_A_MILLISECOND: &str = r#"
import time
def loops(n):
    begin = time.perf_counter()
    total = 0
    for number in range(n):
        total += number
    return time.perf_counter() - begin
print(int(1e-3 * 1000000 / min(loops(1000000) for _ in range(5))))
"#;

fn python() -> String {
    std::env::var("POOLSCOPE_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn printed(command: &mut Command) -> String {
    let output = command.output().expect("the interpreter starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Tasks per second of the plain script, from before its pool or first process is made to the last result.
fn plain(folder: &Path, kind: &str, function: &str, count: u64, loops: &str) -> f64 {
    let mut script = Command::new(python());
    script.args(["script.py", kind, function, &count.to_string(), &WORKERS.to_string()]);
    let seconds = printed(script.current_dir(folder).env("LOOPS", loops));
    count as f64 / seconds.parse::<f64>().expect("seconds")
}

/// Tasks per second of the arm, from when its caller says hello, which is before it makes its pool, to the last result.
fn arm(folder: &Path, kind: &str, function: &str, count: u64, loops: &str) -> f64 {
    let text = format!(
        "version: 1\nname: w\nseed: 1\npython: {{ interpreter: {}, path: ['{}'], env: {{ LOOPS: {loops} }} }}\ntasks: [{{ \
         name: t, kind: python, callable: 'tasks:{function}', args: [{{ index }}], count: {count} }}]\nengines: [{{ kind: \
         {kind}, workers: {WORKERS} }}]\n",
        python(),
        folder.display()
    );
    let workload = poolscope::load(&text, "w").expect("a workload").workload;
    let calls: Vec<&PythonCall> = workload
        .classes
        .iter()
        .filter_map(|class| match &class.work {
            Work::Python(call) => Some(&**call),
            _ => None,
        })
        .collect();
    let interpreter = probe(&workload.python, None, 1, &calls).expect("an interpreter");
    let spec = EngineSpec { interpreter: Some(Arc::new(interpreter)), ..workload.engines[0].clone() };
    let reference = Reference::of_kind(spec.kind).expect("one of CPython's own");
    let context = RunContext {
        usable_cores: WORKERS,
        max_processes: 64,
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let (recorder, snapshots) = Recorder::new(RecorderConfig {
        sample_interval: Some(std::time::Duration::from_millis(500)),
        cores: WORKERS,
        capabilities: reference.capabilities(),
        unbounded: false,
        run: RunId::default(),
    });
    let stream = SharedStream::new(&workload);
    let request = RunRequest {
        workload: &workload,
        spec: &spec,
        workers: WORKERS,
        admission: stream.admission(&workload),
        stream: Box::new(stream),
        context: &context,
        gil_probe: false,
    };
    let run = reference.start(request, Box::new(recorder)).expect("the arm starts");
    assert_eq!(run.join().expect("the arm goes on"), Completion::Finished);
    let last = snapshots.borrow();
    assert_eq!(last.counts.succeeded, count);
    count as f64 / last.wall().as_secs_f64()
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tasks.py"), TASKS).expect("a file");
    std::fs::write(folder.path().join("script.py"), SCRIPT).expect("a file");
    let loops = printed(Command::new(python()).args(["-c", LOOPS_OF_A_MILLISECOND]));
    println!("{} loops are a millisecond of {}", loops, printed(Command::new(python()).arg("-V")));
    for (kind, count, noops) in [("mp_pool", 3000, 30_000), ("ppe", 3000, 10_000), ("mp_process", 300, 300)] {
        let name = match kind {
            "mp_pool" => "mp_pool, observed / plain, 1 ms",
            "ppe" => "ppe, observed / plain, 1 ms",
            _ => "mp_process, observed / plain, 1 ms",
        };
        let mut ratios = ratios::Ratios::new(name, 0.95, 0.98);
        let mut costs = Vec::new();
        for round in 0..ROUNDS {
            // Whoever comes first has the machine as the one before left it.
            let (bare, observed) = if round % 2 == 0 {
                let bare = plain(folder.path(), kind, "busy", count, &loops);
                (bare, arm(folder.path(), kind, "busy", count, &loops))
            } else {
                let observed = arm(folder.path(), kind, "busy", count, &loops);
                (plain(folder.path(), kind, "busy", count, &loops), observed)
            };
            ratios.round(bare, observed);
            let bare = plain(folder.path(), kind, "noop", noops, "0");
            let observed = arm(folder.path(), kind, "noop", noops, "0");
            costs.push((1e6 / bare, 1e6 / observed));
        }
        ratios.verdict();
        costs.sort_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
        let (bare, observed) = costs[ROUNDS / 2];
        println!(
            "{kind}: a no-op takes {observed:.1} us observed and {bare:.1} us plain: {:+.1} us\n",
            observed - bare
        );
    }
}
