//! CPython's own Pool, ProcessPoolExecutor and Process beside ours: the same outcomes where they can, and what they do where
//! they cannot, in every interpreter.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::*;
use crate::support::program::{WorkloadFolder, marked, only_run};

const KINDS: [&str; 3] = ["mp_pool", "ppe", "mp_process"];

const FUNCTIONS: &str = r#"
import os, sys, threading, time

def work(n):
    return {"n": n, "text": str(n), "half": n / 2}

def none(n):
    return None

def raises(n):
    if n == 7:
        raise ValueError("seven")
    return n

class Two(Exception):
    def __init__(self, one, two):
        super().__init__(one)

def two(n):
    if n == 3:
        raise Two(1, 2)
    time.sleep(0.005)
    return n

class Deadly(Exception):
    def __reduce__(self):
        return os._exit, (7,)

def deadly(n):
    if n == 3:
        raise Deadly()
    return n

def slow(n):
    time.sleep(30 if n == 2 else 0.01)
    return n

def long(n):
    time.sleep(30)

def lingers(n):
    def leave():
        time.sleep(0.2)
        open(__file__ + ".left", "a").write("x")
    threading.Thread(target=leave).start()
    return n

def seen(n):
    path = [folder for folder in sys.path if "poolscope-" in folder]
    return [os.environ.get("PYTHONPATH"), path, os.environ.get("FROM_SITECUSTOMIZE")]

def sees(n):
    assert seen(n) == [os.environ["EXPECTED"], [], "yes"], seen(n)

def odd(n):
    return lambda: n
"#;

/// Functions of [`FUNCTIONS`] called with the index of each task, in the arms of these entries.
fn workload(python: &Python, function: &str, more: &str, engines: &str) -> WorkloadFolder {
    let call = format!("references:{function}");
    let tasks = [("t", call.as_str(), more)];
    let folder = folder(python, &tasks, &format!("python: {{ interpreter: PYTHON }}\nengines: [{engines}]"));
    std::fs::write(folder.path("references.py"), FUNCTIONS).unwrap();
    folder
}

const TEN: &str = "args: { n: { index } }, count: 10";
const TWENTY: &str = "args: { n: { index } }, count: 20";

