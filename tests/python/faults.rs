//! What a task does to its worker and to others: it is told of that task, once, and of no other.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::*;
use crate::support::program::WorkloadFolder;

/// A workload that calls functions of this source, with more said in the file.
fn with_source(python: &Python, source: &str, tasks: &[Task<'_>], more: &str) -> WorkloadFolder {
    let folder = folder(python, tasks, &format!("python: {{ interpreter: PYTHON }}\n{more}"));
    std::fs::write(folder.path("own.py"), source).unwrap();
    folder
}

fn notes(told: &Told) -> Vec<&str> {
    told.run["notes"].as_array().unwrap().iter().filter_map(|note| note["text"].as_str()).collect()
}

/// The oldest interpreter and the newest one.
fn ends() -> BTreeSet<usize> {
    BTreeSet::from([0, pythons().len() - 1])
}

#[test]
fn what_tasks_of_a_chunk_print_is_told_with_none_of_the_others() {
    let source = r#"
import os, sys, time

def work(index):
    if index % 3 == 0:
        print("printed by %d." % index)
    elif index % 3 == 1:
        os.write(1, b"written by %d." % index)
    else:
        os.system("echo child of %d." % index)
    if index % 5 == 4:
        raise ValueError(index)
"#;
    for place in ends() {
        let engines = "engines: [{ kind: pool, workers: 2, submit: map, chunksize: 10 }]";
        let tasks = [("t", "own:work", "args: { index: { index } }, count: 40")];
        let folder = with_source(&pythons()[place], source, &tasks, engines);
        let told = run(&folder, "pool");
        let failures = told.run["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 8, "{:?}", told.run["failures"]);
        for failure in failures {
            let (index, text) = (failure["task"].as_u64().unwrap(), failure["stderr"].as_str().unwrap());
            let said = ["printed by", "written by", "child of"][index as usize % 3];
            assert!(text.contains(&format!("{said} {index}.")), "{index}: {text}");
            let all = ["printed by", "written by", "child of"].map(|said| text.matches(said).count());
            assert_eq!(all.iter().sum::<usize>(), 1, "{index} is told with what others have printed: {text}");
        }
    }
}

#[test]
fn what_has_ended_in_a_chunk_is_kept_if_a_later_task_of_it_ends_the_interpreter() {
    let source = r#"
import os, time

def work(index):
    with open(os.path.join(os.path.dirname(__file__), "began"), "a") as began:
        began.write("%d " % index)
    time.sleep(0.02)
    if index == 5:
        os._exit(3)
"#;
    let engines = "engines: [{ kind: pool, workers: 1, submit: map, chunksize: 10 }]";
    let tasks = [("t", "own:work", "args: { index: { index } }, count: 10")];
    let folder = with_source(&pythons()[0], source, &tasks, engines);
    let told = run(&folder, "pool");
    assert_eq!(told.run["tasks"]["succeeded"], 9, "{:?}", told.run["failures"]);
    assert_eq!(told.run["tasks"]["lost"], 1, "{:?}", told.run["failures"]);
    let began = std::fs::read_to_string(folder.path("began")).unwrap();
    assert_eq!(began, "0 1 2 3 4 5 6 7 8 9 ", "each once");
}

#[test]
fn what_a_thread_prints_that_was_left_behind_is_no_later_tasks() {
    let source = r#"
import threading, time
stop = threading.Event()

def leaves():
    def say():
        while not stop.is_set():
            print("left behind")
            time.sleep(0.001)
    threading.Thread(target=say, daemon=True).start()

def own():
    def say():
        print("of this task")
    thread = threading.Thread(target=say)
    thread.start()
    thread.join()
    time.sleep(0.05)
    raise ValueError("after its own thread")
"#;
    for place in ends() {
        let tasks = [("leaves", "own:leaves", ""), ("own", "own:own", "count: 5")];
        let folder = with_source(&pythons()[place], source, &tasks, "");
        let told = run(&folder, "serial");
        let failures = told.run["failures"].as_array().unwrap();
        assert_eq!((failures.len(), told.count("succeeded")), (5, 1));
        for failure in failures {
            let text = failure["stderr"].as_str().unwrap();
            assert!(text.contains("of this task") && !text.contains("left behind"), "{text}");
        }
    }
}

#[test]
fn what_a_task_ruins_is_not_what_its_worker_works_with() {
    let source = r#"
import builtins, os, time

def ruins():
    for name in ("len", "range", "memoryview", "bytearray", "isinstance", "print", "open", "int"):
        setattr(builtins, name, None)
    os.write = os.fstat = os.read = time.monotonic_ns = time.process_time_ns = None

def fine(index):
    return index * index
"#;
    for place in ends() {
        let fine = ("fine", "own:fine", "args: [{ index }], count: 5");
        let folder = with_source(&pythons()[place], source, &[("ruins", "own:ruins", ""), fine], "");
        for engine in ENGINES {
            let told = run(&folder, engine);
            let failures = &told.run["failures"];
            assert_eq!((told.count("succeeded"), told.count("lost")), (6, 0), "{engine}: {failures:?}");
            assert_eq!(told.run["worker_restarts"], 0, "{engine}");
        }
    }
}

#[test]
fn results_that_cannot_be_compared_are_counted() {
    let source = "class Own: pass\ndef opaque(): return Own()\ndef clear(): return [1]\n";
    for python in [&pythons()[0], newest()] {
        let tasks = [("opaque", "own:opaque", "count: 3"), ("clear", "own:clear", "count: 4")];
        let folder = with_source(python, source, &tasks, "");
        for engine in ENGINES {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 7, "{engine}: {:?}", told.run["failures"]);
            assert_eq!(told.run["payload"]["not_comparable"], 3, "{engine}");
            assert_eq!(told.run["payload"]["hash_s"]["count"], 7, "{engine}");
        }
        let output = folder.run("pool", &["--format", "text"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains("not comparable")
                && text.lines().any(|line| line.contains("comparable") && line.contains('3')),
            "{text}"
        );
    }
}

#[test]
fn what_tasks_change_for_those_after_them_is_noted() {
    let source = r#"
import os, signal, time

def nothing():
    time.sleep(0.002)

def changes(what):
    if what == 0:
        os.chdir("/")
    elif what == 1:
        os.environ["ADDED_BY_A_TASK"] = "1"
    elif what == 2:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    else:
        os.close(2)
    time.sleep(0.002)
"#;
    let words = ["working directory", "environment", "signal handlers", "standard descriptors"];
    for place in ends() {
        // Nobody comes after them there: all at once.
        let of = |what: u32| format!("args: [{what}]");
        let all = [of(0), of(1), of(2), of(3)];
        let names = ["a", "b", "c", "d"].iter().zip(&all);
        let tasks: Vec<Task<'_>> = names.map(|(name, args)| (*name, "own:changes", args.as_str())).collect();
        let told = run(&with_source(&pythons()[place], source, &tasks, ""), "process");
        assert_eq!(told.count("succeeded"), 4, "process: {:?}", told.run["failures"]);
        assert!(!notes(&told).iter().any(|note| note.contains("changed the")), "process: {:?}", notes(&told));
        for engine in ["pool", "serial", "thread"] {
            for (what, words) in (0..).zip(words) {
                if (engine, what) == ("thread", 2) {
                    // Python sets handlers of signals in its main thread alone, where no task runs there.
                    continue;
                }
                let args = of(what);
                let tasks = [("n", "own:nothing", "count: 3"), ("t", "own:changes", args.as_str())];
                let folder = with_source(&pythons()[place], source, &tasks, "");
                let told = run(&folder, engine);
                assert_eq!(told.count("succeeded"), 4, "{engine} {words}: {:?}", told.run["failures"]);
                let said: Vec<&str> = notes(&told).into_iter().filter(|note| note.contains("changed the")).collect();
                assert_eq!(said.len(), 1, "{engine} {words}: {said:?}");
                // Which of several tasks it was cannot be told of threads, nor of tasks that come one right after the other.
                let by = said[0].split(" changed the ").next().unwrap();
                assert!(said[0].contains(words) && by.ends_with('3'), "{engine}: {said:?}");
            }
        }
    }
}

/// A change that a task makes is told of the tasks that were worked on then, and of none before or after.
#[test]
fn what_a_task_of_a_thread_changes_is_told_of_those_beside_it() {
    let source = r#"
import os, time
def nothing(): time.sleep(0.02)
def changes():
    time.sleep(0.02)
    os.chdir("/")
    time.sleep(0.02)
"#;
    let tasks = [("n", "own:nothing", "count: 8"), ("t", "own:changes", ""), ("m", "own:nothing", "count: 8")];
    for (threads, first, last) in [(1, 8, 8), (2, 5, 11)] {
        let more = format!("engines: [{{ kind: thread, workers: {threads} }}]");
        let told = run(&with_source(newest(), source, &tasks, &more), "thread");
        let said: Vec<&str> = notes(&told).into_iter().filter(|note| note.contains("changed the")).collect();
        assert_eq!(said.len(), 1, "{threads}: {said:?}");
        let by = said[0].split(" changed the ").next().unwrap();
        let named: Vec<u32> = by.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert!(!named.is_empty() && named.iter().all(|task| (first..=last).contains(task)), "{threads}: {said:?}");
        assert!(named[0] <= 8 && *named.last().unwrap() >= 8, "{threads}: {said:?}");
    }
}

#[test]
fn output_that_does_not_block_is_told_like_any_other() {
    let source = r#"
import os, sys

def work(index):
    os.set_blocking(1, False)
    for _ in range(40):
        try:
            sys.stdout.write("%d " % index * 2000)
        except BlockingIOError:
            pass
    os.set_blocking(3, False)
    raise ValueError("failed: %d" % index)
"#;
    for place in ends() {
        let tasks = [("t", "own:work", "args: [{ index }], count: 6")];
        let folder = with_source(&pythons()[place], source, &tasks, "");
        for engine in ENGINES {
            let told = run(&folder, engine);
            let failures = told.run["failures"].as_array().unwrap();
            assert_eq!((failures.len(), told.count("failed")), (6, 6), "{engine}: {failures:?}");
            for failure in failures {
                let (index, text) = (failure["task"].as_u64().unwrap(), failure["stderr"].as_str().unwrap());
                assert!(text.contains(&format!("failed: {index}")), "{engine}: {text}");
                let others = (0..6).filter(|other| *other != index);
                let foreign = others.map(|other| format!(" {other} {other} ")).find(|other| text.contains(other));
                assert_eq!(foreign, None, "{engine} {index}: told with what another has printed");
            }
        }
    }
}

#[test]
fn descriptors_that_are_made_non_blocking_again_and_again_hold_nothing_up() {
    let source = r#"
import os, threading, time

def hinders():
    """Whatever others set right, it is wrong again at once."""
    def again():
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for number in (1, 3):
                os.set_blocking(number, False)
    threading.Thread(target=again, daemon=True).start()

def work(index):
    if index % 50 == 7:
        raise ValueError("failed: %d" % index)
    return bytes(100000)
"#;
    for place in ends() {
        let tasks = [("h", "own:hinders", ""), ("t", "own:work", "args: [{ index }], count: 200")];
        let folder = with_source(&pythons()[place], source, &tasks, "");
        for engine in ["serial", "thread"] {
            let told = run(&folder, engine);
            let counts = (told.count("succeeded"), told.count("failed"), told.count("lost"));
            assert_eq!(counts, (197, 4, 0), "{engine}: {:?}", told.run["failures"]);
        }
    }
}

#[test]
fn a_forked_process_ends_as_a_program_does() {
    let source = r#"
import multiprocessing, os, signal, sys

def status(how):
    pid = os.fork()
    if not pid:
        print("child of", how, end="")
        if how == "exit":
            sys.exit(7)
        if how == "text":
            sys.exit("enough")
        if how == "none":
            sys.exit()
        if how == "raise":
            raise ValueError("in the child")
        if how == "interrupt":
            raise KeyboardInterrupt
        return 5
    return os.waitpid(pid, 0)[1]

def work(how, expected):
    seen = status(how)
    if seen is not None and os.getpid() == os.getpgrp():
        assert seen == expected, seen
    return None

def library():
    process = multiprocessing.get_context("fork").Process(target=sys.exit, args=(3,))
    process.start()
    process.join()
    assert process.exitcode == 3, process.exitcode
    raise LookupError("so that what was printed is told")

def told(how):
    if os.fork():
        os.wait()
        raise LookupError("so that what was printed is told")
    print("said by the child", end="")
    if how:
        raise ValueError("in the child")
"#;
    let cases = [("returns", 0), ("exit", 7 << 8), ("text", 1 << 8), ("none", 0), ("raise", 1 << 8), ("interrupt", 2)];
    let args = cases.map(|(how, status)| format!("args: ['{how}', {status}]"));
    let mut tasks: Vec<Task<'_>> =
        cases.iter().zip(&args).map(|((how, _), args)| (*how, "own:work", args.as_str())).collect();
    tasks.extend([
        ("library", "own:library", ""),
        ("quiet", "own:told", "args: [0]"),
        ("loud", "own:told", "args: [1]"),
    ]);
    for place in ends() {
        let folder = with_source(&pythons()[place], source, &tasks, "");
        // Not of threads: beside each other in one process they wait for each other's children, here and in any program.
        for engine in PROCESSES {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 6, "{engine}: {:?}", told.run["failures"]);
            assert_eq!(told.of("library").0, "failed", "{engine}");
            let (_, why, text) = told.of("library");
            assert!(why.contains("LookupError"), "{engine}: {text}");
            assert!(told.of("quiet").2.contains("said by the child"), "{engine}: {}", told.of("quiet").2);
            let text = told.of("loud").2;
            assert!(
                text.contains("said by the child") && text.contains("ValueError: in the child"),
                "{engine}: {text}"
            );
        }
    }
}

#[test]
fn shared_memory_that_tasks_only_attach_stays() {
    let source = r#"
from multiprocessing import shared_memory

def attach(name):
    block = shared_memory.SharedMemory(name=name)
    seen = bytes(block.buf[:5])
    block.close()
    assert seen == b"still", seen

def own():
    made = shared_memory.SharedMemory(create=True, size=10)
    other = shared_memory.SharedMemory(name=made.name)
    other.close()
    made.close()
    made.unlink()
"#;
    for python in pythons() {
        let name = format!("poolscope-test-{}-{}", std::process::id(), python.version.1);
        let file = std::path::Path::new("/dev/shm").join(&name);
        let args = format!("args: ['{name}'], count: 4");
        let folder = with_source(python, source, &[("t", "own:attach", &args), ("own", "own:own", "count: 2")], "");
        for engine in ENGINES {
            std::fs::write(&file, b"still there").unwrap();
            let told = run(&folder, engine);
            let there = std::fs::remove_file(&file);
            assert_eq!(told.count("succeeded"), 6, "{python:?} {engine}: {:?}", told.run["failures"]);
            assert!(there.is_ok(), "{python:?} {engine}: it was removed with a worker");
        }
    }
}

#[test]
fn what_is_looked_at_may_do_anything() {
    let source = r#"
class Sign:
    @property
    def __signature__(self):
        raise RuntimeError("do not look")
    def __call__(self):
        return 1

class Deep:
    def __getattr__(self, name):
        raise SystemExit("not even here")
    def __call__(self):
        return 1

class Default:
    def __repr__(self):
        raise OSError("no repr")

def given(a, b=Default()):
    return 1

sign, deep = Sign(), Deep()
"#;
    for python in pythons() {
        for (callable, code, words) in [
            ("own:sign", 0, ""),
            ("own:deep", 2, "it is nothing that can be looked at: SystemExit"),
            ("own:given", 2, "missing a required argument: 'a'"),
        ] {
            let folder = with_source(python, source, &[("t", callable, "")], "");
            let output = folder.run("pool", &[]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{python:?} {callable}: {text}");
            assert!(text.contains(words) && !text.contains("poolscope>"), "{python:?} {callable}: {text}");
        }
    }
}

/// A program that stands in for an old interpreter says what such a one says to what we start it with.
#[test]
fn an_interpreter_that_is_too_old_is_told_by_its_version() {
    let root = pythons().iter().find_map(|python| python.program.ancestors().nth(3).map(std::path::Path::to_owned));
    let old: Vec<_> = ["2.7.18/bin/python2.7", "3.6.15/bin/python3", "3.7.16/bin/python3"]
        .iter()
        .filter_map(|name| Some(root.as_ref()?.join(name)).filter(|program| program.exists()))
        .collect();
    if old.is_empty() {
        eprintln!("not tried: no interpreter older than 3.8 is here");
    }
    for program in old {
        let more = format!("python: {{ interpreter: {} }}", program.display());
        let folder = folder(newest(), &[("t", "math:factorial", "args: [5]")], &more);
        let output = folder.run("pool", &[]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(" is Python ") && text.contains("3.8 or newer is needed"), "{text}");
        assert!(text.contains("poolscope doctor") && !text.contains("Traceback"), "{text}");
    }
}

/// An interpreter that says nothing is ended at its `start_timeout`; one that imports has the time that imports have.
#[test]
fn imports_are_no_silence_and_silence_is_no_import() {
    let python = newest();
    let engines =
        "engines: [{ kind: pool, workers: 1, start_timeout: 1s }, { kind: process, workers: 1, start_timeout: 1s }]";
    let source = "import time\ntime.sleep(3)\ndef work(): return 1\n";
    let slow = with_source(python, source, &[("t", "own:work", "")], engines);
    for engine in ["pool", "process"] {
        let told = run(&slow, engine);
        assert_eq!((told.count("succeeded"), &told.run["worker_restarts"]), (1, &Value::from(0)), "{engine}");
    }
    let more = format!("python: {{ interpreter: ./silent, probe_timeout: 60s }}\n{engines}");
    let silent = folder(python, &[("t", "math:factorial", "args: [3]")], &more);
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *__worker*) exec sleep 61.5;; esac\nexec {} \"$@\"\n",
        python.program.display()
    );
    std::fs::write(silent.path("silent"), script).unwrap();
    let output = silent.shell("chmod +x silent; POOLSCOPE run w.yaml --engine pool --quiet").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("said nothing for 1s"), "{text}");
}

