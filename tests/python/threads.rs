//! What is different where tasks are threads of one interpreter: they cannot be ended, they share what they do to their
//! process, and what ends it ends all of them.

use serde_json::Value;

use crate::harness::*;
use crate::support::program::WorkloadFolder;

/// The functions of these tests.
const SOURCE: &str = r#"
import _thread, ctypes, os, signal, sys, threading, time

locks = threading.Lock(), threading.Lock()
together = threading.Barrier(2)

def fine(ms=5): time.sleep(ms / 1000)
def busy(ms=5):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end: pass
def stuck():
    while True: time.sleep(0.01)
def burns():
    while True: pass
def whole_gil(): return sum(range(10 ** 11))
def leaves(): together.wait(20); time.sleep(0.1); print("last words"); os._exit(7)
def killed(): together.wait(20); time.sleep(0.1); os.kill(os.getpid(), signal.SIGKILL)
def crashes(): together.wait(20); time.sleep(0.1); ctypes.string_at(0)
def bystander(): together.wait(20); time.sleep(600)
def closes(): os.closerange(3, 1024)
def closes_and_stays(): os.closerange(3, 1024); time.sleep(20)
def no_room():
    _thread.start_new_thread(sys.setrecursionlimit, (6,))
    end = time.monotonic() + 10
    while time.monotonic() < end: pass
def one_then_other(index):
    first, second = locks if index == 0 else locks[::-1]
    with first:
        together.wait(20)
        with second: pass
def prints(index):
    print("printed by %d." % index, end="")
    sys.stderr.write("said by %d." % index)
    os.write(1, b"written by somebody.")
    time.sleep(0.002)
    if index % 5 == 3: raise ValueError(index)
def replaces(): sys.stdout = None; sys.stderr = None; return 1
def lanes(): together.wait(20); return threading.current_thread().name
def starts():
    said = []
    thread = threading.Thread(target=said.append, args=(1,))
    thread.start(); thread.join()
    return said
def main(): return threading.current_thread() is threading.main_thread()
def handler(): signal.signal(signal.SIGALRM, signal.SIG_IGN)
def leave(): sys.exit(3)
def recurse(): recurse()
"#;

/// These tasks in a thread engine with so many threads.
fn threaded(python: &Python, threads: u32, tasks: &[Task<'_>], more: &str) -> WorkloadFolder {
    let engines = format!("engines: [{{ kind: thread, workers: {threads} }}]");
    let tasks: Vec<(String, &str, &str)> =
        tasks.iter().map(|(name, call, rest)| ((*name).to_owned(), *call, *rest)).collect();
    let tasks: Vec<(&str, String, &str)> =
        tasks.iter().map(|(name, call, rest)| (name.as_str(), format!("threaded:{call}"), *rest)).collect();
    let tasks: Vec<Task<'_>> = tasks.iter().map(|(name, call, rest)| (*name, call.as_str(), *rest)).collect();
    let folder = folder(python, &tasks, &format!("python: {{ interpreter: PYTHON }}\n{engines}\n{more}"));
    std::fs::write(folder.path("threaded.py"), SOURCE).unwrap();
    folder
}

fn failures<'a>(told: &'a Told, class: &str) -> Vec<&'a Value> {
    told.run["failures"].as_array().unwrap().iter().filter(|failure| failure["class"] == class).collect()
}

#[test]
fn threads_are_made_where_the_hooks_for_exceptions_are_gone() {
    let source = "import sys, threading, time\nsys.excepthook = threading.excepthook = None\ndef work(n):\n    assert sys.excepthook is \
                  None\n    time.sleep(n)\n    return n\n";
    let tasks = [("long", "own:work", "args: [60], timeout: 200ms"), ("t", "own:work", "args: [0], count: 4")];
    for python in [&pythons()[0], newest()] {
        let folder = folder(python, &tasks, "python: { interpreter: PYTHON }");
        std::fs::write(folder.path("own.py"), source).unwrap();
        // A thread is made for each lane, and another one for the one that is lost to a ghost.
        let told = run(&folder, "thread");
        assert_eq!(
            (told.count("succeeded"), told.count("timed_out")),
            (4, 1),
            "{python:?}: {:?}",
            told.run["failures"]
        );
    }
}

