//! What tasks do beside their work, under CPython's own: pools and copies of themselves, modules of the user's that bear names
//! of the standard library, and what they see of their surroundings.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::*;
use crate::support::program::{WorkloadFolder, only_run};

const FUNCTIONS: &str = r#"
import json, os, time

def pause(n):
    time.sleep(0.001)

def threads(n):
    from multiprocessing.pool import ThreadPool
    with ThreadPool(2) as pool:
        pool.map(pause, range(40), chunksize=20)
    return n

def dummy(n):
    import multiprocessing.dummy
    pool = multiprocessing.dummy.Pool(2)
    pool.map(pause, range(40), chunksize=20)
    pool.close()
    pool.join()
    return n

def forks(n):
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return n

def splits(n):
    os.fork()
    return n

def own_modules(n):
    import resource
    if n == 7:
        raise ValueError("seven")
    return resource.mine(), n

def environment(n):
    with open("%s.%d" % (__file__, n), "w") as file:
        json.dump(dict(os.environ), file)
    return n

def takes(data):
    with open("/proc/%d/status" % os.getppid()) as file:
        row = [row for row in file if row.startswith("VmHWM:")]
    with open(__file__ + ".peak", "a") as file:
        file.write(row[0])
    return len(data)
"#;

const TWELVE: &str = "args: { n: { index } }, count: 12";

fn workload(python: &Python, function: &str, task: &str, engine: &str) -> WorkloadFolder {
    let call = format!("beside:{function}");
    let more = format!("python: {{ interpreter: PYTHON }}\nengines: [{{ name: a, {engine} }}]");
    let folder =
        folder(python, &[("t", call.as_str(), task)], &format!("{more}\nmeasure: {{ join: {{ timeout: 1s }} }}"));
    std::fs::write(folder.path("beside.py"), FUNCTIONS).unwrap();
    folder
}

fn notes(run: &Value) -> String {
    run["notes"].as_array().into_iter().flatten().filter_map(|note| note["text"].as_str()).collect()
}

#[test]
fn a_task_with_a_pool_of_threads_is_timed_as_a_whole() {
    let arms = ["mp_pool", "mp_pool, submit: map, chunksize: 3", "ppe", "ppe, submit: map, chunksize: 3", "mp_process"];
    for python in [&pythons()[0], newest()] {
        for function in ["threads", "dummy"] {
            for arm in arms {
                let folder = workload(python, function, TWELVE, &format!("kind: {arm}, workers: 2"));
                let told = run(&folder, "a");
                assert_eq!(told.count("succeeded"), 12, "{python:?} {function} {arm}: {:?}", told.run["failures"]);
                // Each of its two threads sleeps twenty times.
                let half = told.run["latency_s"]["service"]["p50"].as_f64().unwrap();
                assert!(half >= 0.019, "{python:?} {function} {arm}: {half} s");
            }
        }
    }
}

#[test]
fn a_copy_that_a_task_makes_of_its_worker_and_that_goes_on_is_no_contradiction() {
    for python in [&pythons()[0], newest()] {
        for function in ["forks", "splits"] {
            for kind in ["mp_pool", "mp_process"] {
                let task = "args: { n: { index } }, count: 6";
                let folder = workload(python, function, task, &format!("kind: {kind}, workers: 2, start_method: fork"));
                let output = folder.run("a", &["--format", "json"]).output().unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(!errors.contains("panicked"), "{python:?} {function} {kind}: {errors}");
                let run = only_run(&output);
                assert_eq!(
                    run["tasks"]["succeeded"],
                    6,
                    "{python:?} {function} {kind}: {:?} {}",
                    run["failures"],
                    notes(&run)
                );
            }
        }
    }
}

#[test]
fn modules_of_the_users_with_names_of_the_standard_library_are_theirs_and_break_nothing() {
    for python in [&pythons()[0], newest()] {
        for kind in ["mp_pool", "ppe", "mp_process"] {
            for method in ["fork", "spawn", "forkserver"] {
                let engine = format!("kind: {kind}, workers: 2, start_method: {method}");
                let folder = workload(python, "own_modules", "args: { n: { index } }, count: 8", &engine);
                std::fs::write(folder.path("resource.py"), "def mine(): return 'mine'\n").unwrap();
                if kind == "mp_process" {
                    // What a pool imports in its workers is CPython's affair.
                    std::fs::write(folder.path("queue.py"), "raise ImportError('not that one')\n").unwrap();
                }
                let told = run(&folder, "a");
                let counts = (told.count("succeeded"), told.count("failed"));
                assert_eq!(counts, (7, 1), "{python:?} {kind} {method}: {:?}", told.run["failures"]);
                let (_, cause, trace) = told.of("t");
                assert_eq!(cause, "ValueError: seven", "{python:?} {kind} {method}");
                assert!(trace.contains("beside.py\", line"), "{python:?} {kind} {method}: {trace}");
            }
        }
    }
}