#[test]
fn threads_of_libraries_are_counted_and_never_limited_unasked() {
    let python = newest();
    let source = r#"
import mmap, os
place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libopenblas_held.so")
with open(place, "w+b") as file:
    file.write(b"x" * 4096)
    file.flush()
    held = mmap.mmap(file.fileno(), 4096)

def work():
    assert "OMP_NUM_THREADS" not in os.environ
    return os.environ.get("OPENBLAS_NUM_THREADS")
"#;
    let engines = "engines: [{ kind: pool, workers: 4 }]";
    let with = |env: &str| {
        let folder = folder(
            python,
            &[("t", "own:work", "count: 4")],
            &format!("python: {{ interpreter: PYTHON, env: {{ {env} }} }}\n{engines}"),
        );
        std::fs::write(folder.path("own.py"), source).unwrap();
        let mut command = folder.run("pool", &["--format", "json"]);
        command.env_remove("OMP_NUM_THREADS").env_remove("OPENBLAS_NUM_THREADS").env("LC_ALL", "C.UTF-8");
        let output = command.output().unwrap();
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        result["arms"][0].clone()
    };
    let said = |arm: &Value| arm["runs"][0]["notes"].to_string();
    let arm = with("OPENBLAS_NUM_THREADS: 4");
    assert_eq!(arm["runs"][0]["tasks"]["succeeded"], 4, "{}", arm["runs"][0]["failures"]);
    assert!(said(&arm).contains("4 workers with 4 threads of libopenblas_held.so each"), "{}", said(&arm));
    assert!(said(&arm).contains("python: { env: { OPENBLAS_NUM_THREADS: 1 } }"), "{}", said(&arm));
    assert_eq!(arm["python"]["variables"]["OPENBLAS_NUM_THREADS"], "4");
    assert_eq!(arm["python"]["variables"]["LC_ALL"], "C.UTF-8");
    assert_eq!(arm["python"]["thread_pools"][0]["library"], "libopenblas_held.so");
    let arm = with("OPENBLAS_NUM_THREADS: 1");
    assert!(!said(&arm).contains("threads of"), "{}", said(&arm));
    assert!(arm["python"]["variables"].get("OMP_NUM_THREADS").is_none());
}