#[test]
fn one_process_works_on_as_many_tasks_as_it_has_threads() {
    for python in pythons() {
        for (threads, tasks) in [(2, 40), (64, 200), (8, 3)] {
            let rest = format!("count: {tasks}, args: {{ ms: 3 }}");
            let told = run(&threaded(python, threads, &[("t", "busy", &rest)], ""), "thread");
            assert_eq!((told.count("succeeded"), &told.run["worker_starts"]), (tasks, &1.into()), "{python:?}");
            let rows = told.run["workers"].as_array().unwrap();
            let used = rows.iter().map(|row| row["cpu_s"].as_f64().unwrap()).sum::<f64>();
            assert!(used >= 0.003 * tasks as f64, "{python:?} {threads}: {used} of {rows:?}");
            let at_work = rows.iter().filter(|row| row["tasks"].as_u64().unwrap() > 0);
            for row in at_work {
                let (cpu, done) = (row["cpu_s"].as_f64().unwrap(), row["tasks"].as_f64().unwrap());
                assert!(cpu >= 0.0029 * done, "each with its thread's own: {python:?} {row}");
            }
        }
    }
}

#[test]
fn two_tasks_at_once_are_in_two_threads_and_neither_is_the_main_one() {
    for python in pythons() {
        let tasks = [("l", "lanes", "count: 2"), ("m", "main", "count: 2"), ("s", "starts", ""), ("h", "handler", "")];
        let told = run(&threaded(python, 2, &tasks, ""), "thread");
        assert_eq!(told.count("succeeded"), 5, "{python:?}: {:?}", told.run["failures"]);
        let (outcome, why, _) = told.of("h");
        assert!(outcome == "failed" && why.contains("main thread of"), "{python:?}: {why}");
        assert!(
            why.ends_with("(tasks of a thread engine do not run in the main thread of their interpreter)"),
            "{why}"
        );
    }
}

#[test]
fn what_is_raised_costs_its_task_alone() {
    for python in pythons() {
        let tasks =
            [("x", "leave", "count: 3"), ("r", "recurse", ""), ("p", "replaces", ""), ("f", "fine", "count: 9")];
        let told = run(&threaded(python, 2, &tasks, ""), "thread");
        assert_eq!((told.count("succeeded"), told.count("failed")), (10, 4), "{python:?}: {:?}", told.run["failures"]);
        assert_eq!(told.run["worker_restarts"], 0, "{python:?}");
    }
}

#[test]
fn a_task_that_works_too_long_is_given_up_and_another_thread_takes_its_place() {
    for python in pythons() {
        let tasks = [("s", "burns", "timeout: 300ms"), ("f", "fine", "count: 60, args: { ms: 20 }")];
        let told = run(&threaded(python, 2, &tasks, ""), "thread");
        let counts = (told.count("timed_out"), told.count("succeeded"), told.count("lost"));
        assert_eq!(counts, (1, 60, 0), "{python:?}: {:?}", told.run["failures"]);
        assert_eq!((&told.run["worker_starts"], &told.run["worker_restarts"]), (&1.into(), &0.into()), "{python:?}");
        assert_eq!(told.run["workers"].as_array().unwrap().len(), 3, "a third thread: {python:?}");
        let ghosts = told.run["ghost_cpu_s"].as_f64().unwrap();
        assert!(ghosts > 0.0 && ghosts < told.run["wall_s"].as_f64().unwrap() + 3.0, "{python:?}: {ghosts}");
    }
}

#[test]
fn as_many_lost_threads_as_there_are_to_be_have_the_interpreter_replaced() {
    for python in pythons() {
        let tasks = [
            ("s", "stuck", "count: 4, timeout: 300ms, retries: { max: 3, on: [crash] }"),
            ("long", "fine", "args: { ms: 30 }, count: 4, retries: { max: 2 }"),
        ];
        let told = run(&threaded(python, 2, &tasks, ""), "thread");
        // What begins between two timeouts is lost with the interpreter, and tried again.
        let counts = (told.count("timed_out"), told.count("succeeded"), told.count("lost"));
        assert_eq!(counts, (4, 4, 0), "{python:?}: {:?}", told.run["failures"]);
        assert!(told.run["worker_starts"].as_u64().unwrap() >= 2, "{python:?}");
        // With one thread each of them is as good as killed.
        let told = run(&threaded(python, 1, &tasks, ""), "thread");
        assert_eq!(
            (told.count("timed_out"), told.count("succeeded")),
            (4, 4),
            "{python:?}: {:?}",
            told.run["failures"]
        );
    }
}

