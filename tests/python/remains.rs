//! What a task leaves behind in its process, for those after it there: the rules that the README tells, in every engine.

use crate::harness::*;

/// Each is in one worker, so that what comes later is in the same process, but for those of a process engine.
const ARMS: &str = "engines: [{ kind: pool, workers: 1 }, { kind: process, workers: 1 }, { kind: serial }, { kind: thread, workers: 1 }]";

fn arms(python: &Python, source: &str, tasks: &[Task<'_>]) -> crate::support::program::WorkloadFolder {
    let folder = folder(python, tasks, &format!("python: {{ interpreter: PYTHON }}\n{ARMS}"));
    std::fs::write(folder.path("own.py"), source).unwrap();
    folder
}

fn both_ends() -> [&'static Python; 2] {
    [&pythons()[0], newest()]
}

#[test]
fn what_stays_is_found_by_those_after_it_in_the_same_process_and_by_no_other() {
    let source = r#"
import builtins, gc, io, os, sys, time
COUNT = 0
PROCESS = []

def change():
    global COUNT
    COUNT += 1
    PROCESS.append(os.getpid())
    os.chdir("/")
    os.environ["LEFT"] = "1"
    os.umask(0o27)
    builtins.len = lambda of: 5
    time.monotonic_ns = os.write = os.read = None
    sys.stdout = io.StringIO()
    gc.disable()

def look():
    found = (COUNT, os.getcwd() == "/", os.environ.get("LEFT"), os.umask(0o22), len(""), gc.isenabled())
    if PROCESS:
        assert PROCESS == [os.getpid()] and found == (1, True, "1", 0o27, 5, False), found
        assert type(sys.stdout) is io.StringIO and os.write is None
        os.umask(0o27)
    else:
        assert found[:3] == (0, False, None) and found[4:] == (0, True), found
    return bool(PROCESS)
"#;
    let tasks = [("before", "own:look", "count: 2"), ("t", "own:change", ""), ("after", "own:look", "count: 3")];
    let others = [("before", "own:look", "count: 2"), ("t", "own:look", ""), ("after", "own:look", "count: 3")];
    for python in both_ends() {
        let folder = arms(python, source, &tasks);
        let mut hashes = Vec::new();
        for engine in ENGINES {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 6, "{python:?} {engine}: {:?}", told.run["failures"]);
            hashes.push((engine, told.hash().to_owned()));
        }
        // The result says whether something was found: three times where the process is kept.
        let [(_, pool), (_, process), (_, serial), (_, thread)] = &hashes[..] else { panic!("{hashes:?}") };
        assert!(pool == serial && pool == thread && pool != process, "{hashes:?}");
        let untouched = run(&arms(python, source, &others), "process");
        assert_eq!(untouched.count("succeeded"), 6, "{python:?}: {:?}", untouched.run["failures"]);
    }
}

#[test]
fn what_would_strike_in_the_worker_is_undone_and_told() {
    let source = r#"
import os, sys, threading, time

def fine():
    assert sys.gettrace() is None and sys.getprofile() is None and sys.getrecursionlimit() >= 1000
    return deep(400)

def deep(n):
    return n and deep(n - 1)

def raises(*_):
    raise RuntimeError("it strikes in the worker")

def tracer():
    sys.settrace(raises)

def profiler():
    # What one raises when this very function returns is this task's.
    sys.setprofile(lambda *_: None)

def limit():
    for limit in range(3, 100):  # the lowest that it may be
        try:
            return sys.setrecursionlimit(limit)
        except RecursionError:
            pass

def high():
    sys.setrecursionlimit(5000)

def still_high():
    return sys.getrecursionlimit()

def thread():
    threading.Thread(target=time.sleep, args=(60,)).start()
    threading.Thread(target=lambda: [time.sleep(0.05), sys.stderr.write("late words\n")]).start()

def fails():
    time.sleep(0.2)
    raise ValueError("its own words")

def nonblocking():
    for number in range(64):
        try:
            os.set_blocking(number, False)
        except OSError:
            pass
"#;
    let names = ["tracer", "profiler", "limit", "nonblocking", "thread"];
    let callables = names.map(|name| format!("own:{name}"));
    let mut tasks: Vec<Task<'_>> = vec![("before", "own:fine", "count: 2")];
    for (name, callable) in names.iter().zip(&callables) {
        tasks.push((name, callable.as_str(), ""));
        tasks.push(("after", "own:fine", "count: 2"));
    }
    // Classes have names of their own.
    let afters = ["after-1", "after-2", "after-3", "after-4", "after-5"];
    let of_after = tasks.iter_mut().filter(|(name, ..)| *name == "after");
    of_after.zip(afters).for_each(|(task, name)| task.0 = name);
    tasks.push(("fails", "own:fails", ""));
    for python in both_ends() {
        let folder = arms(python, source, &tasks);
        for engine in ENGINES {
            let told = run(&folder, engine);
            let about = format!("{python:?} {engine}");
            assert_eq!((told.count("succeeded"), told.count("failed")), (17, 1), "{about}: {:?}", told.run["failures"]);
            // A thread that is left is not waited for, and what it says is nobody's.
            assert!(told.run["wall_s"].as_f64().unwrap() < 40.0, "{about}");
            let (_, cause, stderr) = told.of("fails");
            assert_eq!(cause, "ValueError: its own words", "{about}");
            assert!(!stderr.contains("late words"), "{about}: {stderr}");
            let notes = told.run["notes"].to_string();
            for what in ["a trace function", "a profile function", "a recursion limit below 1000"] {
                // Where nobody comes after it, nobody would find it.
                assert_eq!(notes.contains(&format!("left {what} in worker")), engine != "process", "{about}: {notes}");
            }
        }
        // A higher limit strikes nobody, and stays.
        let tasks = [("t", "own:high", ""), ("after", "own:still_high", "")];
        let folder = arms(python, source, &tasks);
        let hashes = ["pool", "serial", "thread", "process"].map(|engine| run(&folder, engine).hash().to_owned());
        assert!(hashes[0] == hashes[1] && hashes[0] == hashes[2] && hashes[0] != hashes[3], "{python:?}: {hashes:?}");
    }
}