fn notes(told: &Told) -> String {
    let notes = told.run["notes"].as_array().into_iter().flatten();
    notes.filter_map(|note| note["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn waits_for_ever(told: &Told) -> bool {
    notes(told).contains("waits for ever")
}

#[test]
fn results_are_those_of_our_own_engines_whatever_the_calls_and_start_methods() {
    for python in pythons() {
        let ends = python.version == pythons()[0].version || python.version == newest().version;
        let mut arms: Vec<String> = KINDS.iter().map(|kind| format!("kind: {kind}")).collect();
        if ends {
            for method in ["fork", "spawn", "forkserver"] {
                arms.extend(KINDS.iter().map(|kind| format!("kind: {kind}, start_method: {method}")));
            }
            for submit in ["apply", "map", "imap", "imap_unordered"] {
                arms.push(format!("kind: mp_pool, submit: {submit}"));
                arms.push(format!("kind: mp_pool, submit: {submit}, chunksize: 3"));
            }
            arms.extend(["apply", "map"].map(|submit| format!("kind: ppe, submit: {submit}, chunksize: 3")));
            arms.push("kind: mp_process, submit: apply".to_owned());
            arms.push("kind: mp_pool, max_tasks_per_child: 2".to_owned());
        }
        let entries: Vec<String> =
            arms.iter().enumerate().map(|(place, arm)| format!("{{ name: a{place}, {arm}, workers: 2 }}")).collect();
        let folder = workload(python, "work", TEN, &format!("{}, {{ kind: pool, workers: 2 }}", entries.join(", ")));
        let ours = run(&folder, "pool");
        for (place, arm) in arms.iter().enumerate() {
            let told = run(&folder, &format!("a{place}"));
            assert_eq!(told.count("succeeded"), 10, "{python:?} {arm}: {:?}", told.run["failures"]);
            assert_eq!(told.hash(), ours.hash(), "{python:?} {arm}");
            assert!(!waits_for_ever(&told), "{python:?} {arm}: {}", notes(&told));
            assert!(told.run["wall_s"].as_f64().unwrap() > 0.0);
            let workers = told.run["workers"].as_array().unwrap();
            let cpu: f64 = workers.iter().map(|worker| worker["cpu_s"].as_f64().unwrap()).sum();
            assert!(cpu > 0.0, "{python:?} {arm}: each worker has its CPU time");
            let starts = told.run["worker_starts"].as_u64().unwrap();
            match () {
                () if arm.contains("mp_process") => assert_eq!(starts, 10, "{python:?} {arm}"),
                () if arm.contains("max_tasks") => assert!(starts >= 5, "{python:?} {arm}: {starts}"),
                () => assert!((1..=2).contains(&starts), "{python:?} {arm}: {starts}"),
            }
            assert_eq!(told.run["worker_restarts"], 0, "{python:?} {arm}");
        }
    }
}

#[test]
fn a_worker_that_dies_is_waited_for_for_ever_by_a_pool_breaks_an_executor_and_costs_its_task_elsewhere() {
    for python in pythons() {
        // In what way it dies is not the affair of the version: those at both ends see each.
        let ends = python.version == pythons()[0].version || python.version == newest().version;
        let ways: &[&str] = if ends { &["killed", "segfault", "vanish_ok"] } else { &["killed"] };
        for dies in ways {
            let call = format!("py01_worker_dies:{dies}");
            let fine = "args: { i: { index } }, count: 6";
            let tasks = [("dies", call.as_str(), ""), ("fine", "py01_worker_dies:fine", fine)];
            let folder = folder(python, &tasks, "");
            let begin = Instant::now();
            let told = run(&folder, "mp_pool");
            assert_eq!(
                (told.count("succeeded"), told.count("lost")),
                (6, 1),
                "{python:?} {dies}: {:?}",
                told.run["failures"]
            );
            assert!(told.of("dies").1.contains("its worker died"), "{python:?} {dies}: {}", told.of("dies").1);
            assert!(waits_for_ever(&told), "{python:?} {dies}: {}", notes(&told));
            assert!(told.run["results_hash"].is_null(), "{python:?}: what was not delivered cannot be compared");
            assert!(begin.elapsed() < Duration::from_secs(60), "it did not wait");

            let told = run(&folder, "ppe");
            assert_eq!(told.count("succeeded") + told.count("failed") + told.count("lost"), 7, "{python:?} {dies}");
            assert!(
                told.of("dies").1.contains("BrokenProcessPool") || told.of("dies").0 == "lost",
                "{python:?} {dies}"
            );
            assert!(!waits_for_ever(&told), "{python:?} {dies}: {}", notes(&told));

            let told = run(&folder, "mp_process");
            assert_eq!((told.count("succeeded"), told.of("dies").0), (6, "lost"), "{python:?} {dies}");
            assert!(!waits_for_ever(&told), "{python:?} {dies}: {}", notes(&told));
        }
    }
}

#[test]
fn leaving_the_interpreter_is_no_success() {
    for python in pythons() {
        let tasks =
            [("exit", "py02_not_an_exception:exit_zero", ""), ("fine", "py01_worker_dies:fine", "args: [1], count: 3")];
        let folder = folder(python, &tasks, "");
        for (kind, outcome, for_ever) in
            [("mp_pool", "lost", true), ("ppe", "failed", false), ("mp_process", "lost", false)]
        {
            let told = run(&folder, kind);
            assert_eq!(
                (told.of("exit").0, told.count("succeeded")),
                (outcome, 3),
                "{python:?} {kind}: {}",
                told.of("exit").1
            );
            assert_eq!(waits_for_ever(&told), for_ever, "{python:?} {kind}: {}", notes(&told));
        }
    }
}

#[test]
fn an_exception_that_cannot_be_read_back_ends_the_thread_that_takes_in_results_and_nothing_comes_any_more() {
    for python in pythons() {
        let folder = workload(python, "two", "args: { n: { index } }, count: 30", "{ kind: pool }");
        let told = run(&folder, "mp_pool");
        assert!(waits_for_ever(&told), "{python:?}: {}", notes(&told));
        assert!(notes(&told).contains("the thread that takes in the results"), "{python:?}: {}", notes(&told));
        let sum: u64 = ["succeeded", "failed", "lost", "cancelled"].iter().map(|outcome| told.count(outcome)).sum();
        assert!(
            sum == 30 && told.count("lost") >= 1 && told.count("succeeded") < 29,
            "{python:?}: {}",
            told.run["tasks"]
        );
        let told = run(&folder, "mp_process");
        assert_eq!((told.count("succeeded"), told.count("failed")), (29, 1), "{python:?}: {:?}", told.run["failures"]);
        // The caller itself is ended by what it reads.
        let folder = workload(python, "deadly", TWENTY, "{ kind: pool }");
        let output = folder.run("mp_pool", &["--format", "json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{python:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("exit code 7"), "{python:?}: {errors}");
    }
}

#[test]
fn exceptions_come_with_the_traceback_of_the_worker_and_without_ours() {
    for python in pythons() {
        let folder = workload(python, "raises", TWENTY, "{ kind: pool }");
        for kind in KINDS {
            let told = run(&folder, kind);
            assert_eq!((told.count("succeeded"), told.count("failed")), (19, 1), "{python:?} {kind}");
            let (_, cause, trace) = told.of("t");
            assert_eq!(cause, "ValueError: seven", "{python:?} {kind}");
            let expected =
                trace.starts_with("Traceback (most recent call last):") && trace.contains("references.py\", line");
            assert!(
                expected && !trace.contains("_poolscope") && !trace.contains("sitecustomize"),
                "{python:?} {kind}: {trace}"
            );
        }
    }
}

#[test]
fn a_chunk_tells_of_each_of_its_tasks_what_became_of_it() {
    for python in [&pythons()[0], newest()] {
        for arm in ["kind: mp_pool, submit: map", "kind: mp_pool, submit: imap", "kind: ppe, submit: map"] {
            let folder = workload(python, "raises", TWENTY, &format!("{{ name: a, {arm}, workers: 2, chunksize: 5 }}"));
            let told = run(&folder, "a");
            let counts: Vec<u64> = ["succeeded", "failed", "lost"].iter().map(|outcome| told.count(outcome)).collect();
            assert_eq!(counts, [15, 3, 2], "{python:?} {arm}: {:?}", told.run["failures"]);
            let failures = told.run["failures"].as_array().unwrap();
            let with = |words: &str| {
                let said = failures.iter().filter(|failure| failure["cause"].as_str().unwrap().contains(words));
                let mut tasks: Vec<u64> = said.map(|failure| failure["task"].as_u64().unwrap()).collect();
                tasks.sort_unstable();
                tasks
            };
            assert_eq!(with("it ran, and its result was not delivered"), [5, 6], "{python:?} {arm}");
            assert_eq!(with("ValueError: seven"), [7], "{python:?} {arm}");
            assert_eq!(with("never run"), [8, 9], "{python:?} {arm}");
            assert!(!waits_for_ever(&told), "{python:?} {arm}: {}", notes(&told));
        }
    }
}

#[test]
fn a_process_may_leave_by_itself_after_its_result_has_come() {
    for python in pythons() {
        let folder =
            workload(python, "lingers", "args: { n: { index } }, count: 3", "{ kind: mp_process, workers: 3 }");
        let told = run(&folder, "mp_process");
        assert_eq!(told.count("succeeded"), 3, "{python:?}");
        assert_eq!(told.run["deaths"], json!([]), "{python:?}");
        let left = std::fs::read_to_string(folder.path("references.py.left")).unwrap_or_default();
        assert_eq!(left, "xxx", "{python:?}: what it does after its task is cut short");
    }
}

#[test]
fn results_that_cannot_travel_fail_their_task() {
    for python in pythons() {
        let folder = workload(python, "odd", "args: { n: { index } }, count: 3", "{ kind: pool }");
        for kind in KINDS {
            let told = run(&folder, kind);
            assert_eq!(told.count("failed"), 3, "{python:?} {kind}: {:?}", told.run["failures"]);
            let cause = told.of("t").1;
            // `Can't pickle local object`, from 3.13 on `Can't get local object`.
            assert!(cause.contains("local object"), "{python:?} {kind}: {cause}");
        }
    }
}

#[test]
fn what_cannot_be_handed_on_is_said_before_the_run_in_the_words_of_the_interpreter() {
    for python in pythons() {
        let tasks = [("t", "py06_callables:lam", "count: 3")];
        let more = "engines: [{ kind: pool, workers: 1 }, { kind: mp_pool, workers: 1 }, { kind: ppe, workers: 1 }, \
                    { name: forks, kind: mp_process, start_method: fork }, { name: spawns, kind: mp_process, start_method: spawn }]";
        let folder = folder(python, &tasks, more);
        let output = folder.shell("POOLSCOPE compare w.yaml --repeats 1 --quiet --format json").output().unwrap();
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let arms: Vec<&str> =
            result["arms"].as_array().unwrap().iter().map(|arm| arm["name"].as_str().unwrap()).collect();
        assert_eq!(arms, ["pool", "forks"], "{python:?}: a fork has the function already");
        let skipped = result["workload"]["skipped"].as_array().unwrap();
        let named = |name: &str| skipped.iter().find(|arm| arm["name"] == name).unwrap()["reason"].as_str().unwrap();
        for arm in ["mp_pool", "ppe", "spawns"] {
            let reason = named(arm);
            let of_python = reason.contains("cannot be pickled: ") && reason.contains("Can't pickle");
            assert!(of_python && reason.contains("py06_callables:lam"), "{python:?} {arm}: {reason}");
        }
        let output = folder.run("mp_pool", &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{python:?}: it is not run through a wrapper");
    }
}

#[test]
fn what_cpythons_own_cannot_do_is_said_and_not_done_for_it() {
    let python = newest();
    let cases = [
        ("mp_pool", "timeout: 1s, args: [1]", "", "it cannot end one task (`timeout`)"),
        ("ppe", "queue_timeout: 1s, args: [1]", "", "it cannot take a task out of its queue"),
        ("mp_process", "retries: { max: 1 }, args: [1]", "", "it does not run a task again"),
        ("mp_pool", "args: [1], payload: { out: 1KiB }", "", "returns what the function returns"),
        ("mp_pool", "args: { n: 1 }, wait_timeout: 1s", ", submit: map", "waits for all results together"),
        ("mp_pool", "args: [1]", "arrivals", "`max_in_flight`"),
    ];
    for (kind, task, more, words) in cases {
        let engine = if more == "arrivals" { "" } else { more };
        let folder = workload(python, "work", &format!("{task}, count: 3"), &format!("{{ kind: {kind}{engine} }}"));
        if more == "arrivals" {
            let file = std::fs::read_to_string(folder.path("w.yaml")).unwrap();
            std::fs::write(folder.path("w.yaml"), format!("{file}arrivals: {{ mode: closed, max_in_flight: 2 }}\n"))
                .unwrap();
        }
        let output = folder.run(kind, &[]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && errors.contains(words), "{kind} {task}: {errors}");
    }
}

#[test]
fn a_caller_that_gives_up_leaves_its_worker_busy() {
    for python in pythons() {
        for kind in KINDS {
            let limited = "args: { n: { index } }, count: 12, wait_timeout: 2s";
            let folder = workload(python, "slow", limited, &format!("{{ kind: {kind}, workers: 2 }}"));
            let told = run(&folder, kind);
            assert_eq!(
                (told.count("succeeded"), told.count("timed_out")),
                (11, 1),
                "{python:?} {kind}: {:?}",
                told.run["failures"]
            );
            let (_, cause, _) = told.of("t");
            assert!(cause.contains("its caller gave up after its wait_timeout of 2s"), "{python:?} {kind}: {cause}");
            assert!(!waits_for_ever(&told), "{python:?} {kind}: {}", notes(&told));
            let wall = told.run["wall_s"].as_f64().unwrap();
            assert!(wall < 15.0, "{python:?} {kind}: the task that goes on is not waited for: {wall}");
        }
    }
}

#[test]
fn the_program_sees_nothing_of_the_shim_and_a_sitecustomize_of_its_own_is_run() {
    for python in pythons() {
        let folder = workload(python, "sees", "args: { n: { index } }, count: 2", "{ kind: pool }");
        std::fs::create_dir(folder.path("site")).unwrap();
        let own = "import os\nos.environ['FROM_SITECUSTOMIZE'] = 'yes'\n";
        std::fs::write(folder.path("site/sitecustomize.py"), own).unwrap();
        // Each version once with each kind, and those at both ends in every way.
        let ends = python.version == pythons()[0].version || python.version == newest().version;
        let methods: &[&str] = if ends { &["fork", "spawn", "forkserver"] } else { &["spawn"] };
        for kind in KINDS {
            for method in methods {
                let file = std::fs::read_to_string(folder.path("w.yaml")).unwrap();
                let (begin, _) = file.split_once("engines:").unwrap();
                let engines = format!("engines: [{{ kind: {kind}, workers: 2, start_method: {method} }}]\n");
                std::fs::write(folder.path("w.yaml"), format!("{begin}{engines}")).unwrap();
                let mut command = folder.run(kind, &["--format", "json"]);
                command.env("PYTHONPATH", folder.path("site")).env("EXPECTED", folder.path("site"));
                let run = only_run(&command.output().unwrap());
                assert_eq!(run["tasks"]["succeeded"], 2, "{python:?} {kind} {method}: {:?}", run["failures"]);
            }
        }
    }
}

#[test]
fn a_run_that_is_stopped_leaves_nothing_behind() {
    for kind in KINDS {
        for method in ["fork", "spawn", "forkserver"] {
            let engine = format!("{{ kind: {kind}, workers: 2, start_method: {method} }}");
            let task = "args: { n: { index } }, count: 4, grace_period: 300ms";
            let folder = workload(newest(), "long", task, &engine);
            let tmp = folder.path("tmp");
            std::fs::create_dir(&tmp).unwrap();
            let mut child = folder.run(kind, &[]).env("TMPDIR", &tmp).spawn().unwrap();
            let until = Instant::now() + crate::support::WALL;
            while marked(child.id()).len() < 3 {
                assert!(Instant::now() < until, "{kind} {method}: its workers are started");
                std::thread::sleep(Duration::from_millis(10));
            }
            let begin = Instant::now();
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(130), "{kind} {method}");
            assert!(begin.elapsed() < Duration::from_secs(20), "{kind} {method}: {:?}", begin.elapsed());
            assert!(marked(child.id()).is_empty(), "{kind} {method}");
            assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0, "{kind} {method}: no folder is left");
        }
    }
}

#[test]
fn tasks_that_arrive_in_time_are_handed_in_then() {
    for kind in KINDS {
        let folder = folder(newest(), &[], "");
        let arrivals = "arrivals: { mode: open, process: constant, stages: [{ duration: 400ms, rate: 50/s }] }";
        let file = format!(
            "version: 1\nseed: 7\npython: {{ interpreter: {} }}\ntasks:\n  - {{ name: t, kind: python, callable: \
             \"references:none\", args: {{ n: {{ index }} }} }}\n{arrivals}\nengines: [{{ kind: {kind}, workers: 2 }}]\n",
            newest().program.display()
        );
        std::fs::write(folder.path("w.yaml"), file).unwrap();
        std::fs::write(folder.path("references.py"), FUNCTIONS).unwrap();
        let told = run(&folder, kind);
        assert!(told.count("succeeded") >= 18, "{kind}: {:?}", told.run["failures"]);
        assert!(told.run["wall_s"].as_f64().unwrap() > 0.3, "{kind}");
    }
}