#[test]
fn what_is_in_an_interpreter_that_is_replaced_is_lost_and_says_why() {
    let python = newest();
    // The long task begins in the lane that was added for the first ghost.
    let tasks = [
        ("s", "stuck", "count: 2, timeout: 400ms"),
        ("t", "stuck", "timeout: 600ms"),
        ("long", "fine", "args: { ms: 60000 }"),
    ];
    let told = run(&threaded(python, 3, &tasks, ""), "thread");
    assert_eq!((told.count("timed_out"), told.count("lost")), (3, 1), "{:?}", told.run["failures"]);
    let (outcome, why, _) = told.of("long");
    assert!(outcome == "lost" && why.contains("its interpreter was replaced: 3 of its threads"), "{why}");
}

#[test]
fn a_task_that_holds_the_gil_holds_up_the_others_for_no_longer_than_is_bearable() {
    let python = newest();
    let tasks = [("s", "whole_gil", "timeout: 200ms"), ("f", "fine", "count: 20")];
    let told = run(&threaded(python, 2, &tasks, ""), "thread");
    assert_eq!(
        (told.count("timed_out"), told.count("succeeded") + told.count("lost")),
        (1, 20),
        "{:?}",
        told.run["failures"]
    );
    assert!(told.count("lost") <= 1, "what the other thread was in: {:?}", told.run["failures"]);
}

#[test]
fn deadlocked_threads_time_out() {
    for python in pythons() {
        let tasks = [
            ("d", "one_then_other", "args: { index: { index } }, count: 2, timeout: 500ms"),
            ("f", "fine", "count: 6, retries: { max: 1, on: [crash] }"),
        ];
        let told = run(&threaded(python, 2, &tasks, ""), "thread");
        // One that begins between the two timeouts is lost with the interpreter, and tried again.
        let counts = (told.count("timed_out"), told.count("succeeded"), told.count("lost"));
        assert_eq!(counts, (2, 6, 0), "{python:?}: {:?}", told.run["failures"]);
    }
}

#[test]
fn the_task_that_ends_the_interpreter_is_named_and_the_others_say_that_it_did() {
    for python in pythons() {
        for (call, how) in [("leaves", "exit code 7"), ("killed", "signal 9"), ("crashes", "signal 11")] {
            let tasks = [("b", "bystander", ""), ("a", call, ""), ("f", "fine", "count: 4")];
            let told = run(&threaded(python, 2, &tasks, ""), "thread");
            assert_eq!(
                (told.count("lost"), told.count("succeeded")),
                (2, 4),
                "{python:?} {call}: {:?}",
                told.run["failures"]
            );
            let (outcome, why, words) = told.of("a");
            assert!(outcome == "lost" && why.contains(how) && !why.contains("another"), "{python:?} {call}: {why}");
            match call {
                "leaves" => assert_eq!(words.trim_end(), "last words", "{python:?}"),
                "crashes" => {
                    let last = words.lines().last().unwrap_or_default();
                    assert!(
                        last.starts_with("  File ") && words.contains("in crashes"),
                        "where it was: {python:?} {words}"
                    );
                    assert!(words.starts_with("Fatal Python error: "), "{python:?} {words}");
                    assert!(!words.contains("in bystander") && !words.contains("poolscope>"), "{python:?} {words}");
                }
                _ => {}
            }
            let (outcome, why, words) = told.of("b");
            let says = why.contains(how) && why.contains("task 1, in another of its threads, did that");
            assert!(outcome == "lost" && says && words.is_empty(), "{python:?} {call}: {why} {words}");
        }
    }
}