#[test]
fn a_folder_for_temporary_files_may_be_relative_or_have_a_colon_in_its_name() {
    for (temporary, method) in [(".", "fork"), (".", "spawn"), ("a:b", "spawn"), ("a:b", "forkserver")] {
        let engine = format!("kind: mp_pool, workers: 2, start_method: {method}");
        let folder = workload(newest(), "own_modules", "args: { n: 1 }, count: 4", &engine);
        std::fs::write(folder.path("resource.py"), "def mine(): return 'mine'\n").unwrap();
        std::fs::create_dir_all(folder.path("elsewhere/a:b")).unwrap();
        let mut command = folder.run("a", &["--format", "json"]);
        let run = only_run(&command.current_dir(folder.path("elsewhere")).env("TMPDIR", temporary).output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 4, "{temporary} {method}: {:?}", run["failures"]);
    }
}

#[test]
fn a_task_has_the_environment_of_a_plain_script() {
    let variables = |text: &str| -> BTreeMap<String, String> { serde_json::from_str(text).unwrap() };
    for python in [&pythons()[0], newest()] {
        for kind in ["mp_pool", "ppe", "mp_process"] {
            for method in ["fork", "spawn", "forkserver"] {
                let engine = format!("kind: {kind}, workers: 2, start_method: {method}");
                let folder = workload(python, "environment", "args: { n: { index } }, count: 2", &engine);
                let run = folder.run("a", &["--format", "json"]).output().unwrap();
                assert_eq!(only_run(&run)["tasks"]["succeeded"], 2);
                let mut script = std::process::Command::new(&python.program);
                script.args(["-c", "import json, os; print(json.dumps(dict(os.environ)))"]);
                let script = script
                    .env("POOLSCOPE_CACHE_DIR", folder.path("cache"))
                    .env("POOLSCOPE_DB", "off")
                    .output()
                    .unwrap();
                let plain = variables(&String::from_utf8(script.stdout).unwrap());
                let mut seen = variables(&std::fs::read_to_string(folder.path("beside.py.1")).unwrap());
                // Every process of a run has these, in every engine.
                for mark in ["POOLSCOPE_RUN", "POOLSCOPE_DEPTH", "PYTHONHASHSEED"] {
                    assert!(seen.remove(mark).is_some(), "{python:?} {kind} {method}: {mark}");
                }
                assert_eq!(seen, plain, "{python:?} {kind} {method}");
            }
        }
    }
}

#[test]
fn a_module_may_clean_the_environment() {
    let cleans =
        "import os\nfor name in list(os.environ):\n    if name not in ('PATH', 'HOME'): del os.environ[name]\n";
    for kind in ["mp_pool", "ppe", "mp_process"] {
        for method in ["spawn", "forkserver"] {
            let engine = format!("kind: {kind}, workers: 2, start_method: {method}");
            let folder = workload(newest(), "pause", "args: { n: 1 }, count: 4", &engine);
            std::fs::write(folder.path("beside.py"), format!("{cleans}{FUNCTIONS}")).unwrap();
            let told = run(&folder, "a");
            assert_eq!(told.count("succeeded"), 4, "{kind} {method}: {:?}", told.run["failures"]);
        }
    }
}

#[test]
fn arguments_are_made_when_they_are_handed_in() {
    let task = "args: ['{payload}'], count: 150, payload: { in: 2MiB }";
    let folder = workload(newest(), "takes", task, "kind: mp_process, workers: 2, start_method: fork");
    assert_eq!(run(&folder, "a").count("succeeded"), 150);
    let peaks = std::fs::read_to_string(folder.path("beside.py.peak")).unwrap();
    let peaks = peaks.lines().map(|row| row.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap());
    let peak = peaks.max().unwrap() >> 10;
    assert!(peak < 150, "the caller of 300 MiB has had {peak} MiB");
}

#[test]
fn an_executor_that_does_not_replace_its_workers_is_not_waited_for() {
    for python in every_python().iter().filter(|python| python.version >= (3, 11)) {
        for more in
            ["start_method: spawn", "start_method: forkserver, submit: map", "start_method: forkserver, submit: apply"]
        {
            let engine = format!("kind: ppe, workers: 2, max_tasks_per_child: 2, {more}");
            let folder = workload(python, "pause", "args: [{ index }], count: 20", &engine);
            let told = run(&folder, "a");
            let (done, said) = (told.count("succeeded"), notes(&told.run));
            let stood = said.contains("waits for ever") && said.contains("python/cpython#115634");
            assert!(stood && done < 20 || !stood && done == 20, "{python:?} {more}: {done} {said}");
            assert_eq!(done + told.count("cancelled") + told.count("lost"), 20, "{python:?} {more}");
        }
    }
}