/// More threads, and deeper ones, than are kept of what anybody prints.
#[test]
fn a_crash_among_many_threads_is_told_with_the_calls_of_its_own() {
    let source = "import ctypes, threading, time\ntogether = threading.Barrier(40)\n\
        def waits(depth=90):\n    return waits(depth - 1) if depth else (together.wait(60), time.sleep(600))\n\
        def crashes():\n    together.wait(60); time.sleep(0.2); ctypes.string_at(0)\n";
    for python in pythons() {
        let tasks = [("a", "crashes", ""), ("w", "waits", "count: 39")];
        let folder = threaded(python, 40, &tasks, "");
        std::fs::write(folder.path("threaded.py"), source).unwrap();
        let told = run(&folder, "thread");
        assert_eq!(told.count("lost"), 40, "{python:?}");
        let (_, why, words) = told.of("a");
        assert!(why.contains("signal 11") && words.contains("in crashes"), "{python:?}: {why} {words}");
        assert!(!words.contains("in waits") && !words.contains("left out"), "{python:?}: {words}");
    }
}

#[test]
fn lost_tasks_are_tried_again_by_the_rules() {
    let python = newest();
    let retries = "retries: { max: 3, on: [crash] }";
    let rest = format!("args: {{ ms: 300 }}, {retries}");
    let tasks = [("b", "fine", rest.as_str()), ("x", "leave_at_once", "")];
    let folder = threaded(python, 2, &tasks, "");
    let source = format!("{SOURCE}\ndef leave_at_once(): time.sleep(0.1); os._exit(9)\n");
    std::fs::write(folder.path("threaded.py"), source).unwrap();
    let told = run(&folder, "thread");
    assert_eq!((told.count("lost"), told.count("succeeded")), (1, 1), "{:?}", told.run["failures"]);
    assert_eq!(failures(&told, "b").len(), 1, "its first attempt: {:?}", told.run["failures"]);
}

#[test]
fn a_thread_that_closes_all_descriptors_ends_its_interpreter() {
    for python in pythons() {
        let tasks = [("c", "closes", ""), ("f", "fine", "count: 8, retries: { max: 1 }")];
        let told = run(&threaded(python, 2, &tasks, ""), "thread");
        assert_eq!((told.count("lost"), told.count("succeeded")), (1, 8), "{python:?}: {:?}", told.run["failures"]);
        let (outcome, why, words) = told.of("c");
        let says = words.contains("a task has closed the descriptors of its worker");
        assert!(outcome == "lost" && says, "{python:?}: {why} {words}");
    }
}

/// The thread that reads what comes is the first to find out: what came was for a task that arrives late.
#[test]
fn whoever_finds_descriptors_closed_tells_the_same_and_of_the_task_that_did_it() {
    for python in pythons() {
        let tasks = [("c", "closes_and_stays", ""), ("f", "fine", "args: { ms: 0 }")];
        let late = "arrivals: { mode: open, process: constant, rate: 4/s }";
        let told = run(&threaded(python, 2, &tasks, late), "thread");
        let (outcome, why, words) = told.of("c");
        let says = words.contains("a task has closed the descriptors of its worker") && !words.contains("Error");
        assert!(outcome == "lost" && why.contains("exit code 70") && says, "{python:?}: {why} {words}");
        assert_eq!(words.matches("cannot go on").count(), 1, "{python:?}: {words}");
    }
}

/// A lane that has no room for another call cannot go on. (3.8 gives the room back as soon as it was missed.)
#[test]
fn a_lane_that_dies_without_words_is_lost_once_with_its_task() {
    let mut lost = 0;
    for python in pythons().iter().filter(|python| python.version > (3, 8)) {
        let told = run(&threaded(python, 2, &[("n", "no_room", "")], ""), "thread");
        if told.count("succeeded") == 1 {
            // The limit was undone before the lane itself needed room, as after any task.
            continue;
        }
        lost += 1;
        assert_eq!(told.count("lost"), 1, "{python:?}: {:?}", told.run["failures"]);
        let (outcome, why, words) = told.of("n");
        assert!(outcome == "lost" && why.contains("exit code 70"), "{python:?}: {why} {words}");
        let says = words.starts_with("the worker cannot go on: ") && words.contains("RecursionError");
        assert!(says, "{python:?}: {why} {words}");
        assert_eq!(failures(&told, "n").len(), 1, "{python:?}: {:?}", told.run["failures"]);
    }
    // From 3.12 on a limit that is set is no limit to what is running already, and there is nothing that a lane would die of.
    assert!(lost > 0 || pythons().iter().all(|python| python.version >= (3, 12)), "a lane dies in some version");
}

#[test]
fn what_a_lane_prints_is_its_tasks_and_what_is_written_below_python_is_nobodys() {
    for python in pythons() {
        let tasks = [("t", "prints", "args: { index: { index } }, count: 40")];
        let told = run(&threaded(python, 4, &tasks, ""), "thread");
        let failures = failures(&told, "t");
        assert_eq!(failures.len(), 8, "{python:?}");
        for failure in failures {
            let (index, text) = (failure["task"].as_u64().unwrap(), failure["stderr"].as_str().unwrap());
            for part in ["printed by", "said by"] {
                assert_eq!(text.matches(part).count(), 1, "{python:?}: {text}");
                assert!(text.contains(&format!("{part} {index}.")), "{python:?} {index}: {text}");
            }
            assert!(!text.contains("somebody") && text.contains("Traceback"), "{python:?}: {text}");
        }
    }
}

#[test]
fn what_a_thread_engine_cannot_do_is_refused_in_words() {
    let said = |tasks: &str, engine: &str, more: &str| {
        let folder = WorkloadFolder::new(&format!("version: 1\n{tasks}\nengines: [{{ {engine} }}]\n"));
        let output = folder.shell(&format!("POOLSCOPE check w.yaml {more}")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{engine}: {output:?}");
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
    };
    let python = "tasks: [{ name: t, kind: python, callable: 'math:factorial', args: [5], count: 2, timeout: 1s }]";
    let native = "tasks: [{ name: t, kind: kernel, kernel: noop, count: 2 }]";
    for kind in ["thread", "interpreter"] {
        let engine = |more: &str| format!("kind: {kind}, workers: 2{more}");
        for (tasks, more, words) in [
            (python, ", on_timeout: kill", "cannot kill a task"),
            (python, ", start_method: spawn", "does not apply to a"),
            (python, ", max_tasks_per_child: 5", "does not apply to a"),
            (python, ", max_rss_per_child: 5MiB", "does not apply to a"),
            (native, "", "cannot run tasks of this kind"),
        ] {
            let text = said(tasks, &engine(more), "");
            assert!(text.contains(words) && text.contains(kind), "{kind} {more}: {text}");
        }
    }
    let folder = WorkloadFolder::new(&format!("version: 1\n{native}\nengines: [{{ kind: pool }}]\n"));
    let output = folder.shell("POOLSCOPE run w.yaml --engine thread").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("cannot run tasks of this kind"), "{text}");
}

#[test]
fn subinterpreters_are_skipped_where_there_are_none() {
    let engines =
        "engines: [{ kind: pool, workers: 1 }, { kind: interpreter, workers: 2 }]\npython: { interpreter: PYTHON }";
    for python in pythons().iter().filter(|python| python.version < (3, 14)) {
        let folder = folder(python, &[("t", "math:factorial", "args: [5]")], engines);
        let output = folder.shell("POOLSCOPE compare w.yaml --repeats 1 --warmup 0 --format json").output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let skipped = &document["workload"]["skipped"][0];
        let reason = skipped["reason"].as_str().unwrap();
        assert!(skipped["name"] == "interpreter" && reason.contains("need CPython 3.14 or newer"), "{skipped}");
    }
}

/// As long as the same takes in a pool: what one lane says holds for all that wait with it.
#[test]
fn imports_may_take_longer_than_a_start_with_several_lanes_too() {
    let engines = "engines: [{ kind: thread, workers: 2, start_timeout: 500ms }]\npython: { interpreter: PYTHON }";
    let folder = folder(newest(), &[("t", "slowly:fine", "count: 4")], engines);
    std::fs::write(folder.path("slowly.py"), "import time; time.sleep(1)\ndef fine(): pass\n").unwrap();
    let told = run(&folder, "thread");
    assert_eq!((told.count("succeeded"), &told.run["worker_starts"]), (4, &1.into()), "{}", told.run);
}
